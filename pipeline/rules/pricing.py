"""R10.1 to R10.4: which price applies, and what it is a price of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from pipeline.period import Days, Period, add_months
from pipeline.rules.entitlement import in_force
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


class RateCard:
    """All rates, to be asked for the tiers of one price (R10.1)."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._rates: dict[tuple[str, str, str], list[Rate]] = {}
        for rate in rates:
            self._rates.setdefault((rate.meter, rate.charge, rate.currency), []).append(rate)

    def tiers(
        self, tenant: Tenant, subscription: Subscription, meter: str, charge: str, day: int
    ) -> list[Rate]:
        """R10.1: the tiers in force on a day, from the first scope that has any; else none.

        The scopes: the subscription (of this tenant by name, then by its id alone), the tenant,
        everyone. Only the subscription's currency counts.
        """
        in_force = [
            rate
            for rate in self._rates.get((meter, charge, subscription.currency), [])
            if day in rate.days and rate.tenant_id in (None, tenant.id)
        ]
        own = [rate for rate in in_force if rate.subscription_id == subscription.id]
        scopes = (
            [rate for rate in own if rate.tenant_id],
            [rate for rate in own if not rate.tenant_id],
            [rate for rate in in_force if rate.subscription_id is None and rate.tenant_id],
            [rate for rate in in_force if rate.subscription_id is None and not rate.tenant_id],
        )
        tiers = next((scope for scope in scopes if scope), [])
        return sorted(tiers, key=lambda rate: rate.tier_from)


def slices(tiers: Sequence[Rate], quantity: Decimal) -> list[Slice] | None:
    """R10.4: a quantity above 0, cut along the tiers; None where any of it has no price.

    `flat` and `volume` give one slice, `graduated` one a tier that the quantity reaches into.
    """
    reached = [rate for rate in tiers if rate.tier_from < quantity]
    if not reached or reached[0].tier_from > 0:
        return None
    if reached[0].model != "graduated":
        return [Slice(quantity, reached[-1].unit_price)]
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
    charges = []
    monthly_days = sum(
        len(service.days & row.days & period.days)
        for service in subscription.service
        if service.billing_frequency == "monthly"
    )
    if monthly_days:
        share = Fraction(monthly_days, len(period.days))
        because = f"committed monthly, {monthly_days} of {len(period.days)} days in force (R10.2)"
        charges.append(Commitment(share, because))
    anchor = max(row.days.first, subscription.age)
    for service in subscription.service:
        months = cycle_months(service)
        begins = cycle_begin(anchor, months, period) if months else None
        if begins is not None and begins in service.days and in_force(tenant, row, begins):
            because = (
                f"committed {service.billing_frequency}, {months} months in advance from "
                f"{_day_text(begins)} (R10.2)"
            )
            charges.append(Commitment(Fraction(months), because))
    return charges


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
