"""Commitments and usage: why such a line is there, and what it counts; and invoices without any.

Belongs here: one function a kind of line. Does not belong here: overage (`overage`).
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import polars as pl

from pipeline.documents.model import Line
from pipeline.explaining.context import Context
from pipeline.explaining.told import Told, arithmetic, priced
from pipeline.findings import counted
from pipeline.money import plain
from pipeline.period import instant
from pipeline.rules.pricing import commitments
from pipeline.stages.lines import label


def committed(context: Context, line: Line, subscription_id: str, number: int) -> Told:
    """R10.2: the entitlement row that is charged, for which part of the month or which months."""
    currency = context.subscription(subscription_id).currency
    prices = priced(context, subscription_id, line.meter, "committed")
    place = 0
    for row in context.tenant.including(line.meter):
        if row.subscription_id != subscription_id or row.quantity <= 0:
            continue
        for due in commitments(context.tenant, row, context.period):
            place += 1
            if place == number:
                what = label(context.meter(line.meter))
                stands = context.where_entitled(row)
                return Told(
                    [
                        f"{subscription_id} commits to {plain(row.quantity)} {what}: {stands}.",
                        f"It is {due.because}.",
                        *prices,
                        arithmetic(line, currency, due.months),
                    ]
                )
    raise AssertionError(f"no entitlement of {subscription_id} makes commitment {number}")


def usage(context: Context, line: Line, subscription_id: str, others: Decimal) -> Told:
    """R3, R4: what was counted, which part of it is this subscription's, and its price if any.

    `others` is what further lines of the same price charge: the other slices of it (R10.4).
    """
    meter, currency = context.meter(line.meter), context.subscription(subscription_id).currency
    split, how = context.split(line.meter), context.stretches(line.meter)
    measure, total = how["measure"][0], how["tenant_usage"][0]
    told = [
        f"The tenant used {plain(total)} {label(meter)}, over all its subscriptions: "
        f"{measured(measure)}."
    ]
    if measure == "peak":
        at = peak_at(how)
        told.append(
            f"Its parts are those of that instant, {at:%Y-%m-%dT%H:%M:%SZ}, so that they add up "
            "to it (R4.4)."
        )
        rows = context.open_at(line.meter, instant(at))
    elif measure == "distinct":
        told.append("Each user belongs to the subscription on which they were seen first (R4).")
        begin, end = context.period.bounds(context.tenant.zone)
        rows = context.seen_in(line.meter, begin, end)
    else:
        rows = context.summed(line.meter)
    told.append(f"{subscription_id} has {plain(line.quantity + others)} of it (R3).")
    if meter.charge == "per_unit":
        told += priced(context, subscription_id, line.meter, "per_unit")
        if others:
            told.append(f"{plain(others)} of it is on other lines, at other prices (R10.4).")
    else:
        told.append("It has no price of its own: only what is beyond all that is included (R10.3).")
    told.append(arithmetic(line, currency))
    tables = {"the split": split.drop("tenant_id", "meter")}
    return Told(
        told, tables, context.in_exports(rows, subscription_id), others, rests_on_usage=True
    )


def nothing_charged(context: Context, subscription_id: str) -> Told:
    """R10.6: why a subscription has an invoice of a period in which nothing is charged to it."""
    subscription, days = context.subscription(subscription_id), context.period.days
    active = [day for day in days if subscription.is_active(day)]
    first = date.fromordinal(active[0])
    return Told(
        [
            f"{subscription_id} was active on {counted(len(active), 'day')} of {context.period}, "
            f"the first {first}, so it has an invoice (R10.6).",
            "No commitment of it is charged (R10.2), no usage is its part (R10.3), and it pays no "
            "overage (R7): there is no line.",
            f"So its total is 0 {subscription.currency} (R10.5).",
        ]
    )


def measured(measure: str) -> str:
    """How a meter was measured, in words."""
    return {
        "peak": "the highest number at one instant (R4.3)",
        "distinct": "different users (R4)",
        "sum": "the sum of its quantities (R4)",
    }[measure]


def peak_at(how: pl.DataFrame) -> datetime:
    """R4.4: the earliest instant at which the tenant's usage was at its highest."""
    highest = how.filter(pl.col("usage") == pl.col("tenant_usage")).sort("at")
    found: datetime = highest["at"][0]
    return found
