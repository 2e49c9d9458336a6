"""From what is charged to the lines of invoices: what they are called and why they are there.

Belongs here: charges as rows of `invoice_lines`, each on its invoice. Does not belong here: what is
charged, and at which price (`stages.rate`).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import NamedTuple
from urllib.parse import quote

import polars as pl

from pipeline.period import Period
from pipeline.rules.split import REASONS
from pipeline.rules.terms import Catalogue, Meter
from pipeline.stages.terms import Terms
from schemas.columns import MONEY
from schemas.datasets import INVOICE_LINES

OF_ADJUSTMENTS = ("adjustment", "corrected_kind", "corrects_invoice_id", "corrects_line_id")
"""The columns that only the lines of a correction fill."""

_WHO = ["tenant_id", "subscription_id"]


class Charge(NamedTuple):
    """One thing charged to a subscription; `number` counts those of the same kind and meter.

    Without a price there is neither `unit_price` nor `amount` (R10.1).
    """

    tenant_id: str
    subscription_id: str
    kind: str
    meter: str
    number: int
    quantity: Decimal
    unit_price: Decimal | None
    amount: Decimal | None
    because: str


_CHARGE = pl.Schema(
    {
        "tenant_id": pl.String(),
        "subscription_id": pl.String(),
        "kind": pl.String(),
        "meter": pl.String(),
        "number": pl.Int64(),
        "quantity": MONEY,
        "unit_price": MONEY,
        "amount": MONEY,
        "because": pl.String(),
    }
)


def charges_frame(charges: Iterable[Charge]) -> pl.DataFrame:
    """Charges as a frame of the same columns."""
    return pl.DataFrame(list(charges), schema=_CHARGE, orient="row")


def free_charges(used: pl.DataFrame) -> pl.DataFrame:
    """R10.3: usage without a price a unit shows with price and amount 0, also at quantity 0."""
    nothing = pl.lit(Decimal(0), MONEY)
    return used.with_columns(
        kind=pl.lit("usage"),
        number=pl.lit(1, pl.Int64),
        unit_price=nothing,
        amount=nothing,
    ).select(_CHARGE.names())


def lines_of(charges: pl.DataFrame, parties: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Charges as `invoice_lines`: each with its name, and with its invoice of `parties`."""
    meters = charges["meter"].unique().to_list()
    in_a_name = pl.col("meter").replace_strict(
        meters, [quoted(meter) for meter in meters], return_dtype=pl.String
    )
    named = charges.join(parties, on=_WHO, how="left").with_columns(
        pl.format("{}/{}/{}/{}", "invoice_id", "kind", in_a_name, "number").alias("line_id"),
        pl.lit(str(period)).alias("usage_period"),
        *(pl.lit(None, pl.String).alias(name) for name in OF_ADJUSTMENTS),
    )
    return named.select(INVOICE_LINES.names)


def parties_of(terms: Terms, tenants: Iterable[str], period: Period) -> pl.DataFrame:
    """Every subscription of some tenants and its invoice: what it is called, in which currency.

    tenant_id, subscription_id, currency, invoice_id, is_active (on any day of the period, R10.6).
    """
    rows = [
        (
            name,
            subscription.id,
            subscription.currency,
            f"{prefix}/{quoted(subscription.id)}",
            subscription.is_active_within(period.days),
        )
        for name in tenants
        for prefix in [f"{period}/{quoted(name)}"]
        for subscription in terms.tenants[name].subscriptions
    ]
    texts = dict.fromkeys([*_WHO, "currency", "invoice_id"], pl.String())
    return pl.DataFrame(rows, schema={**texts, "is_active": pl.Boolean()}, orient="row")


def with_because(parts: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    """The parts of `usage_split` with their reasons in words, in the order of the rule book."""
    counts = pl.col("because_counts").str.json_decode(pl.Struct(dict.fromkeys(REASONS, pl.Int64())))
    reasons = pl.concat_str(
        [
            pl.format(f"{{}} {{}} {reason.replace('_', ' ')}", number, noun)
            for reason in REASONS
            for number in [counts.struct.field(reason)]
            for noun in [pl.when(number == 1).then(pl.lit("row")).otherwise(pl.lit("rows"))]
        ],
        separator=", ",
        ignore_nulls=True,
    )
    labels = {name: label(meter) for name, meter in catalogue.items()}
    what = pl.col("meter").replace_strict(labels, return_dtype=pl.String)
    return parts.with_columns(because=pl.format("its part of the tenant's {} ({})", what, reasons))


def label(meter: Meter) -> str:
    """What people call a meter."""
    return meter.label or meter.name


@cache
def quoted(name: str) -> str:
    """A name that is safe as a part of an invoice's: the same in every run, one word."""
    return quote(name, safe="")
