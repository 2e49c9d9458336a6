"""Why a line would be another: which changes of the inputs touch it, in words, and their exports.

Belongs here: one function a kind of change, each saying what changed for a line, or nothing. Does
not belong here: finding what changed between two listings (`inputs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from pipeline.findings import counted
from pipeline.issuing.inputs import Changed, Inputs
from pipeline.money import plain
from pipeline.period import FIRST_DAY, LAST_DAY, Days
from pipeline.rules.primary import closing_primary
from pipeline.rules.terms import Entitlement, Rate, Subscription, Tenant

CHARGES = {"committed": "committed", "overage": "overage", "usage": "per_unit"}
"""The charge that prices a line of each kind (R10)."""

MOST = 3
"""How many of a kind are spelled out."""


class Line(NamedTuple):
    """What a line is about, and whether its quantity or its price would be another."""

    tenant_id: str
    subscription_id: str
    kind: str
    meter: str
    quantity_differs: bool = True
    price_differs: bool = True


class Reason(NamedTuple):
    """A change in words, and the exports that brought it."""

    words: str
    exports: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Case:
    """A line, with its tenant as the terms before and after have it."""

    line: Line
    changed: Changed
    before: Tenant
    after: Tenant

    @property
    def is_measured(self) -> bool:
        """Whether another usage would show in the line, and the line shows another one."""
        return self.line.kind != "committed" and self.line.quantity_differs

    @property
    def meters(self) -> tuple[str, ...]:
        """The meter, and those that bring it along (R5.2)."""
        meter = self.changed.after.terms.catalogue.get(self.line.meter)
        return (self.line.meter, *(meter.included_with if meter else ()))


def reasons(changed: Changed, line: Line) -> list[Reason]:
    """What changed for a line; where no export did, the code; else all exports that changed.

    Results follow from exports and code alone, so there is always something to name.
    """
    nobody = Tenant(line.tenant_id)
    case = _Case(
        line,
        changed,
        changed.before.terms.tenants.get(line.tenant_id, nobody),
        changed.after.terms.tenants.get(line.tenant_id, nobody),
    )
    found = [reason for ask in _ASKED for reason in ask(case)]
    return found or [*_code(changed)] or [*_exports_at_large(changed)]


def _usage(case: _Case) -> Iterator[Reason]:
    """Rows that came late, correct others, or are gone (R11)."""
    exports = case.changed.usage_exports.get(case.line.tenant_id)
    if not case.is_measured or not exports:
        return
    before, after = case.changed.before, case.changed.after
    whose = (case.line.tenant_id, case.line.meter)
    more = after.rows[whose] - before.rows[whose]
    tenant = case.line.tenant_id
    corrected = after.corrected.get(tenant, set()) - before.corrected.get(tenant, set())
    words = []
    if more > 0:
        words.append(counted(more, "late row"))
    if more < 0:
        words.append(f"{counted(-more, 'row')} fewer")
    if corrected:
        words.append(counted(len(corrected), "corrected row"))
    if words:
        yield Reason(" and ".join(words), tuple(exports))


def _price(case: _Case) -> Iterator[Reason]:
    """Another price for the line (R10.1)."""
    charge, (before, after) = CHARGES[case.line.kind], _tiers(case)
    if case.line.price_differs and before != after:
        words = f"the {charge} price of {case.line.meter}: {_prices(before)} → {_prices(after)}"
        yield Reason(words, tuple(case.changed.names("rates")))


def _tiers(case: _Case) -> tuple[list[Rate], list[Rate]]:
    def of(side: Inputs, tenant: Tenant) -> list[Rate]:
        subscription = tenant.subscription(case.line.subscription_id)
        if subscription is None:
            return []
        card = side.card(case.changed.period.last_day)
        return card.tiers(tenant, subscription, case.line.meter, CHARGES[case.line.kind])

    return of(case.changed.before, case.before), of(case.changed.after, case.after)


def _entitlement(case: _Case) -> Iterator[Reason]:
    """What is included changed: it is committed to, and overage begins beyond it (R5, R6)."""
    if case.line.kind == "usage" or (case.line.kind == "overage" and not case.is_measured):
        return
    meters = case.meters if case.line.kind == "overage" else (case.line.meter,)
    before, after = (
        [row for meter in meters for row in tenant.including(meter)]
        for tenant in (case.before, case.after)
    )
    if case.line.kind == "committed":
        whose = case.line.subscription_id
        before = [row for row in before if row.subscription_id == whose]
        after = [row for row in after if row.subscription_id == whose]
    if before != after:
        old = [_entitled(row) for row in before if row not in after]
        new = [_entitled(row) for row in after if row not in before]
        words = f"the entitlement: {_listed(old)} → {_listed(new)}"
        yield Reason(words, tuple(case.changed.names("entitlements")))


def _subscriptions(case: _Case) -> Iterator[Reason]:
    """Subscriptions that came, went, begin or end on another day (R1), or changed their terms."""
    exports = tuple(case.changed.names("subscriptions"))
    ids = {one.id for tenant in (case.before, case.after) for one in tenant.subscriptions}
    said = [
        words
        for one in sorted(ids)
        for words in [_altered(case.before.subscription(one), case.after.subscription(one))]
        if words
    ]
    if said:
        yield Reason(_listed(said), exports)


def _altered(before: Subscription | None, after: Subscription | None) -> str:
    if before == after:
        return ""
    if before is None or after is None:
        name = (before or after or Subscription("", "", ())).id
        return f"subscription {name} is {'new' if before is None else 'gone'}"
    old, new = before.service, after.service
    if [one.days for one in old] != [one.days for one in new]:
        days = [_days(one.days) for one in new]
        return f"subscription {after.id} is in service {_listed(days)}"
    return f"the terms of subscription {after.id}"


def _primary(case: _Case) -> Iterator[Reason]:
    """Another primary subscription at the end of the period (R2.3)."""
    before, after = (
        closing_primary(tenant, case.changed.period) for tenant in (case.before, case.after)
    )
    if before != after:
        words = f"the primary subscription: {before or 'none'} → {after or 'none'}"
        exports = {*case.changed.names("subscriptions"), *case.changed.names("tenants")}
        yield Reason(words, tuple(sorted(exports)))


def _users(case: _Case) -> Iterator[Reason]:
    """Other assignments of users (R3.1, R3.2)."""
    if not case.is_measured or case.before.assignments == case.after.assignments:
        return
    differing = {*case.before.assignments} ^ {*case.after.assignments}
    users = len({one.user_id for one in differing})
    yield Reason(f"the assignments of {counted(users, 'user')}", tuple(case.changed.names("users")))


def _tenant(case: _Case) -> Iterator[Reason]:
    """Another time zone or primary override."""
    exports = tuple(case.changed.names("tenants"))
    for words, old, new in (
        ("the time zone", case.before.zone, case.after.zone),
        ("primary_override", case.before.primary_override, case.after.primary_override),
    ):
        if old != new:
            yield Reason(f"{words}: {old or 'none'} → {new or 'none'}", exports)


def _catalogue(case: _Case) -> Iterator[Reason]:
    """Another entry of the meter catalogue (R7.3)."""
    before, after = (
        [side.terms.catalogue.get(meter) for meter in case.meters]
        for side in (case.changed.before, case.changed.after)
    )
    if before != after:
        words = f"the catalogue's entry of {case.line.meter}"
        yield Reason(words, tuple(case.changed.names("meters")))


def _code(changed: Changed) -> Iterator[Reason]:
    """Another version of the rules, or of the engines."""
    before, after = changed.before.code, changed.after.code
    if before != after:
        yield Reason(f"the version of the program and its engines: {before} → {after}")


def _exports_at_large(changed: Changed) -> Iterator[Reason]:
    for feed in changed.arrived:
        names = changed.names(feed)
        if names:
            yield Reason(f"other exports of {feed}", tuple(names))


_ASKED: tuple[Callable[[_Case], Iterator[Reason]], ...] = (
    _usage,
    _price,
    _entitlement,
    _subscriptions,
    _primary,
    _users,
    _tenant,
    _catalogue,
)


def _prices(tiers: list[Rate]) -> str:
    if not tiers:
        return "none"
    return ", ".join(
        plain(one.unit_price) + (f" from {plain(one.tier_from)}" if one.tier_from else "")
        for one in tiers
    )


def _entitled(row: Entitlement) -> str:
    return f"{plain(row.quantity)} {row.meter} of {row.subscription_id} {_days(row.days)}"


def _days(days: Days) -> str:
    first = date.fromordinal(days.first).isoformat() if days.first > FIRST_DAY else ""
    last = date.fromordinal(days.after - 1).isoformat() if days.after <= LAST_DAY else ""
    return f"{first}…{last}" if first or last else "always"


def _listed(said: Iterable[str]) -> str:
    all_of_it = list(said)
    more = len(all_of_it) - MOST
    return ", ".join([*all_of_it[:MOST], *([f"{more} more"] if more > 0 else [])]) or "none"
