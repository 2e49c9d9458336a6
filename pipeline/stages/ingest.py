"""Take exports in: find them, read the new ones once, and list those that count.

Belongs here: deciding which exports are new and how they are landed together. Does not belong here:
reading a file (`exports`), what may not be lost (`losses`), the landed form (`store.landing`), and
what rows are good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.executors.embedded import expect
from pipeline.exports import read_export, unknown_columns
from pipeline.fingerprint import fingerprint, reading_code
from pipeline.remote.objects import content_sha256, copies
from pipeline.sources import Source
from pipeline.sources.kind import is_snapshot
from pipeline.stages.found import Found, found_of, stat_of
from pipeline.stages.losses import refuse_losses
from pipeline.steps import Progress, Step
from pipeline.store.landing import LandedStore, ListedExport, Listing, Taken
from schemas.columns import Table
from schemas.feeds import FEEDS, USAGE, feed_of

SMALLEST_GROUP, LARGEST_GROUP = 4 << 20, 48 << 20
GROUPS = 8
"""Usage exports are landed together: many small files make few landings, and a month makes about so
many that workers share them evenly."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An export before it is landed; one of the feeds directory has no source."""

    table: Table
    path: Path
    source: Source | None
    export: ListedExport


def ingest(
    feeds: Path | None,
    sources: Sequence[Source],
    store: Path,
    executor: Executor,
    now: datetime,
    progress: Progress,
    *,
    allow_shrink: bool = False,
) -> tuple[Listing, bool]:
    """The listing of the exports that are there now, and whether it is a new one.

    They are those of the feeds directory, where there is one, and of the sources.

    Exports whose content the last listing already has are not read again. What the last listing has
    and is lost now is an error, unless `allow_shrink`.
    """
    landed = LandedStore(store)
    before = landed.listing()
    found = [one for table in FEEDS for one in found_of(table, feeds, sources)]
    arrivals = _arrivals(found, before, executor, now.astimezone(UTC).isoformat())
    known = _known(before.exports, arrivals, landed) if before else {}
    listed = {_key(one): known.get(_key(one), one.export) for one in arrivals}
    new = [one for one in arrivals if _key(one) not in known]
    taken = {export.landing for export in known.values()}
    for group, landing_id, came_to in _land(new, taken, store, executor, progress):
        for index, (arrival, (came, strangers)) in enumerate(zip(group, came_to, strict=True)):
            listed[_key(arrival)] = replace(
                arrival.export,
                rows=came.rows,
                remarks=tuple(sorted(came.remarks.items())),
                landing=landing_id,
                index=index,
                unknown_columns=strangers,
            )
    exports = tuple(listed.values())
    if before and _content(before.exports) == _content(exports):
        return before, False
    if before and not allow_shrink:
        refuse_losses(feeds or Path(), landed, before.exports, exports)
    return landed.add_listing(exports, now), True


def land_group(
    store: Path, landing_id: str, feed: str, source: Source | None, places: list[Path]
) -> list[tuple[Taken, Strangers]]:
    """Read some exports of a feed or source and land them together; gives what each came to.

    A task of `ingest`; nothing is done again that was done before.
    """
    table = feed_of(feed)
    with copies(places) as paths:
        taken = _taken(LandedStore(store), landing_id, table, source, paths)
        # What a source reads it says itself.
        return [
            (one, () if source else tuple(unknown_columns(path, table)))
            for one, path in zip(taken, paths, strict=True)
        ]


def _taken(
    landed: LandedStore, landing_id: str, table: Table, source: Source | None, paths: list[Path]
) -> tuple[Taken, ...]:
    exports = [source.read(path) if source else read_export(path, table) for path in paths]
    if table is not USAGE:
        return tuple(landed.land(landing_id, export) for export in exports)
    if landed.has(landing_id):
        landing = landed.landing(landing_id)
    else:
        # Most runs land nothing and can do without the engine.
        from pipeline.exports.recount import recounted  # noqa: PLC0415

        again = [None] * len(paths) if source else recounted(paths)
        landing = landed.land_usage(landing_id, exports, again)
    return tuple(map(Taken, landing.rows, landing.remarks))


Strangers = tuple[str, ...]
"""Columns of an export that its feed does not know."""


