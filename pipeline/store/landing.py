"""Landed exports: typed Parquet, read once from each export and addressed by its content.

Belongs here: the form in which exports lie in the store, and the listing of those that count. Does
not belong here: reading the exports themselves (`sources`), and which rows are good.

A *landing* holds the rows of one or several exports in chunks; in a chunk, rows are in order of
*slot*, a hash of the tenant, so that the rows of a bucket (a range of slots) are found without
reading the others. A *listing* names the exports that a run counts, in order of file names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb
import polars as pl

from pipeline.errors import StoreDamaged
from pipeline.store.files import appearing, read_json, write_json
from schemas.columns import MONEY, Table

SLOTS = 256
CHUNK_ROWS = 500_000
ROW_GROUP_ROWS = 16_384


class ReadRows(Protocol):
    """Rows as the reading of an export gives them, some at a time."""

    def whole(self) -> pl.DataFrame:
        """The feed's columns, `row`, `defects`, `raw`."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A Parquet file of landed rows; `slots` counts its rows by slot."""

    name: str
    slots: dict[int, int]


@dataclass(frozen=True, slots=True)
class Landing:
    """What a landing folder holds: `rows` by export, and the sum of every `quantity`."""

    id: str
    rows: tuple[int, ...]
    quantity: Decimal
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class ListedExport:
    """An export that counts: what it is, when it came, and where its rows lie.

    `stat` is what the file system said of it when it was last read: while that is the same, the
    content is. `index` is its position in its landing, `reader` the version of the code that read
    it.
    """

    feed: str
    name: str
    sha256: str
    size: int
    rows: int
    arrived_at: str
    landing: str
    index: int
    reader: str
    unknown_columns: tuple[str, ...] = ()
    stat: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """The exports that a run counts, by feed and in order of file names; `number` is its own."""

    number: int
    exports: tuple[ListedExport, ...] = field(default=())

    def of(self, feed: str) -> list[ListedExport]:
        """The exports of one feed, in the order in which they count (R11.1)."""
        return [export for export in self.exports if export.feed == feed]


def slot_of(tenant: str) -> int:
    """The slot of a tenant: the same on every machine and in every version."""
    return hashlib.blake2b(tenant.encode(), digest_size=1).digest()[0]


