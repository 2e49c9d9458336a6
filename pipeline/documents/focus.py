"""Costs as FOCUS 1.4 tells them: what a tenant loads beside the bills of its other providers.

Belongs here: the rows of the datasets Cost and Usage, Invoice Detail and Billing Period. Does not
belong here: who the seller is (`parties`).

A line is a row in both of the first two. A commitment is a purchase, whose cost takes effect with
the usage that it covers, where the invoice shows any. What is used is told once, by the usage, not
again by the overage. A correction is told as one, for the month that it corrects, billed in the
month that it is dated in. Months are told as those of UTC.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl

from pipeline.documents.export import Export
from pipeline.documents.focus_columns import (
    BILLING_PERIOD,
    CATEGORY,
    COST_AND_USAGE,
    FREQUENCY,
    INVOICE_DETAIL,
    SERVICE,
    UNITS,
)
from pipeline.documents.model import Invoice, Line
from pipeline.documents.naming import document_number, number_of
from pipeline.documents.parties import seller_words
from pipeline.money import amount, plain, product
from pipeline.period import Period
from schemas.datasets import USAGE_SPLIT

Cells = dict[str, str]

_NOTHING = Decimal(0)


def write_focus(export: Export, folder: Path) -> None:
    """Write the three datasets. Raises `SettingMissing` where nobody says who the seller is."""
    seller = seller_words(export.settings, ("name", "payment_terms"), "FOCUS")
    lines = [(one, line) for one in export.invoices for line in one.lines]
    effective = {id(line): cost for one in export.invoices for line, cost in _effective(one)}
    shares = _shares(export)
    usage = (_cost(export, seller, *pair, effective[id(pair[1])], shares) for pair in lines)
    details = (_detail(export, seller, *pair) for pair in lines)
    _write(folder / "cost_and_usage.csv", COST_AND_USAGE, usage)
    _write(folder / "invoice_detail.csv", INVOICE_DETAIL, details)
    _write(folder / "billing_period.csv", BILLING_PERIOD, _periods(export, seller))


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Cells]) -> None:
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _common(export: Export, seller: Mapping[str, str], invoice: Invoice, line: Line) -> Cells:
    """What a line's rows in Cost and Usage and in Invoice Detail have in common."""
    return {
        "BilledCost": plain(_amount(line)),
        "BillingAccountId": invoice.tenant_id,
        "BillingCurrency": invoice.currency,
        **_bounds("Billing", export.period),
        "ChargeCategory": CATEGORY[line.corrected_kind or line.kind],
        "InvoiceDetailId": line.line_id,
        "InvoiceId": document_number(invoice),
        "InvoiceIssuerName": seller["name"],
    }


def _cost(
    export: Export,
    seller: Mapping[str, str],
    invoice: Invoice,
    line: Line,
    effective: Decimal,
    shares: Mapping[tuple[str, str], str],
) -> Cells:
    """A line as a row of Cost and Usage."""
    kind = line.corrected_kind or line.kind
    quantity, price, unit = _priced(export, invoice, line)
    cost = plain(product(quantity, price))
    is_measured = line.kind == "usage"
    return {
        **_common(export, seller, invoice, line),
        **SERVICE,
        "BillingAccountName": invoice.tenant_name,
        "ChargeClass": "Correction" if line.adjustment else "",
        "ChargeDescription": line.because,
        "ChargeFrequency": FREQUENCY[kind],
        **_bounds("Charge", invoice.usage_period),
        "ConsumedQuantity": plain(line.quantity) if is_measured else "",
        "ConsumedUnit": _unit(export, line) if is_measured else "",
        "ContractedCost": cost,
        "ContractedUnitPrice": plain(price),
        "EffectiveCost": plain(effective),
        "HostProviderName": "",
        "ListCost": cost,
        "ListUnitPrice": plain(price),
        "PricingCategory": "Committed"
        if effective != _amount(line) and is_measured
        else "Standard",
        "PricingQuantity": plain(quantity),
        "PricingUnit": unit,
        "ServiceProviderName": seller["name"],
        "SkuId": line.meter,
        "SkuMeter": export.label(line.meter),
        "SkuPriceId": f"{line.meter}/{kind}",
        "SubAccountId": invoice.subscription_id,
        "SubAccountName": invoice.subscription_name,
        "SubAccountType": "Subscription",
        "x_Adjustment": line.adjustment or "",
        "x_CorrectsInvoiceDetailId": line.corrects_line_id or "",
        "x_Quantity": plain(line.quantity),
        "x_TenantUsageBySubAccount": _share_of(invoice, line, shares),
        "x_UnitPrice": plain(line.unit_price or _NOTHING),
    }


