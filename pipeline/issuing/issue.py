"""Issue documents: numbers in order, and totals that tie with their lines.

Belongs here: turning drafts into issued documents. Does not belong here: which ones (`close`,
`correct`).
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from pipeline.stages.controls import Control, count, tied, total
from pipeline.store.ledger import Documents
from schemas.columns import INSTANT
from schemas.datasets import INVOICES

ISSUED = "issued"


def last_numbers(issued: pl.DataFrame) -> pl.DataFrame:
    """tenant_id, last: the highest number that each tenant has been given."""
    return issued.group_by("tenant_id").agg(last=pl.col("number").max())


def issue(drafts: Documents, issued: pl.DataFrame, at: datetime) -> Documents:
    """The drafts as issued: numbered on from the tenants' last numbers, in order of their ids.

    `issued` are the invoices issued before. Raises `ControlsDoNotTie` where lines and totals do
    not, or where a line is on no invoice.
    """
    tied(_controls(drafts))
    place = pl.int_range(1, pl.len() + 1).over("tenant_id")
    invoices = (
        drafts.invoices.sort("invoice_id")
        .join(last_numbers(issued), on="tenant_id", how="left", maintain_order="left")
        .with_columns(
            status=pl.lit(ISSUED),
            number=place + pl.col("last").fill_null(0),
            issued_at=pl.lit(at, INSTANT),
        )
        .select(INVOICES.names)
        .match_to_schema(INVOICES.dtypes)
    )
    return Documents(invoices, drafts.lines)


def _controls(drafts: Documents) -> list[Control]:
    """What must tie before anything is issued: every line on an invoice, and each total."""
    on_any = drafts.lines.join(drafts.invoices.select("invoice_id"), on="invoice_id", how="semi")
    sums = drafts.lines.group_by("invoice_id").agg(pl.col("amount").sum())
    of_lines = drafts.invoices.join(sums, on="invoice_id", how="left").with_columns(
        pl.col("amount").fill_null(0)
    )
    differing = of_lines.filter(pl.col("amount").ne_missing(pl.col("total")))
    return [
        count("issue", "lines", len(drafts.lines), len(on_any)),
        count("issue", "invoices that are not the sum of their lines", 0, len(differing)),
        Control("issue", "amounts", total(drafts.lines["amount"]), total(of_lines["total"])),
    ]
