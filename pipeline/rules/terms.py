"""The terms: what a tenant has agreed to, as plain values that the rules are written in.

Belongs here: the nouns of the rule book. Does not belong here: how feeds become terms
(`stages.terms`) and every rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from pipeline.period import Days


@dataclass(frozen=True, slots=True)
class Meter:
    """One kind of usage and how it is treated: every setting of the catalogue is data (R7.3)."""

    name: str
    measure: str
    counts: str
    routing: str
    charge: str
    overage_to: str
    included_with: tuple[str, ...] = ()
    included_ratio: Decimal = Decimal(0)
    unit: str | None = None
    label: str | None = None


Catalogue = Mapping[str, Meter]


@dataclass(frozen=True, slots=True)
class Service:
    """Days on which a subscription was in service, and the terms it had on them (R1.2)."""

    days: Days
    license_model: str
    telephony: str | None
    billing_frequency: str
    term_months: int | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A contract of a tenant. `service` holds its in-service stretches in order of days (R1)."""

    id: str
    currency: str
    service: tuple[Service, ...]

    @property
    def age(self) -> int | None:
        """The first day it was ever in service, kept by every renewal (R1.3)."""
        return self.service[0].days.first if self.service else None

    def service_on(self, day: int) -> Service | None:
        """The terms it is in service under on a day; none where it is not active (R1)."""
        for service in self.service:
            if day in service.days:
                return service
        return None

    def is_active(self, day: int) -> bool:
        """Whether it is in service on a day (R1)."""
        return self.service_on(day) is not None

    def is_active_within(self, days: Days) -> bool:
        """Whether it is in service on any of some days (R1)."""
        return any(service.days.overlap(days) for service in self.service)

    def first_day_active(self, within: Days) -> int | None:
        """The first of some days on which it is in service, if it is on any (R1)."""
        for service in self.service:
            if service.days.overlap(within):
                return max(service.days.first, within.first)
        return None

    def last_day_active(self, within: Days) -> int | None:
        """The last of some days on which it is in service, if it is on any (R1)."""
        for service in reversed(self.service):
            if service.days.overlap(within):
                return min(service.days.after, within.after) - 1
        return None


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A cloud entitlement row: how much of a meter a subscription includes on some days (R5.1)."""

    subscription_id: str
    meter: str
    quantity: Decimal
    days: Days


@dataclass(frozen=True, slots=True)
class Assignment:
    """A row of `users`: role, licence and subscription of a user on some days (R3.1, R3.2, R9)."""

    user_id: str
    role: str
    license: str
    subscription_id: str | None
    days: Days


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner of a tenant (R9.4)."""

    id: str
    added_on: int
    role: str


@dataclass(frozen=True, eq=False)
class Tenant:
    """One customer organisation with everything it has agreed to.

    `subscriptions` stand in order of age, then id: the order in which they become primary (R2).
    `misstated` are the ids of those that broken rows alone state: they are this tenant's and nobody
    else's, and nothing more is known of them (R3.4, R11.2).
    """

    id: str
    zone: str = "UTC"
    primary_override: str | None = None
    subscriptions: tuple[Subscription, ...] = ()
    entitlements: tuple[Entitlement, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    partners: tuple[Partner, ...] = ()
    misstated: frozenset[str] = frozenset()

    @cached_property
    def service_boundaries(self) -> frozenset[int]:
        """The days on which any of its subscriptions begins or has ceased to be in service."""
        return frozenset(
            edge
            for subscription in self.subscriptions
            for service in subscription.service
            for edge in (service.days.first, service.days.after)
        )

    @cached_property
    def _by_id(self) -> dict[str, Subscription]:
        return {one.id: one for one in self.subscriptions}

    @cached_property
    def _by_meter(self) -> dict[str, list[Entitlement]]:
        by_meter: dict[str, list[Entitlement]] = {}
        for row in self.entitlements:
            by_meter.setdefault(row.meter, []).append(row)
        return by_meter

    def subscription(self, subscription_id: str) -> Subscription | None:
        """The subscription of that id, if it is one of this tenant's."""
        return self._by_id.get(subscription_id)

    def including(self, meter: str) -> Sequence[Entitlement]:
        """Its entitlement rows of a meter."""
        return self._by_meter.get(meter, ())

    def active_on(self, day: int) -> list[Subscription]:
        """Its subscriptions that are active on a day, the oldest first (R1, R2)."""
        return [one for one in self.subscriptions if one.is_active(day)]


@dataclass(frozen=True, slots=True)
class Rate:
    """A price, or one tier of it; None as `subscription_id` or `tenant_id` means all of them."""

    subscription_id: str | None
    tenant_id: str | None
    meter: str
    charge: str
    unit_price: Decimal
    currency: str
    model: str
    tier_from: Decimal
    days: Days
