"""Landed exports: read once from each export, and addressed by its content.

Belongs here: landings as folders that appear whole, and the listing of the exports that count. Does
not belong here: reading the exports (`exports`), the form of usage (`store.usage`), and which rows
are good.

A *landing* holds the rows of one or several exports. A *listing* names the exports that a run
counts, in order of file names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import BillingError, StoreDamaged, writing
from pipeline.exports import BESIDE, Batch
from pipeline.remote.faults import ChangedMeanwhile
from pipeline.remote.objects import below, bring, content, is_kept
from pipeline.remote.place import Mirrored
from pipeline.store.files import MANIFEST, appearing, reading, write_json, write_json_once
from pipeline.store.usage import RESTORE, LandedUsage
from pipeline.store.usage_writer import UsageWriter
from schemas.columns import Table


class TakenInMeanwhile(BillingError):
    """Another run listed exports while this one took them in."""

    exit_code = 75


@dataclass(frozen=True, slots=True)
class Taken:
    """What an export came to: its rows, and how often there is what to say of its records."""

    rows: int
    remarks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Landing:
    """What a landing of usage came to, export by export: its rows, and the sum of its quantities.

    `recounted` is what another engine found in the export itself, where it can read it. `remarks`
    counts what is to be said of its records (`exports.Batch`).
    """

    id: str
    rows: tuple[int, ...]
    quantity: tuple[Decimal, ...]
    recounted: tuple[tuple[int, Decimal] | None, ...]
    remarks: tuple[Mapping[str, int], ...]


@dataclass(frozen=True, slots=True)
class ListedExport:
    """An export that counts: what it is, when it came, and where its rows lie.

    `stat` is what the file system said of it when it was last read: while that is the same, the
    content is. `index` is its position in its landing, `reader` the version of the code that read
    it. A landing's exports are listed all together or not at all.

    `kind` is the kind of source it came from, empty where it is a feed as it stands, and `source`
    names that source as it is set up; `remarks` counts what is to be said of its records.
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
    kind: str = ""
    source: str = ""
    remarks: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """The exports that a run counts, by feed and in order of file names; `number` is its own.

    `taken_at` is when they were found to be the ones that count.
    """

    number: int
    taken_at: datetime
    exports: tuple[ListedExport, ...] = field(default=())

    def of(self, feed: str) -> list[ListedExport]:
        """The exports of one feed, in the order in which they count (R11.1)."""
        return [export for export in self.exports if export.feed == feed]


