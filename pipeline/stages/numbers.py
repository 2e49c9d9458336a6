"""Rows of a bucket looked up by their numbers: few among many, wherever they lie.

Belongs here: numbering the rows of all landings, and what can be asked of some of them. Does not
belong here: reading whole days (`stages.rows`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np
import polars as pl

from pipeline.measures.arrays import Codes32, Ints, Texts
from pipeline.stages.row import COLUMNS, Reading, Rows
from pipeline.store.usage import NO_QUANTITY, NO_USER, OPEN
from schemas.columns import INSTANT, QUANTITY
from schemas.feeds import USAGE


class Numbers:
    """The rows of some landings by number: the position in its landing, after those before.

    `kinds` and `users` are the words of the bucket's codes; `kind_codes` and `user_codes` give the
    bucket's code for each of a landing's. `ranks` has each export's place in the listing, landing
    by landing.
    """

    def __init__(
        self,
        readings: Sequence[Reading],
        first: Ints,
        kind_codes: Sequence[Codes32],
        user_codes: Sequence[Codes32],
        kinds: pl.DataFrame,
        users: pl.DataFrame,
    ) -> None:
        self._readings = readings
        self._first = first
        self._kind_codes, self._user_codes = kind_codes, user_codes
        self._kinds, self._users = kinds, users
        self.ranks: Ints = np.array([rank for one in readings for rank in one.ranks], np.int64)
        self._exports_before = np.cumsum([0, *(len(one.ranks) for one in readings)])

    def __len__(self) -> int:
        return int(self._first[-1])

    def take(self, numbers: Ints) -> Rows:
        """Some rows by their numbers, in that order; kinds that are not asked for are -1."""
        columns = {name: np.empty(len(numbers), kind) for name, kind in COLUMNS.items()}
        columns["number"] = numbers
        for index, where, positions in self._located(numbers):
            landed = self._readings[index].landed
            columns["kind"][where] = self._kind_codes[index][landed.take("kind", positions)]
            columns["user"][where] = self._user_codes[index][landed.take("user", positions)]
            for name in ("started", "ended", "quantity"):
                columns[name][where] = landed.take(name, positions)
        return Rows(**columns)

    def came(self, numbers: Ints) -> tuple[Ints, Ints]:
        """The export that each row came in, as a position in `ranks`, and its row there."""
        export, row = np.empty(len(numbers), np.int64), np.empty(len(numbers), np.int64)
        for index, where, positions in self._located(numbers):
            within, row[where] = self._readings[index].landed.whence(positions)
            export[where] = self._exports_before[index] + within
        return export, row

    def events(self, numbers: Ints) -> Texts:
        """The event ids of some rows, as UTF-8."""
        found = [
            (where, self._readings[index].landed.event_ids(positions))
            for index, where, positions in self._located(numbers)
        ]
        kinds = {ids.dtype for _, ids in found}
        texts = np.empty(len(numbers), kinds.pop() if len(kinds) == 1 else object)
        for where, ids in found:
            texts[where] = ids
        return texts

    def event_ids(self, numbers: Ints) -> list[bytes]:
        """The event ids of some rows, as UTF-8."""
        ids: list[bytes] = self.events(numbers).tolist()
        return ids

    def event_names(self, numbers: Ints) -> pl.Series:
        """The event ids of some rows, as text."""
        return pl.Series([one.decode() for one in self.event_ids(numbers)], dtype=pl.String)

    def in_words(self, numbers: Ints) -> pl.DataFrame:
        """Some rows as they were exported: the feed's columns, `rank` and `row`."""
        rows = self.take(numbers)
        export, row = self.came(numbers)
        user, ended = pl.Series(rows.user), pl.Series(rows.ended)
        words = {
            "event_id": self.event_names(numbers),
            "started_at": pl.Series(rows.started).cast(INSTANT),
            "ended_at": ended.set(ended == OPEN, None).cast(INSTANT),
            "quantity": pl.Series([_decimal(n) for n in rows.quantity.tolist()], dtype=QUANTITY),
            "user_id": self._users["user_id"].gather(user.set(user == NO_USER, None)),
            "rank": pl.Series(self.ranks[export]).cast(pl.Int32),
            "row": pl.Series(row),
        }
        named = self._kinds[rows.kind].with_columns(**words)
        return named.select(*USAGE.names, "rank", "row")

    def _located(self, numbers: Ints) -> Iterator[tuple[int, Ints, Ints]]:
        """For each landing that holds some of the rows: which of them, and their positions."""
        landing = np.searchsorted(self._first, numbers, side="right") - 1
        for index in np.unique(landing).tolist():
            where = np.flatnonzero(landing == index)
            yield index, where, numbers[where] - self._first[index]


def _decimal(millionths: int) -> Decimal | None:
    return None if millionths == NO_QUANTITY else Decimal(millionths).scaleb(-6)
