"""R7: which subscription pays the overage of a meter."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.period import Days, Period
from pipeline.rules.entitlement import last_day_in_force
from pipeline.rules.terms import Meter, Tenant


class Payer(NamedTuple):
    """Who pays the overage of a meter, and by which rule."""

    subscription_id: str
    meter: str
    period: Period
    rule: str
    is_fallback: bool = False
    """Nobody is entitled, so the closing primary pays (R7.2)."""

    @property
    def because(self) -> str:
        """Why it pays, in words."""
        who = self.subscription_id
        if self.is_fallback:
            return f"no subscription includes {self.meter}, so the primary {who} pays (R7.2)"
        if self.rule == "R7.1":
            return f"{who} is the primary subscription at the end of {self.period} (R7.1)"
        return f"{who} had {self.meter} first and still has it (R7.2)"


def payer(tenant: Tenant, meter: Meter, period: Period, primary: str) -> Payer:
    """R7: the payer of a meter's overage; `primary` is the tenant's closing primary (R2.3)."""
    if meter.overage_to == "primary":
        return Payer(primary, meter.name, period, "R7.1")
    responsible = responsible_subscription(tenant, meter.name, period)
    if responsible is None:
        return Payer(primary, meter.name, period, "R7.2", is_fallback=True)
    return Payer(responsible, meter.name, period, "R7.2")


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


def closing_holders(tenant: Tenant, meter: str, within: Days) -> set[str]:
    """R7.2: the subscriptions with a meter in force, also with quantity 0, on its closing day.

    That is the last of some days on which any has it: the last day of a row that holds it then.
    """
    last_days = [
        (last_day_in_force(tenant, row, within), row.subscription_id)
        for row in tenant.including(meter)
    ]
    closing_day = max((day for day, _ in last_days if day is not None), default=None)
    return {name for day, name in last_days if day is not None and day == closing_day}


def responsible_subscription(tenant: Tenant, meter: str, period: Period) -> str | None:
    """R7.2: of those that still have the meter on its closing day, the one that had it first.

    Ties go to the older subscription, then to the smaller id. None where nobody has it on any day.
    """
    holders = closing_holders(tenant, meter, period.days)
    if len(holders) < 2:
        return next(iter(holders), None)
    by_age = [one.id for one in tenant.subscriptions if one.id in holders]
    return min(by_age, key=lambda one: first_had(tenant, meter, one))
