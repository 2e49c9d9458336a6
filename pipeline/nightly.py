"""What a night has to do: the months to bill, and the closed ones that exports have come for since.

Belongs here: finding both from what is landed, published and closed. Does not belong here: billing
(`run`), and any clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.issuing.life import Life
from pipeline.period import EPOCH_DAY, Days, Period
from pipeline.published import Published
from pipeline.store.landing import LandedStore, ListedExport, Listing
from schemas.feeds import USAGE

LOOKS_BACK = 12
"""How many months before the current one usage alone makes a month to bill."""


def find_due(store: Path, today: Period) -> list[Period]:
    """The months to bill, in order, by the exports as they were taken in last."""
    landed, published = LandedStore(store), Published(store)
    listing = landed.listing()
    usage = listing.of(USAGE.name) if listing else []
    has_run = {run.period for run in published.results.runs()}
    closed = {one for one in published.life.closed_periods if published.is_closed(one)}
    return periods_due(today, _days_of(landed, usage), has_run, closed)


def periods_due(
    today: Period, usage: Collection[int], has_run: Iterable[Period], closed: Collection[Period]
) -> list[Period]:
    """The months to bill, in order; `usage` are the days on which it starts.

    They are the current month, the one before, those of which a run was published, and those of
    the last twelve with usage, so that a row with a wrong date makes no month of long ago. Closed
    months, and those to come, are none of them.
    """
    recent = [today.earlier(months) for months in range(LOOKS_BACK + 1)]
    with_usage = [period for period in recent if _starts_within(_own_days(period), usage)]
    begun = {*recent[:2], *with_usage, *(period for period in has_run if period <= today)}
    return sorted(begun - {*closed})


def find_closed_with_news(store: Path) -> list[Period]:
    """The months with closed tenants for which exports came, or went, since they were looked at.

    Closing, planning and applying are looking: a plan would say what the exports change.
    """
    landed = LandedStore(store)
    newest = landed.listing()
    looked_at = _looked_at(Published(store).life)
    if newest is None:
        return []
    news = {
        number: _news_since(landed, landed.listing_of(number), newest)
        for number in {*looked_at.values()}
    }
    return [period for period, number in looked_at.items() if news[number].concerns(period)]


@dataclass(frozen=True, slots=True)
class _News:
    """What is other than in an earlier listing: any feed but usage, and usage of some days."""

    of_terms: bool
    usage: frozenset[int]

    def concerns(self, period: Period) -> bool:
        """Whether it might change a month, wherever its tenants live."""
        days = period.days
        return self.of_terms or _starts_within(Days(days.first - 1, days.after + 1), self.usage)


def _looked_at(life: Life) -> dict[Period, int]:
    """Each month with closed tenants, and the listing it was looked at with.

    Where its tenants were looked at with several, the oldest.
    """
    by_tenant: dict[Period, dict[str, int]] = {period: {} for period in life.closed_periods}
    for entry in life.entries:
        for period, basis in entry.act.bases.items():
            seen = by_tenant.get(period, {})
            for tenant in basis.tenants:
                seen[tenant] = max(basis.listing, seen.get(tenant, 0))
    return {period: min(seen.values()) for period, seen in by_tenant.items()}


def _news_since(landed: LandedStore, before: Listing, newest: Listing) -> _News:
    old, new = (
        {(one.feed, one.sha256): one for one in listing.exports} for listing in (before, newest)
    )
    changed = [{**old, **new}[key] for key in old.keys() ^ new.keys()]
    usage = [one for one in changed if one.feed == USAGE.name]
    return _News(len(usage) < len(changed), _days_of(landed, usage))


def _days_of(landed: LandedStore, exports: Iterable[ListedExport]) -> frozenset[int]:
    """The UTC days on which usage of some exports starts, as far as they are still landed."""
    landings = sorted({one.landing for one in exports})
    found = [landed.usage(one).days() for one in landings if landed.has(one)]
    return frozenset(day + EPOCH_DAY for days in found for day in days)


def _own_days(period: Period) -> Days:
    """The UTC days that are a month's own: its last one begins the next month in the east."""
    return Days(period.days.first, period.last_day)


def _starts_within(days: Days, usage: Iterable[int]) -> bool:
    return any(day in days for day in usage)