class LandedStore:
    """The landed exports of a store."""

    def __init__(self, store: Path) -> None:
        self._root = store / "landed"
        self._scratch = store / "scratch"
        self._listings = store / "listings"

    def has(self, landing_id: str) -> bool:
        """Whether a landing is there, for every machine."""
        return is_kept(self._folder(landing_id) / MANIFEST)

    def those_there(self, landing_ids: Iterable[str]) -> set[str]:
        """The landings that are there, as `has` says of each."""
        if not isinstance(self._root, Mirrored):
            return {one for one in landing_ids if self.has(one)}
        # One by one they would take a round trip each.
        there = {one.path.parent.name for one in below(self._root) if one.path.name == MANIFEST}
        return there & {*landing_ids}

    def land(self, landing_id: str, batches: Iterable[Batch]) -> Taken:
        """Keep the rows of one export of a small feed."""
        if self.has(landing_id):
            with self._manifest(landing_id) as value:
                return Taken(value["rows"], value["remarks"])
        with appearing(self._folder(landing_id), self._scratch) as folder:
            frames, remarks = [], Counter[str]()
            for batch in batches:
                frames.append(batch.whole())
                remarks.update(batch.remarks)
            if frames:
                file = folder / "rows.parquet"
                with writing(file):
                    pl.concat(frames).write_parquet(file, compression="lz4")
            rows = sum(map(len, frames))
            write_json(folder / MANIFEST, {"rows": rows, "remarks": remarks})
        return Taken(rows, remarks)

    def land_usage(
        self,
        landing_id: str,
        exports: Sequence[Iterable[Batch]],
        recounted: Sequence[tuple[int, Decimal] | None],
    ) -> Landing:
        """Keep the rows of some exports of usage, in bounded memory."""
        if self.has(landing_id):
            return self.landing(landing_id)
        with appearing(self._folder(landing_id), self._scratch) as folder:
            totals = UsageWriter(folder).write(exports)
            write_json(
                folder / MANIFEST,
                {
                    "rows": totals.rows,
                    "quantity": [str(one) for one in totals.quantity],
                    "recounted": [one and [one[0], str(one[1])] for one in recounted],
                    "remarks": totals.remarks,
                },
            )
        return Landing(landing_id, totals.rows, totals.quantity, tuple(recounted), totals.remarks)

    def landing(self, landing_id: str) -> Landing:
        """A landing of usage. Raises `StoreDamaged` where it is gone, or not as it was written."""
        with self._manifest(landing_id) as value:
            return Landing(
                landing_id,
                tuple(value["rows"]),
                tuple(map(Decimal, value["quantity"])),
                tuple(one and (one[0], Decimal(one[1])) for one in value["recounted"]),
                tuple(value.get("remarks") or ({},) * len(value["rows"])),
            )

    def usage(self, landing_id: str) -> LandedUsage:
        """The rows of a landing of usage."""
        return LandedUsage(self._folder(landing_id), self.landing(landing_id).rows)

    def stored_rows(self, landing: Landing) -> int:
        """How many rows lie in a landing of usage, by the size of what is stored."""
        return LandedUsage(self._folder(landing.id), landing.rows).stored_rows()

    def named_subscriptions(self, landings: Iterable[str]) -> dict[int, frozenset[str]]:
        """The subscriptions that the usage of each slot names."""
        frames = [self.usage(one).named_subscriptions() for one in landings]
        if not frames:
            return {}
        named = pl.concat(frames).group_by("slot").agg(pl.col("subscription_id").unique())
        return {slot: frozenset(names) for slot, names in named.iter_rows()}

    def rows_of(self, export: ListedExport, table: Table) -> pl.DataFrame:
        """All rows of an export of a small feed: its columns, `row`, `defects`, `raw`.

        Raises `StoreDamaged` where they are gone, or not as they were written.
        """
        with self._manifest(export.landing):
            file = self._folder(export.landing) / "rows.parquet"
        if not bring(file):
            return pl.DataFrame(schema=pl.Schema({**table.dtypes, **BESIDE}))
        with reading(file, RESTORE):
            return pl.read_parquet(file, glob=False)

    def listing(self, as_of: datetime | None = None) -> Listing | None:
        """The newest listing, if any export was ever taken in; or the newest one by an instant."""
        for path in sorted(self._listed(), reverse=True):
            listing = _read(path)
            if as_of is None or listing.taken_at <= as_of:
                return listing
        return None

    def listing_of(self, number: int) -> Listing:
        """The listing of a number. Raises `StoreDamaged` where it is gone."""
        return _read(self._file(number))

    def add_listing(self, exports: Sequence[ListedExport], taken_at: datetime) -> Listing:
        """Make these the exports that count; every listing before stays."""
        last = self.listing()
        listing = Listing(last.number + 1 if last else 1, taken_at, tuple(exports))
        value = {
            "taken_at": taken_at.isoformat(),
            "exports": [asdict(export) for export in exports],
        }
        try:
            write_json_once(self._file(listing.number), value)
        except ChangedMeanwhile as error:
            raise TakenInMeanwhile(
                "another run took exports in meanwhile",
                where=self._listings,
                remedy="run again: it starts from what is listed now",
            ) from error
        return listing

    def _listed(self) -> list[Path]:
        if isinstance(self._listings, Mirrored):
            return [one.path for one in below(self._listings) if one.path.suffix == ".json"]
        return list(self._listings.glob("*.json"))

    @contextmanager
    def _manifest(self, landing_id: str) -> Iterator[Any]:
        """What a landing says of itself, to be read in the block.

        Raises `StoreDamaged` where it is gone, or not as it was written.
        """
        manifest = self._folder(landing_id) / MANIFEST
        if not bring(manifest):
            raise StoreDamaged(
                "the rows of an export are gone that something published was made from",
                where=self._folder(landing_id),
                remedy="restore landed/ from a backup; while no month is closed, you may also put "
                "the exports back as they were and run `tenantbill ingest PERIOD --feeds DIR`",
            )
        with reading(manifest, RESTORE):
            yield json.loads(manifest.read_text(encoding="utf-8"))

    def _file(self, number: int) -> Path:
        return self._listings / f"{number:08d}.json"

    def _folder(self, landing_id: str) -> Path:
        return self._root / landing_id[:2] / landing_id


def _read(listing: Path) -> Listing:
    """A listing. Raises `StoreDamaged` where it cannot be read."""
    try:
        # As it is there now: a listing is named by its number, not by what is in it.
        value = json.loads(content(listing))
        exports = tuple(_export(one) for one in value["exports"])
        return Listing(int(listing.stem), datetime.fromisoformat(value["taken_at"]), exports)
    except (OSError, ValueError, TypeError) as error:
        raise StoreDamaged(
            f"this listing of exports is not whole: {error}",
            where=listing,
            remedy="restore it from a backup; while no month is closed, you may also remove it "
            "and run `tenantbill ingest PERIOD --feeds DIR` again",
        ) from error


def _export(value: dict[str, Any]) -> ListedExport:
    in_tuples = {name: tuple(value[name]) for name in ("unknown_columns", "stat")}
    remarks = tuple((code, count) for code, count in value.get("remarks", ()))
    return ListedExport(**{**value, **in_tuples, "remarks": remarks})