def _detail(export: Export, seller: Mapping[str, str], invoice: Invoice, line: Line) -> Cells:
    """A line as a row of Invoice Detail; what corrects nothing refers to its own invoice."""
    at = _instant(_made_at(export, invoice))
    buyer = export.settings["buyers"].get(invoice.tenant_id, {})
    numbers = {one.invoice_id: one.number for one in invoice.corrects}
    corrected = line.corrects_invoice_id or next(iter(numbers), None)
    refers_to = document_number(invoice)
    if corrected is not None:
        refers_to = number_of(invoice.tenant_id, numbers[corrected])
    return {
        **_common(export, seller, invoice, line),
        "InvoiceDetailCreated": at,
        "InvoiceDetailDescription": line.because,
        "InvoiceDetailGrain": "",
        "InvoiceDetailLastUpdated": at,
        "InvoiceIssueDate": _instant(invoice.issued_at) if invoice.issued_at else "",
        "InvoiceIssueStatus": "Issued" if invoice.is_issued else "Open",
        "PaymentDueDate": "",
        "PaymentTerms": seller["payment_terms"],
        "PurchaseOrderNumber": buyer.get("order", ""),
        "ReferenceInvoiceId": refers_to,
    }


def _periods(export: Export, seller: Mapping[str, str]) -> Iterator[Cells]:
    """The billing period, which is closed once nobody is left to be invoiced for it."""
    made = [_made_at(export, one) for one in export.invoices]
    yield {
        "InvoiceIssuerName": seller["name"],
        **_bounds("Billing", export.period),
        "BillingPeriodStatus": "Closed" if export.is_closed else "Open",
        "BillingPeriodCreated": _instant(min(made)),
        "BillingPeriodLastUpdated": _instant(max(made)),
    }


def _effective(invoice: Invoice) -> Iterator[tuple[Line, Decimal]]:
    """What each line costs where it is used: a commitment moves to the free usage it covers."""
    usage = {one.meter: one for one in invoice.lines if one.kind == "usage" and not one.unit_price}
    moved: dict[str, Decimal] = {}
    for line in invoice.lines:
        if line.kind == "committed" and line.meter in usage:
            moved[line.meter] = moved.get(line.meter, _NOTHING) + _amount(line)
    for line in invoice.lines:
        if line.kind == "committed" and line.meter in usage:
            yield line, _NOTHING
        elif usage.get(line.meter) is line:
            yield line, _amount(line) + moved.get(line.meter, _NOTHING)
        else:
            yield line, _amount(line)


def _pricing(line: Line, effective: Decimal) -> str:
    """Whether a price comes from a commitment, as that of the usage does that one covers."""
    return "Committed" if line.kind == "usage" and effective != _amount(line) else "Standard"


def _priced(export: Export, invoice: Invoice, line: Line) -> tuple[Decimal, Decimal, str]:
    """Quantity, price and unit whose product the cost is; 1 at its amount where they are not.

    So it is where a line charges a part of a month, or several months.
    """
    net, price = _amount(line), line.unit_price or _NOTHING
    if amount(line.quantity, price, Fraction(1), invoice.currency) == net:
        return line.quantity, price, _unit(export, line)
    return Decimal(1 if net >= 0 else -1), abs(net), "Charges"


def _shares(export: Export) -> dict[tuple[str, str], str]:
    """By tenant and meter, the subscriptions whose usage it was, as JSON."""
    rows = export.datasets.get(USAGE_SPLIT.name, USAGE_SPLIT.empty()).filter(pl.col("quantity") > 0)
    found: dict[tuple[str, str], dict[str, str]] = {}
    columns = rows.select("tenant_id", "meter", "subscription_id", "quantity")
    for tenant, meter, subscription, quantity in columns.iter_rows():
        found.setdefault((tenant, meter), {})[subscription] = plain(quantity)
    return {key: json.dumps(of, ensure_ascii=False) for key, of in found.items()}


def _share_of(invoice: Invoice, line: Line, shares: Mapping[tuple[str, str], str]) -> str:
    """Whose usage an overage came from; a correction is of another month's usage."""
    return shares.get((invoice.tenant_id, line.meter), "") if line.kind == "overage" else ""


def _unit(export: Export, line: Line) -> str:
    return UNITS.get(export.meter(line.meter).unit or "", "Units")


def _amount(line: Line) -> Decimal:
    return line.amount or _NOTHING


def _made_at(export: Export, invoice: Invoice) -> datetime:
    made = invoice.issued_at or (export.run.published_at if export.run else None)
    if made is None:
        raise AssertionError(f"{invoice.invoice_id} is neither issued nor of a run")
    return made


def _bounds(name: str, period: Period) -> Cells:
    """The month as FOCUS wants its ends: the first instant, and the first one after it."""
    return {
        f"{name}PeriodStart": f"{period}-01T00:00:00Z",
        f"{name}PeriodEnd": f"{period.following}-01T00:00:00Z",
    }


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
