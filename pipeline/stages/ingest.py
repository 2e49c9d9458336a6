"""Take exports in: find them, read the new ones once, and list those that count.

Belongs here: deciding which exports are new and how they are landed together. Does not belong here:
reading a file (`sources`), the landed form (`store.landing`), and what rows are good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import FeedMissing
from pipeline.findings import Finding, finding
from pipeline.fingerprint import file_sha256, fingerprint, reading_code
from pipeline.sources import find_exports, read_export, unknown_columns
from pipeline.store.landing import LandedStore, Landing, ListedExport, Listing
from schemas.columns import Table
from schemas.feeds import FEEDS, USAGE

GROUP_BYTES = 64 << 20
"""Exports are landed together until they come to this size: many small files make few chunks."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An export in the feeds directory, before it is landed."""

    table: Table
    path: Path
    export: ListedExport


def ingest(feeds: Path, store: Path, executor: Executor, arrived_at: str) -> tuple[Listing, bool]:
    """The listing of the exports that are in the feeds directory now, and whether it is a new one.

    Exports whose content the last listing already has are not read again.
    """
    landed = LandedStore(store)
    before = landed.listing()
    known = (
        {
            one.sha256: one
            for one in before.exports
            if one.reader == reading_code() and landed.has(one.landing)
        }
        if before
        else {}
    )
    unchanged = {(export.feed, export.name): export for export in before.exports} if before else {}
    arrivals = [
        arrival for table in FEEDS for arrival in _arrivals(table, feeds, unchanged, arrived_at)
    ]
    listed = {
        (arrival.export.feed, arrival.export.name): _as_known(arrival.export, known)
        for arrival in arrivals
    }
    new = [arrival for arrival in arrivals if not listed[_key(arrival)].landing]
    for group, landing in _land(new, store, executor):
        for index, arrival in enumerate(group):
            listed[_key(arrival)] = replace(
                arrival.export,
                rows=landing.rows[index],
                landing=landing.id,
                index=index,
                unknown_columns=tuple(unknown_columns(arrival.path, arrival.table)),
            )
    exports = tuple(listed.values())
    if before and _content(before.exports) == _content(exports):
        return before, False
    return landed.add_listing(exports), True


def ingest_findings(listing: Listing) -> list[Finding]:
    """`unknown_columns`, one an export: what is in it and is not read."""
    found = []
    for export in listing.exports:
        if export.unknown_columns:
            columns = ", ".join(export.unknown_columns)
            message = (
                f"{export.name} has columns that the feed {export.feed} does not know: {columns}."
            )
            remedy = (
                "Nothing to do if nobody needs them; else name them as the data dictionary does."
            )
            found.append(finding("unknown_columns", None, message, remedy, subject=export.name))
    return found


def land_group(store: Path, landing_id: str, group: list[tuple[Table, Path]]) -> Landing:
    """Read some exports and land them together, unless that was done before. A task of `ingest`."""
    landed = LandedStore(store)
    return landed.landing(landing_id) or landed.land(
        landing_id, [read_export(path, table) for table, path in group]
    )


def _arrivals(
    table: Table,
    feeds: Path,
    unchanged: dict[tuple[str, str], ListedExport],
    arrived_at: str,
) -> Iterator[_Arrival]:
    found = find_exports(feeds, table)
    if not found and not table.optional:
        raise FeedMissing(
            f"there is no {table.name}.csv, {table.name}.csv.gz, {table.name}.parquet or "
            f"{table.name}/ in the feeds directory",
            where=feeds,
            remedy=f"export {table.name} into it, or name another directory with --feeds",
        )
    for export in found:
        status = export.path.stat()
        stat = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        before = unchanged.get((table.name, export.name))
        is_same = before is not None and before.stat == stat
        sha256 = before.sha256 if before and is_same else file_sha256(export.path)
        yield _Arrival(
            table,
            export.path,
            ListedExport(
                table.name,
                export.name,
                sha256,
                status.st_size,
                0,
                arrived_at,
                "",
                0,
                reading_code(),
                (),
                stat,
            ),
        )


def _as_known(export: ListedExport, known: dict[str, ListedExport]) -> ListedExport:
    """The export with what an earlier listing says of the same content, if one does."""
    before = known.get(export.sha256)
    if before is None or before.feed != export.feed:
        return export
    return replace(
        export,
        rows=before.rows,
        arrived_at=before.arrived_at if before.name == export.name else export.arrived_at,
        landing=before.landing,
        index=before.index,
        unknown_columns=before.unknown_columns,
    )


def _land(
    new: list[_Arrival], store: Path, executor: Executor
) -> Iterator[tuple[list[_Arrival], Landing]]:
    groups = list(_grouped(new))
    tasks = [
        executor.submit(
            land_group,
            store,
            fingerprint(reading_code(), [(one.table.name, one.export.sha256) for one in group]),
            [(one.table, one.path) for one in group],
        )
        for group in groups
    ]
    for group, task in zip(groups, tasks, strict=True):
        yield group, task.result()


def _grouped(new: list[_Arrival]) -> Iterator[list[_Arrival]]:
    """Usage exports together, in order, until they come to GROUP_BYTES; others one by one."""
    group: list[_Arrival] = []
    for arrival in new:
        if group and (
            arrival.table is not USAGE
            or sum(one.export.size for one in group) + arrival.export.size > GROUP_BYTES
        ):
            yield group
            group = []
        group.append(arrival)
        if arrival.table is not USAGE:
            yield group
            group = []
    if group:
        yield group


def _key(arrival: _Arrival) -> tuple[str, str]:
    return arrival.export.feed, arrival.export.name


def _content(exports: Iterable[ListedExport]) -> list[tuple[str, str, str, str]]:
    return [(one.feed, one.name, one.sha256, one.landing) for one in exports]
