"""Take exports in: find them, read the new ones once, and list those that count.

Belongs here: deciding which exports are new and how they are landed together. Does not belong here:
reading a file (`sources`), what may not be lost (`losses`), the landed form (`store.landing`), and
what rows are good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import FeedMissing
from pipeline.findings import Finding, finding
from pipeline.fingerprint import file_sha256, fingerprint, reading_code
from pipeline.sources import find_exports, read_export, unknown_columns
from pipeline.stages.losses import refuse_losses
from pipeline.steps import Progress, Step
from pipeline.store.landing import LandedStore, ListedExport, Listing
from schemas.columns import Table
from schemas.feeds import FEEDS, USAGE

SMALLEST_GROUP, LARGEST_GROUP = 4 << 20, 48 << 20
GROUPS = 8
"""Usage exports are landed together: many small files make few landings, and a month makes about so
many that workers share them evenly."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An export in the feeds directory, before it is landed."""

    table: Table
    path: Path
    export: ListedExport


def ingest(
    feeds: Path,
    store: Path,
    executor: Executor,
    now: datetime,
    progress: Progress,
    *,
    allow_shrink: bool = False,
) -> tuple[Listing, bool]:
    """The listing of the exports that are in the feeds directory now, and whether it is a new one.

    Exports whose content the last listing already has are not read again. What the last listing has
    and is lost now is an error, unless `allow_shrink`.
    """
    landed = LandedStore(store)
    before = landed.listing()
    found = [(table, path, name) for table in FEEDS for path, name in _found(table, feeds)]
    arrivals = _arrivals(found, before, executor, now.astimezone(UTC).isoformat())
    known = _known(before.exports, arrivals, landed) if before else {}
    listed = {_key(one): known.get(_key(one), one.export) for one in arrivals}
    new = [one for one in arrivals if _key(one) not in known]
    taken = {export.landing for export in known.values()}
    for group, landing_id, rows in _land(new, taken, store, executor, progress):
        for index, arrival in enumerate(group):
            listed[_key(arrival)] = replace(
                arrival.export,
                rows=rows[index],
                landing=landing_id,
                index=index,
                unknown_columns=tuple(unknown_columns(arrival.path, arrival.table)),
            )
    exports = tuple(listed.values())
    if before and _content(before.exports) == _content(exports):
        return before, False
    if before and not allow_shrink:
        refuse_losses(feeds, landed, before.exports, exports)
    return landed.add_listing(exports, now), True


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


def land_group(store: Path, landing_id: str, table: Table, paths: list[Path]) -> tuple[int, ...]:
    """Read some exports of a feed and land them together; gives the rows of each.

    A task of `ingest`; nothing is done again that was done before.
    """
    landed = LandedStore(store)
    if table is not USAGE:
        return tuple(landed.land(landing_id, read_export(path, table)) for path in paths)
    if landed.has(landing_id):
        return landed.landing(landing_id).rows
    # Most runs land nothing and can do without the engine.
    from pipeline.sources.recount import recounted  # noqa: PLC0415

    exports = [read_export(path, table) for path in paths]
    return landed.land_usage(landing_id, exports, recounted(paths)).rows


def _found(table: Table, feeds: Path) -> list[tuple[Path, str]]:
    """The files of a feed, in order, and their names."""
    found = find_exports(feeds, table)
    if not found and not table.optional:
        raise FeedMissing(
            f"there is no {table.name}.csv, {table.name}.csv.gz, {table.name}.parquet or "
            f"{table.name}/ in the feeds directory",
            where=feeds,
            remedy=f"export {table.name} into it, or name another directory with --feeds",
        )
    return [(export.path, export.name) for export in found]


