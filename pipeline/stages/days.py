"""Take a bucket through its days, one after the other, and take up those that are unchanged.

Belongs here: which rows belong to which day's work, what a day's result depends on, and handing
open sessions from day to day. Does not belong here: deciding and measuring (`stages.cases`,
`stages.meter`).
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from pipeline.fingerprint import fingerprint
from pipeline.stages.book import Book
from pipeline.stages.cases import Decided, Judge, joined
from pipeline.stages.fates import Fates
from pipeline.stages.meter import Frames, Meters
from pipeline.stages.rows import BucketRows, Rows
from pipeline.stages.sessions import Stays
from pipeline.store.usage import DAY_US
from pipeline.store.work import WorkStore


class Days:
    """The days of a bucket. `made_of` names what all of them depend on besides their rows."""

    def __init__(
        self,
        rows: BucketRows,
        book: Book,
        judge: Judge,
        fates: Fates,
        meters: Meters,
        work: WorkStore,
        made_of: str,
    ) -> None:
        self._rows = rows
        self._book = book
        self._judge = judge
        self._fates = fates
        self._meters = meters
        self._work = work
        self._made_of = made_of

    def measured(self) -> Frames:
        """The frames of `Fates.counted` and `Meters.measure`, of all days, each with its `day`."""
        begins, ends = self._book.bounds
        first, after = int(begins.min()) // DAY_US, -(-int(ends.max()) // DAY_US)
        before = [day for day in self._rows.days if day < first]
        reaching_in, frames = self._before(before)
        handed = Stays.none(), ""
        for day in range(first, after):
            rows_before = reaching_in if day == first else None
            done, handed = self._day(day, rows_before, handed)
            frames.append(done)
        for day in self._rows.days:
            if day >= after:
                frames.append(self._fates.outside(self._rows.kinds_of_days(range(day, day + 1))))
        names = {name for one in frames for name in one}
        return {
            name: pl.concat(one[name] for one in frames if name in one)
            for name in names
        }

    def _before(self, days: list[int]) -> tuple[Rows, list[Frames]]:
        """Of the days before the period: the rows that reach into it; the others, counted."""
        begins = self._book.bounds[0]
        reaching, frames = [], []
        for day in days:
            rows = self._rows.of_days(range(day, day + 1))
            may_reach = rows.ended > begins[self._judge.tenants(rows)]
            reaching.append(rows.at(may_reach))
            frames.append(self._fates.outside(rows.kind[~may_reach]))
        return Rows.together(reaching), frames

    def _day(
        self, day: int, before: Rows | None, handed: tuple[Stays, str]
    ) -> tuple[Frames, tuple[Stays, str]]:
        """What a day's rows come to, and the sessions that are still open when it ends."""
        rows = self._rows.of_days(range(day, day + 1))
        decided = self._judge.decide(rows, day)
        if before is not None and len(before):
            decided = joined(self._judge.decide(before, None), decided)
            rows = Rows.together([before, rows])
        begin = day * DAY_US
        metered, carried = self._meters.measure(rows, decided, handed[0], begin, begin + DAY_US)
        dated = {name: frame.with_columns(day=pl.lit(day)) for name, frame in metered.items()}
        return {**self._fates.counted(rows, decided), **dated}, (carried, "")
