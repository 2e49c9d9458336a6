"""Take a bucket through its days, part after part, and take up those parts that are unchanged.

Belongs here: which rows belong to which part's work, what a part's result depends on, and handing
open sessions from part to part. Does not belong here: where a day is cut (`stages.parts`), deciding
and measuring (`stages.cases`, `stages.meter`).

A part's name says where it begins and what it is made of; with its result is kept where it ends. So
a later run takes it up as it is, wherever that run would have cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from pipeline.fingerprint import fingerprint
from pipeline.measures.arrays import Flags
from pipeline.stages.book import Book
from pipeline.stages.cases import OUTSIDE, Judge, joined
from pipeline.stages.fates import Fates
from pipeline.stages.meter import Frames, Meters
from pipeline.stages.parts import DayParts
from pipeline.stages.row import Rows
from pipeline.stages.rows import BucketRows
from pipeline.stages.seen import Seen
from pipeline.stages.sessions import Stays
from pipeline.store.usage import DAY_US
from pipeline.store.work import WorkStore

HANDED, CARRIED = "handed", "carried"
"""Kept with a part's frames: where it ends, how many rows were read and the name of the state after
it; and the sessions that go on."""


@dataclass(frozen=True, slots=True)
class State:
    """What one part hands to the next: sessions that go on, and a name for all of them.

    The sessions of a part that is taken up are only read if the next one is not.
    """

    sessions: Callable[[], Stays]
    name: str

    @staticmethod
    def of(stays: Stays, rows: BucketRows) -> State:
        """The state after a part that was measured now."""
        content = hashlib.sha256()
        for column in (stays.own, stays.user, stays.start, stays.end):
            content.update(column.tobytes())
        return State(lambda: stays, fingerprint(content.hexdigest(), rows.identity_of(stays.user)))


class Days:
    """The days of a bucket, in parts of at most `most_rows` rows.

    `made_of` names what all of them depend on besides their rows.
    """

    def __init__(
        self,
        rows: BucketRows,
        book: Book,
        judge: Judge,
        fates: Fates,
        meters: Meters,
        work: WorkStore,
        made_of: str,
        most_rows: int,
    ) -> None:
        self._rows = rows
        self._book = book
        self._judge = judge
        self._fates = fates
        self._meters = meters
        self._work = work
        self._made_of = made_of
        self._most_rows = most_rows

    def measured(self) -> Frames:
        """The frames of `Fates.counted` and `Meters.measure`, of all days."""
        begins, ends = self._book.bounds
        first, after = int(begins.min()) // DAY_US, -(-int(ends.max()) // DAY_US)
        days = self._rows.days
        reaching_in, frames = self._before([day for day in days if day < first])
        frames.append(self._fates.nothing())
        earlier = [self._rows.identity(day) for day in days if day < first]
        state = State(Stays.none, fingerprint(earlier))
        seen = Seen()
        for day in range(first, after):
            parts, begin = DayParts(self._rows, day, self._most_rows), day * DAY_US
            while begin < (day + 1) * DAY_US:
                before = reaching_in if begin == first * DAY_US else None
                done, state, begin = self._kept(day, parts, begin, before, state)
                seen.add(done.pop("seen"))
                frames.append(done)
        for day in days:
            if day >= after:
                for block in self._rows.blocks(day, self._most_rows):
                    frames.append(self._fates.outside(self._rows.kinds_of(block)))
        names = {name for one in frames for name in one}
        of_all = {name: pl.concat(one[name] for one in frames if name in one) for name in names}
        return {**of_all, "seen": seen.all()}

    def _before(self, days: list[int]) -> tuple[Rows, list[Frames]]:
        """Of the days before the period: the rows that reach into it; the others, counted."""
        reaching, frames = [], []
        blocks = (block for day in days for block in self._rows.blocks(day, self._most_rows))
        for block in blocks:
            rows = self._rows.read(block)
            reaches_in = self._reaches_in(rows)
            reaching.append(rows.at(reaches_in))
            frames.append(self._fates.outside(rows.kind[~reaches_in]))
        return Rows.together(reaching), frames

    def _reaches_in(self, rows: Rows) -> Flags:
        """Whether rows from before the period are its business."""
        may_reach = rows.ended > self._book.bounds[0][self._judge.tenants(rows)]
        decided = self._judge.decide(rows.at(may_reach), None)
        may_reach[may_reach] = decided.cases.fate[decided.case] != OUTSIDE
        return may_reach

    def _kept(
        self, day: int, parts: DayParts, begin: int, before: Rows | None, state: State
    ) -> tuple[Frames, State, int]:
        """A part's frames, the state after it and where it ends: as they were kept, or made now."""
        name = fingerprint(self._made_of, begin, self._rows.identity(day), state.name)
        if not self._work.has(name):
            read_before, until = self._rows.read_rows, parts.until(begin)
            rows = parts.rows(begin, until)
            frames, carried = self._measured(day, rows, before, state.sessions(), (begin, until))
            after = State.of(carried, self._rows)
            handed = pl.DataFrame(
                {
                    "until": [until],
                    "read": [self._rows.read_rows - read_before],
                    "name": [after.name],
                }
            )
            self._work.save(name, {**frames, HANDED: handed, CARRIED: carried.as_frame()})
            return frames, after, until
        frames = self._work.load_all(name, but=CARRIED)
        until, read, after_name = frames.pop(HANDED).row(0)
        self._rows.read_rows += read
        return frames, State(lambda: Stays.of(self._work.load(name, CARRIED)), after_name), until

    def _measured(
        self, day: int, rows: Rows, before: Rows | None, handed: Stays, span: tuple[int, int]
    ) -> tuple[Frames, Stays]:
        """What a part's rows come to, and the sessions that are still open when it ends."""
        decided = self._judge.decide(rows, day)
        if before is not None and len(before):
            decided = joined(self._judge.decide(before, None), decided)
            rows = Rows.together([before, rows])
        metered, carried = self._meters.measure(rows, decided, handed, *span)
        return {**self._fates.counted(rows, decided), **metered}, carried
