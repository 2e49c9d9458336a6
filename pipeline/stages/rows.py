"""A bucket's usage rows, from all the exports that count, as plain numbers.

Belongs here: bringing the landings of a bucket together: one code a kind of row, one code a user,
one number a row. Does not belong here: what becomes of rows (`stages.cases`), and how they lie in
the store (`store.usage`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.fingerprint import fingerprint
from pipeline.measures.arrays import Codes32, Ints
from pipeline.store.dictionary import Dictionary
from pipeline.store.usage import (
    KIND,
    NO_QUANTITY,
    NO_USER,
    OPEN,
    SLOT_BITS,
    USER,
    LandedUsage,
    Stretch,
    Words,
    keys_of,
    no_broken,
)
from schemas.columns import INSTANT, QUANTITY
from schemas.feeds import USAGE

_NOT_OURS = -1
"""The code of kinds and users of other buckets."""


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

    def at(self, chosen: npt.NDArray[Any]) -> Rows:
        """Some of the rows, by a mask or by positions."""
        return Rows(*(getattr(self, one.name)[chosen] for one in fields(self)))

    @staticmethod
    def together(parts: Sequence[Rows]) -> Rows:
        """All rows of the parts."""
        if len(parts) == 1:
            return parts[0]
        return Rows(
            *(
                np.concatenate([np.empty(0, kind), *(getattr(part, name) for part in parts)])
                for name, kind in _COLUMNS.items()
            )
        )


_COLUMNS = {
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


class BucketRows:
    """The rows of some slots. A row's number is its position in its landing, after those before.

    `kinds` and `users` hold the words of every code; `broken` the rows that break a rule by
    themselves, with the `rank` of their export. `read` counts the rows read so far, the broken
    and the dropped ones included.
    """

    def __init__(
        self, readings: Sequence[Reading], slots: range, only_tenants: frozenset[str] | None
    ) -> None:
        self._readings = readings
        self._slots = slots
        self._only = only_tenants
        kinds, users = Dictionary(KIND), Dictionary(USER)
        self._kind_codes = [self._codes(one.landed.kinds(slots), kinds) for one in readings]
        self._user_codes, known = [], []
        for one in readings:
            self._user_codes.append(self._codes(one.landed.users(slots), users))
            known.append(len(users.rows))
        self._users_known = np.array(known, np.int64)
        self.kinds, self.users = kinds.rows, users.rows
        self.broken = pl.concat(
            [no_broken().with_columns(rank=pl.lit(0, pl.Int32)), *map(self._broken, readings)]
        )
        self._cells = [one.landed.cells() for one in readings]
        landed = [int(cells["rows"].sum()) for cells in self._cells]
        self._first = np.concatenate([[0], np.cumsum(landed)]).astype(np.int64)
        self._of_day: dict[int, list[tuple[int, list[Stretch]]]] = {}
        for index, cells in enumerate(self._cells):
            for day, stretches in _stretches_by_day(cells, slots).items():
                self._of_day.setdefault(day, []).append((index, stretches))
        self._dropped = np.empty(0, np.int64)
        self.read = len(self.broken)

    @property
    def days(self) -> list[int]:
        """The UTC days on which rows start, as days since 1970."""
        return sorted(self._of_day)

    def drop(self, numbers: Ints) -> None:
        """Leave these rows out from now on."""
        self._dropped = np.sort(numbers)

    def of(self, day: int) -> Rows:
        """The rows that start on a day, without the dropped ones."""
        return Rows.together([self._read(index, of) for index, of in self._of_day.get(day, [])])

    def kinds_of(self, day: int) -> Codes32:
        """The kinds of the rows that start on a day, without the dropped ones."""
        kinds = [np.empty(0, np.int32)]
        for index, stretches in self._of_day.get(day, []):
            kind = self._kind_codes[index][self._readings[index].landed.read("kind", stretches)]
            kinds.append(kind[self._is_kept(index, stretches, kind)])
        return np.concatenate(kinds)

    def identity(self, day: int) -> str:
        """A name for the rows of a day, their codes and numbers, and which of them were dropped.

        Codes and numbers are given landing by landing, so they stay as they are where landings are
        only added at the end.
        """
        of_day = self._of_day.get(day, [])
        last = max((index for index, _ in of_day), default=-1)
        ranks = [self._readings[index].ranks for index, _ in of_day]
        dropped = [self._dropped_in(index, one).tobytes() for index, of in of_day for one in of]
        digest = hashlib.sha256(b"|".join(dropped)).hexdigest()
        return fingerprint(self._landings(last), ranks, of_day, digest)

    def identity_of(self, users: Codes32) -> str:
        """A name for what the codes of some users stand for."""
        latest = int(users.max(initial=NO_USER))
        last = int(np.searchsorted(self._users_known, latest, side="right"))
        return fingerprint(self._landings(last if latest >= 0 else -1))

    def _landings(self, last: int) -> list[str]:
        return [one.landing for one in self._readings[: last + 1]]

    def keys_by_range(self, most_rows: int) -> Iterator[tuple[Words, Words]]:
        """The keys of all runs, range by range; with each, the number of its run's first row.

        Ranges are of the highest bits of keys, slot and hash: about so many rows each.
        """
        runs = [
            (keys, int(self._first[n]) + first)
            for n, reading in enumerate(self._readings)
            for keys, first in keys_of(reading.landed, self._cells[n], self._slots)
        ]
        if not runs:
            return
        of_slots = np.sum([np.diff(_cuts(keys, self._slots, 1)) for keys, _ in runs], axis=0)
        heaviest = int(of_slots.max())
        parts = 1 << max(0, (heaviest // most_rows).bit_length())
        cuts = [_cuts(keys, self._slots, parts) for keys, _ in runs]
        for n in range(len(self._slots) * parts):
            inside = [keys[cut[n] : cut[n + 1]] for (keys, _), cut in zip(runs, cuts, strict=True)]
            firsts = np.array([first for _, first in runs], np.uint64)
            yield np.concatenate(inside), np.repeat(firsts, [len(keys) for keys in inside])

    @property
    def numbers(self) -> int:
        """Every number is below this."""
        return int(self._first[-1])

    def take(self, numbers: Ints) -> Rows:
        """Some rows by their numbers, in that order; kinds that are not asked for are -1."""
        columns = {name: np.empty(len(numbers), kind) for name, kind in _COLUMNS.items()}
        columns["number"] = numbers
        for index, where, positions in self._located(numbers):
            landed = self._readings[index].landed
            columns["kind"][where] = self._kind_codes[index][landed.take("kind", positions)]
            columns["user"][where] = _user(self._user_codes[index], landed.take("user", positions))
            for name in ("started", "ended", "quantity"):
                columns[name][where] = landed.take(name, positions)
        return Rows(**columns)

    def whence(self, numbers: Ints) -> tuple[Ints, Ints]:
        """The rank of the export that each row came in, and its row there."""
        rank, row = np.empty(len(numbers), np.int64), np.empty(len(numbers), np.int64)
        for index, where, positions in self._located(numbers):
            reading = self._readings[index]
            export, row[where] = reading.landed.whence(positions)
            rank[where] = np.array(reading.ranks)[export]
        return rank, row

    def event_ids(self, numbers: Ints) -> list[bytes]:
        """The event ids of some rows, as UTF-8."""
        ids = np.empty(len(numbers), object)
        for index, where, positions in self._located(numbers):
            found = np.empty(len(positions), object)
            found[:] = self._readings[index].landed.event_ids(positions)
            ids[where] = found
        return list(ids)

    def in_words(self, numbers: Ints) -> pl.DataFrame:
        """Some rows as they were exported: the feed's columns, `rank` and `row`."""
        rows = self.take(numbers)
        rank, row = self.whence(numbers)
        user, ended = pl.Series(rows.user), pl.Series(rows.ended)
        ids = [one.decode() for one in self.event_ids(numbers)]
        words = {
            "event_id": pl.Series(ids, dtype=pl.String),
            "started_at": pl.Series(rows.started).cast(INSTANT),
            "ended_at": ended.set(ended == OPEN, None).cast(INSTANT),
            "quantity": pl.Series([_decimal(n) for n in rows.quantity.tolist()], dtype=QUANTITY),
            "user_id": self.users["user_id"].gather(user.set(user == NO_USER, None)),
            "rank": pl.Series(rank).cast(pl.Int32),
            "row": pl.Series(row),
        }
        named = self.kinds[rows.kind].with_columns(**words)
        return named.select(*USAGE.names, "rank", "row")

    def _codes(self, words: pl.DataFrame, dictionary: Dictionary) -> Codes32:
        """The bucket's code of each of a landing's kinds or users; the last is for none."""
        codes = np.full(int(str(words["code"].max() or 0)) + 2, _NOT_OURS, np.int32)
        asked = words.filter(self._is_asked)
        codes[asked["code"].to_numpy()] = dictionary.codes_of(asked)
        return codes

    def _broken(self, reading: Reading) -> pl.DataFrame:
        rank = pl.col("export").replace_strict(
            range(len(reading.ranks)), reading.ranks, return_dtype=pl.Int32
        )
        broken = reading.landed.broken(self._slots).filter(self._is_asked)
        return broken.with_columns(rank=rank)

    @property
    def _is_asked(self) -> pl.Expr:
        return pl.lit(True) if self._only is None else pl.col("tenant_id").is_in(list(self._only))

    def _read(self, index: int, stretches: list[Stretch]) -> Rows:
        landed, first = self._readings[index].landed, int(self._first[index])
        kind = self._kind_codes[index][landed.read("kind", stretches)]
        numbers = [np.arange(first + one.first, first + one.first + one.rows) for one in stretches]
        rows = Rows(
            kind,
            _user(self._user_codes[index], landed.read("user", stretches)),
            landed.read("started", stretches),
            landed.read("ended", stretches),
            landed.read("quantity", stretches),
            np.concatenate(numbers),
        )
        is_kept = self._is_kept(index, stretches, kind)
        return rows if is_kept.all() else rows.at(is_kept)

    def _is_kept(
        self, index: int, stretches: list[Stretch], kind: Codes32
    ) -> npt.NDArray[np.bool_]:
        """Which rows of some stretches are asked for and not dropped."""
        is_kept = np.ones(len(kind), bool) if self._only is None else kind != _NOT_OURS
        self.read += int(is_kept.sum())
        before = 0
        for one in stretches:
            start = int(self._first[index]) + one.first - before
            is_kept[self._dropped_in(index, one) - start] = False
            before += one.rows
        return is_kept

    def _dropped_in(self, index: int, stretch: Stretch) -> Ints:
        """The numbers of the dropped rows of a stretch."""
        first = int(self._first[index]) + stretch.first
        low, high = np.searchsorted(self._dropped, [first, first + stretch.rows])
        return self._dropped[low:high]

    def _located(self, numbers: Ints) -> Iterator[tuple[int, Ints, Ints]]:
        """For each landing that holds some of the rows: which of them, and their positions."""
        landing = np.searchsorted(self._first, numbers, side="right") - 1
        for index in np.unique(landing).tolist():
            where = np.flatnonzero(landing == index)
            yield index, where, numbers[where] - self._first[index]


