"""Questions about settings and exports: are they there, can they be read, are their zones known.

Belongs here: what a run would look at before it takes anything in. Does not belong here: what was
taken in (`taken_in`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.doctoring.check import ERROR, OK, Check, failed, size_in_words
from pipeline.errors import BillingError, UsageError, did_you_mean
from pipeline.exports import Export, FeedsNotADirectory, read_export
from pipeline.extras import is_there
from pipeline.findings import counted
from pipeline.remote.objects import copies
from pipeline.remote.place import Mirrored
from pipeline.settings import FILE, read_sources, told_nowhere
from pipeline.sources import Source, sources_of
from pipeline.stages.found import Found, found_of, stat_of
from pipeline.stages.terms_rules import time_zones
from schemas.feeds import FEEDS, TENANTS

WORKBOOKS = (".xlsx", ".xlsm")


def settings() -> tuple[list[Check], tuple[Source, ...] | None]:
    """Whether the settings are in order, and the sources they name; None where they are not."""
    if not FILE.exists():
        return [Check(OK, "settings", f"there is no {FILE}: defaults hold")], ()
    try:
        sources = sources_of(read_sources(), str(FILE))
    except UsageError as error:
        return [failed("settings", error)], None
    told = f"{FILE} is in order" + (f", with {counted(len(sources), 'source')}" if sources else "")
    return [Check(OK, "settings", told)], sources


def found(feeds: Path | None, sources: Sequence[Source]) -> tuple[list[Check], list[Found]]:
    """Whether every feed that a run needs is there, and can be read; and the exports of all."""
    if feeds is None and not sources:
        error = told_nowhere()
        return [Check(ERROR, "exports", error.what, error.remedy)], []
    checks, every = [], []
    for table in FEEDS:
        try:
            exports = found_of(table, feeds, sources)
        except BillingError as error:
            checks.append(failed(f"exports of {table.name}", error))
            if isinstance(error, FeedsNotADirectory):
                break
            continue
        every += exports
        checks += _as_told(table.name, exports)
    return checks, every


def _as_told(feed: str, exports: Sequence[Found]) -> Iterator[Check]:
    """How many exports of a feed there are, and those that a run cannot read."""
    name = f"exports of {feed}"
    sizes = [stat_of(export)[0] for _, export, _ in exports]
    told = (
        f"{counted(len(exports), 'file')}, {size_in_words(sum(sizes))}"
        if exports
        else "none, and none is needed"
    )
    yield Check(OK, name, told)
    for (_, export, source), size in zip(exports, sizes, strict=True):
        if not isinstance(export.path, Mirrored) and not os.access(export.path, os.R_OK):
            remedy = "correct its permissions, or run as somebody who may"
            yield Check(ERROR, name, f"{export.name}: it cannot be read", remedy)
        elif not size:
            remedy = "export it again: one of no rows has a header at least"
            yield Check(ERROR, name, f"{export.name}: the file is empty", remedy)
        elif source and export.path.suffix.lower() in WORKBOOKS and not is_there("openpyxl"):
            yield Check(
                ERROR,
                name,
                f"{export.name}: workbooks need openpyxl, which is not installed",
                "pip install 'tenantbill[excel]'",
            )


def zones_of_tenants(exports: Sequence[Found]) -> Iterator[Check]:
    """Whether every time zone of a tenant is one that this machine knows."""
    known, seen = set(time_zones()), 0
    for table, export, source in exports:
        if table is not TENANTS:
            continue
        for tenant, zone in _tenants(export, source):
            seen += 1
            if zone is not None and zone not in known:
                yield Check(
                    ERROR,
                    "time zones",
                    f"{export.name}: the zone of {tenant} is {zone!r}, which is not known; the "
                    "tenant is not invoiced",
                    did_you_mean(zone, known, "write an IANA name such as Europe/Madrid"),
                )
    if exports and not seen:
        told = "no export says where tenants live: their days are those of UTC"
        yield Check(OK, "time zones", told, "export tenants with time_zone, where it matters")


def _tenants(export: Export, source: Source | None) -> Iterator[tuple[str, str | None]]:
    """The tenants that an export names, each with its zone."""
    with copies([export.path]) as [path]:
        for batch in source.read(path) if source else read_export(path, TENANTS):
            yield from batch.rows.select("tenant_id", "time_zone").iter_rows()
