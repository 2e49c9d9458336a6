"""What a month would come to on other terms: the same stages, on what is assumed, unpublished.

Belongs here: billing a month twice, setting the invoices side by side, and which errors stand in
the way. Does not belong here: what can be assumed (`stages.assumptions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import polars as pl

from pipeline.findings import ERROR
from pipeline.issuing.differences import differences
from pipeline.period import Period
from pipeline.request import Request
from pipeline.run import work_out
from pipeline.steps import Progress
from schemas.datasets import INVOICE_LINES, INVOICES

_WHOSE = ["period", "tenant_id", "subscription_id", "currency"]

_SAME_ERROR = ["code", "tenant_id", "subject"]

NOT_INVOICED = ("broken_terms", "mixed_license_models")
"""The errors for which nothing of a tenant is invoiced (R8.1, R11.2)."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """An error finding of a month as it would be; `is_assumed` where it would not be otherwise."""

    period: Period
    tenant_id: str
    code: str
    message: str
    is_assumed: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What would be: `rows` as they were asked for, and the errors that they stand with."""

    rows: pl.DataFrame
    obstacles: list[Obstacle]


@dataclass(frozen=True, slots=True)
class _Billed:
    """A month of some tenants, billed: what is charged, and the error findings."""

    invoices: pl.DataFrame
    lines: pl.DataFrame
    errors: pl.DataFrame

    @classmethod
    def of(cls, request: Request, executor: Executor, progress: Progress) -> _Billed:
        draft = work_out(request, executor, progress).draft
        errors = draft.findings().filter(pl.col("severity") == ERROR)
        return cls(draft.of(INVOICES.name), draft.of(INVOICE_LINES.name), errors)

    @property
    def not_invoiced(self) -> list[str]:
        """The tenants of which nothing is invoiced."""
        return self.errors.filter(pl.col("code").is_in(NOT_INVOICED))["tenant_id"].to_list()


def what_if(
    requests: Sequence[Request], executor: Executor, progress: Progress, *, by_line: bool
) -> Answer:
    """The invoices of some months as they are and as they would be; or the lines that differ.

    Of invoices: period, tenant_id, subscription_id, currency, now, then, difference, and `status`
    as it would be. Nothing is published.
    """
    frames: list[pl.DataFrame] = []
    obstacles: list[Obstacle] = []
    for request in requests:
        now = _Billed.of(replace(request, assumptions=()), executor, progress)
        then = _Billed.of(request, executor, progress)
        frames.append(_lines(now, then) if by_line else _invoices(now, then))
        obstacles += _obstacles(now, then, request.period)
    return Answer(pl.concat(frames), obstacles)


def _invoices(now: _Billed, then: _Billed) -> pl.DataFrame:
    both = now.invoices.select(*_WHOSE, now="total", was="status").join(
        then.invoices.select(*_WHOSE, "status", then="total"),
        on=_WHOSE,
        how="full",
        coalesce=True,
    )
    # An invoice that is not there costs nothing; what a blocked one would cost nobody knows.
    was_blocked = _is_blocked("was", now)
    is_blocked = _is_blocked("status", then)
    difference = pl.col("then").fill_null(0) - pl.col("now").fill_null(0)
    status = pl.when(is_blocked).then(pl.lit("blocked")).otherwise("status")
    told = both.with_columns(
        difference=pl.when(~was_blocked & ~is_blocked).then(difference),
        status=status.fill_null("not there"),
    )
    return told.sort(_WHOSE).select(*_WHOSE, "now", "then", "difference", "status")


def _is_blocked(status: str, billed: _Billed) -> pl.Expr:
    """Whether an invoice is blocked, by itself or because its tenant is not invoiced."""
    by_itself = (pl.col(status) == "blocked").fill_null(False)
    return by_itself | pl.col("tenant_id").is_in(billed.not_invoiced)


def _lines(now: _Billed, then: _Billed) -> pl.DataFrame:
    changes = differences(now.lines, then.lines)
    return changes.drop("corrects_invoice_id", "corrects_line_id")


def _obstacles(now: _Billed, then: _Billed, period: Period) -> Iterator[Obstacle]:
    known = set(now.errors.select(_SAME_ERROR).iter_rows())
    for row in then.errors.iter_rows(named=True):
        error = tuple(row[name] for name in _SAME_ERROR)
        yield Obstacle(period, row["tenant_id"], row["code"], row["message"], error not in known)
