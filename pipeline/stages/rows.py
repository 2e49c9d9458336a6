"""A bucket's usage rows, from all the exports that count, as plain numbers.

Belongs here: bringing the rows of a bucket's landings together, with one number a row. Does not
belong here: what their codes stand for (`stages.vocabulary`), what becomes of rows
(`stages.cases`), and how they lie in the store (`store.usage`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from pipeline.fingerprint import fingerprint
from pipeline.measures.arrays import Codes32, Flags, Ints
from pipeline.stages.blocks import Block, stretches_by_day
from pipeline.stages.keys import LandedRun
from pipeline.stages.numbers import Numbers
from pipeline.stages.row import Reading, Rows
from pipeline.stages.vocabulary import NOT_OURS, Vocabulary, asked
from pipeline.store.usage import NO_USER, Stretch, no_broken, runs_of_keys


class BucketRows:
    """The rows of some slots, block by block of each day, or `by_number`.

    `kinds` and `users` hold what their codes stand for; `broken` the rows that break a rule by
    themselves, with the `rank` of their export. `read_rows` counts the rows read so far, the broken
    and the dropped ones included.
    """

    def __init__(
        self,
        readings: Sequence[Reading],
        vocabulary: Vocabulary,
        slots: range,
        only_tenants: frozenset[str] | None,
    ) -> None:
        self._readings = readings
        self.slots = slots
        self._only = only_tenants
        self._kind_codes = [piece.kind_codes for piece in vocabulary.pieces]
        self._user_codes = [piece.user_codes for piece in vocabulary.pieces]
        self.kinds, self.users = vocabulary.kinds, vocabulary.users
        self._cells = [one.landed.cells() for one in readings]
        landed = [int(cells["rows"].sum()) for cells in self._cells]
        self._first = np.concatenate([[0], np.cumsum(landed)]).astype(np.int64)
        self.by_number = Numbers(
            readings, self._first, self._kind_codes, self._user_codes, self.kinds, self.users
        )
        self.broken = pl.concat(
            [no_broken().with_columns(rank=pl.lit(0, pl.Int32)), *map(self._broken, readings)]
        )
        self._of_day: dict[int, list[Block]] = {}
        for index, cells in enumerate(self._cells):
            for day, stretches in stretches_by_day(cells, slots).items():
                self._of_day.setdefault(day, []).append(Block(index, stretches))
        self._dropped = np.empty(0, np.int64)
        known = [int(codes.max(initial=NO_USER)) + 1 for codes in self._user_codes]
        self._users_known = np.maximum.accumulate(np.array(known, np.int64))
        self.read_rows = len(self.broken)

    @property
    def days(self) -> list[int]:
        """The UTC days on which rows start, as days since 1970."""
        return sorted(self._of_day)

    def drop(self, numbers: Ints) -> None:
        """Leave these rows out from now on."""
        self._dropped = np.sort(numbers)

    def count(self, day: int) -> int:
        """How many rows start on a day, the dropped ones included."""
        return sum(map(len, self._of_day.get(day, [])))

    def blocks(self, day: int, most_rows: int) -> Iterator[Block]:
        """The rows that start on a day, at most so many at once."""
        for block in self._of_day.get(day, []):
            yield from block.cut(most_rows)

    def of(self, day: int) -> Rows:
        """The rows that start on a day, without the dropped ones."""
        return Rows.together([self.read(block) for block in self._of_day.get(day, [])])

    def read(self, block: Block, since: int | None = None, until: int | None = None) -> Rows:
        """The rows of a block that start in [since, until), without the dropped ones."""
        index, stretches = block.landing, block.stretches
        landed, first = self._readings[index].landed, int(self._first[index])
        started = self.starts(block)
        is_inside = np.ones(len(started), bool)
        if since is not None and until is not None:
            is_inside = (since <= started) & (started < until)
        kind = self._kind_codes[index].take(landed.read("kind", stretches))
        kept = np.flatnonzero(self._is_kept(block, kind, is_inside))
        numbers = [np.arange(first + one.first, first + one.first + one.rows) for one in stretches]
        return Rows(
            kind.take(kept),
            self._user_codes[index].take(landed.read("user", stretches).take(kept)),
            started.take(kept),
            landed.read("ended", stretches).take(kept),
            landed.read("quantity", stretches).take(kept),
            np.concatenate(numbers).take(kept),
        )

    def starts(self, block: Block) -> Ints:
        """The instants at which the rows of a block start, the dropped ones included."""
        return self._readings[block.landing].landed.read("started", block.stretches)

    def kinds_of(self, block: Block) -> Codes32:
        """The kinds of the rows of a block, without the dropped ones."""
        read = self._readings[block.landing].landed.read("kind", block.stretches)
        kind: Codes32 = self._kind_codes[block.landing].take(read)
        return kind[self._is_kept(block, kind, np.ones(len(kind), bool))]

    def identity(self, day: int) -> str:
        """A name for the rows of a day, their codes and numbers, and which of them were dropped.

        Codes and numbers are given landing by landing, so they stay as they are where landings are
        only added at the end.
        """
        of_day = self._of_day.get(day, [])
        last = max((block.landing for block in of_day), default=-1)
        ranks = [self._readings[block.landing].ranks for block in of_day]
        dropped = [
            self._dropped_in(block.landing, one).tobytes()
            for block in of_day
            for one in block.stretches
        ]
        digest = hashlib.sha256(b"|".join(dropped)).hexdigest()
        return fingerprint(self._landings(last), ranks, of_day, digest)

    @property
    def landings(self) -> int:
        """How many landings the rows are of."""
        return len(self._readings)

    def first_number(self, landing: int) -> int:
        """The number of the first row of a landing, given as its place among all."""
        return int(self._first[landing])

    def identity_of_first(self, landings: int) -> str:
        """A name for the rows of so many landings, their numbers, and how their exports rank."""
        exports = sum(len(one.ranks) for one in self._readings[:landings])
        order = np.argsort(self.by_number.ranks[:exports])
        return fingerprint(self._landings(landings - 1), order.tolist())

    def identity_of(self, users: Codes32) -> str:
        """A name for what the codes of some users stand for."""
        latest = int(users.max(initial=NO_USER))
        last = int(np.searchsorted(self._users_known, latest, side="right"))
        return fingerprint(self._landings(last if latest >= 0 else -1))

    def _landings(self, last: int) -> list[str]:
        return [one.landing for one in self._readings[: last + 1]]

    def runs_of_keys(self) -> list[LandedRun]:
        """The sorted keys of each run."""
        return [
            LandedRun(reading.landed, where, int(self._first[n]) + first)
            for n, reading in enumerate(self._readings)
            for where, first in runs_of_keys(self._cells[n], self.slots)
        ]

    def _broken(self, reading: Reading) -> pl.DataFrame:
        rank = pl.col("export").replace_strict(
            range(len(reading.ranks)), reading.ranks, return_dtype=pl.Int32
        )
        broken = asked(reading.landed.broken(self.slots), self._only)
        return broken.with_columns(rank=rank)

    def _is_kept(self, block: Block, kind: Codes32, is_inside: Flags) -> Flags:
        """Which rows of a block that are inside are asked for and not dropped."""
        is_kept = is_inside if self._only is None else is_inside & (kind != NOT_OURS)
        self.read_rows += int(is_kept.sum())
        before = 0
        for one in block.stretches:
            start = int(self._first[block.landing]) + one.first - before
            is_kept[self._dropped_in(block.landing, one) - start] = False
            before += one.rows
        return is_kept

    def _dropped_in(self, index: int, stretch: Stretch) -> Ints:
        """The numbers of the dropped rows of a stretch."""
        first = int(self._first[index]) + stretch.first
        low, high = np.searchsorted(self._dropped, [first, first + stretch.rows])
        return self._dropped[low:high]
