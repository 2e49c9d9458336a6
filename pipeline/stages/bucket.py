"""A bucket of tenants, from its landed rows to what it came to: the unit of work.

Belongs here: choosing buckets, and taking one through its days. Does not belong here: what becomes
of rows (`stages.cases`), how days are measured (`stages.meter`) and joined (`stages.month`).

Rows are read a day at a time, and a day in parts where it has more rows than a worker may hold: so
a tenant of any size fits. A part's frames are kept under the name of everything they were made
from; a later run takes up those that are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.fingerprint import fingerprint
from pipeline.period import Period
from pipeline.stages.book import Book
from pipeline.stages.cases import DUPLICATE, SUPERSEDED, Judge
from pipeline.stages.days import Days
from pipeline.stages.earlier import Earlier
from pipeline.stages.events import replaced
from pipeline.stages.fates import Fates, in_names
from pipeline.stages.kinds import Kinds, kinds_of
from pipeline.stages.meter import Frames, Meters
from pipeline.stages.month import Month
from pipeline.stages.row import Reading
from pipeline.stages.rows import BucketRows
from pipeline.stages.terms import UsageTerms
from pipeline.stages.vocabulary import vocabulary_of
from pipeline.store.landing import LandedStore
from pipeline.store.usage import SLOTS
from pipeline.store.work import WorkStore

SMALL_DAY = 20_000
"""Rows on a day below which a bucket is not worth cutting."""

SHARES = 4
"""So many buckets has each worker at most, for as many workers as there are slots for."""

UNFAIR = 1.5
"""A bucket with so many times a worker's share of all rows is cut until its giant is alone."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A landing of usage that counts: `ranks` gives each of its exports' place in the listing."""

    landing: str
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A range of slots with `rows` sound rows, and the landings in which they lie."""

    first_slot: int
    after_slot: int
    rows: int
    pieces: tuple[Piece, ...]

    @property
    def slots(self) -> range:
        """The slots of the bucket."""
        return range(self.first_slot, self.after_slot)


@dataclass(frozen=True, slots=True)
class BucketTask:
    """Everything that a bucket's outcome depends on; `name` is their fingerprint.

    `terms_name` is that of all of it but the rows. `most_rows`, how many rows it may hold at once,
    changes no outcome and is in no name.
    """

    name: str
    terms_name: str
    store: Path
    bucket: Bucket
    terms: UsageTerms
    period: Period
    subscription_names: tuple[str, ...]
    only_tenants: frozenset[str] | None
    most_rows: int


def buckets(
    landed: LandedStore, pieces: tuple[Piece, ...], most_rows: int, least: int
) -> list[Bucket]:
    """The slots, cut in halves until there are at least so many buckets, if rows are worth it.

    Then into some more while a bucket has more than `most_rows` rows on any day, so that workers
    end together; beyond that a bucket takes its days in parts, since each bucket opens every
    landing. A giant is alone. Heaviest first.
    """
    cells = [landed.usage(piece.landing).cells() for piece in pieces]
    nothing = pl.DataFrame(schema={"day": pl.Int32, "slot": pl.UInt8, "rows": pl.Int64})
    by_day = pl.concat([nothing, *(frame.select("day", "slot", "rows") for frame in cells)])
    days = by_day["day"].unique().sort()
    rows = np.zeros((len(days), SLOTS), np.int64)
    where = days.search_sorted(by_day["day"]).to_numpy(), by_day["slot"].to_numpy()
    np.add.at(rows, where, by_day["rows"].to_numpy())

    def cut(first: int, after: int) -> Iterator[Bucket]:
        inside = rows[:, first:after]
        heaviest = int(inside.sum(axis=1).max(initial=0))
        wanted = least if heaviest > SMALL_DAY else 1
        if heaviest > most_rows:
            wanted = least * SHARES
        if heaviest > SMALL_DAY and inside.sum() * least > UNFAIR * rows.sum():
            wanted = SLOTS
        if (after - first) * wanted > SLOTS and after - first > 1:
            middle = (first + after) // 2
            yield from cut(first, middle)
            yield from cut(middle, after)
        else:
            yield Bucket(first, after, int(inside.sum()), pieces)

    return sorted(cut(0, SLOTS), key=lambda one: -one.rows)


