"""From the exports of every feed but usage to the terms that tenants are billed by.

Belongs here: building the values that the rules are written in. Does not belong here: reading
files, and which rows are broken (`stages.broken_terms`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import polars as pl

from pipeline.findings import Finding
from pipeline.fingerprint import fingerprint
from pipeline.rules.catalogue import SHIPPED
from pipeline.rules.terms import Catalogue, Meter, Rate, Tenant
from pipeline.stages.broken_terms import BrokenRows
from pipeline.stages.prints import Prints, stated
from pipeline.stages.tenants import days_of, tenants_of
from pipeline.stages.terms_rules import EVERYONE, Frames
from schemas import feeds
from schemas.datasets import QUARANTINE

USAGE_FEEDS = ("tenants", "subscriptions", "entitlements", "users")
COVERAGE_FEEDS = ("tenants", "subscriptions")
ACCESS_FEEDS = ("tenants", "subscriptions", "users", "partners")


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
    prints: Prints = field(default_factory=Prints)

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

    def usage_print(self, tenant_ids: Collection[str]) -> str:
        """A name for all that splitting and measuring the usage of some tenants depends on."""
        stated = self.prints.of_tenants(USAGE_FEEDS, tenant_ids)
        blocked = sorted(self.blocked.intersection(tenant_ids))
        misstated = [sorted(self.tenants[name].misstated) for name in blocked]
        return fingerprint(self.catalogue, stated, blocked, misstated)

    def coverage_print(self) -> str:
        """A name for all that the days on which usage is expected depend on."""
        return fingerprint(self.catalogue, self.prints.of_tenants(COVERAGE_FEEDS, self.tenants))

    def access_print(self) -> str:
        """A name for all that the tenants' access depends on (R9)."""
        stated = self.prints.of_tenants(ACCESS_FEEDS, self.tenants)
        return fingerprint(stated, sorted(self.blocked))


def build_terms(frames: Frames) -> Terms:
    """The terms that the feeds state, and what is wrong with them.

    Raises `BrokenTerms` where a broken row names no tenant.
    """
    broken = BrokenRows.of(frames)
    broken.stop_if_nobody_is_named()
    sound = {table.name: broken.without(table, frames[table.name]) for table in feeds.TERMS}
    rows = stated(sound)
    misstated = _pairs(frames["subscriptions"]).join(
        _pairs(rows["subscriptions"]), how="anti", on=_PAIR
    )
    return Terms(
        catalogue_of(sound["meters"]),
        tenants_of(rows, _known(frames), misstated),
        tuple(_rates(rows["rates"])),
        frozenset(broken.tenants),
        tuple(frames["subscriptions"]["subscription_id"].drop_nulls().unique().sort()),
        tuple(broken.findings()),
        broken.quarantine(),
        Prints.of(rows),
    )


def catalogue_of(meters: pl.DataFrame) -> Catalogue:
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


_PAIR = ["tenant_id", "subscription_id"]


def _pairs(subscriptions: pl.DataFrame) -> pl.DataFrame:
    """The subscriptions that rows state, each once."""
    return subscriptions.select(_PAIR).drop_nulls().unique()


def _known(frames: Frames) -> set[str]:
    """The tenants that `tenants` or `subscriptions` name, be it in a broken row."""
    rows = (frames[feed]["tenant_id"].drop_nulls() for feed in ("tenants", "subscriptions"))
    return set(pl.concat(rows))


def _rates(rows: pl.DataFrame) -> Iterator[Rate]:
    """The prices, one a row, in the order of the rows."""
    rows = rows.with_columns(pl.col("subscription_id").replace({EVERYONE: None}))
    who = ("subscription_id", "tenant_id")
    what = ("meter", "charge", "unit_price", "currency", "model", "tier_from")
    return map(Rate, *(rows[name].to_list() for name in (*who, *what)), days_of(rows))