class LandedStore:
    """The landed exports of a store."""

    def __init__(self, store: Path) -> None:
        self._root = store / "landed"
        self._scratch = store / "scratch"
        self._listings = store / "listings"

    def has(self, landing_id: str) -> bool:
        """Whether a landing is there."""
        return (self._folder(landing_id) / "manifest.json").exists()

    def landing(self, landing_id: str) -> Landing | None:
        """A landing, if it is there."""
        manifest = self._folder(landing_id) / "manifest.json"
        if not manifest.exists():
            return None
        value = read_json(manifest)
        chunks = tuple(
            Chunk(chunk["name"], {int(slot): rows for slot, rows in chunk["slots"].items()})
            for chunk in value["chunks"]
        )
        return Landing(landing_id, tuple(value["rows"]), Decimal(value["quantity"]), chunks)

    def land(self, landing_id: str, exports: Sequence[Iterable[ReadRows]]) -> Landing:
        """Write the rows of some exports as one landing, in bounded memory.

        Each export is its batches, as they are read.
        """
        rows = [0] * len(exports)
        quantity = Decimal(0)
        chunks: list[Chunk] = []
        with appearing(self._folder(landing_id), self._scratch) as folder:
            for frame in _chunked(_numbered(exports, rows)):
                chunk = frame.with_columns(slot=_slots(frame)).sort("slot", maintain_order=True)
                name = f"{len(chunks):04d}.parquet"
                chunk.write_parquet(
                    folder / name,
                    compression="lz4",
                    row_group_size=ROW_GROUP_ROWS,
                    statistics=True,
                )
                quantity += _quantity(chunk)
                counts = chunk.group_by("slot").len().sort("slot").iter_rows()
                chunks.append(Chunk(name, dict(counts)))
            write_json(
                folder / "manifest.json",
                {
                    "rows": rows,
                    "quantity": str(quantity),
                    "chunks": [asdict(chunk) for chunk in chunks],
                },
            )
        return Landing(landing_id, tuple(rows), quantity, tuple(chunks))

    def recount(self, landings: Iterable[Landing]) -> tuple[int, Decimal]:
        """Rows and sum of quantities that lie in usage landings, as another engine finds them."""
        files = [
            str((self._folder(landing.id) / chunk.name).absolute())
            for landing in landings
            for chunk in landing.chunks
        ]
        if not files:
            return 0, Decimal(0)
        counted = duckdb.execute(
            "select count(*), coalesce(sum(quantity::decimal(38, 6)), 0) from read_parquet(?)",
            [files],
        ).fetchone()
        rows, quantity = counted or (0, Decimal(0))
        return int(rows), Decimal(quantity)

    def scan(self, landing_id: str, chunk: Chunk, slots: range) -> pl.LazyFrame:
        """A chunk's rows of some slots: as landed, with `export` (its index) and `slot`."""
        path = self._folder(landing_id) / chunk.name
        inside = pl.col("slot").is_between(slots.start, slots.stop - 1)
        return pl.scan_parquet(path, glob=False).filter(inside)

    def rows_of(self, export: ListedExport, table: Table) -> pl.DataFrame:
        """All rows of one export, for feeds that are small: columns, `row`, `defects`, `raw`."""
        landing = self.landing(export.landing)
        extra = {"row": pl.Int64(), "defects": pl.String(), "raw": pl.String()}
        schema = pl.Schema({**table.dtypes, **extra})
        if landing is None or not landing.chunks:
            return pl.DataFrame(schema=schema)
        frames = [
            self.scan(landing.id, chunk, range(SLOTS))
            .filter(pl.col("export") == export.index)
            .select(schema.names())
            .collect()
            for chunk in landing.chunks
        ]
        return pl.concat(frames).sort("row")

    def landings_of(self, listing: Listing) -> list[Landing]:
        """The landings that hold the usage of a listing, each once."""
        ids = dict.fromkeys(export.landing for export in listing.of("usage"))
        return [landing for one in ids if (landing := self.landing(one))]

    def listing(self) -> Listing | None:
        """The newest listing, if any export was ever taken in."""
        newest = max(self._listings.glob("*.json"), default=None)
        if newest is None:
            return None
        exports = tuple(
            ListedExport(
                **{
                    **export,
                    "unknown_columns": tuple(export["unknown_columns"]),
                    "stat": tuple(export["stat"]),
                }
            )
            for export in _read(newest)
        )
        return Listing(int(newest.stem), exports)

    def add_listing(self, exports: Sequence[ListedExport]) -> Listing:
        """Make these the exports that count; every listing before stays."""
        last = self.listing()
        listing = Listing(last.number + 1 if last else 1, tuple(exports))
        path = self._listings / f"{listing.number:08d}.json"
        write_json(path, [asdict(export) for export in exports])
        return listing

    def _folder(self, landing_id: str) -> Path:
        return self._root / landing_id[:2] / landing_id


def _read(listing: Path) -> list[dict[str, Any]]:
    """The exports of a listing. Raises `StoreDamaged` where it cannot be read."""
    try:
        exports: list[dict[str, Any]] = read_json(listing)
    except ValueError as error:
        raise StoreDamaged(
            f"this listing of exports is not whole: {error}",
            where=listing,
            remedy="remove the file and run `tenantbill ingest PERIOD --feeds DIR` again",
        ) from error
    return exports


def _numbered(exports: Sequence[Iterable[ReadRows]], rows: list[int]) -> Iterator[pl.DataFrame]:
    """All batches, with the index of their export; `rows` takes each export's count."""
    for index, batches in enumerate(exports):
        for batch in batches:
            frame = batch.whole()
            rows[index] += len(frame)
            yield frame.with_columns(pl.lit(index, pl.Int32).alias("export"))


def _chunked(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Batches gathered into frames of about CHUNK_ROWS rows."""
    gathered: list[pl.DataFrame] = []
    for batch in batches:
        gathered.append(batch)
        if sum(map(len, gathered)) >= CHUNK_ROWS:
            yield pl.concat(gathered)
            gathered = []
    if any(len(batch) for batch in gathered):
        yield pl.concat(gathered)


def _quantity(rows: pl.DataFrame) -> Decimal:
    """The exact sum of the rows' quantities; 0 for feeds that have none."""
    if "quantity" not in rows.columns:
        return Decimal(0)
    total = rows["quantity"].cast(MONEY).sum()
    return total if isinstance(total, Decimal) else Decimal(0)


def _slots(rows: pl.DataFrame) -> pl.Series:
    """The slot of each row's tenant; rows and feeds that name none lie in slot 0."""
    if "tenant_id" not in rows.columns:
        return pl.repeat(0, len(rows), dtype=pl.UInt8, eager=True)
    tenants = rows["tenant_id"]
    names = tenants.unique().drop_nulls().to_list()
    slots = [slot_of(name) for name in names]
    return tenants.replace_strict(names, slots, default=0, return_dtype=pl.UInt8)
