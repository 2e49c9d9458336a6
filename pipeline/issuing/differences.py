"""Compare what stands with what a run would come to, line by line.

Belongs here: which lines stand, and which of them would be others. Does not belong here: why
(`reasons`), and the documents that correct it (`corrections`).
"""

from __future__ import annotations

import polars as pl

from schemas.datasets import CHANGES, INVOICE_LINES

REVERSAL, STATEMENT = "reversal", "statement"

KEY = ["usage_period", "tenant_id", "subscription_id", "currency", "kind", "meter"]
"""What a line is about; a line corrects one that is about the same."""

VALUE = ["quantity", "unit_price", "amount"]


def standing(issued: pl.DataFrame) -> pl.DataFrame:
    """Of all issued lines those that nothing takes back; an adjustment is of the kind it corrects.

    Columns: those of `invoice_lines`.
    """
    reversals = issued.filter(pl.col("adjustment") == REVERSAL)
    return (
        issued.filter(pl.col("adjustment").ne_missing(REVERSAL))
        .join(reversals, left_on="line_id", right_on="corrects_line_id", how="anti")
        .with_columns(kind=pl.coalesce("corrected_kind", "kind"))
        .select(INVOICE_LINES.names)
    )


def differences(stands: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """The lines that stand and would not, beside those that would stand instead.

    Lines of equal quantity, price and amount about the same are the same line, whatever they are
    called: so a commitment that comes between two others changes one line, not all behind it.
    Columns: those of `CHANGES`, without `reason` and `exports`, in an order of their own.
    """
    old, new = _numbered(stands), _numbered(now)
    same = [*KEY, *VALUE, "nth"]
    gone = _placed(old.join(new, on=same, how="anti", nulls_equal=True))
    come = _placed(new.join(old, on=same, how="anti", nulls_equal=True))
    pairs = gone.join(come, on=[*KEY, "place"], how="full", coalesce=True, suffix="_new")
    amounts = [pl.col(name).fill_null(0) for name in ("amount_new", "amount")]
    return pairs.sort(*KEY, "place").select(
        *KEY,
        corrects_invoice_id="invoice_id",
        corrects_line_id="line_id",
        old_quantity="quantity",
        new_quantity="quantity_new",
        old_unit_price="unit_price",
        new_unit_price="unit_price_new",
        old_amount="amount",
        new_amount="amount_new",
        difference=(amounts[0] - amounts[1]).cast(CHANGES["difference"].kind.dtype),
        because="because_new",
    )


def _numbered(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines with a number among those that say the same."""
    columns = [*KEY, *VALUE, "line_id", "invoice_id", "because"]
    return lines.sort("line_id").select(*columns, nth=pl.int_range(pl.len()).over(*KEY, *VALUE))


def _placed(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines with their place among those that are about the same."""
    return lines.drop("nth").with_columns(place=pl.int_range(1, pl.len() + 1).over(KEY))
