"""From the exports of every feed but usage to the terms that tenants are billed by.

Belongs here: rules across rows and feeds, what a broken row blocks, and building the values that
the rules are written in. Does not belong here: reading files, and rules of one row (`schemas`).

A broken row changes what everyone it names owes: those tenants are not invoiced, with a finding
that says file, row and remedy; a broken row that names nobody stops the run (R11.2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

import polars as pl

from pipeline.errors import BillingError
from pipeline.findings import Finding, finding
from pipeline.money import minor_units
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
from schemas import feeds
from schemas.checks import broken_rows
from schemas.columns import Table
from schemas.datasets import QUARANTINE

IN_SERVICE = ("active", "expired", "cancelled")
EVERYONE = "*"

Row = dict[str, Any]

Frames = Mapping[str, pl.DataFrame]
"""A frame a feed: its typed columns, then `file`, `row`, `defects` and `raw` as they were read."""


class BrokenTerms(BillingError):
    """A row of a feed other than usage is broken and names no tenant that could be set aside."""


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
    broken = pl.concat([_broken(table, frames) for table in feeds.TERMS])
    owners = _owners(frames["subscriptions"])
    named = {
        key: _named(tenant_id, subscription_id, owners)
        for *key_parts, tenant_id, subscription_id in broken.select(
            "feed", "file", "row", "tenant_id", "subscription_id"
        ).iter_rows()
        for key in [tuple(key_parts)]
    }
    _stop_if_nobody_is_named(broken, named)
    sound = {
        table.name: frames[table.name].join(
            broken.filter(pl.col("feed") == table.name), on=["file", "row"], how="anti"
        )
        for table in feeds.TERMS
    }
    tenants = _tenants(sound, _known(frames))
    return Terms(
        _catalogue(sound["meters"]),
        tenants,
        tuple(_rates(sound["rates"])),
        frozenset(tenant for tenants in named.values() for tenant in tenants),
        tuple(sorted({one.id for tenant in tenants.values() for one in tenant.subscriptions})),
        tuple(_findings(broken, named)),
        _quarantine(broken, named),
    )


def _broken(table: Table, frames: Frames) -> pl.DataFrame:
    """The broken rows of a feed: feed, file, row, rules, remedy, tenant and subscription, raw."""
    rows = frames[table.name].with_row_index("index").cast({"index": pl.Int64})
    remedies = {rule.name: rule.remedy for rule in table.row_rules()}
    across = _across_rows(table, rows, frames)
    failures = pl.concat(
        [
            rows.filter(pl.col("defects").is_not_null())
            .select("index", rule=pl.col("defects").str.split(";"))
            .explode("rule"),
            broken_rows(table, rows.select(table.names)),
            *(
                rows.filter(is_broken).select("index", rule=pl.lit(name))
                for name, is_broken, _ in across
            ),
        ]
    ).unique()
    unread = pl.col("rule").str.replace("_unreadable$", "_missing")
    failures = failures.filter(
        ~(
            pl.col("rule").str.ends_with("_missing")
            & pl.struct("index", "rule").is_in(
                failures.filter(pl.col("rule").str.ends_with("_unreadable"))
                .select(pl.struct("index", rule=unread))
                .to_series()
                .implode()
            )
        )
    )
    remedies |= {name: remedy for name, _, remedy in across}
    absent = [name for name in ("tenant_id", "subscription_id") if name not in table.names]
    return (
        rows.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
        .join(
            failures.sort("index", "rule")
            .group_by("index", maintain_order=True)
            .agg(
                rules=pl.col("rule").str.join(";"),
                remedy=pl.col("rule")
                .replace_strict(remedies, default="write the value as the data dictionary says")
                .unique(maintain_order=True)
                .str.join("; "),
            ),
            on="index",
        )
        .select(
            pl.lit(table.name).alias("feed"),
            "file",
            "row",
            "rules",
            "remedy",
            "tenant_id",
            "subscription_id",
            raw=pl.coalesce("raw", _as_json(table)),
        )
    )


def _as_json(table: Table) -> pl.Expr:
    """A row that could be read, as JSON text of its values."""
    return pl.struct(pl.col(name).cast(pl.String) for name in table.names).struct.json_encode()


def _across_rows(
    table: Table, rows: pl.DataFrame, frames: Frames
) -> list[tuple[str, pl.Expr, str]]:
    """The rules of a feed that need other rows or feeds: name, broken rows, remedy."""
    rules: list[tuple[str, pl.Expr, str]] = []
    if "currency" in table.names:
        codes = rows["currency"].drop_nulls().unique().to_list()
        known = [code for code in codes if minor_units(code) is not None]
        rules.append(
            (
                "currency_unknown",
                ~pl.col("currency").is_in(known),
                "currency is an ISO 4217 code that has a minor unit, such as USD",
            )
        )
    match table.name:
        case "subscriptions":
            rules += _subscription_rules()
        case "rates":
            rules += _rate_rules(frames)
        case "tenants":
            rules += _tenant_rules(frames)
        case "entitlements":
            meters = list(_catalogue(frames["meters"]))
            rules += [
                _subscription_known(frames, pl.col("subscription_id")),
                ("meter_unknown", ~pl.col("meter").is_in(meters), "name a meter of the catalogue"),
            ]
        case "meters":
            parts = pl.col("included_with").str.split(";")
            known = rows["meter"].drop_nulls().to_list()
            rules.append(
                (
                    "included_with_unknown",
                    parts.list.eval(~pl.element().is_in(known)).list.any(),
                    "included_with names meters of the catalogue, joined by `;`",
                )
            )
    if table.key and table.name != "rates":
        rules.append(
            (
                "repeated_key",
                pl.struct(table.key).is_duplicated(),
                f"state each ({', '.join(table.key)}) once; is an old export still in the folder?",
            )
        )
    return rules


def _subscription_rules() -> list[tuple[str, pl.Expr, str]]:
    one = ["tenant_id", "subscription_id"]
    serves = pl.col("status").is_in(IN_SERVICE)
    end = pl.col("end_date").fill_null(pl.date(9999, 12, 31))
    latest_before = (
        pl.when(serves).then(end).cum_max().shift(1).forward_fill().over(one, order_by="start_date")
    )
    begins_inside = serves & (pl.col("start_date") <= latest_before)
    next_start = (
        pl.when(serves)
        .then(pl.col("start_date"))
        .shift(-1)
        .backward_fill()
        .over(one, order_by="start_date")
    )
    reaches_on = serves & (end >= next_start)
    return [
        (
            "overlapping_service",
            begins_inside | reaches_on,
            "a subscription is in service once on a day: end one row before the next begins",
        ),
        (
            "several_currencies",
            pl.col("currency").n_unique().over(one) > 1,
            "a subscription has one currency; a contract in another is another subscription",
        ),
    ]


def _subscription_known(frames: Frames, named: pl.Expr) -> tuple[str, pl.Expr, str]:
    pairs = frames["subscriptions"].select(pl.struct("tenant_id", "subscription_id")).to_series()
    return (
        "subscription_unknown",
        named.is_not_null()
        & ~pl.struct(pl.col("tenant_id"), named.alias("subscription_id")).is_in(
            pairs.unique().implode()
        ),
        "name a subscription of this tenant, as in subscriptions",
    )


def _tenant_rules(frames: Frames) -> list[tuple[str, pl.Expr, str]]:
    return [
        _subscription_known(frames, pl.col("primary_override")),
        (
            "time_zone_unknown",
            ~pl.col("time_zone").is_in(sorted(available_timezones())),
            "time_zone is an IANA name such as Europe/Madrid",
        ),
    ]


def _rate_rules(frames: Frames) -> list[tuple[str, pl.Expr, str]]:
    is_scoped = (pl.col("subscription_id") != EVERYONE) | pl.col("tenant_id").is_not_null()
    own = pl.when(pl.col("tenant_id").is_not_null() & (pl.col("subscription_id") != EVERYONE)).then(
        pl.col("subscription_id")
    )
    price = ["subscription_id", "tenant_id", "meter", "charge", "currency"]
    first = pl.col("start_date").fill_null(pl.date(1, 1, 1))
    last = pl.col("end_date").fill_null(pl.date(9999, 12, 31))

    def overlapping(over: list[str], others: pl.Expr) -> pl.Expr:
        """Rows whose days overlap those of such other rows of the same key."""
        ends = pl.when(others).then(last).cum_max().shift(1).forward_fill()
        begins = pl.when(others).then(first).shift(-1).backward_fill()
        reached = first <= ends.over(over, order_by=first)
        reaching = last >= begins.over(over, order_by=first)
        return reached.fill_null(False) | reaching.fill_null(False)

    def of_model(model: str) -> pl.Expr:
        return (pl.col("model") == model).fill_null(False)

    return [
        _subscription_known(frames, own),
        (
            "meter_unknown",
            is_scoped & ~pl.col("meter").is_in(list(_catalogue(frames["meters"]))),
            "name a meter of the catalogue: this price would never be found",
        ),
        (
            "repeated_price",
            overlapping([*price, "tier_from"], pl.lit(True)),
            "end one price before the next begins; is an old export still in the folder?",
        ),
        (
            "mixed_models",
            pl.any_horizontal(
                ~of_model(model) & overlapping(price, of_model(model))
                for model in feeds.RATES["model"].choices
            ),
            "all tiers of a price have one model",
        ),
    ]


def _owners(subscriptions: pl.DataFrame) -> dict[str, list[str]]:
    """The tenants that have a subscription of each id."""
    pairs = (
        subscriptions.select("subscription_id", "tenant_id").drop_nulls().unique().sort("tenant_id")
    )
    owners: dict[str, list[str]] = {}
    for subscription_id, tenant_id in pairs.iter_rows():
        owners.setdefault(subscription_id, []).append(tenant_id)
    return owners


def _named(
    tenant_id: str | None, subscription_id: str | None, owners: Mapping[str, list[str]]
) -> list[str]:
    """The tenants that a row names: its own, else those that have its subscription."""
    if tenant_id is not None:
        return [tenant_id]
    return owners.get(subscription_id, []) if subscription_id is not None else []


def _stop_if_nobody_is_named(
    broken: pl.DataFrame, named: Mapping[tuple[object, ...], list[str]]
) -> None:
    for feed, file, row, rules, remedy, *_ in broken.sort("feed", "file", "row").iter_rows():
        if not named[feed, file, row]:
            raise BrokenTerms(
                f"this row breaks {rules.replace(';', ', ')} and names no tenant, so it could "
                "change what anybody owes",
                where=f"{file}, row {row}",
                remedy=f"{remedy}; then run again",
            )


def _findings(broken: pl.DataFrame, named: Mapping[tuple[object, ...], list[str]]) -> list[Finding]:
    """One `broken_terms` a tenant, with the first rows and how many there are."""
    rows_of: dict[str, list[tuple[str, int, str, str]]] = {}
    for feed, file, row, rules, remedy, *_ in broken.sort("feed", "file", "row").iter_rows():
        for tenant in named[feed, file, row]:
            rows_of.setdefault(tenant, []).append((file, row, rules, remedy))
    found = []
    for tenant, rows in sorted(rows_of.items()):
        shown = "; ".join(f"{file} row {row}: {rules}" for file, row, rules, _ in rows[:3])
        more = f" and {len(rows) - 3} rows more" if len(rows) > 3 else ""
        message = f"Broken terms, so nothing of the tenant is invoiced: {shown}{more}."
        remedy = f"Correct them: {rows[0][3]}. Then run again."
        found.append(finding("broken_terms", tenant, message, remedy))
    return found


def _quarantine(
    broken: pl.DataFrame, named: Mapping[tuple[object, ...], list[str]]
) -> pl.DataFrame:
    keys = broken.select("feed", "file", "row").iter_rows()
    tenants = [tenants[0] if len(tenants := named[key]) == 1 else None for key in keys]
    return broken.with_columns(tenant_id=pl.Series(tenants, dtype=pl.String)).select(
        QUARANTINE.names
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
    subscriptions = _by_tenant(
        sound["subscriptions"].sort("tenant_id", "subscription_id", "start_date")
    )
    entitlements = _by_tenant(
        sound["entitlements"]
        .filter(pl.col("deployment") == "cloud")
        .sort("subscription_id", "meter", "start_date", "end_date", "quantity")
    )
    assignments = _by_tenant(sound["users"].sort("user_id", "start_date", "subscription_id"))
    partners = _by_tenant(sound["partners"].sort("added_on", "partner_id"))
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


def _by_tenant(rows: pl.DataFrame) -> dict[str, list[Row]]:
    by_tenant: dict[str, list[Row]] = {}
    for row in rows.iter_rows(named=True):
        by_tenant.setdefault(row["tenant_id"], []).append(row)
    return by_tenant


def _days(row: Row) -> Days:
    return Days.between(row["start_date"], row["end_date"])
