"""Invoices as plain values, whole, with names: what every form of a document is written from.

Belongs here: gathering invoices, their lines, and whom they are for. Does not belong here: how any
of it is written down (the other files of this room).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from pipeline.period import Period
from pipeline.published import Published
from pipeline.store.landing import LandedStore, Listing
from schemas.columns import Table
from schemas.datasets import INVOICE_LINES, INVOICES
from schemas.feeds import SUBSCRIPTIONS, TENANTS

ISSUED = "issued"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an invoice; an adjustment names the invoice and line that it corrects."""

    line_id: str
    kind: str
    meter: str
    quantity: Decimal
    unit_price: Decimal | None
    amount: Decimal | None
    because: str
    adjustment: str | None = None
    corrected_kind: str | None = None
    corrects_invoice_id: str | None = None
    corrects_line_id: str | None = None


@dataclass(frozen=True, slots=True)
class Invoice:
    """A document with its lines: an invoice, a supplementary invoice or a credit note.

    `number` and `issued_at` are there once it is issued; `total` unless it is blocked. `corrects`
    are the documents that its lines correct.
    """

    invoice_id: str
    tenant_id: str
    tenant_name: str
    subscription_id: str
    subscription_name: str
    document: str
    status: str
    revision: int
    number: int | None
    issued_at: datetime | None
    period: Period
    usage_period: Period
    currency: str
    total: Decimal | None
    lines: tuple[Line, ...] = ()
    corrects: tuple[Reference, ...] = ()

    @property
    def is_issued(self) -> bool:
        """Whether it has a number and will never change."""
        return self.status == ISSUED


@dataclass(frozen=True, slots=True)
class Reference:
    """An issued document that another one corrects."""

    invoice_id: str
    number: int | None
    issued_at: datetime | None


@dataclass(frozen=True, slots=True)
class Names:
    """What people call tenants and subscriptions; whatever has no name goes by its id."""

    tenants: Mapping[str, str] = field(default_factory=dict)
    subscriptions: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def of_tenant(self, tenant_id: str) -> str:
        """The name of a tenant."""
        return self.tenants.get(tenant_id) or tenant_id

    def of_subscription(self, tenant_id: str, subscription_id: str) -> str:
        """The name of a subscription."""
        return self.subscriptions.get((tenant_id, subscription_id)) or subscription_id


def invoices_of(
    published: Published,
    names: Names,
    period: Period,
    *,
    only_tenants: Container[str] | None = None,
    with_drafts: bool = False,
) -> list[Invoice]:
    """The issued documents dated in a period, in order of their ids; drafts too where asked for."""
    rows, lines = published.rows(INVOICES, period), published.rows(INVOICE_LINES, period)
    if rows is None or lines is None:
        return []
    of_invoice = _lines(lines)
    issued = _references(published)
    found = []
    for row in rows.iter_rows(named=True):
        is_asked = only_tenants is None or row["tenant_id"] in only_tenants
        if is_asked and (with_drafts or row["status"] == ISSUED):
            its = tuple(of_invoice.get(row["invoice_id"], ()))
            found.append(_invoice(row, its, names, issued))
    return found


def names_of(landed: LandedStore, listing: Listing) -> Names:
    """The names that the exports state; of several rows, the last one says it."""

    def stated(table: Table) -> pl.DataFrame:
        frames = [landed.rows_of(export, table) for export in listing.of(table.name)]
        rows = pl.concat([table.empty(), *(frame.select(table.names) for frame in frames)])
        return rows.drop_nulls("name")

    tenants, subscriptions = stated(TENANTS), stated(SUBSCRIPTIONS)
    return Names(
        dict(tenants.select("tenant_id", "name").iter_rows()),
        {
            (tenant, subscription): name
            for tenant, subscription, name in subscriptions.select(
                "tenant_id", "subscription_id", "name"
            ).iter_rows()
        },
    )


def _invoice(
    row: Mapping[str, Any],
    lines: tuple[Line, ...],
    names: Names,
    issued: Mapping[str, Reference],
) -> Invoice:
    tenant, subscription = row["tenant_id"], row["subscription_id"]
    corrected = dict.fromkeys(line.corrects_invoice_id for line in lines)
    return Invoice(
        row["invoice_id"],
        tenant,
        names.of_tenant(tenant),
        subscription,
        names.of_subscription(tenant, subscription),
        row["document"],
        row["status"],
        row["revision"],
        row["number"],
        row["issued_at"],
        Period.parse(row["period"]),
        Period.parse(row["usage_period"]),
        row["currency"],
        row["total"],
        lines,
        tuple(issued[one] for one in corrected if one is not None),
    )


def _lines(rows: pl.DataFrame) -> dict[str, list[Line]]:
    """By invoice, its lines in order of their ids."""
    names = list(Line.__dataclass_fields__)
    found: dict[str, list[Line]] = {}
    for invoice, *values in rows.sort("line_id").select("invoice_id", *names).iter_rows():
        found.setdefault(invoice, []).append(Line(*values))
    return found


def _references(published: Published) -> dict[str, Reference]:
    columns = ("invoice_id", "number", "issued_at")
    rows: Iterable[tuple[Any, ...]] = published.issued().invoices.select(columns).iter_rows()
    return {row[0]: Reference(*row) for row in rows}


def of_tenants(invoices: Iterable[Invoice]) -> Iterator[tuple[str, list[Invoice]]]:
    """Invoices by tenant, in order."""
    by_tenant: dict[str, list[Invoice]] = {}
    for one in invoices:
        by_tenant.setdefault(one.tenant_id, []).append(one)
    yield from sorted(by_tenant.items())
