"""What is to be said of the days that a source's extracts of usage cover, in words.

Belongs here: its findings. Does not belong here: which days are covered (`covered`), and when rows
start (`starts`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

import polars as pl

from pipeline.findings import Finding, finding
from pipeline.period import EPOCH_DAY, Days, Period, instant, midnight, moment
from pipeline.rules.terms import Tenant
from pipeline.stages.covered import Extract, ListedSource, covered_days, extracts_of
from pipeline.stages.starts import starts_in
from pipeline.store.usage import DAY_US

DAYS_BEFORE = 1
"""How many days before a month an extract must reach back where it is selected by start: hardly
anything stays open for longer. Two do no harm, since what comes twice counts once (R11.1)."""

NAMED = 5
"""How many exports a message names before it counts the rest."""


def usage_findings(
    source: ListedSource,
    starts: pl.DataFrame,
    tenants: Mapping[str, Tenant],
    not_summed: Collection[str],
    period: Period,
    seen: int,
) -> list[Finding]:
    """What is to be said of a source of usage, given the STARTS of its exports.

    `not_summed` are the tenants with rows of a peak or of users, which count while they last.
    """
    extracts = extracts_of(source.exports, starts)
    about = Days(period.earlier(1).days.first, period.days.after)
    covered = covered_days(extracts, starts, about)
    found: list[Finding] = []
    for name, days in sorted(covered.items()):
        if name in tenants:
            found += _missing(source, tenants[name], days, period, seen)
            if source.selects_by_start and name in not_summed:
                found += _late(source, tenants[name], days, period)
    found += _overlaps(source, starts, period)
    found += _older_than_data(extracts, starts, period)
    return found


def days_in_words(days: Iterable[int]) -> str:
    """Days as people write them: `2026-10-04..2026-10-06, 2026-10-11`."""
    stretches: list[list[int]] = []
    for day in sorted(days):
        if stretches and stretches[-1][1] == day - 1:
            stretches[-1][1] = day
        else:
            stretches.append([day, day])
    return ", ".join(
        f"{date.fromordinal(first)}" + (f"..{date.fromordinal(last)}" if last > first else "")
        for first, last in stretches
    )


def _missing(
    source: ListedSource, tenant: Tenant, covered: Collection[int], period: Period, seen: int
) -> Iterator[Finding]:
    """`no_export_of_days`: days that are over, on which the tenant was active, and no export."""
    until = (seen - EPOCH_DAY) * DAY_US
    missing = [
        day
        for day in period.days
        if day not in covered and midnight(day + 1, tenant.zone) <= until and tenant.active_on(day)
    ]
    if missing:
        yield finding(
            "no_export_of_days",
            tenant.id,
            f"No export of {source.label} covers {days_in_words(missing)}: usage of "
            f"{'that day' if len(missing) == 1 else 'these days'} is not billed.",
            "Export them and run again. Where the days are in an export, name its file by the days "
            "that it holds, such as 2026-10-01..2026-10-07.",
            subject=source.label,
        )


def _late(
    source: ListedSource, tenant: Tenant, covered: Collection[int], period: Period
) -> Iterator[Finding]:
    """`extract_starts_late`: sessions begun before the period, open in it, are in no export."""
    needed = [
        day
        for day in range(period.days.first - DAYS_BEFORE, period.days.first)
        if day not in covered and tenant.active_on(day)
    ]
    if needed:
        yield finding(
            "extract_starts_late",
            tenant.id,
            f"No export of {source.label} covers {days_in_words(needed)}. An export holds what "
            f"begins in its days alone, so what was still open when {period} began is missing, and "
            "the peak may be too low.",
            f"Make an extract from {date.fromordinal(min(needed))} on and run again; rows that "
            "come twice count once.",
            subject=source.label,
        )


def _overlaps(source: ListedSource, starts: pl.DataFrame, period: Period) -> Iterator[Finding]:
    """`extracts_overlap`: on a day, one export's rows begin before another's have all begun."""
    in_order = starts.filter(starts_in(period.days)).sort("tenant_id", "day", "first", "export")
    whose = ["tenant_id", "day"]
    before = in_order.with_columns(
        reaches=pl.col("last").cum_max().shift().over(whose),
        last_export=pl.col("export").shift().over(whose),
    ).filter(pl.col("first") <= pl.col("reaches"))
    by_tenant = before.group_by("tenant_id", maintain_order=True).agg(
        pl.col("day").unique(),
        exports=pl.concat_list("export", "last_export").explode().unique().sort(),
    )
    for tenant, days, exports in by_tenant.iter_rows():
        names = _named(source.exports[one].name for one in exports)
        yield finding(
            "extracts_overlap",
            tenant,
            f"Several exports of {source.label} hold rows of the same hours of "
            f"{days_in_words(days)}: {names}.",
            "Nothing to do where the same record has the same id in each: the row of the last "
            "export by name counts (R11.1).",
            subject=source.label,
        )


def _older_than_data(
    extracts: Sequence[Extract], starts: pl.DataFrame, period: Period
) -> Iterator[Finding]:
    """`export_older_than_data`: rows start after the export came, or after the days of its name."""
    spans = starts.group_by("export", maintain_order=True).agg(
        pl.col("last").max(),
        pl.col("tenant_id").unique().sort(),
        is_of_period=starts_in(period.days).any(),
    )
    for export, last, names, is_of_period in spans.sort("export").iter_rows():
        extract = extracts[export]
        listed, named = extract.listed, extract.named or Days(0, 0)
        if not (is_of_period or named.overlap(period.days)):
            continue
        came = datetime.fromisoformat(listed.arrived_at)
        if last > instant(came):
            told = f"it was first taken in at {came:%Y-%m-%dT%H:%M:%SZ}"
        elif extract.named and last >= (named.after + 1 - EPOCH_DAY) * DAY_US:
            told = f"its name says {days_in_words(named)}"
        else:
            continue
        yield finding(
            "export_older_than_data",
            names[0] if len(names) == 1 else None,
            f"{listed.name} has rows up to {moment(last):%Y-%m-%dT%H:%M:%SZ}, and {told}.",
            "Check the clock and the time zone of what wrote it, and the name; correct it and "
            "export it again.",
            subject=listed.name,
        )


def _named(things: Iterable[str]) -> str:
    """The first of some things by name, and how many more there are."""
    names = list(things)
    more = len(names) - NAMED
    told = ", ".join(names[:NAMED])
    return f"{told} and {f'{more:,} more'}" if more > 0 else told