@dataclass(frozen=True)
class OpenBucket:
    """A bucket's rows, looked up in its terms; those that another row replaces are dropped."""

    book: Book
    rows: BucketRows
    kinds: Kinds
    judge: Judge
    twice: pl.DataFrame


def run_bucket(task: BucketTask) -> str:
    """Take a bucket through its days. Gives the name under which its outcome is kept."""
    work = WorkStore(task.store)
    if not work.is_kept(task.name):
        book = Book(task.terms, task.period, task.subscription_names)
        bucket = task.bucket
        made_of = fingerprint(task.terms_name, task.bucket.slots)
        opened = open_bucket(
            LandedStore(task.store),
            bucket.pieces,
            bucket.slots,
            book,
            task.only_tenants,
            Earlier(work, made_of),
        )
        work.save(task.name, outcome(opened, work, made_of, task.most_rows))
    return task.name


def open_bucket(
    landed: LandedStore,
    pieces: Iterable[Piece],
    slots: range,
    book: Book,
    only_tenants: frozenset[str] | None,
    earlier: Earlier | None = None,
) -> OpenBucket:
    """Bring the rows of some slots and their terms together, and keep one row an event (R11.1).

    What is known from an `earlier` run need not be found again.
    """
    readings = [Reading(one.landing, landed.usage(one.landing), one.ranks) for one in pieces]
    vocabulary = (earlier.vocabulary if earlier else vocabulary_of)(readings, slots, only_tenants)
    rows = BucketRows(readings, vocabulary, slots, only_tenants)
    kinds = kinds_of(rows, book)
    judge = Judge(book, kinds)
    twice = (earlier.replaced if earlier else replaced)(rows, kinds, judge)
    rows.drop(twice["number"].to_numpy())
    return OpenBucket(book, rows, kinds, judge, twice)


def outcome(opened: OpenBucket, work: WorkStore, made_of: str, most_rows: int) -> Frames:
    """What a bucket's rows come to: the small frames that `stages.conclude` takes."""
    book, rows, twice = opened.book, opened.rows, opened.twice
    fates = Fates(rows, opened.kinds, book, opened.judge)
    meters = Meters(book, opened.kinds.tenant, rows.by_number.event_ids)
    days = Days(rows, book, opened.judge, fates, meters, work, made_of, most_rows)
    frames = days.measured()
    again = np.where(twice["is_same"], DUPLICATE, SUPERSEDED)
    kind = twice["kind"].cast(pl.Int64).to_numpy()
    for extra in (fates.broken(), fates.tally(kind, again, np.ones_like(kind))):
        for name, frame in extra.items():
            frames[name] = pl.concat([frames[name], frame.match_to_schema(frames[name].schema)])
    named = in_names(frames, book)
    return {
        **named,
        "read": pl.DataFrame({"rows": [rows.read_rows]}),
        "quarantine": frames["quarantine"],
        "unbilled": frames["unbilled"],
        "superseded": _superseded(rows, twice),
        **Month(book, meters.stretches).metered(frames),
    }


def _superseded(rows: BucketRows, twice: pl.DataFrame) -> pl.DataFrame:
    """R11.1: rows that a later export corrects, and where the correction stands."""
    chosen = twice.filter(~pl.col("is_same"))
    ranks = pl.Series(rows.by_number.ranks)
    return chosen.select(
        "event_id",
        rows.kinds["tenant_id"].gather(chosen["kind"]).alias("tenant_id"),
        ranks.gather(chosen["export"]).alias("rank"),
        "row",
        ranks.gather(chosen["by_export"]).alias("by_rank"),
        "by_row",
    )
