"""R7: which subscription pays the overage of a meter."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.period import Period
from pipeline.rules.entitlement import in_force, last_day_in_force
from pipeline.rules.terms import Meter, Tenant


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays, and why in words; `is_fallback` where nobody is entitled (R7.2)."""

    subscription_id: str
    because: str
    is_fallback: bool = False


def payer(tenant: Tenant, meter: Meter, period: Period, primary: str) -> Payer:
    """R7: the payer of a meter's overage; `primary` is the tenant's closing primary (R2.3)."""
    if meter.overage_to == "primary":
        return Payer(
            primary, f"{primary} is the primary subscription at the end of {period} (R7.1)"
        )
    responsible = responsible_subscription(tenant, meter.name, period)
    if responsible is None:
        why = f"no subscription includes {meter.name}, so the primary {primary} pays (R7.2)"
        return Payer(primary, why, is_fallback=True)
    return Payer(responsible, f"{responsible} had {meter.name} first and still has it (R7.2)")


def holders_on(tenant: Tenant, meter: str, day: int) -> frozenset[str]:
    """R7.2: the subscriptions that have the meter in force on a day, also with quantity 0."""
    return frozenset(
        row.subscription_id for row in tenant.including(meter) if in_force(tenant, row, day)
    )


def first_had(tenant: Tenant, meter: str, subscription_id: str) -> int:
    """R7.2: the first day a subscription ever had a meter, not before its own age."""
    subscription = tenant.subscription(subscription_id)
    age = subscription.age if subscription else None
    if age is None:
        raise AssertionError(f"{subscription_id} holds {meter} in force but was never in service")
    return min(
        max(row.days.first, age)
        for row in tenant.including(meter)
        if row.subscription_id == subscription_id
    )


def responsible_subscription(tenant: Tenant, meter: str, period: Period) -> str | None:
    """R7.2: of those that still have the meter on its closing day, the one that had it first.

    Ties go to the older subscription, then to the smaller id. None where nobody has it on any day.
    """
    last_days = [last_day_in_force(tenant, row, period.days) for row in tenant.including(meter)]
    closing_day = max((day for day in last_days if day is not None), default=None)
    if closing_day is None:
        return None
    holders = holders_on(tenant, meter, closing_day)
    by_age = [one.id for one in tenant.subscriptions if one.id in holders]
    return min(by_age, key=lambda one: first_had(tenant, meter, one), default=None)
