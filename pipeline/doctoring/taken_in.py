"""Questions about what was taken in: is it what lies there now, can it be used, is a month whole.

Belongs here: comparing the store's last listing with the clock, the code, the exports and the days
of a month. Does not belong here: which days are covered (`stages.coverage`). Nothing is taken in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pipeline.doctoring.check import OK, WARNING, Check
from pipeline.findings import NOTICE, Finding, counted, named
from pipeline.fingerprint import reading_code
from pipeline.period import Period
from pipeline.run import load_terms
from pipeline.stages.coverage import coverage_findings, seen_until
from pipeline.stages.found import Found, stat_of
from pipeline.store.landing import LandedStore, Listing


def new_exports(listing: Listing | None, exports: Sequence[Found]) -> list[tuple[str, int]]:
    """Name and size of the exports that the next run will read."""
    read = {
        (one.feed, one.name, one.stat)
        for one in (listing.exports if listing else ())
        if one.reader == reading_code()
    }
    stats = ((table.name, export.name, stat_of(export)) for table, export, _ in exports)
    return [(name, stat[0]) for feed, name, stat in stats if (feed, name, stat) not in read]


def clock(listing: Listing, now: datetime) -> Iterator[Check]:
    """Whether it is later than when exports were last taken in."""
    if now < listing.taken_at:
        yield Check(
            WARNING,
            "clock",
            f"it is {now:%Y-%m-%dT%H:%M:%SZ} here, and exports were taken in at "
            f"{listing.taken_at:%Y-%m-%dT%H:%M:%SZ}, later than that",
            "set the clock; what is done meanwhile stands in the wrong order",
        )
    else:
        yield Check(OK, "clock", f"{now:%Y-%m-%dT%H:%M:%SZ}")


def code(listing: Listing, landed: LandedStore, ingest: str) -> Iterator[Check]:
    """Whether what was taken in can be used as it is, by this version of the program."""
    other = [one.name for one in listing.exports if one.reader != reading_code()]
    there = landed.those_there(one.landing for one in listing.exports)
    lost = [one.name for one in listing.exports if one.landing not in there]
    if other:
        told = f"{counted(len(other), 'export')} were read by another version of the program"
        yield Check(WARNING, "taken in", told, f"run `{ingest}`: it reads them again")
    if lost:
        told = f"what was read of {named(lost)} is not in the store any more"
        remedy = f"restore landed/ from a backup, or run `{ingest}`, which reads what is there"
        yield Check(WARNING, "taken in", told, remedy)
    if not other and not lost:
        told = f"{counted(len(listing.exports), 'export')}, {listing.taken_at:%Y-%m-%dT%H:%M:%SZ}"
        yield Check(OK, "taken in", told)


def news(listing: Listing, exports: Sequence[Found], ingest: str) -> Iterator[Check]:
    """Which exports are not taken in yet, and which are gone."""
    new = new_exports(listing, exports)
    known = {(one.feed, one.name) for one in listing.exports}
    now = {(table.name, export.name) for table, export, _ in exports}
    renamed = {size for (name, size) in new if name not in {name for _, name in known}}
    gone = [
        one.name
        for one in listing.exports
        if (one.feed, one.name) not in now and one.size not in renamed
    ]
    is_current = all(one.reader == reading_code() for one in listing.exports)
    if new and is_current:
        told = f"{counted(len(new), 'export')} new or changed since: {named(n for n, _ in new)}"
        yield Check(WARNING, "taken in", told, f"run `{ingest}`, so that what follows counts them")
    if gone:
        yield Check(
            WARNING,
            "taken in",
            f"exports that were taken in are gone: {named(gone)}",
            "put them back: a run stops where usage is missing (or takes it so, --allow-shrink)",
        )


def coverage(
    listing: Listing, landed: LandedStore, period: Period, now: datetime
) -> Iterator[Check]:
    """Whether the exports hold all days of a month that are over, once, and fit their names."""
    check = f"days of {period}"
    landings = {one.landing for one in listing.exports}
    is_current = all(one.reader == reading_code() for one in listing.exports)
    if not is_current or landed.those_there(landings) != landings:
        yield Check(WARNING, check, "not looked at", "take the exports in again first")
        return
    terms = load_terms(landed, listing)
    seen = seen_until(period, now, now)
    found = coverage_findings(listing, landed, terms, period, seen, with_feeds=True)
    if all(one.severity == NOTICE for one in found):
        yield Check(OK, check, "exports cover all that are over, of every tenant that they tell of")
    for of_all in _alike(found):
        first = of_all[0]
        whose = named(one.tenant_id for one in of_all if one.tenant_id)
        told = f"{whose}: {first.message}" if whose else first.message
        severity = OK if first.severity == NOTICE else first.severity
        yield Check(severity, check, f"{told} [{first.code}]", first.remedy)


def _alike(found: Iterable[Finding]) -> list[list[Finding]]:
    """The findings that say the same of several tenants together."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for one in found:
        groups.setdefault((one.code, one.message), []).append(one)
    return list(groups.values())


def nothing_yet(store: Path, ingest: str) -> Check:
    """The answer where no export was ever taken in."""
    told = f"{store}: nothing was taken in yet, so no day is looked at"
    return Check(WARNING, "taken in", told, f"run `{ingest}`, and ask again")
