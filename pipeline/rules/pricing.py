"""R10.1 to R10.4: which price applies, and what it is a price of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from pipeline.period import Days, Period, add_months
from pipeline.rules.terms import Entitlement, Rate, Service, Subscription, Tenant

CYCLE_MONTHS = {"quarterly": 3, "annual": 12}


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a quantity and the price of one unit of it (R10.4)."""

    quantity: Decimal
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Commitment:
    """How many months of an entitlement are charged, and why in words (R10.2)."""

    months: Fraction
    because: str


_Scope = tuple[str | None, str | None]
"""(tenant, subscription) that a price is for; none means all of them."""


class RateCard:
    """The rates in force on a day, to be asked for the tiers of one price (R10.1)."""

    def __init__(self, rates: Iterable[Rate], day: int) -> None:
        self._scopes: dict[tuple[str, str, str], dict[_Scope, list[Rate]]] = {}
        for rate in sorted(rates, key=lambda rate: rate.tier_from):
            if day in rate.days:
                scopes = self._scopes.setdefault((rate.meter, rate.charge, rate.currency), {})
                scopes.setdefault((rate.tenant_id, rate.subscription_id), []).append(rate)

    def meters(self, charge: str) -> list[str]:
        """The meters that have any price of a charge."""
        return sorted({meter for meter, priced, _ in self._scopes if priced == charge})

    def tiers(
        self, tenant: Tenant, subscription: Subscription, meter: str, charge: str
    ) -> list[Rate]:
        """R10.1: the tiers of the first scope that has any, the lowest first; else none.

        The scopes: the subscription (of this tenant by name, then by its id alone), the tenant,
        everyone. Only the subscription's currency counts.
        """
        scopes = self._scopes.get((meter, charge, subscription.currency))
        if scopes is None:
            return []
        nearest_first = (
            (tenant.id, subscription.id),
            (None, subscription.id),
            (tenant.id, None),
            (None, None),
        )
        return next((scopes[scope] for scope in nearest_first if scope in scopes), [])


def slices(tiers: Sequence[Rate], quantity: Decimal) -> list[Slice] | None:
    """R10.4: a quantity above 0, cut along the tiers; None where any of it has no price.

    `flat` and `volume` give one slice, `graduated` one a tier that the quantity reaches into.
    """
    reached = [rate for rate in tiers if rate.tier_from < quantity]
    if not reached:
        return None
    if reached[0].model != "graduated":
        return [Slice(quantity, reached[-1].unit_price)]
    if reached[0].tier_from > 0:
        return None
    ends = [*(rate.tier_from for rate in reached[1:]), quantity]
    return [
        Slice(end - rate.tier_from, rate.unit_price)
        for rate, end in zip(reached, ends, strict=True)
    ]


def commitments(tenant: Tenant, row: Entitlement, period: Period) -> list[Commitment]:
    """R10.2: the charges of an entitlement row in a period, by the billing frequency in service.

    Monthly: the days in force ÷ the days of the period. In advance: the months of the cycle that
    begins in the period, counted from the row's first day, not before the subscription's age.
    """
    subscription = tenant.subscription(row.subscription_id)
    if subscription is None or subscription.age is None:
        return []
    in_advance = []
    monthly_days = 0
    within = row.days & period.days
    anchor = max(row.days.first, subscription.age)
    for service in subscription.service:
        if service.billing_frequency == "monthly":
            monthly_days += service.days.overlap(within)
            continue
        months = cycle_months(service)
        begins = cycle_begin(anchor, months, period) if months else None
        if begins is not None and begins in row.days and begins in service.days:
            because = (
                f"committed {service.billing_frequency}, {months} months in advance from "
                f"{_day_text(begins)} (R10.2)"
            )
            in_advance.append(Commitment(Fraction(months), because))
    if not monthly_days:
        return in_advance
    of = len(period.days)
    because = f"committed monthly, {monthly_days} of {of} days in force (R10.2)"
    return [Commitment(Fraction(monthly_days, of), because), *in_advance]


def cycle_months(service: Service) -> int:
    """R10.2: the months charged in advance at a time; 0 where billing is monthly."""
    if service.billing_frequency == "prepaid":
        return service.term_months or 0
    return CYCLE_MONTHS.get(service.billing_frequency, 0)


def cycle_begin(anchor: int, months: int, period: Period) -> int | None:
    """R10.2: the day of the period on which a cycle begins, if one does; month ends clamp."""
    elapsed = _months_between(anchor, period.days)
    if elapsed < 0 or elapsed % months:
        return None
    return add_months(anchor, elapsed)


def _months_between(anchor: int, days: Days) -> int:
    start, month = date.fromordinal(anchor), date.fromordinal(days.first)
    return (month.year - start.year) * 12 + month.month - start.month


def _day_text(day: int) -> str:
    return date.fromordinal(day).isoformat()
