"""Usage rows as plain numbers, and where they come from.

Belongs here: the form that rows have between store and measures. Does not belong here: reading them
(`stages.rows`, `stages.numbers`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.measures.arrays import Codes32, Columns, Ints
from pipeline.store.usage import LandedUsage


@dataclass(frozen=True, slots=True)
class Rows(Columns):
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

    @classmethod
    def none(cls) -> Rows:
        """No rows."""
        return cls(*(np.empty(0, kind) for kind in COLUMNS.values()))


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