def _arrivals(
    found: list[tuple[Table, Path, str]],
    before: Listing | None,
    executor: Executor,
    arrived_at: str,
) -> list[_Arrival]:
    """What lies in the feeds directory; a file that did not change is not hashed again."""
    unchanged = {(export.feed, export.name): export for export in before.exports} if before else {}
    arrivals, hashes = [], []
    for table, path, name in found:
        status = path.stat()
        stat = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        export = ListedExport(
            table.name, name, "", status.st_size, 0, arrived_at, "", 0, reading_code(), (), stat
        )
        last = unchanged.get((table.name, name))
        if last is not None and last.stat == stat:
            export = replace(export, sha256=last.sha256)
        arrivals.append(_Arrival(table, path, export))
        hashes.append(None if export.sha256 else executor.submit(file_sha256, path))
    return [
        replace(one, export=replace(one.export, sha256=task.result())) if task else one
        for one, task in zip(arrivals, hashes, strict=True)
    ]


def _known(
    before: Iterable[ListedExport], arrivals: list[_Arrival], landed: LandedStore
) -> dict[tuple[str, str], ListedExport]:
    """The arrivals whose content is landed already, as they are listed.

    A landing is taken up whole: only if each of its exports is still there, by name or content.
    """
    free: dict[tuple[str, str], list[ListedExport]] = {}
    for one in arrivals:
        free.setdefault((one.export.feed, one.export.sha256), []).append(one.export)
    landings: dict[str, list[ListedExport]] = {}
    for export in before:
        landings.setdefault(export.landing, []).append(export)
    known = {}
    for landing_id, members in landings.items():
        if any(one.reader != reading_code() for one in members) or not landed.has(landing_id):
            continue
        matched = [_match(member, free) for member in members]
        for member, now in zip(members, matched, strict=True):
            if now is not None and None in matched:
                free[member.feed, member.sha256].append(now)
            elif now is not None:
                arrived_at = member.arrived_at if member.name == now.name else now.arrived_at
                known[now.feed, now.name] = replace(
                    member, name=now.name, stat=now.stat, arrived_at=arrived_at
                )
    return known


def _match(
    member: ListedExport, free: dict[tuple[str, str], list[ListedExport]]
) -> ListedExport | None:
    """Take an arrival of the same content, if there is one; best one of the same name."""
    same = free.get((member.feed, member.sha256), [])
    same.sort(key=lambda one: one.name != member.name, reverse=True)
    return same.pop() if same else None


def _land(
    new: list[_Arrival],
    taken: set[str],
    store: Path,
    executor: Executor,
    progress: Progress,
) -> Iterator[tuple[list[_Arrival], str, tuple[int, ...]]]:
    """Have new exports landed, some together; a landing is named by what is in it."""
    tasks = {}
    for group in _grouped(new):
        members = [(one.table.name, one.export.sha256) for one in group]
        again = 0
        while (landing_id := fingerprint(reading_code(), members, again)) in taken:
            again += 1
        taken.add(landing_id)
        paths = [one.path for one in group]
        task = executor.submit(land_group, store, landing_id, group[0].table, paths)
        tasks[task] = group, landing_id
    files = rows = 0
    for task in as_completed(tasks):
        group, landing_id = tasks[task]
        files, rows = files + len(group), rows + sum(task.result())
        progress(Step("ingest", files, len(new), "files", rows))
        yield group, landing_id, task.result()


def _grouped(new: list[_Arrival]) -> Iterator[list[_Arrival]]:
    """Usage exports together, in order, up to a size; others one by one.

    The largest groups come first, so that no worker is left alone with one at the end.
    """
    usage = sum(one.export.size for one in new if one.table is USAGE)
    most = max(SMALLEST_GROUP, min(LARGEST_GROUP, -(-usage // GROUPS)))
    groups: list[list[_Arrival]] = []
    room = 0
    for arrival in new:
        if arrival.table is not USAGE or not groups or room < arrival.export.size:
            groups.append([])
            room = most if arrival.table is USAGE else 0
        groups[-1].append(arrival)
        room -= arrival.export.size
    yield from sorted(groups, key=lambda group: -sum(one.export.size for one in group))


def _key(arrival: _Arrival) -> tuple[str, str]:
    return arrival.export.feed, arrival.export.name


def _content(exports: Iterable[ListedExport]) -> list[tuple[str, str, str, str]]:
    return [(one.feed, one.name, one.sha256, one.landing) for one in exports]
