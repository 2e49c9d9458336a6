"""Give every usage row to exactly one subscription, with the reason.

Belongs here: the split of a bucket's good rows (R3) and what is found on the way. Does not belong
here: whose row it is, which `rules.split` says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.findings import Finding, counted, finding
from pipeline.rules import split as rule
from pipeline.rules.split import NOBODY, REASONS
from pipeline.stages.book import Book
from pipeline.stages.validate import TALLY


@dataclass(frozen=True, slots=True)
class Split:
    """The rows that somebody owns, and what became of all of them.

    `owned` rows: tenant, meter, owner (codes), started, ended, event_id, user_id,
    quantity. `shares` counts them by tenant, meter, subscription and reason; `unbilled` are the
    others (R3.5).
    """

    owned: pl.DataFrame
    shares: pl.DataFrame
    unbilled: pl.DataFrame
    tally: pl.DataFrame


def split(good: pl.DataFrame, book: Book) -> Split:
    """Take the good rows of `validate`; every one comes out owned or unbilled."""
    tenant, started = good["tenant"].to_numpy(), good["started"].to_numpy()
    named, assigned = good["named"].to_numpy(), good["assigned"].to_numpy()
    candidate = np.where(named != NOBODY, named, assigned)
    is_active = np.zeros(len(good), dtype=bool)
    has_candidate = np.flatnonzero(candidate >= 0)
    is_active[has_candidate] = (
        book.is_active.at(candidate[has_candidate], started[has_candidate]) == 1
    )
    primary = book.primary.at(tenant, started)
    owner, reason = rule.owners(
        book.is_routed[good["meter"].to_numpy()], named, assigned, is_active, primary
    )
    set_aside = pl.Series(book.set_aside, dtype=pl.String).gather(tenant)
    rows = good.with_columns(owner=pl.Series(owner), reason=pl.Series(reason)).with_columns(
        why=pl.coalesce(
            set_aside, pl.when(pl.col("owner") == NOBODY).then(pl.lit("no_active_subscription"))
        )
    )
    owned = rows.filter(pl.col("why").is_null())
    unowned = rows.filter(pl.col("why").is_not_null())
    return Split(
        owned.drop("why", "named", "assigned", "subscription_id"),
        _shares(owned, book),
        _unbilled(unowned, book),
        _tally(owned, unowned, book),
    )


def tenant_names(book: Book) -> pl.Expr:
    """The id of each row's tenant, from its code."""
    return _text("tenant", [tenant.id for tenant in book.tenants])


def meter_names(book: Book) -> pl.Expr:
    """The name of each row's meter, from its code."""
    return _text("meter", book.meters)


def owner_names(book: Book) -> pl.Expr:
    """The id of each row's subscription, from its code."""
    return _text("owner", [name for _, name in book.subscriptions])


def _text(column: str, names: list[str]) -> pl.Expr:
    if not names:
        return pl.lit(None, pl.String)
    return pl.col(column).replace_strict(range(len(names)), names, return_dtype=pl.String)


def _shares(owned: pl.DataFrame, book: Book) -> pl.DataFrame:
    is_misnamed = pl.col("reason").is_in(
        [REASONS.index(rule.UNKNOWN), REASONS.index(rule.INACTIVE)]
    )
    return (
        owned.group_by("tenant", "meter", "owner", "reason")
        .agg(
            rows=pl.len().cast(pl.Int64),
            named=pl.col("subscription_id").filter(is_misnamed).drop_nulls().unique().sort(),
        )
        .select(
            tenant_names(book).alias("tenant_id"),
            meter_names(book).alias("meter"),
            owner_names(book).alias("subscription_id"),
            _text("reason", list(REASONS)).alias("reason"),
            "rows",
            "named",
        )
    )


def _unbilled(unowned: pl.DataFrame, book: Book) -> pl.DataFrame:
    return unowned.select(
        "event_id",
        tenant_names(book).alias("tenant_id"),
        meter_names(book).alias("meter"),
        pl.col("started").cast(pl.Datetime("us", "UTC")).alias("started_at"),
        pl.col("why").alias("reason"),
    )


def _tally(owned: pl.DataFrame, unowned: pl.DataFrame, book: Book) -> pl.DataFrame:
    return pl.concat(
        rows.group_by("tenant")
        .agg(rows=pl.len().cast(pl.Int64))
        .select(tenant_names(book).alias("tenant_id"), pl.lit(fate).alias("fate"), "rows")
        for rows, fate in ((owned, "billed"), (unowned, "unbilled"))
    ).match_to_schema(TALLY)


_TOLD = {
    rule.UNASSIGNED: (
        "{rows} with no subscription and no assigned user, given to the primary of the day.",
        "Export subscription_id with the usage, or assign its users.",
    ),
    rule.UNKNOWN: (
        "{rows} of subscriptions that the tenant does not have{named}, given to the primary of "
        "the day.",
        "Correct the id, or add the subscription to subscriptions.",
    ),
    rule.INACTIVE: (
        "{rows} of subscriptions that were not active on the day{named}, given to the primary of "
        "the day.",
        "Check the subscription's dates, and who still uses it.",
    ),
}


def split_findings(shares: pl.DataFrame, unbilled: pl.DataFrame) -> list[Finding]:
    """R3.4, one a tenant and reason; R3.5 `no_active_subscription`, once a tenant."""
    found = []
    for tenant, reason, rows, named in (
        shares.filter(pl.col("reason").is_in(list(_TOLD)))
        .group_by("tenant_id", "reason")
        .agg(pl.col("rows").sum(), pl.col("named").explode().drop_nulls().unique().sort())
        .sort("tenant_id", "reason")
        .iter_rows()
    ):
        message, remedy = _TOLD[reason]
        names = f" ({', '.join(named[:5])}{', …' if len(named) > 5 else ''})" if named else ""
        found.append(
            finding(
                reason, tenant, message.format(rows=counted(rows, "usage row"), named=names), remedy
            )
        )
    nobody = unbilled.filter(pl.col("reason") == "no_active_subscription")
    for tenant, rows, first, last in (
        nobody.group_by("tenant_id")
        .agg(
            pl.len().alias("rows"),
            pl.col("started_at").min().alias("first"),
            pl.col("started_at").max().alias("last"),
        )
        .sort("tenant_id")
        .iter_rows()
    ):
        message = (
            f"{counted(rows, 'usage row')} on days without any active subscription "
            f"({first:%Y-%m-%d} to {last:%Y-%m-%d}); nobody can pay for them yet."
        )
        remedy = "Correct the subscriptions' dates; `tenantbill show unbilled` lists the rows."
        found.append(finding("no_active_subscription", tenant, message, remedy))
    return found
