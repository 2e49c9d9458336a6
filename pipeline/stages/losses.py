"""What would be lost: exports that are gone, and days of which much less usage is left.

Belongs here: comparing the exports that are there now with those that were listed last. Does not
belong here: finding and landing them (`ingest`).

An export is *lost* if its content is in no export of its feed any more, under whatever name. A lost
export is *gone* if nothing took its place, and *changed* otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from pipeline.errors import BillingError, StoreDamaged
from pipeline.sources.kinds import is_snapshot
from pipeline.store.landing import LandedStore, ListedExport
from schemas.feeds import USAGE

LARGEST_FALL = 20
"""Per cent of its rows by which a day may fall unasked: corrections take some rows away, an export
that was cut short takes many."""

NAMED = 5
"""How many exports or days a message names before it counts the rest."""

Exports = Sequence[ListedExport]


class DataMissing(BillingError):
    """Exports that were taken in before are gone from the feeds directory."""


class UsageShrinks(BillingError):
    """Exports of usage were changed, and far fewer rows of some day are left."""


@dataclass(frozen=True, slots=True)
class Fall:
    """A day of which less usage is left: its rows before and now."""

    day: date
    before: int
    now: int


def refuse_losses(feeds: Path, landed: LandedStore, before: Exports, now: Exports) -> None:
    """Raise `DataMissing` or `UsageShrinks` if these exports lose what those before them had."""
    lost = lost_exports(before, now)
    gone, lost_usage = gone_exports(lost, before, now), _usage(lost)
    falls = falls_of(_days(landed, before), _days(landed, now)) if lost_usage else []
    if gone or falls:
        changed = [one for one in lost_usage if one not in gone]
        raise (DataMissing if gone else UsageShrinks)(
            told(gone, falls, changed),
            where=feeds,
            remedy="put back what is missing, or name the directory that has it with --feeds; "
            "where it is meant to be so, accept it with --allow-shrink",
        )


def lost_exports(before: Exports, now: Exports) -> list[ListedExport]:
    """The exports whose content is not there any more; one that was renamed is not lost."""
    contents = {(one.feed, one.sha256) for one in now}
    return [one for one in before if (one.feed, one.sha256) not in contents]


def gone_exports(lost: Exports, before: Exports, now: Exports) -> list[ListedExport]:
    """The lost exports that nothing took the place of.

    In place of usage comes an export of the same name alone, and so it does in place of a snapshot
    of a source, since what held before the next one rests on it. Other terms say all there is: any
    new content of the feed may be the next one.
    """
    names = {(one.feed, one.name) for one in now}
    replaced = {one.feed for one in lost_exports(now, before)} - {USAGE.name}
    return [
        one
        for one in lost
        if (one.feed, one.name) not in names and (one.feed not in replaced or is_snapshot(one.kind))
    ]


def falls_of(before: Mapping[date, int], now: Mapping[date, int]) -> list[Fall]:
    """The days whose rows fall by more than may be, in order."""
    days = sorted(before.items())
    falls = [Fall(day, rows, now.get(day, 0)) for day, rows in days]
    return [one for one in falls if (one.before - one.now) * 100 > one.before * LARGEST_FALL]


def told(gone: Exports, falls: Sequence[Fall], changed: Exports) -> str:
    """Which exports and which days, in words."""
    parts = []
    if gone:
        names = _named(f"{one.name} (rows: {one.rows:,})" for one in gone)
        parts.append(f"exports that are gone: {names}")
    if falls:
        days = _named(f"{one.day} (rows: {one.before:,}, now {one.now:,})" for one in falls)
        parts.append(f"usage falls by more than {LARGEST_FALL} %: {days}")
    if falls and changed:
        parts.append(f"exports that changed: {_named(one.name for one in changed)}")
    return "; ".join(parts)


def _named(things: Iterable[str]) -> str:
    """The first of some things by name, and how many more there are."""
    names = list(things)
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _days(landed: LandedStore, exports: Exports) -> Counter[date]:
    """How many sound rows of usage there are of each UTC day. A landing counts as a whole."""
    usage, days = _usage(exports), Counter[date]()
    there = landed.those_there(one.landing for one in usage)
    unknown = [one.name for one in usage if one.landing not in there]
    if unknown:
        raise StoreDamaged(
            "what was taken in of it is not in the store any more, so it cannot be said on which "
            "days usage falls",
            where=_named(unknown),
            remedy="put the exports back as they were, or accept them with --allow-shrink",
        )
    for landing in {one.landing for one in usage}:
        cells = landed.usage(landing).cells()
        rows = cells.group_by(pl.col("day").cast(pl.Date)).agg(pl.col("rows").sum())
        days.update(dict(rows.iter_rows()))
    return days


def _usage(exports: Exports) -> list[ListedExport]:
    return [one for one in exports if one.feed == USAGE.name]
