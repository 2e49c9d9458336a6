"""Writing documents for people: one file a document, a cover page a tenant.

Belongs here: which files there are, and what they are called. Does not belong here: what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.documents.folder import filling
from pipeline.documents.model import Invoice, of_tenants
from pipeline.documents.naming import document_number, file_stem
from pipeline.documents.paper.cover import cover_view
from pipeline.documents.paper.invoice import View, invoice_view
from pipeline.documents.paper.month import Month, month_of
from pipeline.documents.paper.pages import page
from pipeline.documents.paper.parties import buyer_of, seller_of
from pipeline.documents.paper.report import report_view
from pipeline.documents.paper.wording import Wording, wording
from pipeline.errors import BillingError, did_you_mean
from pipeline.period import Period

Tables = Mapping[str, Mapping[str, Any]]


class NothingToPrint(BillingError):
    """A month has no document that was asked for."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to write: of which month, for whom, in which form and language."""

    store: Path
    period: Period
    settings: Tables
    only_tenants: frozenset[str] | None = None
    form: str = "html"
    locale: str = "en"
    with_drafts: bool = False


@dataclass(frozen=True, slots=True)
class Printed:
    """How many documents and cover pages were written, and what lacks a price."""

    invoices: int
    covers: int
    left_out: tuple[Invoice, ...]


Write = Callable[[str, str, View], None]
"""Writes a page: the name of its file, its template, and what stands on it."""


def print_documents(order: Order, folder: Path) -> Printed:
    """Write the documents of a month into a folder; all files appear or none.

    Raises `NothingToPrint` where there is none.
    """
    words = wording(order.locale)
    month, before = (
        month_of(order.store, period, order.only_tenants, with_drafts=order.with_drafts)
        for period in (order.period, order.period.earlier(1))
    )
    if not month.invoices:
        raise _nothing(order)
    tenants = dict(of_tenants(month.invoices))
    with filling(folder) as scratch:
        write = _writer(order.form, scratch, words, month)
        for tenant, invoices in tenants.items():
            seller = seller_of(order.settings)
            buyer = buyer_of(order.settings, tenant, month.names.of_tenant(tenant))
            compared = before if before.invoices_of(tenant) else None
            cover = cover_view(tenant, month, compared, seller, buyer, words)
            write(file_stem(f"{tenant}-{order.period}-cover"), "cover", cover)
            for one in invoices:
                view = invoice_view(one, seller, buyer, month.labels, month.figures, words)
                write(file_stem(document_number(one)), "invoice", view)
    return Printed(len(month.invoices), len(tenants), month.blocked)


def write_reports(order: Order, folder: Path, curve: pl.DataFrame | None) -> int:
    """Write a report for each tenant of which anything is published; gives how many.

    `curve` is the dataset of that name, of the month.

    Raises `NothingToPrint` where there is none.
    """
    words = wording(order.locale)
    only = order.only_tenants
    month = month_of(order.store, order.period, only, with_drafts=True, curve=curve)
    before = month_of(order.store, order.period.earlier(1), only, with_drafts=True)
    tenants = sorted(month.figures.tenants & {*month.tenants})
    if not tenants:
        raise _nothing_to_report(order, month)
    with filling(folder) as scratch:
        write = _writer("html", scratch, words, month)
        for tenant in tenants:
            compared = before if tenant in before.figures.tenants else None
            view = report_view(tenant, month, compared, words)
            write(file_stem(f"{tenant}-{order.period}-report"), "report", view)
    return len(tenants)


def _writer(form: str, folder: Path, words: Wording, month: Month) -> Write:
    """What writes pages of a form."""
    if form == "pdf":
        from pipeline.documents.paper.pdf import pdf_writer  # noqa: PLC0415

        as_pdf = pdf_writer(words, month.label)
        return lambda stem, template, view: _put(folder / f"{stem}.pdf", as_pdf(template, view))

    def write(stem: str, template: str, view: View) -> None:
        text = page(f"{template}.html", view, words, month.label)
        _put(folder / f"{stem}.html", text.encode())

    return write


def _put(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def _nothing(order: Order) -> NothingToPrint:
    what = "document" if order.with_drafts else "issued document"
    return NothingToPrint(
        f"there is no {what} of {order.period}{_for_whom(order)}",
        remedy=f"see `tenantbill show invoices {order.period}`"
        + ("" if order.with_drafts else "; add --draft for drafts"),
    )


def _nothing_to_report(order: Order, month: Month) -> NothingToPrint:
    """The error where nothing is published, of the month or of the tenants that were asked for."""
    remedy = f"run `tenantbill run {order.period} --feeds DIR`"
    if month.figures.controls:
        remedy = f"see `tenantbill show invoices {order.period}`"
    for stranger in sorted((order.only_tenants or frozenset()) - month.tenants.keys())[:1]:
        remedy = did_you_mean(stranger, month.tenants, remedy)
    what = f"nothing of {order.period} is published{_for_whom(order)}"
    return NothingToPrint(what, where=order.store, remedy=remedy)


def _for_whom(order: Order) -> str:
    return f" for {', '.join(sorted(order.only_tenants))}" if order.only_tenants else ""
