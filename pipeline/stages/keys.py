"""The keys of many runs, range by range: all that share a range lie together, and in cache.

Belongs here: cutting sorted keys into ranges of slot and hash, and reading no more than a few of
them at once. Does not belong here: what keys are (`store.usage`), and what is done with those that
are equal (`stages.events`).

The idea: keys are sorted within a run, so the keys of a range are one stretch of each run. A range
that has too many keys is halved, first where the keys lie, then, once few enough, in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.store.usage import HASH_BITS, POSITION_BITS, LandedUsage, Stretch, Words

AT_ONCE = 1 << 22
"""So many keys are read at once."""


@dataclass(frozen=True, slots=True)
class ReadRun:
    """Sorted keys of a run, and the number of its first row."""

    keys: Words
    first: int

    def __len__(self) -> int:
        return len(self.keys)

    def read(self) -> ReadRun:
        """The same."""
        return self

    def cut(self, key: int) -> tuple[ReadRun, ReadRun]:
        """The keys that are smaller than a key, and the others."""
        at = int(np.searchsorted(self.keys, np.uint64(key)))
        return ReadRun(self.keys[:at], self.first), ReadRun(self.keys[at:], self.first)


@dataclass(frozen=True, slots=True)
class LandedRun:
    """Sorted keys of a run as they lie in a landing, and the number of the run's first row."""

    landed: LandedUsage
    where: Stretch
    first: int

    def __len__(self) -> int:
        return self.where.rows

    def read(self) -> ReadRun:
        """The keys, in memory."""
        return ReadRun(self.landed.read("key", [self.where]), self.first)

    def cut(self, key: int) -> tuple[LandedRun, LandedRun]:
        """The keys that are smaller than a key, and the others."""
        below = self.landed.keys_below(key, self.where)
        first, rows = self.where.first, self.where.rows
        halves = Stretch(first, below), Stretch(first + below, rows - below)
        low, high = (LandedRun(self.landed, one, self.first) for one in halves)
        return low, high


Run = LandedRun | ReadRun


def keys_by_range(runs: Sequence[Run], slots: range, most_rows: int) -> Iterator[list[ReadRun]]:
    """The keys of all runs, so many at most.

    Keys of one slot and hash come together, however many they are.
    """
    return _halved(runs, slots.start << HASH_BITS, slots.stop << HASH_BITS, most_rows)


def _halved(runs: Sequence[Run], low: int, high: int, most_rows: int) -> Iterator[list[ReadRun]]:
    """The same, of the keys whose slot and hash, as one number, are in [low, high)."""
    rows = sum(map(len, runs))
    if rows <= most_rows or high - low == 1:
        if rows:
            yield [run.read() for run in runs]
        return
    if rows <= AT_ONCE:
        runs = [run.read() for run in runs]
    middle = (low + high) // 2
    cut = [run.cut(middle << POSITION_BITS) for run in runs]
    yield from _halved([below for below, _ in cut if len(below)], low, middle, most_rows)
    yield from _halved([above for _, above in cut if len(above)], middle, high, most_rows)
