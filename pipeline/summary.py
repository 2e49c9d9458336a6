"""What a run came to, for programs: one JSON object, also of a run that failed.

Belongs here: its values, from what is published. Does not belong here: words for people (`tell`),
and where it is written (`cli`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import BillingError, SystemFailed
from pipeline.money import plain
from pipeline.period import Period
from pipeline.published import Published
from pipeline.run import Done
from schemas.columns import Table
from schemas.datasets import CONTROLS, FINDINGS, INVOICES

Summary = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: the periods it did, in order, and the error that ended it, if one did.

    `under_way` is the period that it was at then.
    """

    command: str
    began_at: datetime
    ended_at: datetime
    exit_code: int
    done: list[tuple[Period, Done]]
    closed_with_news: list[Period]
    error: BaseException | None = None
    under_way: Period | None = None


def summary_of(store: Path, outcome: Outcome) -> Summary:
    """The outcome of a command, and what is published of the periods that it did."""
    published = Published(store)
    return {
        "command": outcome.command,
        "began_at": f"{outcome.began_at:%Y-%m-%dT%H:%M:%SZ}",
        "ended_at": f"{outcome.ended_at:%Y-%m-%dT%H:%M:%SZ}",
        "seconds": round((outcome.ended_at - outcome.began_at).total_seconds(), 3),
        "exit_code": outcome.exit_code,
        "periods": [_figures(published, period, done) for period, done in outcome.done],
        "closed_with_news": [
            {"period": str(period), "remedy": f"tenantbill plan {period}"}
            for period in outcome.closed_with_news
        ],
        "error": outcome.error and _told(outcome.error, outcome.under_way),
    }


def _figures(published: Published, period: Period, done: Done) -> Summary:
    """What the datasets of a period say, in numbers; amounts of money as plain decimals."""
    controls, found = _rows(published, CONTROLS, period), _rows(published, FINDINGS, period)
    invoices = _rows(published, INVOICES, period)
    of_split = controls.filter(stage="split")
    rows = {measure: int(value) for measure, value in of_split["measure", "value_out"].iter_rows()}
    totals = invoices.group_by("currency").agg(pl.col("total").sum()).sort("currency")
    return {
        "period": str(period),
        "run_id": done.run.run_id,
        "changed": done.is_new,
        "redone": list(done.redone),
        "rows": {
            "read": rows.get("usage rows", 0),
            **{
                measure.removeprefix("rows "): count
                for measure, count in rows.items()
                if measure.startswith("rows ")
            },
        },
        "invoices": _counts(invoices, "status", INVOICES),
        "totals": {currency: plain(total) for currency, total in totals.iter_rows()},
        "findings": _counts(found, "severity", FINDINGS),
    }


def _rows(published: Published, table: Table, period: Period) -> pl.DataFrame:
    rows = published.rows(table, period)
    return table.empty() if rows is None else rows


def _counts(rows: pl.DataFrame, column: str, table: Table) -> dict[str, int]:
    """How many rows have each value that a column may have."""
    return {one: int((rows[column] == one).sum()) for one in table[column].choices}


def _told(error: BaseException, period: Period | None) -> dict[str, str | None]:
    """An error as it is told on the command line, and the period that it ended."""
    if isinstance(error, OSError):
        error = SystemFailed.of(error)
    name, what, where, remedy = type(error).__name__, str(error), "", "read what it wrote to stderr"
    if isinstance(error, BillingError):
        what, where, remedy = error.what, error.where, error.remedy
    at = str(period) if period else None
    return {"name": name, "what": what, "where": where, "remedy": remedy, "period": at}
