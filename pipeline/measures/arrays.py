"""Names for the arrays that rows travel in, and how some of them are chosen."""

from __future__ import annotations

from typing import Any, cast

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
