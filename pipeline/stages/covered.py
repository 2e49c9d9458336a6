"""Which local days the exports of a source cover, by what they are called and what they hold.

Belongs here: sources as the listing has them, and the days of their extracts. Does not belong here:
reading names (`file_days`) and rows (`starts`), and what is to be said of it (`extract_findings`).

A source's *series* are its exports whose names are the same but for the dates in them. What names
its days holds these days of every tenant of its series, rows or none; what does not, for each
tenant, all days from that of the first row to that of the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonpath
from pathlib import PurePosixPath

import polars as pl

from pipeline.period import Days
from pipeline.sources.kinds import KINDS
from pipeline.stages.file_days import named_days, series_of
from pipeline.stages.starts import starts_in
from pipeline.store.landing import ListedExport, Listing
from schemas.feeds import USAGE

DAILY = 3
"""An export with one date in its name is of that day, unless its rows start on more days than so
many and most of them neither on that day nor beside it: then it is when the export was written."""


@dataclass(frozen=True, slots=True)
class ListedSource:
    """The listed exports of one source; without a kind, those of the feeds directory."""

    feed: str
    kind: str
    label: str
    exports: tuple[ListedExport, ...]

    @property
    def is_snapshot(self) -> bool:
        """Whether each of its exports states what holds on one day."""
        return self.kind in KINDS and KINDS[self.kind].is_snapshot

    @property
    def selects_by_start(self) -> bool:
        """Whether its exports lack what began before their first day."""
        return self.kind in KINDS and KINDS[self.kind].selects_by_start


def sources_in(listing: Listing, *, with_feeds: bool = False) -> list[ListedSource]:
    """The sources of the listed exports, in order; with the feeds directory's usage if asked for.

    A source is labelled by its kind, and where several are of one kind by where its files lie, too.
    """
    groups: dict[tuple[str, str, str], list[ListedExport]] = {}
    for one in listing.exports:
        if one.kind or (with_feeds and one.feed == USAGE.name):
            groups.setdefault((one.feed, one.kind, one.source), []).append(one)
    kinds = [kind for _, kind, _ in groups]
    return [
        ListedSource(feed, kind, _label(kind, exports, kinds.count(kind) > 1), tuple(exports))
        for (feed, kind, _), exports in sorted(groups.items())
    ]


@dataclass(frozen=True, slots=True)
class Extract:
    """An export of usage: the days that its name says it holds, if it does, and its series."""

    listed: ListedExport
    series: str
    named: Days | None


def covered_days(
    extracts: Sequence[Extract], starts: pl.DataFrame, about: Days
) -> dict[str, set[int]]:
    """The local days among some that exports cover, by tenant; of tenants with rows on any."""
    series_days: dict[str, set[int]] = {}
    for extract in extracts:
        days = series_days.setdefault(extract.series, set())
        days.update((extract.named or Days(0, 0)) & about)
    tenants = set(starts.filter(starts_in(about))["tenant_id"].to_list())
    covered: dict[str, set[int]] = {tenant: set() for tenant in tenants}
    spans = starts.group_by("export", "tenant_id").agg(
        pl.col("day"), first_day=pl.col("day").min(), last_day=pl.col("day").max()
    )
    for export, tenant, days, first, last in spans.iter_rows():
        if tenant not in covered:
            continue
        extract = extracts[export]
        covered[tenant] |= series_days[extract.series]
        own = days if extract.named else Days(first, last + 1) & about
        covered[tenant].update(own)
    return covered


def extracts_of(exports: Sequence[ListedExport], starts: pl.DataFrame) -> list[Extract]:
    """Exports of usage, each with the days that it is named by, given their STARTS."""
    by_export = {
        export: list(zip(days, rows, strict=True))
        for export, days, rows in starts.group_by("export").agg("day", "rows").iter_rows()
    }
    return [
        Extract(one, series_of(one.name), _held(named_days(one.name), by_export.get(position, [])))
        for position, one in enumerate(exports)
    ]


def _held(named: Days | None, rows_by_day: Sequence[tuple[int, int]]) -> Days | None:
    """The days in an export's name, unless it is one that is not the day of what it holds."""
    if named is None or len(named) > 1:
        return named
    near = sum(rows for day, rows in rows_by_day if abs(day - named.first) <= 1)
    rows = sum(rows for _, rows in rows_by_day)
    is_of_more = len({day for day, _ in rows_by_day}) > DAILY and 2 * near < rows
    return None if is_of_more else named


def _label(kind: str, exports: Sequence[ListedExport], is_one_of_several: bool) -> str:
    if not kind:
        return "the feeds directory"
    if not is_one_of_several:
        return kind
    folders = sorted({PurePosixPath(one.name).parent.as_posix() for one in exports})
    is_one_tree = len({folder.startswith("/") for folder in folders}) == 1
    return f"{kind} in {(commonpath(folders) if is_one_tree else folders[0]) or '.'}"
