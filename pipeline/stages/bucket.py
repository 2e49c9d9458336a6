"""A bucket of tenants, from its landed rows to what it came to: the unit of memory and of work.

Belongs here: choosing buckets, and running validate, split and meter over one, in memory. Does not
belong here: those stages themselves, and putting buckets together (`stages.conclude`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.errors import InputMissing
from pipeline.period import Period
from pipeline.stages.book import Book
from pipeline.stages.meter import meter
from pipeline.stages.split import split
from pipeline.stages.terms import UsageTerms
from pipeline.stages.validate import validate
from pipeline.store.landing import SLOTS, Chunk, LandedStore, Listing
from pipeline.store.work import WorkStore
from schemas.feeds import USAGE

BUCKET_ROWS = 500_000
"""Buckets are halved until they hold no more rows than this, or a single slot."""

LEVELS = ("validate", "split", "meter")

Frames = dict[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk that holds rows of a bucket: `ranks` gives each export's place in the listing."""

    landing: str
    chunk: Chunk
    ranks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A range of slots and where their rows lie."""

    first_slot: int
    after_slot: int
    pieces: tuple[Piece, ...]

    @property
    def slots(self) -> range:
        """The slots of the bucket."""
        return range(self.first_slot, self.after_slot)


@dataclass(frozen=True, slots=True)
class BucketTask:
    """Everything that a bucket's outcome depends on; `name` is their fingerprint."""

    name: str
    store: Path
    bucket: Bucket
    terms: UsageTerms
    period: Period
    subscription_names: tuple[str, ...]
    level: str
    only_tenants: frozenset[str] | None


def buckets(landed: LandedStore, listing: Listing) -> list[Bucket]:
    """The slots, cut in halves until each part holds no more than BUCKET_ROWS rows."""
    pieces = list(_pieces(landed, listing))
    rows = [0] * SLOTS
    for piece in pieces:
        for slot, count in piece.chunk.slots.items():
            rows[slot] += count

    def cut(first: int, after: int) -> Iterator[Bucket]:
        if sum(rows[first:after]) > BUCKET_ROWS and after - first > 1:
            middle = (first + after) // 2
            yield from cut(first, middle)
            yield from cut(middle, after)
        else:
            slots = range(first, after)
            inside = (piece for piece in pieces if any(slot in slots for slot in piece.chunk.slots))
            yield Bucket(first, after, tuple(inside))

    return list(cut(0, SLOTS))


def run_bucket(task: BucketTask) -> str:
    """Do a bucket up to a level and keep what it came to. Gives the name it is kept under."""
    work = WorkStore(task.store)
    if not work.has(task.name):
        rows = _landed_rows(task)
        book = Book(task.terms, task.period, task.subscription_names)
        read = pl.DataFrame({"rows": [len(rows)]}, schema={"rows": pl.Int64})
        work.save(task.name, {"read": read, **outcome(rows, book, task.level)})
    return task.name


def outcome(rows: pl.DataFrame, book: Book, level: str) -> Frames:
    """What landed rows come to: the small frames of each stage up to a level."""
    validated = validate(rows, book)
    frames = {
        "quarantine": validated.quarantine,
        "superseded": validated.superseded,
        "tally": validated.tally,
        "good": _counted(validated.good),
    }
    if level == "validate":
        return frames
    parted = split(validated.good, book)
    frames |= {"shares": parted.shares, "unbilled": parted.unbilled, "fates": parted.tally}
    if level == "split":
        return frames
    metered = meter(parted.owned, book)
    return frames | {
        "parts": metered.parts,
        "occupancy": metered.occupancy,
        "open_sessions": metered.open_sessions,
        "sums": metered.sums,
    }


def _counted(good: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame({"rows": [len(good)]}, schema={"rows": pl.Int64})


def _pieces(landed: LandedStore, listing: Listing) -> Iterator[Piece]:
    """The chunks of the listed usage exports; one whose content is listed twice comes twice."""
    ranks: dict[str, list[dict[int, int]]] = {}
    for rank, export in enumerate(listing.of(USAGE.name)):
        readings = ranks.setdefault(export.landing, [])
        reading = next((one for one in readings if export.index not in one), None)
        if reading is None:
            readings.append({export.index: rank})
        else:
            reading[export.index] = rank
    for landing_id, readings in ranks.items():
        landing = landed.landing(landing_id)
        if landing is None:
            raise InputMissing(
                "an export that counts is no longer in the store",
                where=landing_id,
                remedy="run `tenantbill ingest PERIOD --feeds DIR`: it takes in what is missing",
            )
        for reading in readings:
            for chunk in landing.chunks:
                yield Piece(landing_id, chunk, tuple(sorted(reading.items())))


def _landed_rows(task: BucketTask) -> pl.DataFrame:
    """The bucket's rows with the `rank` of their export, without those that no longer count."""
    landed = LandedStore(task.store)
    frames = []
    for piece in task.bucket.pieces:
        ranks = dict(piece.ranks)
        rank = pl.col("export").replace_strict(ranks, default=None, return_dtype=pl.Int32)
        rows = (
            landed.scan(piece.landing, piece.chunk, task.bucket.slots)
            .with_columns(rank=rank)
            .filter(pl.col("rank").is_not_null())
        )
        if task.only_tenants is not None:
            rows = rows.filter(pl.col("tenant_id").is_in(list(task.only_tenants)))
        frames.append(rows.drop("export", "slot").collect())
    return pl.concat(frames) if frames else _no_rows()


def _no_rows() -> pl.DataFrame:
    extra: Mapping[str, pl.DataType] = {
        "row": pl.Int64(),
        "defects": pl.String(),
        "raw": pl.String(),
        "rank": pl.Int32(),
    }
    return pl.DataFrame(schema={**USAGE.dtypes, **extra})
