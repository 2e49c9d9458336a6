"""R5: how much a tenant's subscriptions include of a meter, and when."""

from __future__ import annotations

from decimal import Decimal

from pipeline.money import round_half_up
from pipeline.period import Days, Period, timeline
from pipeline.rules.terms import Catalogue, Entitlement, Tenant


def in_force(tenant: Tenant, row: Entitlement, day: int) -> bool:
    """R5.1: the row covers the day and its subscription is active on it."""
    subscription = tenant.subscription(row.subscription_id)
    return day in row.days and subscription is not None and subscription.is_active(day)


def last_day_in_force(tenant: Tenant, row: Entitlement, within: Days) -> int | None:
    """R5.1: the last of some days on which the row is in force, if it is on any."""
    subscription = tenant.subscription(row.subscription_id)
    return subscription.last_day_active(row.days & within) if subscription else None


def quantity_on(tenant: Tenant, meter: str, catalogue: Catalogue, day: int) -> Decimal:
    """R5.2, R5.3: what is included on a day: the meter's own rows, and what comes with others."""
    own = _own_quantity_on(tenant, meter, day)
    definition = catalogue[meter]
    bringing = sum(
        (_own_quantity_on(tenant, other, day) for other in definition.included_with), Decimal(0)
    )
    return own + bringing * definition.included_ratio


def _own_quantity_on(tenant: Tenant, meter: str, day: int) -> Decimal:
    rows = tenant.including(meter)
    return sum((row.quantity for row in rows if in_force(tenant, row, day)), Decimal(0))


def stretches(
    tenant: Tenant, meter: str, catalogue: Catalogue, period: Period
) -> list[tuple[Days, Decimal]]:
    """R5.3, R5.4: the stretches of days of a period over which the entitlement does not change."""
    edges = {
        edge
        for name in (meter, *catalogue[meter].included_with)
        for row in tenant.including(name)
        for edge in (row.days.first, row.days.after)
    }
    if not edges:
        return [(period.days, Decimal(0))]
    return timeline(
        edges | tenant.service_boundaries,
        period.days,
        lambda day: quantity_on(tenant, meter, catalogue, day),
    )


def allowance(pieces: list[tuple[Days, Decimal]], period: Period) -> Decimal:
    """R5.5: the allowance of a summed meter: each day's entitlement for its part of the period.

    Rounded half up to 6 decimals once, at the end, so that a contract replaced in mid-month never
    gives two allowances.
    """
    unit_days = sum((quantity * len(days) for days, quantity in pieces), Decimal(0))
    numerator, denominator = unit_days.as_integer_ratio()
    return round_half_up(numerator, denominator * len(period.days), 6)
