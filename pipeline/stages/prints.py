"""What the feeds state of each tenant, and a name for it: the same name, the same terms.

Belongs here: which columns of a feed say what anybody owes, and naming their content. Does not
belong here: what depends on which of them (`request`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from pipeline.fingerprint import fingerprint, text_print
from pipeline.stages.terms_rules import Frames

STATED: dict[str, tuple[str, ...]] = {
    "tenants": ("tenant_id", "time_zone", "primary_override"),
    "subscriptions": (
        "tenant_id",
        "subscription_id",
        "currency",
        "start_date",
        "end_date",
        "status",
        "license_model",
        "telephony",
        "billing_frequency",
        "term_months",
    ),
    "entitlements": (
        "tenant_id",
        "subscription_id",
        "meter",
        "start_date",
        "end_date",
        "quantity",
    ),
    "users": (
        "tenant_id",
        "user_id",
        "start_date",
        "subscription_id",
        "end_date",
        "role",
        "license",
    ),
    "partners": ("tenant_id", "added_on", "partner_id", "role"),
    "rates": (
        "meter",
        "charge",
        "currency",
        "subscription_id",
        "tenant_id",
        "tier_from",
        "start_date",
        "end_date",
        "model",
        "unit_price",
    ),
}
"""The columns of each feed that decide what anybody owes, in the order that its rows are put in."""

OF_A_TENANT = ("tenants", "subscriptions", "entitlements", "users", "partners")


def stated(sound: Frames) -> Frames:
    """The sound rows of the feeds, cut down to what they state, in an order of their own.

    On-premises entitlements state nothing (R5.1).
    """
    rows = {name: sound[name] for name in STATED}
    rows["entitlements"] = rows["entitlements"].filter(pl.col("deployment") == "cloud")
    return {name: rows[name].select(columns).sort(columns) for name, columns in STATED.items()}


@dataclass(frozen=True, slots=True)
class Prints:
    """Names for what is stated: of each feed and tenant, and of all prices."""

    tenants: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rates: str = ""

    @classmethod
    def of(cls, rows: Frames) -> Prints:
        """The names of what these rows state (`stated`)."""
        tenants = {feed: _by_tenant(rows[feed]) for feed in OF_A_TENANT}
        return cls(tenants, text_print("\n".join(_as_text(rows["rates"]))))

    def of_tenants(self, feeds: Iterable[str], tenants: Iterable[str]) -> str:
        """A name for what some feeds state of some tenants."""
        by_feed = [self.tenants.get(feed, {}) for feed in feeds]
        names = sorted(tenants)
        return fingerprint([(name, [of.get(name) for of in by_feed]) for name in names])


def _by_tenant(rows: pl.DataFrame) -> dict[str, str]:
    texts = (
        rows.select("tenant_id", text=_as_text(rows))
        .group_by("tenant_id")
        .agg(pl.col("text").str.join("\n"))
    )
    return {tenant: text_print(text) for tenant, text in texts.iter_rows()}


def _as_text(rows: pl.DataFrame) -> pl.Series:
    """Each row as JSON: no two that differ look the same."""
    return rows.select(pl.struct(rows.columns).struct.json_encode()).to_series()
