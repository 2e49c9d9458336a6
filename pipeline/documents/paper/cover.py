"""A tenant's cover page as it stands on paper: what the month came to, and what changed.

Belongs here: what stands where. Does not belong here: how it looks, and any figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from pipeline.documents.model import Invoice
from pipeline.documents.naming import document_number
from pipeline.documents.paper.figures import NOTHING
from pipeline.documents.paper.invoice import View, party_view
from pipeline.documents.paper.month import Month
from pipeline.documents.paper.parties import Party
from pipeline.documents.paper.wording import NONE, Wording


def cover_view(
    tenant: str,
    month: Month,
    before: Month | None,
    seller: Party | None,
    buyer: Party,
    words: Wording,
) -> View:
    """Everything that stands on a tenant's cover page."""
    invoices = month.invoices_of(tenant)
    return {
        "title": f"{words('cover')} {words.month(month.period)}: {month.names.of_tenant(tenant)}",
        "document": words("cover"),
        "month": words.month(month.period),
        "draft": None if all(one.is_issued for one in invoices) else words("draft"),
        "seller": party_view(seller, words),
        "buyer": party_view(buyer, words),
        "facts": [(words("primary"), primary_words(tenant, month, words))],
        "invoices": [document_view(one, words) for one in invoices],
        "totals": [
            f"{words.money(total, currency)} {currency}"
            for currency, total in totals(invoices).items()
        ],
        "split": list(split_view(tenant, month, words)),
        "changed": words("changed", month=words.month(month.period.earlier(1))),
        "changes": None if before is None else list(changes_view(tenant, before, month, words)),
        "findings": list(findings_view(tenant, month, words)),
        "at": max((one.issued_at for one in invoices if one.issued_at), default=None),
    }


def primary_words(tenant: str, month: Month, words: Wording) -> str:
    """A tenant's closing primary and since when."""
    found = month.primary(tenant)
    if found is None:
        return words("no_primary")
    name = month.names.of_subscription(tenant, found[0])
    return words("primary_since", name=name, date=words.date(found[1]))


def totals(invoices: Iterable[Invoice]) -> dict[str, Decimal]:
    """What documents come to, by currency."""
    sums: dict[str, Decimal] = {}
    for one in invoices:
        sums[one.currency] = sums.get(one.currency, NOTHING) + (one.total or NOTHING)
    return dict(sorted(sums.items()))


def split_view(tenant: str, month: Month, words: Wording) -> Iterator[View]:
    """Each meter: what the tenant used, what is included, and whose it was (R4.4)."""
    over = month.figures.by_meter("overage", tenant)
    parts = month.figures.of("usage_split", tenant)
    for meter, usage in month.figures.usage(tenant).items():
        row = over.get(meter)
        yield {
            "what": month.label(meter),
            "used": words.number(usage),
            "included": words.number(row["entitlement"]) if row else NONE,
            "over": words.number(row["overage"]) if row else NONE,
            "is_over": row is not None and row["overage"] > 0,
            "paid_by": month.names.of_subscription(tenant, row["billed_subscription_id"])
            if row and row["overage"] > 0
            else "",
            "parts": [
                {
                    "subscription": month.names.of_subscription(tenant, part["subscription_id"]),
                    "quantity": words.number(part["quantity"]),
                    "own": words.number(part["own_quantity"]),
                    "share": int(part["quantity"] * 1000 / usage) if usage else 0,
                }
                for part in parts
                if part["meter"] == meter
            ],
        }


def findings_view(tenant: str, month: Month, words: Wording) -> Iterator[View]:
    """What was found, worst first."""
    order = ("error", "warning", "notice")
    rows = month.figures.of("findings", tenant)
    for row in sorted(rows, key=lambda row: order.index(row["severity"])):
        yield {
            "severity": row["severity"],
            "severity_word": words(row["severity"]),
            "code": row["code"],
            "rule": row["rule"],
            "message": row["message"],
            "remedy": row["remedy"],
        }


def document_view(invoice: Invoice, words: Wording) -> View:
    """A document as a row of a table."""
    return {
        "document": words(invoice.document),
        "number": document_number(invoice),
        "subscription": invoice.subscription_name,
        "period": words.month(invoice.usage_period),
        "total": f"{words.money(invoice.total, invoice.currency)} {invoice.currency}",
    }


def changes_view(tenant: str, before: Month, now: Month, words: Wording) -> Iterator[View]:
    """What differs between two months: money, subscriptions, usage, overage."""
    yield from _money(tenant, before, now, words)
    for key, dataset, column in (
        ("change_usage", "occupancy", "tenant_usage"),
        ("change_overage", "overage", "overage"),
    ):
        old, new = (
            {row["meter"]: row[column] for row in month.figures.of(dataset, tenant)}
            for month in (before, now)
        )
        for meter in sorted({*old, *new}):
            was, is_ = old.get(meter, NOTHING), new.get(meter, NOTHING)
            if was != is_:
                yield {
                    "what": words(key, meter=now.label(meter)),
                    "before": words.number(was),
                    "now": words.number(is_),
                    "change": words.signed(is_ - was),
                }


def _money(tenant: str, before: Month, now: Month, words: Wording) -> Iterator[View]:
    old, new = (_by_subscription(month.invoices_of(tenant)) for month in (before, now))
    names = {**_names(before, tenant), **_names(now, tenant)}
    for subscription, currency in sorted({*old, *new}):
        key = (subscription, currency)
        was, is_ = old.get(key), new.get(key)
        text = "came" if was is None else "went" if is_ is None else "change_total"
        difference = (is_ or NOTHING) - (was or NOTHING)
        if was is None or is_ is None or difference:
            yield {
                "what": words(text, subscription=names[subscription]),
                "before": NONE if was is None else f"{words.money(was, currency)} {currency}",
                "now": NONE if is_ is None else f"{words.money(is_, currency)} {currency}",
                "change": f"{words.signed_money(difference, currency)} {currency}",
            }


def _by_subscription(invoices: Iterable[Invoice]) -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = {}
    for one in invoices:
        key = (one.subscription_id, one.currency)
        sums[key] = sums.get(key, NOTHING) + (one.total or NOTHING)
    return sums


def _names(month: Month, tenant: str) -> dict[str, str]:
    return {one.subscription_id: one.subscription_name for one in month.invoices_of(tenant)}
