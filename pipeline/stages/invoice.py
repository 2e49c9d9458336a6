"""Draw up one invoice for each subscription that was active or has a line.

Belongs here: invoices as the sums of their lines (R10.5, R10.6). Does not belong here: the lines.
"""

from __future__ import annotations

import polars as pl

from pipeline.period import Period
from pipeline.stages.rate import invoice_id
from pipeline.stages.terms import Terms
from schemas.columns import MONEY
from schemas.datasets import INVOICES

FIRST_REVISION = 1


def invoice(lines: pl.DataFrame, terms: Terms, measured: list[str], period: Period) -> pl.DataFrame:
    """Invoices of the tenants that were `measured`; blocked where a line has no amount (R10.1)."""
    active = [
        (
            invoice_id(name, subscription.id, period),
            name,
            subscription.id,
            subscription.currency,
        )
        for name in measured
        for subscription in terms.tenants[name].active_within(period.days)
    ]
    identity = ["invoice_id", "tenant_id", "subscription_id", "currency"]
    known = pl.DataFrame(active, schema=dict.fromkeys(identity, pl.String), orient="row")
    totals = lines.group_by(identity).agg(
        total=pl.col("amount").sum(), is_blocked=pl.col("amount").is_null().any()
    )
    return (
        pl.concat([known, lines.select(identity)])
        .unique()
        .join(totals, on=identity, how="left")
        .with_columns(pl.col("is_blocked").fill_null(False), pl.col("total").fill_null(0))
        .select(
            *identity[:3],
            pl.lit(str(period)).alias("period"),
            pl.lit(FIRST_REVISION, pl.Int64).alias("revision"),
            pl.when("is_blocked")
            .then(pl.lit("blocked"))
            .otherwise(pl.lit("draft"))
            .alias("status"),
            "currency",
            pl.when(~pl.col("is_blocked")).then("total").cast(MONEY).alias("total"),
        )
        .match_to_schema(INVOICES.dtypes)
    )
