"""Draw up one invoice for each subscription that was active or has a line.

Belongs here: invoices as the sums of their lines (R10.5, R10.6). Does not belong here: the lines.
"""

from __future__ import annotations

import polars as pl

from pipeline.period import Period
from pipeline.stages.lines import parties_of
from pipeline.stages.terms import Terms
from schemas.columns import INSTANT, MONEY
from schemas.datasets import INVOICES

FIRST_REVISION = 1

INVOICE = "invoice"


def invoice(lines: pl.DataFrame, terms: Terms, measured: list[str], period: Period) -> pl.DataFrame:
    """Invoices of the tenants that were `measured`; blocked where a line has no amount (R10.1)."""
    totals = lines.group_by("invoice_id").agg(
        total=pl.col("amount").sum(), is_blocked=pl.col("amount").is_null().any()
    )
    is_blocked = pl.col("is_blocked").fill_null(False)
    return (
        parties_of(terms, measured, period)
        .join(totals, on="invoice_id", how="left")
        .filter(pl.col("is_active") | pl.col("is_blocked").is_not_null())
        .select(
            "invoice_id",
            "tenant_id",
            "subscription_id",
            pl.lit(str(period)).alias("period"),
            pl.lit(FIRST_REVISION, pl.Int64).alias("revision"),
            pl.when(is_blocked).then(pl.lit("blocked")).otherwise(pl.lit("draft")).alias("status"),
            "currency",
            pl.when(~is_blocked).then(pl.col("total").fill_null(0)).cast(MONEY).alias("total"),
            pl.lit(str(period)).alias("usage_period"),
            pl.lit(INVOICE).alias("document"),
            pl.lit(None, pl.Int64).alias("number"),
            pl.lit(None, INSTANT).alias("issued_at"),
        )
        .match_to_schema(INVOICES.dtypes)
    )