def _arrivals(
    found: list[Found],
    before: Listing | None,
    executor: Executor,
    arrived_at: str,
) -> list[_Arrival]:
    """What was found; a file that did not change is not hashed again."""
    unchanged = {(export.feed, export.name): export for export in before.exports} if before else {}
    arrivals, hashes = [], []
    for table, one, source in found:
        path, name, stat = one.path, one.name, stat_of(one)
        export = ListedExport(
            table.name, name, "", stat[0], 0, arrived_at, "", 0, reading_code(), (), stat
        )
        if source:
            export = replace(export, kind=source.kind_name, source=source.print)
        last = unchanged.get((table.name, name))
        if last is not None and last.stat == stat:
            export = replace(export, sha256=last.sha256)
        arrivals.append(_Arrival(table, path, source, export))
        hashes.append(None if export.sha256 else executor.submit(content_sha256, path))
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
    free: dict[tuple[str, ...], list[ListedExport]] = {}
    for one in arrivals:
        free.setdefault(_reading(one.export), []).append(one.export)
    landings: dict[str, list[ListedExport]] = {}
    for export in before:
        landings.setdefault(export.landing, []).append(export)
    there = landed.those_there(landings)
    known = {}
    for landing_id, members in landings.items():
        if any(one.reader != reading_code() for one in members) or landing_id not in there:
            continue
        matched = [_match(member, free) for member in members]
        for member, now in zip(members, matched, strict=True):
            if now is not None and None in matched:
                free[_reading(member)].append(now)
            elif now is not None:
                arrived_at = member.arrived_at if member.name == now.name else now.arrived_at
                known[now.feed, now.name] = replace(
                    member, name=now.name, stat=now.stat, arrived_at=arrived_at
                )
    return known


def _match(
    member: ListedExport, free: dict[tuple[str, ...], list[ListedExport]]
) -> ListedExport | None:
    """Take an arrival of the same content, if there is one; best one of the same name."""
    same = free.get(_reading(member), [])
    same.sort(key=lambda one: one.name != member.name, reverse=True)
    return same.pop() if same else None


def _land(
    new: list[_Arrival],
    taken: set[str],
    store: Path,
    executor: Executor,
    progress: Progress,
) -> Iterator[tuple[list[_Arrival], str, list[tuple[Taken, Strangers]]]]:
    """Have new exports landed, some together; a landing is named by what is in it."""
    expect(executor, sum(one.export.size for one in new if one.table is USAGE))
    tasks = {}
    for group in _grouped(new):
        members = [_reading(one.export) for one in group]
        again = 0
        while (landing_id := fingerprint(reading_code(), members, again)) in taken:
            again += 1
        taken.add(landing_id)
        paths = [one.path for one in group]
        first = group[0]
        task = executor.submit(land_group, store, landing_id, first.table.name, first.source, paths)
        tasks[task] = group, landing_id
    files = rows = 0
    for task in as_completed(tasks):
        group, landing_id = tasks[task]
        files, rows = files + len(group), rows + sum(one.rows for one, _ in task.result())
        progress(Step("ingest", files, len(new), "files", rows))
        yield group, landing_id, task.result()


def _grouped(new: list[_Arrival]) -> Iterator[list[_Arrival]]:
    """Usage exports of one source together, in order, up to a size; others one by one.

    The largest groups come first, so that no worker is left alone with one at the end.
    """
    usage = sum(one.export.size for one in new if one.table is USAGE)
    most = max(SMALLEST_GROUP, min(LARGEST_GROUP, -(-usage // GROUPS)))
    groups: list[list[_Arrival]] = []
    room = 0
    for arrival in sorted(new, key=lambda one: one.export.source):
        is_other = not groups or groups[-1][0].export.source != arrival.export.source
        if arrival.table is not USAGE or is_other or room < arrival.export.size:
            groups.append([])
            room = most if arrival.table is USAGE else 0
        groups[-1].append(arrival)
        room -= arrival.export.size
    yield from sorted(groups, key=lambda group: -sum(one.export.size for one in group))


def _reading(export: ListedExport) -> tuple[str, ...]:
    """What decides how an export is read, and what of: of a snapshot its name, which says when."""
    how = (export.kind, export.source) if export.kind else ()
    when = (Path(export.name).name,) if is_snapshot(export.kind) else ()
    return (export.feed, export.sha256, *how, *when)


def _key(arrival: _Arrival) -> tuple[str, str]:
    return arrival.export.feed, arrival.export.name


def _content(exports: Iterable[ListedExport]) -> list[tuple[str, str, str, str]]:
    return [(one.feed, one.name, one.sha256, one.landing) for one in exports]
