"""Which files are exports of each feed: those of the feeds directory, and those of the sources.

Belongs here: finding them, in the order in which they count. Does not belong here: which of them
are new, and landing them (`ingest`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import FeedMissing, UsageError
from pipeline.exports import Export, find_exports
from pipeline.sources import Source
from schemas.columns import Table

Found = tuple[Table, Export, Source | None]


def found_of(table: Table, feeds: Path | None, sources: Sequence[Source]) -> list[Found]:
    """Every export of a feed, in the order in which they count (R11.1).

    Raises `FeedMissing` for a feed that every run needs, `UsageError` for a file that is found
    twice, and `ExportError` for what cannot be one.
    """
    found: list[Found] = []
    if feeds is not None:
        found += [(table, export, None) for export in find_exports(feeds, table)]
    for source in sources:
        if source.table is table:
            found += [(table, export, source) for export in source.exports()]
    if not found and not table.optional:
        raise _missing(table, feeds)
    _refuse_twice(found)
    return sorted(found, key=lambda one: one[1].order)


def stat_of(export: Export) -> tuple[int, ...]:
    """What is said of a file by where it lies, its size first; it changes with the content."""
    if export.stat:
        return export.stat
    status = export.path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _missing(table: Table, feeds: Path | None) -> FeedMissing:
    if feeds is None:
        return FeedMissing(
            f"no source gives {table.name}, and there is no feeds directory",
            remedy=f"set up a [[source]] that gives {table.name}, or name a directory that holds "
            "it with --feeds",
        )
    return FeedMissing(
        f"there is no {table.name}.csv, {table.name}.csv.gz, {table.name}.parquet or "
        f"{table.name}/ in the feeds directory",
        where=feeds,
        remedy=f"export {table.name} into it, or name another directory with --feeds",
    )


def _refuse_twice(found: Sequence[Found]) -> None:
    """Raise `UsageError` for a file that is read as a feed twice, and for two of one name."""
    names: dict[object, Export] = {}
    for _, export, _ in found:
        for known in (export.name, export.path.resolve()):
            if names.setdefault(known, export) is not export:
                raise UsageError(
                    f"{export.name} is taken in twice: by two sources, or by one and as a feed",
                    where=export.path,
                    remedy="let only one of them hold it: correct path in its [[source]]",
                )
