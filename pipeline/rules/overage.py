"""R6: what a tenant used beyond what all its subscriptions together include."""

from __future__ import annotations

import polars as pl

from schemas.columns import MONEY

_WHO = ("tenant_id", "meter")


def overages(occupancy: pl.DataFrame) -> pl.DataFrame:
    """R6: the overage of every tenant and meter, from its stretches of constant entitlement.

    Of a stretch, `usage` is the highest at one instant and `at` the earliest such instant (peak),
    or the different users and the stretch's first instant (distinct); a sum has one stretch, the
    period, whose entitlement is the allowance.

    Gives tenant_id, meter, usage, entitlement, overage, overage_at. The overage is the largest
    excess of any stretch, the earliest on ties, never below 0 (R6.2, R6.3, R6.4); a sum has no
    instant. The entitlement is that stretch's; without overage the one at the peak instant, or the
    largest of the period (R6.5).
    """
    excess = pl.col("usage") - pl.col("entitlement")
    is_over = pl.col("excess") > 0
    is_peak = pl.col("measure") == "peak"
    return (
        occupancy.group_by(_WHO)
        .agg(
            pl.col("measure", "tenant_usage").first(),
            excess=excess.max(),
            at_worst=_where_highest(excess, "entitlement"),
            worst_at=_where_highest(excess, "at"),
            at_peak=_where_highest(pl.col("usage"), "entitlement"),
            largest=pl.col("entitlement").max(),
        )
        .sort(_WHO)
        .select(
            *_WHO,
            pl.col("tenant_usage").alias("usage"),
            pl.when(is_over)
            .then("at_worst")
            .when(is_peak)
            .then("at_peak")
            .otherwise("largest")
            .alias("entitlement"),
            pl.when(is_over).then("excess").otherwise(pl.lit(0, MONEY)).alias("overage"),
            pl.when(is_over & (pl.col("measure") != "sum")).then("worst_at").alias("overage_at"),
        )
    )


def _where_highest(height: pl.Expr, column: str) -> pl.Expr:
    """A column's value in the stretch where something is highest, the earliest on ties."""
    highest_first = pl.col(column).sort_by(
        height, "at", "first_day", descending=[True, False, False]
    )
    return highest_first.first()
