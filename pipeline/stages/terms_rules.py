"""Rules of the terms that one row alone cannot be judged by: overlaps, repeats, unknown names.

Belongs here: what rows of the terms must be to each other. Does not belong here: rules of one row
(`schemas.feeds`), and what a broken row blocks (`stages.broken_terms`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from zoneinfo import available_timezones

import polars as pl

from pipeline.money import minor_units
from pipeline.rules.catalogue import SHIPPED
from schemas import feeds
from schemas.columns import Rule, Table

IN_SERVICE = ("active", "expired", "cancelled")
"""The statuses of days on which a subscription was in service (R1.2)."""

EVERYONE = "*"

Frames = Mapping[str, pl.DataFrame]
"""A frame a feed: its typed columns, then `file`, `row`, `defects` and `raw` as they were read."""


def rules_across(table: Table, rows: pl.DataFrame, frames: Frames) -> list[Rule]:
    """The rules of a feed that need other rows of it, or other feeds."""
    rules: list[Rule] = []
    if "currency" in table.names:
        codes = rows["currency"].drop_nulls().unique().to_list()
        known = [code for code in codes if minor_units(code) is not None]
        rules.append(
            Rule(
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
            meters = meter_names(frames)
            rules += [
                _subscription_known(frames, pl.col("subscription_id")),
                Rule(
                    "meter_unknown", ~pl.col("meter").is_in(meters), "name a meter of the catalogue"
                ),
            ]
        case "meters":
            parts = pl.col("included_with").str.split(";")
            known = rows["meter"].drop_nulls().to_list()
            rules.append(
                Rule(
                    "included_with_unknown",
                    parts.list.eval(~pl.element().is_in(known)).list.any(),
                    "included_with names meters of the catalogue, joined by `;`",
                )
            )
    if table.key and table.name != "rates":
        rules.append(
            Rule(
                "repeated_key",
                pl.struct(table.key).is_duplicated(),
                f"state each ({', '.join(table.key)}) once; is an old export still in the folder?",
            )
        )
    return rules


def _subscription_rules() -> list[Rule]:
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
        Rule(
            "overlapping_service",
            begins_inside | reaches_on,
            "a subscription is in service once on a day: end one row before the next begins",
        ),
        Rule(
            "several_currencies",
            pl.col("currency").n_unique().over(one) > 1,
            "a subscription has one currency; a contract in another is another subscription",
        ),
    ]


def _subscription_known(frames: Frames, named: pl.Expr) -> Rule:
    pairs = frames["subscriptions"].select(pl.struct("tenant_id", "subscription_id")).to_series()
    return Rule(
        "subscription_unknown",
        named.is_not_null()
        & ~pl.struct(pl.col("tenant_id"), named.alias("subscription_id")).is_in(
            pairs.unique().implode()
        ),
        "name a subscription of this tenant, as in subscriptions",
    )


def _tenant_rules(frames: Frames) -> list[Rule]:
    return [
        _subscription_known(frames, pl.col("primary_override")),
        Rule(
            "time_zone_unknown",
            ~pl.col("time_zone").is_in(time_zones()),
            "time_zone is an IANA name such as Europe/Madrid",
        ),
    ]


def _rate_rules(frames: Frames) -> list[Rule]:
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
        Rule(
            "meter_unknown",
            is_scoped & ~pl.col("meter").is_in(meter_names(frames)),
            "name a meter of the catalogue: this price would never be found",
        ),
        Rule(
            "repeated_price",
            overlapping([*price, "tier_from"], pl.lit(True)),
            "end one price before the next begins; is an old export still in the folder?",
        ),
        Rule(
            "mixed_models",
            pl.any_horizontal(
                ~of_model(model) & overlapping(price, of_model(model))
                for model in feeds.RATES["model"].choices
            ),
            "all tiers of a price have one model",
        ),
    ]


@cache
def time_zones() -> list[str]:
    """The names of all time zones that this machine knows."""
    return sorted(available_timezones())


def meter_names(frames: Frames) -> list[str]:
    """The meters of the catalogue that the feeds state, else of the shipped one."""
    return frames["meters"]["meter"].drop_nulls().to_list() or list(SHIPPED)
