"""Cut a day that has more rows than a worker may hold into parts: stretches of time.

Belongs here: where a part ends, and reading its rows. Does not belong here: what is done with parts
(`stages.days`).

What is measured of a day is measured of any stretch of time, so what comes of a day does not depend
on where it is cut. Rows that start at the same instant stay together, however many they are: who
was first is decided among them by their event ids (R4.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from pipeline.measures.arrays import Ints
from pipeline.stages.row import Rows
from pipeline.stages.rows import BucketRows
from pipeline.store.usage import DAY_US

BINS = 1 << 12
"""Rows are counted by so many equal bins of time; a bin that has too many is cut in turn."""

BLOCK_ROWS = 1 << 16
"""A day that is cut is read in blocks of so many rows at most."""


class DayParts:
    """The rows of one day, in parts of at most `most_rows` rows each where that is possible."""

    def __init__(self, rows: BucketRows, day: int, most_rows: int) -> None:
        self._rows = rows
        self._most_rows = most_rows
        self._begin, self._end = day * DAY_US, (day + 1) * DAY_US
        self._is_cut = rows.count(day) > most_rows
        at_once = min(most_rows, BLOCK_ROWS) if self._is_cut else most_rows
        self._blocks = list(rows.blocks(day, at_once))
        self._spans: dict[int, tuple[int, int]] = {}
        self._until: dict[int, int] = {}

    def until(self, begin: int) -> int:
        """Where the part that begins at an instant ends."""
        if not self._is_cut:
            return self._end
        if begin not in self._until:
            cuts = self._cuts(begin, self._end)
            self._until.update(pairwise([begin, *cuts, self._end]))
        return self._until[begin]

    def rows(self, begin: int, until: int) -> Rows:
        """The rows that start in [begin, until)."""
        if (begin, until) == (self._begin, self._end):
            return Rows.together([self._rows.read(block) for block in self._blocks])
        return Rows.together(
            [self._rows.read(self._blocks[n], begin, until) for n in self._within(begin, until)]
        )

    def _cuts(self, begin: int, end: int) -> Iterator[int]:
        """Where parts of [begin, end) begin, but for the first."""
        width = -(-(end - begin) // BINS)
        held = 0
        for number, count in enumerate(self._counted(begin, end, width).tolist()):
            at = begin + number * width
            if held and count and held + count > self._most_rows:
                yield at
                held = 0
            if count > self._most_rows and width > 1:
                yield from self._cuts(at, min(at + width, end))
                held = self._most_rows
            else:
                held += count

    def _counted(self, begin: int, end: int, width: int) -> Ints:
        """How many rows start in each bin of [begin, end)."""
        counts = np.zeros(BINS, np.int64)
        for number in self._within(begin, end):
            started = self._rows.starts(self._blocks[number])
            self._spans[number] = int(started.min()), int(started.max())
            inside = started[(begin <= started) & (started < end)]
            counts += np.bincount((inside - begin) // width, minlength=BINS)
        return counts

    def _within(self, begin: int, end: int) -> Iterator[int]:
        """The blocks that have rows in [begin, end), as far as is known."""
        for number in range(len(self._blocks)):
            first, last = self._spans.get(number, (begin, begin))
            if first < end and begin <= last:
                yield number
