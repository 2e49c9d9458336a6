"""Whether the exports of each source hold all days of a month, once, and fit their names.

Belongs here: asking that of every source, and up to which day. Does not belong here: the answers
(`extract_findings`, `snapshot_days`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from pipeline.findings import Finding
from pipeline.period import EPOCH_DAY, Days, Period, instant
from pipeline.rules.terms import Catalogue
from pipeline.stages.covered import sources_in
from pipeline.stages.extract_findings import usage_findings
from pipeline.stages.snapshot_days import snapshot_findings
from pipeline.stages.starts import meters_in, starts_of
from pipeline.stages.terms import Terms
from pipeline.store.landing import LandedStore, ListedExport, Listing
from pipeline.store.usage import DAY_US
from schemas.feeds import USAGE


def coverage_findings(
    listing: Listing,
    landed: LandedStore,
    terms: Terms,
    period: Period,
    seen: int,
    *,
    with_feeds: bool = False,
) -> list[Finding]:
    """What is to be said of the days of a period that the listed exports of sources cover.

    Days that are not over when the UTC day `seen` begins are not missing yet. Exports of the feeds
    directory are of no source, and left out unless `with_feeds`.
    """
    zones = {name: tenant.zone for name, tenant in terms.tenants.items()}
    found: list[Finding] = []
    for source in sources_in(listing, with_feeds=with_feeds):
        if source.feed == USAGE.name:
            within = _looked_at(period, source.exports)
            starts = starts_of(landed, source.exports, zones, within)
            counted = _not_summed(meters_in(landed, source.exports), terms.catalogue)
            found += usage_findings(source, starts, terms.tenants, counted, period, seen)
        elif source.is_snapshot:
            found += snapshot_findings(source.label, source.exports, period, seen)
    return found


def seen_until(period: Period, taken_at: datetime, now: datetime) -> int:
    """The UTC day at whose begin all exports of the days before are expected to have come.

    While a month goes on, that on which exports were last taken in; once it is over everywhere, it
    is expected whole. So time alone changes what is found of a month once at most.
    """
    over = period.days.after + 1
    if _utc_day(now) >= over:
        return over
    return min(_utc_day(taken_at), over)


def _not_summed(meters: Mapping[str, set[str | None]], catalogue: Catalogue) -> frozenset[str]:
    """The tenants with rows that count while they last; a row without a meter is a session (R3.2).

    What is summed counts when it starts (R4 sum).
    """
    summed = {name for name, meter in catalogue.items() if meter.measure == "sum"}
    return frozenset(tenant for tenant, names in meters.items() if names - summed)


def _looked_at(period: Period, exports: Iterable[ListedExport]) -> list[Days]:
    """The UTC days whose rows are looked at: of this month, the last one, and the future."""
    newest = max(_utc_day(datetime.fromisoformat(one.arrived_at)) for one in exports)
    after = period.days.after + 1
    return [
        Days(period.earlier(1).days.first - 1, after),
        Days(max(newest, after), date.max.toordinal()),
    ]


def _utc_day(moment: datetime) -> int:
    return instant(moment) // DAY_US + EPOCH_DAY
