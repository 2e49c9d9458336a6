"""Take a bucket through its days, one after the other, and take up those that are unchanged.

Belongs here: which rows belong to which day's work, what a day's result depends on, and handing
open sessions from day to day. Does not belong here: deciding and measuring (`stages.cases`,
`stages.meter`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from pipeline.fingerprint import fingerprint
from pipeline.stages.book import Book
from pipeline.stages.cases import Judge, joined
from pipeline.stages.fates import Fates
from pipeline.stages.meter import Frames, Meters
from pipeline.stages.row import Rows
from pipeline.stages.rows import BucketRows
from pipeline.stages.sessions import Stays
from pipeline.store.usage import DAY_US
from pipeline.store.work import WorkStore

HANDED, CARRIED = "handed", "carried"
"""Kept with a day's frames: how many rows were read and the name of the state after it; and the
sessions that go on."""


@dataclass(frozen=True, slots=True)
class State:
    """What one day hands to the next: sessions that go on, and a name for all of them.

    The sessions of a day that is taken up are only read if the next one is not.
    """

    sessions: Callable[[], Stays]
    name: str

    @staticmethod
    def of(stays: Stays, rows: BucketRows) -> State:
        """The state after a day that was measured now."""
        content = hashlib.sha256()
        for column in (stays.own, stays.user, stays.start, stays.end):
            content.update(column.tobytes())
        return State(lambda: stays, fingerprint(content.hexdigest(), rows.identity_of(stays.user)))


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
        """The frames of `Fates.counted` and `Meters.measure`, of all days."""
        begins, ends = self._book.bounds
        first, after = int(begins.min()) // DAY_US, -(-int(ends.max()) // DAY_US)
        days = self._rows.days
        reaching_in, frames = self._before([day for day in days if day < first])
        frames.append(self._fates.nothing())
        earlier = [self._rows.identity(day) for day in days if day < first]
        state = State(Stays.none, fingerprint(earlier))
        for day in range(first, after):
            done, state = self._kept(day, reaching_in if day == first else None, state)
            frames.append(done)
        for day in days:
            if day >= after:
                frames.append(self._fates.outside(self._rows.kinds_of(day)))
        names = {name for one in frames for name in one}
        return {name: pl.concat(one[name] for one in frames if name in one) for name in names}

    def _before(self, days: list[int]) -> tuple[Rows, list[Frames]]:
        """Of the days before the period: the rows that reach into it; the others, counted."""
        begins = self._book.bounds[0]
        reaching, frames = [], []
        for day in days:
            rows = self._rows.of(day)
            may_reach = rows.ended > begins[self._judge.tenants(rows)]
            reaching.append(rows.at(may_reach))
            frames.append(self._fates.outside(rows.kind[~may_reach]))
        return Rows.together(reaching), frames

    def _kept(self, day: int, before: Rows | None, state: State) -> tuple[Frames, State]:
        """A day's frames and the state after it: as an earlier run kept them, or made now."""
        rows = self._rows.identity(day)
        name = fingerprint(self._made_of, day, rows, state.name)
        if not self._work.has(name):
            read_before = self._rows.read
            frames, carried = self._measured(day, before, state.sessions())
            after = State.of(carried, self._rows)
            handed = pl.DataFrame({"name": [after.name], "read": [self._rows.read - read_before]})
            self._work.save(name, {**frames, HANDED: handed, CARRIED: carried.as_frame()})
            return frames, after
        frames = self._work.load_all(name, but=CARRIED)
        after_name, read = frames.pop(HANDED).row(0)
        self._rows.read += read
        return frames, State(lambda: Stays.of(self._work.load(name, CARRIED)), after_name)

    def _measured(self, day: int, before: Rows | None, handed: Stays) -> tuple[Frames, Stays]:
        """What a day's rows come to, and the sessions that are still open when it ends."""
        rows = self._rows.of(day)
        decided = self._judge.decide(rows, day)
        if before is not None and len(before):
            decided = joined(self._judge.decide(before, None), decided)
            rows = Rows.together([before, rows])
        begin = day * DAY_US
        metered, carried = self._meters.measure(rows, decided, handed, begin, begin + DAY_US)
        return {**self._fates.counted(rows, decided), **metered}, carried