def _user(codes: Codes32, user: Codes32) -> Codes32:
    """The bucket's code of users; the last of `codes` is what NO_USER, -1, finds."""
    found: Codes32 = codes[user]
    return found


def _stretches_by_day(cells: pl.DataFrame, slots: range) -> dict[int, list[Stretch]]:
    """Where the rows of some slots lie that start on each day: a stretch a chunk."""
    stretches = (
        cells.with_columns(first=pl.col("rows").cum_sum() - pl.col("rows"))
        .filter(pl.col("slot").is_between(slots.start, slots.stop - 1))
        .group_by("chunk", "day", maintain_order=True)
        .agg(pl.col("first").min(), pl.col("rows").sum())
    )
    by_day: dict[int, list[Stretch]] = {}
    for day, first, rows in stretches.select("day", "first", "rows").iter_rows():
        by_day.setdefault(day, []).append(Stretch(first, rows))
    return by_day


def _beginnings(slots: range, parts: int) -> Words:
    """The smallest key of each part of each slot."""
    slot = np.repeat(np.arange(slots.start, slots.stop, dtype=np.uint64), parts)
    part = np.tile(np.arange(parts, dtype=np.uint64), len(slots))
    shift = np.uint64(64 - SLOT_BITS)
    return (slot << shift) | (part << (shift - np.uint64(parts.bit_length() - 1)))


def _cuts(keys: Words, slots: range, parts: int) -> Ints:
    """Where in some sorted keys each part of each slot begins, and where the last ends."""
    return np.append(np.searchsorted(keys, _beginnings(slots, parts)), len(keys))


def _decimal(millionths: int) -> Decimal | None:
    return None if millionths == NO_QUANTITY else Decimal(millionths).scaleb(-6)
