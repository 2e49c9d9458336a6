"""From the exports of every feed but usage to the terms that tenants are billed by.

Belongs here: building the values that the rules are written in. Does not belong here: reading
files, and which rows are broken (`stages.broken_terms`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import polars as pl

from pipeline.findings import Finding
from pipeline.period import Days
from pipeline.rules.catalogue import SHIPPED
from pipeline.rules.terms import (
    Assignment,
    Catalogue,
    Entitlement,
    Meter,
    Partner,
    Rate,
    Service,
    Subscription,
    Tenant,
)
from pipeline.stages.broken_terms import BrokenRows
from pipeline.stages.terms_rules import EVERYONE, IN_SERVICE, Frames
from schemas import feeds
from schemas.datasets import QUARANTINE

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class UsageTerms:
    """What splitting and measuring usage depends on: the terms but for prices and partners."""

    catalogue: Catalogue
    tenants: Mapping[str, Tenant]
    blocked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What every tenant has agreed to. `blocked` ones have a broken row: not invoiced."""

    catalogue: Catalogue = field(default_factory=lambda: SHIPPED)
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    rates: tuple[Rate, ...] = ()
    blocked: frozenset[str] = frozenset()
    subscription_names: tuple[str, ...] = ()
    """Every subscription id of every tenant: what is not in it belongs to nobody (R3.4)."""

    findings: tuple[Finding, ...] = ()
    quarantine: pl.DataFrame = field(default_factory=QUARANTINE.empty)

    @property
    def sound_tenants(self) -> list[Tenant]:
        """The tenants without a broken row, in order of their ids."""
        return [one for name, one in sorted(self.tenants.items()) if name not in self.blocked]

    def of(self, tenant_ids: Collection[str]) -> Terms:
        """The same, for some of the tenants."""
        return replace(
            self,
            tenants={name: one for name, one in self.tenants.items() if name in tenant_ids},
            blocked=self.blocked.intersection(tenant_ids),
            findings=tuple(one for one in self.findings if one.tenant_id in tenant_ids),
            quarantine=self.quarantine.filter(pl.col("tenant_id").is_in(list(tenant_ids))),
        )

    def for_usage(self, tenant_ids: Collection[str]) -> UsageTerms:
        """Just what splitting and measuring the usage of some tenants depends on."""
        tenants = {
            name: replace(self.tenants[name], partners=())
            for name in sorted(tenant_ids)
            if name in self.tenants
        }
        blocked = tuple(sorted(self.blocked.intersection(tenants)))
        return UsageTerms(self.catalogue, tenants, blocked)


def build_terms(frames: Frames) -> Terms:
    """The terms that the feeds state, and what is wrong with them.

    Raises `BrokenTerms` where a broken row names no tenant.
    """
    broken = BrokenRows.of(frames)
    broken.stop_if_nobody_is_named()
    sound = {table.name: broken.without(table, frames[table.name]) for table in feeds.TERMS}
    tenants = _tenants(sound, _known(frames))
    return Terms(
        _catalogue(sound["meters"]),
        tenants,
        tuple(_rates(sound["rates"])),
        frozenset(broken.tenants),
        tuple(sorted({one.id for tenant in tenants.values() for one in tenant.subscriptions})),
        tuple(broken.findings()),
        broken.quarantine(),
    )


def _catalogue(meters: pl.DataFrame) -> Catalogue:
    """The catalogue that the `meters` feed states, else the shipped one."""
    if meters.is_empty():
        return SHIPPED
    return {
        row["meter"]: Meter(
            row["meter"],
            row["measure"],
            row["counts"],
            row["routing"],
            row["charge"],
            row["overage_to"],
            tuple((row["included_with"] or "").split(";")) if row["included_with"] else (),
            row["included_ratio"] or Decimal(0),
            row["unit"],
            row["label"],
        )
        for row in meters.sort("meter").iter_rows(named=True)
    }


def _known(frames: Frames) -> set[str]:
    """The tenants that `tenants` or `subscriptions` name, be it in a broken row."""
    rows = (frames[feed]["tenant_id"].drop_nulls() for feed in ("tenants", "subscriptions"))
    return set(pl.concat(rows))


def _tenants(sound: Frames, known: Collection[str]) -> dict[str, Tenant]:
    """Every known tenant, with what its sound rows say of it."""
    stated = {row["tenant_id"]: row for row in sound["tenants"].iter_rows(named=True)}
    subscriptions = by_tenant(
        sound["subscriptions"].sort("tenant_id", "subscription_id", "start_date")
    )
    entitlements = by_tenant(
        sound["entitlements"]
        .filter(pl.col("deployment") == "cloud")
        .sort("subscription_id", "meter", "start_date", "end_date", "quantity")
    )
    assignments = by_tenant(sound["users"].sort("user_id", "start_date", "subscription_id"))
    partners = by_tenant(sound["partners"].sort("added_on", "partner_id"))
    tenants = {}
    for name in sorted(known):
        row = stated.get(name, {})
        tenants[name] = Tenant(
            name,
            row.get("time_zone") or "UTC",
            row.get("primary_override"),
            _subscriptions(subscriptions.get(name, [])),
            tuple(
                Entitlement(r["subscription_id"], r["meter"], r["quantity"], _days(r))
                for r in entitlements.get(name, [])
            ),
            tuple(
                Assignment(r["user_id"], r["role"], r["license"], r["subscription_id"], _days(r))
                for r in assignments.get(name, [])
            ),
            tuple(
                Partner(r["partner_id"], r["added_on"].toordinal(), r["role"])
                for r in partners.get(name, [])
            ),
        )
    return tenants


def _subscriptions(rows: list[Row]) -> tuple[Subscription, ...]:
    """R1: subscriptions with their in-service stretches, the oldest first; never served: last."""
    by_id: dict[str, list[Row]] = {}
    for row in rows:
        by_id.setdefault(str(row["subscription_id"]), []).append(row)
    subscriptions = [
        Subscription(
            name,
            str(rows[0]["currency"]),
            tuple(_service(row) for row in rows if row["status"] in IN_SERVICE),
        )
        for name, rows in by_id.items()
    ]
    never = Days.between(None, None).after
    return tuple(sorted(subscriptions, key=lambda one: (one.age or never, one.id)))


def _service(row: Row) -> Service:
    telephony, term = row["telephony"], row["term_months"]
    return Service(
        _days(row),
        str(row["license_model"]),
        str(telephony) if telephony else None,
        str(row["billing_frequency"]),
        int(str(term)) if term is not None else None,
    )


def _rates(rows: pl.DataFrame) -> list[Rate]:
    ordered = rows.sort("meter", "charge", "currency", "subscription_id", "tenant_id", "tier_from")
    return [
        Rate(
            None if row["subscription_id"] == EVERYONE else row["subscription_id"],
            row["tenant_id"],
            row["meter"],
            row["charge"],
            row["unit_price"],
            row["currency"],
            row["model"],
            row["tier_from"],
            _days(row),
        )
        for row in ordered.iter_rows(named=True)
    ]


def by_tenant(rows: pl.DataFrame) -> dict[str, list[Row]]:
    """The rows of each tenant, in the order in which they come."""
    rows_of: dict[str, list[Row]] = {}
    for row in rows.iter_rows(named=True):
        rows_of.setdefault(row["tenant_id"], []).append(row)
    return rows_of


def _days(row: Row) -> Days:
    return Days.between(row["start_date"], row["end_date"])
