"""R5: how much a tenant's subscriptions include of a meter, and when."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import chain

from pipeline.money import product_and, round_half_up
from pipeline.period import Days, Period
from pipeline.rules.terms import Catalogue, Entitlement, Tenant

NOTHING = Decimal(0)


def last_day_in_force(tenant: Tenant, row: Entitlement, within: Days) -> int | None:
    """R5.1: the last of some days on which the row is in force, if it is on any."""
    subscription = tenant.subscription(row.subscription_id)
    return subscription.last_day_active(row.days & within) if subscription else None


def stretches(
    tenant: Tenant, meter: str, catalogue: Catalogue, period: Period
) -> list[tuple[Days, Decimal]]:
    """R5.3, R5.4: the stretches of days of a period over which the entitlement does not change.

    The fewest that fill the period, in order. The entitlement is that of the meter's own rows, and
    of those that bring it along (R5.2).
    """
    within, definition = period.days, catalogue[meter]
    own = _changes(tenant, (meter,), within)
    bringing = _changes(tenant, definition.included_with, within)
    if not own and not bringing:
        return [(within, NOTHING)]
    quantity = brought = NOTHING
    pieces: list[tuple[int, Decimal]] = []
    for day in sorted({within.first, *own, *bringing}):
        quantity += own.get(day, NOTHING)
        brought += bringing.get(day, NOTHING)
        included = product_and(brought, definition.included_ratio, quantity)
        if not pieces or pieces[-1][1] != included:
            pieces.append((day, included))
    ends = [*(day for day, _ in pieces[1:]), within.after]
    return [
        (Days(first, after), included)
        for (first, included), after in zip(pieces, ends, strict=True)
    ]


def _changes(tenant: Tenant, meters: Iterable[str], within: Days) -> dict[int, Decimal]:
    """R5.1: by how much what is in force of some meters' own rows changes, and on which days."""
    changes: dict[int, Decimal] = {}
    for row in chain.from_iterable(map(tenant.including, meters)):
        subscription = tenant.subscription(row.subscription_id)
        for service in subscription.service if subscription else ():
            first = max(within.first, row.days.first, service.days.first)
            after = min(within.after, row.days.after, service.days.after)
            if first < after:
                changes[first] = changes.get(first, NOTHING) + row.quantity
                if after < within.after:
                    changes[after] = changes.get(after, NOTHING) - row.quantity
    return changes


def allowance(pieces: list[tuple[Days, Decimal]], period: Period) -> Decimal:
    """R5.5: the allowance of a summed meter: each day's entitlement for its part of the period.

    Rounded half up to 6 decimals once, at the end, so that a contract replaced in mid-month never
    gives two allowances.
    """
    unit_days = sum((quantity * len(days) for days, quantity in pieces), Decimal(0))
    numerator, denominator = unit_days.as_integer_ratio()
    return round_half_up(numerator, denominator * len(period.days), 6)
