"""The terms of a bucket's tenants as codes and timelines, in which a usage row is looked up.

Belongs here: turning the rules' answers, day by day, into arrays that a million rows can be looked
up in at once. Does not belong here: any rule; each answer is asked of `rules`.

Tenants, subscriptions, meters and users become codes: positions in sorted lists. What is unknown
is looked up at position -1, the last: arrays by tenant or meter end with what holds for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.measures.arrays import Ints
from pipeline.measures.timeline import BEGINNING, Timeline
from pipeline.period import FIRST_DAY, LAST_DAY, Days, Period, midnight, timeline
from pipeline.rules import entitlement
from pipeline.rules.compliance import license_model, mixes_license_models
from pipeline.rules.primary import closing_primary, primaries
from pipeline.rules.split import NOBODY, UNKNOWN_ID, assigned_on, licensed_meter_on
from pipeline.rules.terms import Assignment, Tenant
from pipeline.stages.terms import UsageTerms

MEASURES = ("peak", "distinct", "sum")
PEAK, DISTINCT, SUM = range(3)

ALL_DAYS = Days(FIRST_DAY, LAST_DAY + 1)

Value = TypeVar("Value")


def why_set_aside(tenant: Tenant, period: Period, blocked: Collection[str]) -> str | None:
    """The finding for which nothing of a tenant is measured in a period (R2.3, R8.1, R11.2)."""
    if tenant.id in blocked:
        return "broken_terms"
    if mixes_license_models(tenant, period):
        return "mixed_license_models"
    if closing_primary(tenant, period) is None:
        return "no_active_subscription"
    return None


@dataclass(frozen=True)
class Book:
    """Everything that the usage of some tenants is looked up in, for one period."""

    terms: UsageTerms
    period: Period
    subscription_names: tuple[str, ...]
    """Every subscription id of every tenant, of this bucket or not: to know a foreign one."""

    @cached_property
    def tenants(self) -> list[Tenant]:
        """The tenants, in order of their codes."""
        return [tenant for _, tenant in sorted(self.terms.tenants.items())]

    @cached_property
    def meters(self) -> list[str]:
        """The meters, in order of their codes."""
        return sorted(self.terms.catalogue)

    @cached_property
    def subscriptions(self) -> list[tuple[int, str]]:
        """(tenant code, id) of the subscriptions, in order of their codes."""
        return [
            (code, name)
            for code, tenant in enumerate(self.tenants)
            for name in sorted(one.id for one in tenant.subscriptions)
        ]

    @cached_property
    def subscription_codes(self) -> dict[tuple[int, str], int]:
        """The code of each (tenant code, id)."""
        return {key: code for code, key in enumerate(self.subscriptions)}

    @cached_property
    def owners(self) -> Ints:
        """The tenant of each subscription, as codes."""
        return np.array([tenant for tenant, _ in self.subscriptions], np.int64)

    def named(self, own: Ints) -> dict[str, pl.Series]:
        """tenant_id, subscription_id and meter of (subscription, meter) pairs, as one code each."""
        owner, meter = np.divmod(own, max(len(self.meters), 1))
        tenants = pl.Series([tenant.id for tenant in self.tenants], dtype=pl.String)
        subscriptions = pl.Series([name for _, name in self.subscriptions], dtype=pl.String)
        return {
            "tenant_id": tenants.gather(self.owners[owner]),
            "subscription_id": subscriptions.gather(owner),
            "meter": pl.Series(self.meters, dtype=pl.String).gather(meter),
        }

    @cached_property
    def users(self) -> dict[tuple[int, str], tuple[Assignment, ...]]:
        """(tenant code, user id) to the user's assignments; the position is the user's code."""
        users: dict[tuple[int, str], list[Assignment]] = {}
        for code, tenant in enumerate(self.tenants):
            for row in tenant.assignments:
                users.setdefault((code, row.user_id), []).append(row)
        return {key: tuple(rows) for key, rows in sorted(users.items())}

    @cached_property
    def user_codes(self) -> dict[tuple[int, str], int]:
        """The code of each (tenant code, user id)."""
        return {key: code for code, key in enumerate(self.users)}

    def changes_within(self, begin: int, end: int) -> npt.NDArray[np.bool_]:
        """For which tenants anything that decides a row may change within [begin, end).

        The last is for unknown ones. What holds at `begin` holds for all of it otherwise.
        """
        changes = np.zeros(len(self.tenants) + 1, bool)
        changes[self.owners[self.is_active.changing(begin, end)]] = True
        changes[self.primary.changing(begin, end)] = True
        begins, ends = self.bounds
        return changes | (begins > begin) | ((begin < ends) & (ends < end))

    @cached_property
    def bounds(self) -> tuple[Ints, Ints]:
        """The instants at which the period begins and ends for each tenant; else in UTC."""
        zones = [*(tenant.zone for tenant in self.tenants), "UTC"]
        pairs = [self.period.bounds(zone) for zone in zones]
        begins, ends = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        return begins, ends

    @cached_property
    def primary(self) -> Timeline:
        """R2: tenant to the code of its primary subscription, or NOBODY."""
        return Timeline(
            _steps(primaries(tenant, ALL_DAYS), tenant.zone, self._subscription_coder(code))
            for code, tenant in enumerate(self.tenants)
        )

    @cached_property
    def is_active(self) -> Timeline:
        """R1: subscription to whether it is active."""
        histories = []
        for code, name in self.subscriptions:
            tenant = self.tenants[code]
            subscription = tenant.subscription(name)
            if subscription is None:
                raise AssertionError(f"{name} is not a subscription of {tenant.id}")
            edges = [
                edge
                for service in subscription.service
                for edge in (service.days.first, service.days.after)
            ]
            pieces = timeline(edges, ALL_DAYS, subscription.is_active)
            histories.append(_steps(pieces, tenant.zone, int))
        return Timeline(histories)

    @cached_property
    def assigned(self) -> Timeline:
        """R3.1: user to the code of the subscription assigned to, NOBODY or UNKNOWN."""
        return self._by_user(assigned_on, self._subscription_coder)

    @cached_property
    def licensed_meter(self) -> Timeline:
        """R3.2: user to the code of the meter that an agent session counts as, or NOBODY."""
        return self._by_user(licensed_meter_on, lambda _: self._meter_code)

    @cached_property
    def measure(self) -> npt.NDArray[np.int8]:
        """R4: the measure of each (tenant, meter), as a position in MEASURES.

        Where nothing of the tenant is measured, `agents` counts as peak: a session without an end
        is open. A row of an unknown meter without an end is judged by its start, as a distinct one.
        """
        table = np.full((len(self.tenants) + 1, len(self.meters) + 1), DISTINCT, dtype=np.int8)
        models = [
            None if why else license_model(tenant, self.period)
            for tenant, why in zip(self.tenants, self.set_aside, strict=True)
        ]
        for row, model in enumerate([*models, None]):
            agents = "distinct" if model == "named" else "peak"
            for column, name in enumerate(self.meters):
                measure = self.terms.catalogue[name].measure
                table[row, column] = MEASURES.index(agents if measure == "agents" else measure)
        return table

    @cached_property
    def is_routed(self) -> npt.NDArray[np.bool_]:
        """R3.3: whether a meter always belongs to the primary."""
        return np.array([self.terms.catalogue[name].routing == "primary" for name in self.meters])

    @cached_property
    def set_aside(self) -> list[str | None]:
        """Why nothing of a tenant is measured in this period: a finding's code, or None."""
        blocked = self.terms.blocked
        return [why_set_aside(tenant, self.period, blocked) for tenant in self.tenants]

    def stretches(self, tenant: int, meter: int) -> list[tuple[Days, int, Decimal]]:
        """R5.4: (days, first instant, entitlement) of each stretch of a tenant's meter."""
        who = self.tenants[tenant]
        pieces = entitlement.stretches(who, self.meters[meter], self.terms.catalogue, self.period)
        return [(days, midnight(days.first, who.zone), quantity) for days, quantity in pieces]

    def _by_user(
        self,
        value_on: Callable[[Sequence[Assignment], int], str | None],
        coder: Callable[[int], Callable[[str | None], int]],
    ) -> Timeline:
        histories = []
        for (code, _), rows in self.users.items():
            edges = [edge for row in rows for edge in (row.days.first, row.days.after)]
            pieces = timeline(edges, ALL_DAYS, partial(value_on, rows))
            histories.append(_steps(pieces, self.tenants[code].zone, coder(code)))
        return Timeline(histories)

    def _subscription_coder(self, tenant: int) -> Callable[[str | None], int]:
        """From a subscription id, as the tenant's terms name it, to its code."""

        def code(name: str | None) -> int:
            return (
                NOBODY if name is None else self.subscription_codes.get((tenant, name), UNKNOWN_ID)
            )

        return code

    def _meter_code(self, name: str | None) -> int:
        return self.meters.index(name) if name in self.meters else NOBODY


def _steps(
    pieces: Iterable[tuple[Days, Value]], zone: str, code: Callable[[Value], int]
) -> list[tuple[int, int]]:
    """Stretches of days with a value as steps (since, code); the first is since the beginning.

    Days that begin at one and the same instant (a zone skipped one) leave the later one's step.
    """
    steps: dict[int, int] = {}
    for days, value in pieces:
        steps[midnight(days.first, zone) if steps else BEGINNING] = code(value)
    return list(steps.items())
