"""R2: the primary subscription, the oldest that is active."""

from __future__ import annotations

from pipeline.findings import Finding, finding
from pipeline.period import Days, Period, timeline
from pipeline.rules.terms import Subscription, Tenant


def primary_on(tenant: Tenant, day: int) -> str | None:
    """R2.1, R2.2: the oldest subscription active on a day; an override goes first where active."""
    active = tenant.active_on(day)
    if any(one.id == tenant.primary_override for one in active):
        return tenant.primary_override
    return active[0].id if active else None


def primaries(tenant: Tenant, within: Days) -> list[tuple[Days, str | None]]:
    """R2.1: who is primary on which of some days."""
    return timeline(tenant.service_boundaries, within, lambda day: primary_on(tenant, day))


def closing_primary(tenant: Tenant, period: Period) -> str | None:
    """R2.3: the primary of the last day of the period on which any subscription is active."""
    last_days = [one.last_day_active(period.days) for one in tenant.subscriptions]
    last = max((day for day in last_days if day is not None), default=None)
    return None if last is None else primary_on(tenant, last)


def opening_primary(tenant: Tenant, period: Period) -> str | None:
    """R2.3: the primary of the first day of the period on which any subscription is active."""
    first_days = [one.first_day_active(period.days) for one in tenant.subscriptions]
    first = min((day for day in first_days if day is not None), default=None)
    return None if first is None else primary_on(tenant, first)


def tied_on(tenant: Tenant, day: int) -> list[Subscription]:
    """R2.2: the subscriptions between which only the id decides on a day; none where age does."""
    active = tenant.active_on(day)
    if any(one.id == tenant.primary_override for one in active):
        return []
    oldest = [one for one in active if one.age == active[0].age]
    return oldest if len(oldest) > 1 else []


def primary_findings(tenant: Tenant, period: Period) -> list[Finding]:
    """R2.2 `primary_tie` and R2.3 `primary_changed` of a period."""
    found = []
    tied = _first_tie(tenant, period)
    if tied:
        found.append(
            finding(
                "primary_tie",
                tenant.id,
                f"{' and '.join(tied)} are equally old; {tied[0]} is primary by its smaller id.",
                "Set primary_override in tenants to say which one is meant.",
            )
        )
    first, last = opening_primary(tenant, period), closing_primary(tenant, period)
    if first != last:
        found.append(
            finding(
                "primary_changed",
                tenant.id,
                f"The primary subscription was {first} at first and is {last} at the end of "
                f"{period}; {last} pays the overage of the period.",
                "Nothing to do if the change of contract is meant.",
            )
        )
    return found


def _first_tie(tenant: Tenant, period: Period) -> tuple[str, ...]:
    """R2.2: who is tied on the first day of a period on which anybody is."""
    ages = [one.age for one in tenant.subscriptions]
    if len(set(ages)) == len(ages):
        return ()
    ties = timeline(
        tenant.service_boundaries,
        period.days,
        lambda day: tuple(one.id for one in tied_on(tenant, day)),
    )
    return next((ids for _, ids in ties if ids), ())
