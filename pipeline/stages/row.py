"""Usage rows as plain numbers, and where they come from.

Belongs here: the form that rows have between store and measures. Does not belong here: reading them
(`stages.rows`, `stages.numbers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from pipeline.measures.arrays import Codes32, Flags, Ints, Positions, where
from pipeline.store.usage import LandedUsage


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows: codes of their kind and user (NO_USER: none), what they state, their number.

    Arrays of one length; `started`, `ended` (OPEN: none) in microseconds, `quantity` (NO_QUANTITY:
    none) in millionths, `number` as `BucketRows` counts them.
    """

    kind: Codes32
    user: Codes32
    started: Ints
    ended: Ints
    quantity: Ints
    number: Ints

    def __len__(self) -> int:
        return len(self.kind)

    def at(self, chosen: Flags | Positions) -> Rows:
        """Some of the rows, by flags or by positions."""
        positions = where(chosen)
        return Rows(*(getattr(self, one.name).take(positions) for one in fields(self)))

    @staticmethod
    def together(parts: Sequence[Rows]) -> Rows:
        """All rows of the parts."""
        if len(parts) == 1:
            return parts[0]
        return Rows(
            *(
                np.concatenate([np.empty(0, kind), *(getattr(part, name) for part in parts)])
                for name, kind in COLUMNS.items()
            )
        )


COLUMNS = {
    "kind": np.int32,
    "user": np.int32,
    "started": np.int64,
    "ended": np.int64,
    "quantity": np.int64,
    "number": np.int64,
}


class Reading(NamedTuple):
    """A landing whose rows count: `ranks` gives each of its exports' place in the listing."""

    landing: str
    landed: LandedUsage
    ranks: tuple[int, ...]
