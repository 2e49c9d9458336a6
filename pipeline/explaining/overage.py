"""Overage: what was used beyond what is included, when, by whom, and who pays (R5, R6, R7).

Belongs here: telling that of one tenant and meter. Does not belong here: what is overage
(`rules.overage`) and who pays (`rules.payer`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

import polars as pl

from pipeline.documents.model import Line
from pipeline.explaining.context import Context
from pipeline.explaining.lines import measured
from pipeline.explaining.told import Told, arithmetic, priced
from pipeline.money import plain
from pipeline.period import Days, instant, midnight
from pipeline.rules.entitlement import allowance, stretches
from pipeline.rules.payer import closing_holders, first_had, payer
from pipeline.rules.primary import closing_primary
from pipeline.rules.terms import Tenant
from pipeline.stages.lines import label
from schemas.columns import MONEY

SUBSCRIPTION = "subscription_id"


@dataclass(frozen=True, slots=True)
class Beyond:
    """The overage of a meter: the rows that were counted, and by subscription what they come to.

    `by_subscription` has subscription_id, used, included, beyond (its own usage beyond what it
    includes itself, never below 0).
    """

    counted: pl.DataFrame
    by_subscription: pl.DataFrame
    included: Decimal
    overage: Decimal
    at: datetime | None


def beyond(context: Context, meter: str) -> Beyond:
    """What was used beyond what is included, at the instant (or in the stretch) that decides."""
    (over,) = context.overage(meter).iter_rows(named=True)
    how, at = context.stretches(meter), over["overage_at"]
    measure = how["measure"][0]
    if measure == "peak":
        when = at or how.sort("usage", "at", descending=[True, False])["at"][0]
        rows, days = context.billed.open_at(meter, instant(when)), _days_at(context, meter, when)
    elif measure == "distinct":
        days = _worst_days(context, how)
        zone = context.tenant.zone
        since, until = midnight(days.first, zone), midnight(days.after, zone)
        rows = context.billed.seen_in(meter, since, until)
    else:
        rows, days = context.billed.summed(meter), context.period.days
    used = rows.group_by(SUBSCRIPTION).agg(used=pl.col("counts").sum())
    included = _included(context, meter, days if measure != "sum" else None)
    each = used.join(included, on=SUBSCRIPTION, how="full", coalesce=True).with_columns(
        pl.col("used", "included").fill_null(0).cast(MONEY)
    )
    excess = pl.max_horizontal(pl.col("used") - pl.col("included"), pl.lit(0, MONEY))
    told = each.with_columns(beyond=excess.cast(MONEY)).sort(SUBSCRIPTION)
    return Beyond(rows, told, over["entitlement"], over["overage"], at)


def overage(context: Context, line: Line, subscription_id: str, others: Decimal) -> Told:
    """R6, R7: what was used and included when it was most, who was on then, and who pays for it.

    `others` is what further lines of the same overage charge: the other slices of it (R10.4).
    """
    meter, currency = context.meter(line.meter), context.subscription(subscription_id).currency
    found = beyond(context, line.meter)
    how = context.stretches(line.meter)
    when = f" at {found.at:%Y-%m-%dT%H:%M:%SZ}" if found.at else ""
    used = found.included + found.overage
    sentences = [
        f"{plain(used)} {label(meter)} were used{when}: {measured(how['measure'][0])}.",
        f"All subscriptions together include {plain(found.included)} then (R5): "
        f"{plain(found.overage)} beyond, the most of the whole period (R6).",
        _paid_by(context, line.meter, subscription_id),
        *priced(context, subscription_id, line.meter, "overage"),
    ]
    if others:
        sentences.append(f"{plain(others)} of it is on other lines, at other prices (R10.4).")
    sentences.append(arithmetic(line, currency))
    tables = {
        "used and included by subscription": found.by_subscription,
        "what is included on which days": days_in_force(context, line.meter),
        "who could pay": candidates(context, line.meter),
    }
    rows = context.in_exports(found.counted)
    return Told(sentences, tables, rows, found.included + others, rests_on_usage=True)


def candidates(context: Context, meter: str) -> pl.DataFrame:
    """R2, R7: the tenant's subscriptions, the oldest first, and what decides which of them pays."""
    tenant, period = context.tenant, context.period
    holders = closing_holders(tenant, meter, period.days)
    primary = closing_primary(tenant, period)
    rows = [
        (
            one.id,
            _day(one.age),
            one.is_active_within(period.days),
            one.id == primary,
            _day(first_had(tenant, meter, one.id)) if one.id in holders else None,
        )
        for one in tenant.subscriptions
    ]
    schema = {
        SUBSCRIPTION: pl.String,
        "since": pl.Date,
        "active_in_period": pl.Boolean,
        "closing_primary": pl.Boolean,
        "has_meter_since": pl.Date,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def days_in_force(context: Context, meter: str) -> pl.DataFrame:
    """R5: what is included on which days of the period."""
    rows = [
        (_day(days.first), _day(days.after - 1), len(days), quantity)
        for days, quantity in _stretches(context, context.tenant, meter)
    ]
    dates = dict.fromkeys(("first_day", "last_day"), pl.Date())
    schema = pl.Schema({**dates, "days": pl.Int64(), "included": MONEY})
    return pl.DataFrame(rows, schema=schema, orient="row")


def _paid_by(context: Context, meter: str, subscription_id: str) -> str:
    primary = closing_primary(context.tenant, context.period) or subscription_id
    who = payer(context.tenant, context.meter(meter), context.period, primary)
    return f"{subscription_id} pays: {who.because}."


def _included(context: Context, meter: str, days: Days | None) -> pl.DataFrame:
    """What each subscription includes by itself: on some days, else as allowance of the period."""
    rows = []
    for one in context.tenant.subscriptions:
        own = tuple(row for row in context.tenant.entitlements if row.subscription_id == one.id)
        pieces = _stretches(context, replace(context.tenant, entitlements=own), meter)
        if days is None:
            included = allowance(pieces, context.period)
        else:
            included = next(quantity for of, quantity in pieces if days.first in of)
        rows.append((one.id, included))
    return pl.DataFrame(rows, schema={SUBSCRIPTION: pl.String, "included": MONEY}, orient="row")


def _stretches(context: Context, tenant: Tenant, meter: str) -> list[tuple[Days, Decimal]]:
    return stretches(tenant, meter, context.terms.catalogue, context.period)


def _days_at(context: Context, meter: str, when: datetime) -> Days:
    """The stretch of constant entitlement that an instant falls in."""
    zone, at = context.tenant.zone, instant(when)
    pieces = [days for days, _ in _stretches(context, context.tenant, meter)]
    return next(days for days in reversed(pieces) if midnight(days.first, zone) <= at)


def _worst_days(context: Context, how: pl.DataFrame) -> Days:
    """R6.3: the stretch in which most users were beyond what is included, the earliest on ties."""
    excess = pl.col("usage") - pl.col("entitlement")
    worst = how.sort(excess, "first_day", descending=[True, False])["first_day"][0]
    pieces = _stretches(context, context.tenant, how["meter"][0])
    return next(days for days, _ in pieces if days.first == worst.toordinal())


def _day(ordinal: int | None) -> date | None:
    return None if ordinal is None else date.fromordinal(ordinal)
