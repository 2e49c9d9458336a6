"""From differences to the documents that correct them: the old line reversed, the new one stated.

Belongs here: credit notes, supplementary invoices and their lines. Does not belong here: what
differs (`differences`), numbers (`issue`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import polars as pl

from pipeline.issuing.differences import REVERSAL, STATEMENT
from pipeline.period import Period
from pipeline.stages.lines import quoted
from pipeline.store.ledger import Documents
from schemas.columns import INSTANT
from schemas.datasets import INVOICE_LINES, INVOICES

ADJUSTMENT = "adjustment"
INVOICE, CREDIT_NOTE, SUPPLEMENTARY = "invoice", "credit_note", "supplementary_invoice"

_ABOUT = ["usage_period", "tenant_id", "subscription_id", "currency"]


def corrections(
    differing: pl.DataFrame, issued: pl.DataFrame, dated_in: Callable[[str, Period], Period]
) -> dict[Period, Documents]:
    """The documents that correct what differs, by the period that each is dated in.

    `differing` has the columns of `CHANGES`; `issued` are all invoices issued so far;
    `dated_in` gives a tenant's first open period after a closed one. One document for each
    subscription, currency and period of usage: a credit note where its sum is negative.
    """
    headings = _headings(differing, issued, dated_in)
    lines = _lines(differing.join(headings, on=_ABOUT, how="left"))
    totals = lines.group_by("invoice_id").agg(total=pl.col("amount").sum())
    invoices = (
        headings.join(totals, on="invoice_id")
        .sort("invoice_id")
        .with_columns(
            status=pl.lit("draft"),
            document=pl.when(pl.col("total") < 0)
            .then(pl.lit(CREDIT_NOTE))
            .otherwise(pl.lit(SUPPLEMENTARY)),
            number=pl.lit(None, pl.Int64),
            issued_at=pl.lit(None, INSTANT),
        )
    )
    documents = {}
    for period in sorted(set(headings["period"])):
        of_period = invoices.filter(pl.col("period") == period)
        on_them = lines.join(of_period, on="invoice_id", how="semi")
        documents[Period.parse(period)] = Documents(
            of_period.match_to_schema(INVOICES.dtypes, extra_columns="ignore"),
            on_them.match_to_schema(INVOICE_LINES.dtypes, extra_columns="ignore"),
        )
    return documents


def _headings(
    differing: pl.DataFrame, issued: pl.DataFrame, dated_in: Callable[[str, Period], Period]
) -> pl.DataFrame:
    """One row a document: what it is about, its id, revision and the period it is dated in."""
    so_far = issued.group_by("usage_period", "tenant_id", "subscription_id").len()
    revisions = {row[:3]: row[3] for row in so_far.iter_rows()}
    about = differing.select(_ABOUT).unique().sort(_ABOUT)
    rows = list(_headed(about, revisions, dated_in))
    texts = dict.fromkeys([*_ABOUT, "invoice_id", "period"], pl.String())
    return pl.DataFrame(rows, schema={**texts, "revision": pl.Int64()}, orient="row")


def _headed(
    about: pl.DataFrame,
    revisions: Mapping[tuple[str, ...], int],
    dated_in: Callable[[str, Period], Period],
) -> Iterator[tuple[object, ...]]:
    counted = dict(revisions)
    for usage_period, tenant, subscription, currency in about.iter_rows():
        whose = (usage_period, tenant, subscription)
        counted[whose] = revision = counted.get(whose, 0) + 1
        period = dated_in(tenant, Period.parse(usage_period))
        name = f"{usage_period}/{quoted(tenant)}/{quoted(subscription)}/{revision}"
        yield usage_period, tenant, subscription, currency, name, str(period), revision


def _lines(differing: pl.DataFrame) -> pl.DataFrame:
    """What differs as lines: each old one reversed, each new one stated."""
    meters = differing["meter"].unique().to_list()
    in_a_name = pl.col("meter").replace_strict(
        meters, [quoted(meter) for meter in meters], return_dtype=pl.String
    )
    place = pl.int_range(1, pl.len() + 1).over("invoice_id", "kind", "meter")
    about = pl.format("{}/{}/{}/{}", "invoice_id", "kind", in_a_name, "place")
    differing = differing.with_columns(place=place)
    reversed_lines = differing.filter(pl.col("old_quantity").is_not_null()).with_columns(
        pl.format("{}/{}", about, pl.lit(REVERSAL)).alias("line_id"),
        adjustment=pl.lit(REVERSAL),
        quantity=-pl.col("old_quantity"),
        unit_price="old_unit_price",
        amount=-pl.col("old_amount"),
        because=pl.format("takes back {}: {}", "corrects_line_id", "reason"),
    )
    stated_lines = differing.filter(pl.col("new_quantity").is_not_null()).with_columns(
        pl.format("{}/{}", about, pl.lit(STATEMENT)).alias("line_id"),
        adjustment=pl.lit(STATEMENT),
        quantity="new_quantity",
        unit_price="new_unit_price",
        amount="new_amount",
        because=pl.format("{}; corrected: {}", "because", "reason"),
    )
    lines = pl.concat([reversed_lines, stated_lines])
    return lines.with_columns(corrected_kind="kind", kind=pl.lit(ADJUSTMENT)).sort("line_id")
