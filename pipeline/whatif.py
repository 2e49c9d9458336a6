"""What a month would come to on other terms: the same stages, on what is assumed, unpublished.

Belongs here: billing a month twice, and setting the invoices side by side. Does not belong here:
what can be assumed (`stages.assumptions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

import polars as pl

from pipeline.issuing.differences import differences
from pipeline.request import Request
from pipeline.run import work_out
from pipeline.steps import Progress
from schemas.datasets import INVOICE_LINES, INVOICES

_WHOSE = ["period", "tenant_id", "subscription_id", "currency"]


def what_if(
    requests: Sequence[Request], executor: Executor, progress: Progress, *, by_line: bool
) -> pl.DataFrame:
    """The invoices of some months as they are and as they would be; or the lines that differ.

    Of invoices: period, tenant_id, subscription_id, currency, now, then, difference, and `status`
    as it would be. Nothing is published.
    """
    frames = []
    for request in requests:
        as_it_is = work_out(replace(request, assumptions=()), executor, progress).draft
        as_assumed = work_out(request, executor, progress).draft
        table = INVOICE_LINES if by_line else INVOICES
        now, then = as_it_is.of(table.name), as_assumed.of(table.name)
        frames.append(_lines(now, then) if by_line else _invoices(now, then))
    return pl.concat(frames)


def _invoices(now: pl.DataFrame, then: pl.DataFrame) -> pl.DataFrame:
    both = now.select(*_WHOSE, now="total").join(
        then.select(*_WHOSE, "status", then="total"), on=_WHOSE, how="full", coalesce=True
    )
    # An invoice that is not there costs nothing; one without a total is blocked.
    is_known = pl.col("then").is_not_null() | pl.col("status").is_null()
    difference = pl.when(is_known).then(pl.col("then").fill_null(0) - pl.col("now").fill_null(0))
    status = pl.col("status").fill_null("not there")
    told = both.with_columns(difference=difference, status=status).sort(_WHOSE)
    return told.select(*_WHOSE, "now", "then", "difference", "status")


def _lines(now: pl.DataFrame, then: pl.DataFrame) -> pl.DataFrame:
    return differences(now, then).drop("corrects_invoice_id", "corrects_line_id")
