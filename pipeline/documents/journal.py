"""Documents as bookings: what each tenant owes against what it was earned with.

Belongs here: postings, and the two forms they are written in. Does not belong here: tax, which the
seller's books add by their own rules.

A document is dated on the last day of its month. It debits what its subscription owes and credits
revenue by kind; where a sum is negative the sides are swapped, so no side ever is. Lines that a
correction takes back and states anew are booked each on its own side.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from pipeline.documents.export import Export, in_minor_units
from pipeline.documents.model import Invoice
from pipeline.documents.naming import document_number, number_of

COLUMNS = (
    "date",
    "document_number",
    "document",
    "account",
    "tenant_id",
    "subscription_id",
    "debit",
    "credit",
    "currency",
    "period",
    "usage_period",
    "invoice_id",
)

RECEIVABLE = "receivable"

LONGEST_PART = 100

_HEADER = """option "title" "tenantbill {period}"
option "inferred_tolerance_default" "*:0.000"
option "tolerance_multiplier" "0.0"
"""


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of a document; `amount` is positive for a debit, negative for a credit."""

    invoice: Invoice
    account: str
    amount: Decimal

    @property
    def date(self) -> date:
        """The day it is booked: the last one of the month the document is dated in."""
        return date.fromordinal(self.invoice.period.last_day)


def write_journal(export: Export, folder: Path) -> None:
    """Write the bookings as CSV and for beancount."""
    postings = [one for invoice in export.invoices for one in postings_of(invoice)]
    with (folder / "journal.csv").open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_row, postings))
    with (folder / "journal.beancount").open("x", encoding="utf-8", newline="\n") as file:
        file.write(_HEADER.format(period=export.period))
        file.writelines(_beancount(postings))


def postings_of(invoice: Invoice) -> Iterator[Posting]:
    """The bookings of a document, which sum to 0: none where all of its lines are 0."""
    earned: dict[str, dict[str | None, Decimal]] = {}
    for line in invoice.lines:
        by_side = earned.setdefault(line.corrected_kind or line.kind, {})
        by_side[line.adjustment] = by_side.get(line.adjustment, Decimal(0)) + (line.amount or 0)
    amounts = [(kind, sum_) for kind, sums in sorted(earned.items()) for sum_ in sums.values()]
    owed = sum((amount for _, amount in amounts), Decimal(0))
    if owed != invoice.total:
        raise AssertionError(f"{invoice.invoice_id} is not the sum of its lines")
    for account, amount in ((RECEIVABLE, owed), *((f"revenue:{k}", -sum_) for k, sum_ in amounts)):
        if amount:
            yield Posting(invoice, account, in_minor_units(amount, invoice.currency))


def _row(posting: Posting) -> tuple[object, ...]:
    invoice, amount = posting.invoice, posting.amount
    return (
        posting.date,
        document_number(invoice),
        invoice.document,
        posting.account,
        invoice.tenant_id,
        invoice.subscription_id,
        amount if amount > 0 else "",
        -amount if amount < 0 else "",
        invoice.currency,
        invoice.period,
        invoice.usage_period,
        invoice.invoice_id,
    )


def _beancount(postings: list[Posting]) -> Iterator[str]:
    """Accounts first, then a transaction a document."""
    opened = sorted({(account_name(one), one.invoice.currency, one.date) for one in postings})
    for (account, currency), dates in groupby(opened, key=lambda one: one[:2]):
        yield f"\n{min(day for *_, day in dates)} open {account} {currency}"
    for _, its in groupby(postings, key=lambda one: one.invoice.invoice_id):
        yield from _transaction(list(its))


def _transaction(postings: list[Posting]) -> Iterator[str]:
    invoice = postings[0].invoice
    flag = "*" if invoice.is_issued else "!"
    words = f"{invoice.document.replace('_', ' ')} {document_number(invoice)}"
    links = " ".join(dict.fromkeys(_links(invoice)))
    yield f"\n\n{postings[0].date} {flag} {_text(invoice.tenant_name)} {_text(words)} {links}"
    for key, value in (
        ("invoice_id", invoice.invoice_id),
        ("subscription", invoice.subscription_id),
        ("usage_period", str(invoice.usage_period)),
        ("issued_at", invoice.issued_at.isoformat() if invoice.issued_at else ""),
    ):
        yield f"\n  {key}: {_text(value)}"
    for one in postings:
        yield f"\n  {account_name(one)}  {one.amount} {invoice.currency}"
    yield "\n"


def _links(invoice: Invoice) -> Iterator[str]:
    """A document is linked by its number, a correction also by the numbers that it corrects."""
    yield f"^inv-{_word(document_number(invoice))}"
    for one in invoice.corrects:
        yield f"^inv-{_word(number_of(invoice.tenant_id, one.number))}"


def account_name(posting: Posting) -> str:
    """The account in beancount's own form; different ids never share one."""
    invoice = posting.invoice
    if posting.account == RECEIVABLE:
        tenant, subscription = _word(invoice.tenant_id), _word(invoice.subscription_id)
        return f"Assets:Receivable:T-{tenant}:S-{subscription}:{invoice.currency}"
    kind = posting.account.partition(":")[2]
    return f"Income:{kind.capitalize()}:{invoice.currency}"


def _word(name: str) -> str:
    """A name in letters, digits and hyphens, told apart from any other.

    Whatever is none of these is `--` and its code; so is a hyphen that stands beside one.
    """
    word = re.sub(r"(?<![A-Za-z0-9])-|-(?![A-Za-z0-9])|[^A-Za-z0-9-]", _escaped, name)
    if len(word) <= LONGEST_PART:
        return word
    return f"{word[: LONGEST_PART - 20]}--h{sha256(name.encode()).hexdigest()[:16]}"


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"--{byte:02X}" for byte in match[0].encode())


def _text(words: str) -> str:
    """A string of one line; quotes and whatever cannot be seen are told as what they are."""
    safe = "".join(one if one.isprintable() else f"<U+{ord(one):04X}>" for one in words)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
