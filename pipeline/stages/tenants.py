"""From the sound rows of the feeds to tenants: the values that the rules are written in.

Belongs here: one value a row, gathered by tenant. Does not belong here: which rows are sound
(`stages.broken_terms`), and everything that is no tenant's own (`stages.terms`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import polars as pl

from pipeline.period import EPOCH_DAY, FIRST_DAY, LAST_DAY, Days
from pipeline.rules.terms import Assignment, Entitlement, Partner, Service, Subscription, Tenant
from pipeline.stages.terms_rules import IN_SERVICE, Frames

Value = TypeVar("Value")

NEVER = LAST_DAY + 2
"""A day after all others: the age of what was never in service."""


def tenants_of(stated: Frames, names: Iterable[str], misstated: pl.DataFrame) -> dict[str, Tenant]:
    """The tenants of some names, with all that the feeds state of them (`prints.stated`).

    `misstated` has the tenant_id and subscription_id that broken rows alone state.
    """
    zones = {name: (zone, override) for name, zone, override in stated["tenants"].iter_rows()}
    subscriptions = _by_tenant(stated["subscriptions"], _subscription_rows(stated["subscriptions"]))
    entitlements = _by_tenant(stated["entitlements"], _entitlements(stated["entitlements"]))
    assignments = _by_tenant(stated["users"], _assignments(stated["users"]))
    partners = _by_tenant(stated["partners"], _partners(stated["partners"]))
    unsound: dict[str, set[str]] = {}
    for name, subscription in misstated.select("tenant_id", "subscription_id").iter_rows():
        unsound.setdefault(name, set()).add(subscription)
    tenants = {}
    for name in sorted(names):
        zone, override = zones.get(name, (None, None))
        tenants[name] = Tenant(
            name,
            zone or "UTC",
            override,
            _subscriptions(subscriptions.get(name, [])),
            tuple(entitlements.get(name, ())),
            tuple(assignments.get(name, ())),
            tuple(partners.get(name, ())),
            frozenset(unsound.get(name, ())),
        )
    return tenants


def days_of(rows: pl.DataFrame) -> list[Days]:
    """The days of each row, `start_date … end_date`; equal stretches are one and the same value."""
    bounds = rows.select(
        (pl.col("start_date").to_physical() + EPOCH_DAY).fill_null(FIRST_DAY),
        (pl.col("end_date").to_physical() + (EPOCH_DAY + 1)).fill_null(LAST_DAY + 1),
    ).rows()
    known = {pair: Days(*pair) for pair in set(bounds)}
    return [known[pair] for pair in bounds]


def _by_tenant(rows: pl.DataFrame, values: Sequence[Value]) -> dict[str, Sequence[Value]]:
    """The values of the rows by the rows' tenants; rows of one tenant stand together."""
    of: dict[str, Sequence[Value]] = {}
    begin = 0
    for length, tenant in rows["tenant_id"].rle().struct.unnest().iter_rows():
        of[tenant] = values[begin : begin + length]
        begin += length
    return of


def _entitlements(rows: pl.DataFrame) -> list[Entitlement]:
    columns = (rows[name].to_list() for name in ("subscription_id", "meter", "quantity"))
    return list(map(Entitlement, *columns, days_of(rows)))


def _assignments(rows: pl.DataFrame) -> list[Assignment]:
    columns = (rows[name].to_list() for name in ("user_id", "role", "license", "subscription_id"))
    return list(map(Assignment, *columns, days_of(rows)))


def _partners(rows: pl.DataFrame) -> list[Partner]:
    added_on = (rows["added_on"].to_physical() + EPOCH_DAY).to_list()
    return list(map(Partner, rows["partner_id"].to_list(), added_on, rows["role"].to_list()))


def _subscription_rows(rows: pl.DataFrame) -> list[tuple[str, str, Service | None]]:
    """(id, currency, what it serves: nothing where its status is no service, R1.2) of each row."""
    columns = ("license_model", "telephony", "billing_frequency", "term_months")
    terms = (rows[name].to_list() for name in columns)
    serves = rows["status"].is_in(IN_SERVICE).to_list()
    services: Iterable[Any] = map(Service, days_of(rows), *terms)
    return [
        (name, currency, service if is_service else None)
        for name, currency, service, is_service in zip(
            rows["subscription_id"].to_list(),
            rows["currency"].to_list(),
            services,
            serves,
            strict=True,
        )
    ]


def _subscriptions(
    rows: Iterable[tuple[str, str, Service | None]],
) -> tuple[Subscription, ...]:
    """R1: subscriptions with their in-service stretches, the oldest first; never served: last."""
    subscriptions = []
    for (name, currency), of_one in groupby(rows, key=lambda row: row[:2]):
        services = tuple(service for _, _, service in of_one if service)
        subscriptions.append(Subscription(name, currency, services))
    return tuple(sorted(subscriptions, key=lambda one: (one.age or NEVER, one.id)))
