"""The arrays that rows travel in: their names, and how some of them are chosen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Codes32 = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

Whole = npt.NDArray[np.integer[Any]]
"""Whole numbers of any width."""

Positions = npt.NDArray[np.intp]

Texts = npt.NDArray[Any]
"""Texts as UTF-8: of numpy's type V where all have one length, else objects of bytes."""


def where(chosen: Flags | Positions) -> Positions:
    """The positions that are chosen, given as they are or by flags.

    To take at positions is several times as fast as to choose by flags, column by column.
    """
    return np.flatnonzero(chosen) if chosen.dtype == np.bool_ else cast("Positions", chosen)


@dataclass(frozen=True, slots=True)
class Columns(ABC):
    """Arrays of one length, which dataclasses that are made of nothing else have as fields."""

    def __len__(self) -> int:
        return len(next(self._arrays()))

    def at(self, chosen: Flags | Positions) -> Self:
        """Some of the rows, by flags or by positions."""
        positions = where(chosen)
        return type(self)(*(array.take(positions) for array in self._arrays()))

    @classmethod
    @abstractmethod
    def none(cls) -> Self:
        """No rows."""

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """All rows of the parts."""
        if len(parts) < 2:
            return parts[0] if parts else cls.none()
        arrays = zip(*(part._arrays() for part in parts), strict=True)
        return cls(*map(np.concatenate, arrays))

    def _arrays(self) -> Iterator[npt.NDArray[Any]]:
        return (getattr(self, one.name) for one in fields(self))
