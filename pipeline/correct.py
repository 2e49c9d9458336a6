"""Bill closed months again: plan what would change, and issue the difference.

Belongs here: making a plan from the store, and applying one. Does not belong here: comparing
(`compare`), plan files (`planfile`), and words for people (`cli`).

Nothing issued is touched: what is other now becomes a document of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.compare import Comparison, Month
from pipeline.fingerprint import billing_code, fingerprint
from pipeline.issuing.corrections import corrections
from pipeline.issuing.issue import issue
from pipeline.period import Period
from pipeline.request import Request
from pipeline.run import work_out
from pipeline.steps import Progress
from pipeline.store.ledger import APPLIED, PLANNED, Act, Basis, Documents, Entry, Ledger, last_issue
from schemas.datasets import CHANGES


@dataclass(frozen=True)
class Plan:
    """What would change of some closed months, and the documents that would correct it.

    `documents` lie by the period they are dated in. The rest names everything that the plan was
    computed from: the same again gives the same `id`.
    """

    periods: tuple[Period, ...]
    only_tenants: frozenset[str] | None
    as_of: datetime | None
    months: tuple[Month, ...]
    documents: dict[Period, Documents]
    issued_until: str | None
    code: str

    @property
    def changes(self) -> pl.DataFrame:
        """The lines that would be others, with the columns of `CHANGES`."""
        return pl.concat([CHANGES.empty(), *(month.changes for month in self.months)])

    @property
    def blocked(self) -> dict[str, str]:
        """The tenants of which nothing is corrected, and why."""
        return {name: why for month in self.months for name, why in month.blocked.items()}

    @property
    def exports(self) -> list[tuple[str, str, str]]:
        """The exports that count: feed, name and SHA-256."""
        listing = self.months[0].worked.listing if self.months else None
        return [(one.feed, one.name, one.sha256) for one in listing.exports] if listing else []

    @property
    def id(self) -> str:
        """The name of the plan and of everything it was computed from."""
        documents = [
            (str(period), one.invoices.rows(), one.lines.rows())
            for period, one in sorted(self.documents.items())
        ]
        return fingerprint(
            [str(period) for period in self.periods],
            sorted(self.only_tenants or ()),
            self.as_of,
            [(month.worked.inputs, month.tenants, month.blocked) for month in self.months],
            self.changes.rows(),
            documents,
            self.issued_until,
            self.exports,
            self.code,
        )[:12]


def make_plan(requests: Sequence[Request], executor: Executor, progress: Progress) -> Plan:
    """What runs of some months would change against what was issued; the caller holds the lock.

    The requests differ in their periods alone. Tenants that are open in a month are left out: a run
    changes their drafts.
    """
    first = requests[0]
    against = Comparison(first.store)
    life = against.published.life
    months = []
    for request in requests:
        closed = _asked({*life.closed(request.period)}, request)
        if closed:
            months.append(against.of_closed(work_out(request, executor, progress), closed))
    changes = pl.concat([CHANGES.empty(), *(month.changes for month in months)])
    return Plan(
        tuple(request.period for request in requests),
        first.only_tenants,
        first.as_of,
        tuple(months),
        corrections(changes, against.issued_invoices, life.first_open),
        last_issue(life.entries),
        billing_code(),
    )


def make_diff(requests: Sequence[Request], executor: Executor, progress: Progress) -> list[Month]:
    """What runs of some months would change against all that is published, drafts included."""
    against = Comparison(requests[0].store)
    months = []
    for request in requests:
        closed = _asked({*against.published.life.closed(request.period)}, request)
        worked = work_out(request, executor, progress)
        drafts = {*worked.draft.of("invoices")["tenant_id"]}
        opened = _asked(drafts | {*against.published.open_tenants(request.period)}, request)
        if closed:
            months.append(against.of_closed(worked, closed))
        months.append(against.of_open(worked, opened - closed))
    return months


def note_plan(plan: Plan, ledger: Ledger, now: datetime, actor: str, words: str) -> None:
    """Write into the ledger that a plan was made, unless the last entry says so already."""
    last = next(reversed(ledger.entries()), None)
    if last is None or last.act.plan != plan.id:
        act = Act(PLANNED, now, actor, words, _bases(plan), plan.id)
        ledger.write(act, {}, plan.issued_until)


def applied_before(ledger: Ledger, plan_id: str) -> Entry | None:
    """The entry by which a plan was applied, if it was."""
    entries = ledger.entries()
    by_plan = (one for one in entries if (one.act.action, one.act.plan) == (APPLIED, plan_id))
    return next(by_plan, None)


def apply_plan(
    plan: Plan, ledger: Ledger, issued: pl.DataFrame, now: datetime, actor: str, reason: str
) -> Entry:
    """Issue the documents of a plan that was just made; the caller holds the lock.

    `issued` are all invoices issued so far: numbers go on from theirs.
    """
    for month in plan.months:
        month.worked.keep()
    documents = {}
    for period, drafts in sorted(plan.documents.items()):
        documents[period] = issue(drafts, issued, now)
        issued = pl.concat([issued, documents[period].invoices])
    act = Act(APPLIED, now, actor, f"apply {plan.id}", _bases(plan), plan.id, reason)
    return ledger.write(act, documents, plan.issued_until)


def _asked(tenants: set[str], request: Request) -> set[str]:
    return tenants if request.only_tenants is None else tenants & request.only_tenants


def _bases(plan: Plan) -> dict[Period, Basis]:
    return {
        worked.request.period: Basis(
            month.tenants, worked.listing.number, plan.code, worked.inputs, worked.parts
        )
        for month in plan.months
        for worked in [month.worked]
    }
