"""What is found on the way from usage rows to measured meters, in words (R3.4, R3.5, R4.1, R11).

Belongs here: the findings of validate, split and meter. Does not belong here: finding it
(`stages.cases`, `stages.events`, `stages.meter`).
"""

from __future__ import annotations

import polars as pl

from pipeline.findings import Finding, counted, finding
from pipeline.period import Period
from pipeline.rules import split as rule


def validate_findings(
    period: Period, tally: pl.DataFrame, quarantine: pl.DataFrame
) -> list[Finding]:
    """R11.1 `superseded` and R11.2 `quarantined`, one a tenant."""
    found = []
    for tenant, rows in _rows_of(tally, "superseded"):
        message = (
            f"{counted(rows, 'usage row')} corrected by a later export; the latest row counts."
        )
        remedy = f"Nothing to do; `tenantbill show superseded {period}` lists them."
        found.append(finding("superseded", tenant, message, remedy))
    rules = quarantine.select("tenant_id", pl.col("rules").str.split(";")).explode("rules")
    broken_by = dict(rules.group_by("tenant_id").agg(pl.col("rules").unique().sort()).iter_rows())
    for tenant, rows in _rows_of(tally, "quarantined"):
        broken = broken_by[tenant]
        message = f"{counted(rows, 'usage row')} refused and not billed: {', '.join(broken)}."
        remedy = (
            f"See `tenantbill show quarantine {period}`, correct the rows and export them again."
        )
        found.append(finding("quarantined", tenant, message, remedy))
    return found


def _rows_of(tally: pl.DataFrame, fate: str) -> list[tuple[str | None, int]]:
    return list(
        tally.filter(pl.col("fate") == fate)
        .group_by("tenant_id")
        .agg(pl.col("rows").sum())
        .sort("tenant_id", nulls_last=False)
        .iter_rows()
    )


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


def split_findings(period: Period, shares: pl.DataFrame, unbilled: pl.DataFrame) -> list[Finding]:
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
        remedy = (
            f"Correct the subscriptions' dates; `tenantbill show unbilled {period}` lists the rows."
        )
        found.append(finding("no_active_subscription", tenant, message, remedy))
    return found


def meter_findings(open_sessions: pl.DataFrame) -> list[Finding]:
    """R4.1 `open_sessions`, one a tenant."""
    found = []
    for tenant, rows in open_sessions.sort("tenant_id").iter_rows():
        message = f"{counted(rows, 'session')} without an end, open until the end of the period."
        remedy = "Export them again once they have ended; the later row replaces the open one."
        found.append(finding("open_sessions", tenant, message, remedy))
    return found
