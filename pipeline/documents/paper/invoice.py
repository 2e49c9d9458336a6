"""An invoice as it stands on paper: every word and number of it, in one language.

Belongs here: what stands where. Does not belong here: how a page looks (`templates`), and any
figure; they are those of the invoice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any

from pipeline.documents.model import Invoice, Line, Reference
from pipeline.documents.naming import document_number, number_of
from pipeline.documents.paper.figures import DISTINCT, PEAK, Figures, Series
from pipeline.documents.paper.parties import Party
from pipeline.documents.paper.wording import Wording

View = dict[str, Any]

KINDS = ("committed", "overage", "usage")
ADJUSTMENT, REVERSAL = "adjustment", "reversal"
MOST_CHARTS = 4


def invoice_view(
    invoice: Invoice,
    seller: Party | None,
    buyer: Party,
    labels: Mapping[str, str],
    figures: Figures,
    words: Wording,
) -> View:
    """Everything that stands on an invoice."""
    is_credit = invoice.total is not None and invoice.total < 0
    return {
        "title": f"{words(invoice.document)} {document_number(invoice)}",
        "document": words(invoice.document),
        "number": document_number(invoice),
        "draft": None if invoice.is_issued else words("draft"),
        "note": None if invoice.is_issued else words("draft_note"),
        "facts": list(_facts(invoice, words)),
        "seller": party_view(seller, words),
        "buyer": party_view(buyer, words),
        "corrects": [_reference(invoice, one, words) for one in invoice.corrects],
        "groups": list(_groups(invoice, labels, words)),
        "corrections": list(_corrections(invoice, labels, words)),
        "totals": list(_totals(invoice, words)),
        "total_label": words("to_credit" if is_credit else "to_pay"),
        "total": f"{words.money(invoice.total, invoice.currency)} {invoice.currency}",
        "charts": _charts(invoice, figures),
        "at": invoice.issued_at,
    }


def party_view(party: Party | None, words: Wording) -> View | None:
    """A party with what is said of it."""
    if party is None:
        return None
    said = [(words(key), value) for key, value in party.said]
    return {"name": party.name, "address": list(party.address), "said": said}


def series_words(series: Series, words: Wording) -> str:
    """What the bars of a meter's month are."""
    keys = {PEAK: "daily_peak", DISTINCT: "daily_distinct"}
    return words(keys.get(series.measure, "daily_sum"))


def _facts(invoice: Invoice, words: Wording) -> Iterable[tuple[str, str]]:
    yield words("number"), document_number(invoice)
    if invoice.issued_at is not None:
        yield words("issued"), words.date(invoice.issued_at.date())
    yield words("period"), words.month(invoice.period)
    if invoice.usage_period != invoice.period:
        yield words("usage_period"), words.month(invoice.usage_period)
    yield words("subscription"), invoice.subscription_name
    if invoice.subscription_name != invoice.subscription_id:
        yield "", invoice.subscription_id
    yield words("currency"), invoice.currency


def _reference(invoice: Invoice, reference: Reference, words: Wording) -> str:
    number = number_of(invoice.tenant_id, reference.number)
    if reference.issued_at is None:
        return number
    day = words.date(reference.issued_at.date())
    return words("corrected_document", number=number, date=day)


def _groups(invoice: Invoice, labels: Mapping[str, str], words: Wording) -> Iterable[View]:
    """The lines by kind, each kind with its sum."""
    for kind in KINDS:
        lines = [line for line in invoice.lines if line.kind == kind]
        if lines:
            yield {
                "name": words(kind),
                "lines": [_line(line, labels, invoice.currency, words) for line in lines],
                "subtotal": words.money(_sum(lines), invoice.currency),
            }


def _line(line: Line, labels: Mapping[str, str], currency: str, words: Wording) -> View:
    return {
        "what": labels.get(line.meter, line.meter),
        "why": line.because,
        "quantity": words.number(line.quantity),
        "unit_price": words.money(line.unit_price, currency),
        "amount": words.money(line.amount, currency),
        "is_over": line.kind == "overage",
    }


def _corrections(invoice: Invoice, labels: Mapping[str, str], words: Wording) -> Iterable[View]:
    """What was charged and what is correct, side by side; a line each for what differs."""
    lines = [line for line in invoice.lines if line.kind == ADJUSTMENT]
    numbers = {one.invoice_id: number_of(invoice.tenant_id, one.number) for one in invoice.corrects}
    for _, pair in groupby(lines, key=lambda line: line.line_id.rpartition("/")[0]):
        both = list(pair)
        old = next((line for line in both if line.adjustment == REVERSAL), None)
        new = next((line for line in both if line.adjustment != REVERSAL), None)
        first = new or both[0]
        corrected = old.corrects_invoice_id if old else None
        yield {
            "what": labels.get(first.meter, first.meter),
            "kind": words(f"of_{first.corrected_kind}"),
            "corrects": numbers.get(corrected or "", ""),
            "why": first.because,
            "old": _side(old, "was", "not_charged", invoice.currency, words),
            "new": _side(new, "is_now", "not_due", invoice.currency, words),
            "difference": words.money(_sum(both), invoice.currency),
        }


def _side(line: Line | None, key: str, without: str, currency: str, words: Wording) -> View:
    if line is None:
        return {"label": words(without), "quantity": "", "unit_price": "", "amount": ""}
    return {
        "label": words(key),
        "quantity": words.number(line.quantity),
        "unit_price": words.money(line.unit_price, currency),
        "amount": words.money(line.amount, currency),
    }


def _totals(invoice: Invoice, words: Wording) -> Iterable[tuple[str, str]]:
    for kind in (*KINDS, ADJUSTMENT):
        lines = [line for line in invoice.lines if line.kind == kind]
        if lines:
            yield words(kind), words.money(_sum(lines), invoice.currency)


def _sum(lines: Iterable[Line]) -> Decimal | None:
    amounts = [line.amount for line in lines]
    return None if None in amounts else sum((one for one in amounts if one), Decimal(0))


def _charts(invoice: Invoice, figures: Figures) -> list[Series]:
    """The meters on an invoice as the tenant used them: those with overage first."""
    if invoice.usage_period != figures.period:
        return []
    found = [
        series
        for kind in ("overage", "usage")
        for meter in dict.fromkeys(line.meter for line in invoice.lines if line.kind == kind)
        for series in [figures.series(invoice.tenant_id, meter)]
        if series is not None and series.top > 0 and series.is_included
    ]
    return list({one.meter: one for one in found}.values())[:MOST_CHARTS]
