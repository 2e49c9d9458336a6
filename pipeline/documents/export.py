"""What is exported of a month: its documents, what is published beside them, where it came from.

Belongs here: gathering all of it, once, for any format. Does not belong here: writing it down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import polars as pl

from pipeline.documents.model import Invoice, invoices_of, names_of
from pipeline.errors import BillingError
from pipeline.findings import counted
from pipeline.money import minor_units
from pipeline.period import Period
from pipeline.published import Published
from pipeline.rules.terms import Catalogue, Meter
from pipeline.settings import Tables
from pipeline.stages.lines import label
from pipeline.stages.terms import catalogue_of
from pipeline.store.landing import LandedStore, Listing
from pipeline.store.ledger import Entry
from pipeline.store.results import Run
from schemas.columns import Table
from schemas.datasets import DATASETS, INVOICE_LINES, INVOICES
from schemas.feeds import METERS

BLOCKED = "blocked"


class NothingToExport(BillingError):
    """A month has no document that was asked for."""


@dataclass(frozen=True, slots=True)
class Export:
    """The documents of a month and whatever formats say of them.

    `datasets` are the published rows behind the documents, by name; `run` made the drafts, if there
    are any, and `entries` of the ledger issued the rest. `left_out` are invoices without a total;
    `is_closed` says that nobody is left to be invoiced for the month.
    """

    period: Period
    invoices: tuple[Invoice, ...]
    datasets: Mapping[str, pl.DataFrame]
    entries: tuple[Entry, ...] = ()
    run: Run | None = None
    left_out: tuple[Invoice, ...] = ()
    is_closed: bool = False
    meters: Catalogue = field(default_factory=dict)
    settings: Tables = field(default_factory=dict)

    def meter(self, name: str) -> Meter:
        """A meter of the catalogue; one that the catalogue has lost goes by its name alone."""
        return self.meters.get(name) or Meter(name, "sum", "sessions", "primary", "", "primary")

    def label(self, meter: str) -> str:
        """What people call a meter."""
        return label(self.meter(meter))


def export_of(
    store: Path,
    period: Period,
    settings: Tables,
    only_tenants: frozenset[str] | None = None,
    *,
    with_drafts: bool = False,
) -> Export:
    """The issued documents dated in a month, with drafts where asked for, and what is behind them.

    Raises `NothingToExport` where there is none. A blocked invoice owes no known amount, so no
    export has it.
    """
    published, landed = Published(store), LandedStore(store)
    listing = listing_at(published, landed, period)
    found = []
    if listing is not None:
        found = invoices_of(
            published,
            names_of(landed, listing),
            period,
            only_tenants=only_tenants,
            with_drafts=with_drafts,
        )
    invoices = tuple(one for one in found if one.status != BLOCKED)
    if listing is None or not invoices:
        raise _nothing(published, period, only_tenants)
    return Export(
        period,
        invoices,
        _datasets(published, period, invoices, only_tenants, with_drafts=with_drafts),
        tuple(one for one in published.life.issuing_entries if _issued_any(one, invoices)),
        published.run(period) if any(not one.is_issued for one in invoices) else None,
        tuple(one for one in found if one.status == BLOCKED),
        not published.open_tenants(period),
        _meters(landed, listing),
        settings,
    )


def totals_of(invoices: Iterable[Invoice]) -> dict[str, Decimal]:
    """The sums of documents by currency, in order, with the digits of each currency."""
    sums: dict[str, Decimal] = {}
    for one in invoices:
        sums[one.currency] = sums.get(one.currency, Decimal(0)) + (one.total or 0)
    return {currency: in_minor_units(sums[currency], currency) for currency in sorted(sums)}


def in_minor_units(amount: Decimal, currency: str) -> Decimal:
    """An amount with exactly the digits of its currency; it has no more, since it was rounded."""
    exact = amount.quantize(Decimal(1).scaleb(-(minor_units(currency) or 0)))
    if exact != amount:
        raise AssertionError(f"{amount} {currency} was never rounded to the minor unit")
    return exact


def told(export: Export) -> str:
    """What an export holds, in words."""
    money = "; ".join(f"{code} {value:,}" for code, value in totals_of(export.invoices).items())
    drafts = sum(not one.is_issued for one in export.invoices)
    issued = len(export.invoices) - drafts
    parts = [f"{issued} issued"] * bool(issued) + [counted(drafts, "draft")] * bool(drafts)
    return f"{counted(len(export.invoices), 'document')} ({', '.join(parts)}; {money})"


def listing_at(published: Published, landed: LandedStore, period: Period) -> Listing | None:
    """The exports whose names and meters count: those that the month was last closed on.

    Where it is open, those of its newest run; for corrections dated in a month without either, the
    newest there are.
    """
    closed = published.life.closed(period).values()
    last = max(closed, key=lambda entry: entry.sequence, default=None)
    run = published.run(period)
    if last is not None:
        return landed.listing_of(last.act.bases[period].listing)
    return landed.listing_of(run.listing) if run else landed.listing()


def _issued_any(entry: Entry, invoices: Iterable[Invoice]) -> bool:
    """Whether an entry issued any of the documents: at that instant, on that basis."""
    of = {(period, tenant) for period, basis in entry.act.bases.items() for tenant in basis.tenants}
    return any(
        one.issued_at == entry.act.at and (one.usage_period, one.tenant_id) in of
        for one in invoices
    )


def _meters(landed: LandedStore, listing: Listing) -> Catalogue:
    frames = [landed.rows_of(export, METERS) for export in listing.of(METERS.name)]
    rows = pl.concat([METERS.empty(), *(frame.select(METERS.names) for frame in frames)])
    return catalogue_of(rows.drop_nulls("meter"))


def _datasets(
    published: Published,
    period: Period,
    invoices: Iterable[Invoice],
    only_tenants: frozenset[str] | None,
    *,
    with_drafts: bool,
) -> dict[str, pl.DataFrame]:
    """Every published dataset: rows of the documents, and of the tenants that they are for.

    Without drafts, rows of open tenants stay out: they can still change.
    """
    ids = [one.invoice_id for one in invoices]
    tenants = {*published.life.closed(period)}
    if with_drafts:
        tenants |= {one.tenant_id for one in invoices}

    def rows_of(table: Table) -> pl.DataFrame | None:
        rows = published.rows(table, period)
        if rows is None:
            return None
        if table.name in (INVOICES.name, INVOICE_LINES.name):
            return rows.filter(pl.col("invoice_id").is_in(ids))
        if "tenant_id" not in table.names:
            return rows
        asked = tenants if only_tenants is None else tenants & only_tenants
        is_wanted = pl.col("tenant_id").is_in(list(asked))
        return rows.filter(is_wanted | pl.col("tenant_id").is_null() & (only_tenants is None))

    found = {table.name: rows_of(table) for table in DATASETS}
    return {name: rows for name, rows in found.items() if rows is not None}


def _nothing(
    published: Published, period: Period, only_tenants: frozenset[str] | None
) -> NothingToExport:
    who = f" for {', '.join(sorted(only_tenants))}" if only_tenants else ""
    rows = published.rows(INVOICES, period)
    statuses = set() if rows is None else {*rows["status"]}
    remedy = f"run `tenantbill run {period} --feeds DIR` first"
    if statuses:
        remedy = f"see `tenantbill show invoices {period}`"
    if "draft" in statuses:
        remedy = f"close the month with `tenantbill close {period}`, or add --draft"
    return NothingToExport(f"there is no issued document of {period}{who}", remedy=remedy)
