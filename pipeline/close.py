"""Close a period: issue the drafts of every tenant that nothing speaks against.

Belongs here: whom to close, and why others stay open. Does not belong here: numbers and totals
(`issuing.issue`), and words for people (`cli`).

What is issued are the drafts as they are published: what a person could look at before.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from pipeline.errors import InputMissing
from pipeline.findings import error_codes
from pipeline.issuing.issue import issue
from pipeline.issuing.life import ends_at, settles_at
from pipeline.period import Period
from pipeline.published import Published
from pipeline.rules.terms import Catalogue
from pipeline.run import check_tenants, load_terms
from pipeline.stages.order import STAGES
from pipeline.stages.terms import Terms
from pipeline.store.landing import LandedStore
from pipeline.store.ledger import CLOSED, Act, Basis, Documents, Entry, Ledger, last_issue
from pipeline.store.results import Run
from schemas.columns import Table
from schemas.datasets import FINDINGS, INVOICE_LINES, INVOICES, USAGE_SPLIT


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """What a command asks to be closed: a period, of all tenants or of some.

    `grace` is how long after its end the period stays open at least; `provisional` accepts that
    its figures can still settle.
    """

    period: Period
    store: Path
    now: datetime
    actor: str
    words: str
    only_tenants: frozenset[str] | None = None
    grace: timedelta = timedelta(0)
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Closing:
    """What came of it: the invoices that were issued, and who stays open and why.

    Tenants that are `not_due` need only time; those that stay open otherwise need somebody.
    """

    entry: Entry | None
    invoices: pl.DataFrame
    stays_open: dict[str, str]
    not_due: dict[str, str]
    has_newer_exports: bool


@dataclass(frozen=True, slots=True)
class _Drafts:
    """The drafts of a run, and what can speak against issuing them.

    `errors` are the codes of each tenant that has any; `connected` have usage of Webex Connect.
    """

    run: Run
    documents: Documents
    errors: dict[str, str]
    connected: frozenset[str]
    terms: Terms

    def zone(self, tenant: str) -> str:
        """Where a tenant lives; UTC for one that only a broken row names."""
        known = self.terms.tenants.get(tenant)
        return known.zone if known else "UTC"

    def of(self, tenants: Iterable[str]) -> Documents:
        """The drafts of some tenants."""
        is_theirs = pl.col("tenant_id").is_in(list(tenants))
        invoices, lines = self.documents.invoices, self.documents.lines
        return Documents(invoices.filter(is_theirs), lines.filter(is_theirs))


def close(request: CloseRequest) -> Closing:
    """Issue the drafts of a period; the caller holds the lock. Closed tenants stay as they are."""
    published, ledger = Published(request.store), Ledger(request.store)
    landed = LandedStore(request.store)
    drafts = _drafts(request, published, landed)
    stays_open, not_due, due = {}, {}, []
    for tenant in _candidates(request, drafts, published.life.closed(request.period)):
        over = ends_at(request.period, drafts.zone(tenant))
        obstacle = _obstacle(request, drafts, tenant, over)
        if request.grace and request.now < over + request.grace:
            not_due[tenant] = f"not before {_written(over + request.grace)}"
        elif obstacle:
            stays_open[tenant] = obstacle
        else:
            due.append(tenant)
    issued, entry = Documents(), None
    if due:
        issued = issue(drafts.of(due), published.issued().invoices, request.now)
        run = drafts.run
        basis = Basis(tuple(due), run.listing, run.code, run.inputs, run.parts, run.run_id)
        act = Act(CLOSED, request.now, request.actor, request.words, {request.period: basis})
        until = last_issue(published.life.entries)
        entry = ledger.write(act, {request.period: issued}, until)
    newest = landed.listing()
    is_behind = newest is not None and newest.number != drafts.run.listing
    return Closing(entry, issued.invoices, stays_open, not_due, is_behind)


def _drafts(request: CloseRequest, published: Published, landed: LandedStore) -> _Drafts:
    """What the newest run came to. Raises `InputMissing` where it is not one of all stages."""
    run = published.run(request.period)
    if run is None or any(stage.name not in run.parts for stage in STAGES):
        missing = [stage.name for stage in STAGES if run is None or stage.name not in run.parts]
        raise InputMissing(
            f"there are no drafts of {request.period} that are up to date: "
            f"{', '.join(missing)} must run first",
            where=request.store,
            remedy=f"run `tenantbill run {request.period} --feeds DIR`, look, and close again",
        )

    def read(table: Table) -> pl.DataFrame:
        return published.results.read(table, request.period, run.parts.values())

    terms = load_terms(landed, landed.listing_of(run.listing))
    connected = read(USAGE_SPLIT).filter(is_routed(terms.catalogue))["tenant_id"]
    return _Drafts(
        run,
        Documents(read(INVOICES), read(INVOICE_LINES)),
        error_codes(read(FINDINGS)),
        frozenset(connected),
        terms,
    )


def is_routed(catalogue: Catalogue) -> pl.Expr:
    """Whether a row is of a meter of Webex Connect: those that are routed to the primary (R3.3)."""
    routed = [meter.name for meter in catalogue.values() if meter.routing == "primary"]
    return pl.col("meter").is_in(routed)


def _candidates(request: CloseRequest, drafts: _Drafts, closed: Container[str]) -> list[str]:
    """The asked tenants that are not closed yet: those with a draft, or with an error instead.

    Raises `UsageError` for an asked tenant that nobody knows.
    """
    check_tenants(request.only_tenants, drafts.terms)
    everybody = {*drafts.documents.invoices["tenant_id"], *drafts.errors}
    asked = everybody if request.only_tenants is None else everybody & request.only_tenants
    return sorted(one for one in asked if one not in closed)


def _obstacle(request: CloseRequest, drafts: _Drafts, tenant: str, over: datetime) -> str:
    """What speaks against closing a tenant now, in words; nothing where nothing does."""
    settled = settles_at(request.period)
    if tenant in drafts.errors:
        return drafts.errors[tenant]
    if request.provisional:
        return ""
    if request.now < over:
        return f"provisional: the month is not over before {_written(over)}"
    if request.now < settled and tenant in drafts.connected:
        return f"provisional: Connect usage settles until {_written(settled)}"
    return ""


def _written(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
