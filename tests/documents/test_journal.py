"""The journal balances, says who owes what, and beancount agrees."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beancount import loader
from beancount.core.data import Open, Transaction

from pipeline.documents.journal import COLUMNS, account_name, postings_of
from pipeline.documents.model import Invoice, Line
from pipeline.period import Period
from tests.documents.months import AFTER, OPEN, PERIOD, Months
from tests.support import Row

Money = defaultdict[object, Decimal]


def booked(path: Path) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """What beancount reads: entries, faults, options."""
    entries, errors, options = loader.load_file(str(path))
    return list(entries), list(errors), dict(options)


def journal_of(months: Months, period: str, folder: Path, *options: object) -> list[Row]:
    months.export(period, "journal", folder, *options)
    with (folder / "journal.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def amount(row: Row) -> Decimal:
    return Decimal(row["debit"] or 0) - Decimal(row["credit"] or 0)


@pytest.mark.parametrize("period", [PERIOD, AFTER])
def test_every_document_balances_and_no_side_is_negative(
    months: Months, tmp_path: Path, period: str
) -> None:
    rows = journal_of(months, period, tmp_path)
    assert tuple(rows[0]) == COLUMNS
    of_document, owed = Money(Decimal), Money(Decimal)
    for row in rows:
        sides = [Decimal(row[side]) for side in ("debit", "credit") if row[side]]
        assert len(sides) == 1
        assert sides[0] > 0
        of_document[row["document_number"], row["currency"]] += amount(row)
        if row["account"] == "receivable":
            owed[row["currency"]] += amount(row)
    assert set(of_document.values()) == {0}
    assert {row["document_number"] for row in rows} == {
        f"{row['tenant_id']}-{row['number']}"
        for row in months.invoices(period)
        if Decimal(row["total"])
    }
    assert owed == months.totals(period)


def test_corrections_swap_sides_and_show_what_they_take_back(
    months: Months, tmp_path: Path
) -> None:
    rows = journal_of(months, AFTER, tmp_path)
    booked = [
        (row["document"], row["account"], row["debit"], row["credit"], row["usage_period"])
        for row in rows
        if row["document"] != "invoice" and row["tenant_id"] in ("acme", "bolt")
    ]
    assert booked == [
        ("supplementary_invoice", "receivable", "2.00", "", PERIOD),
        ("supplementary_invoice", "revenue:overage", "7.13", "", PERIOD),
        ("supplementary_invoice", "revenue:overage", "", "9.13", PERIOD),
        ("credit_note", "receivable", "", "1.60", PERIOD),
        ("credit_note", "revenue:committed", "10.00", "", PERIOD),
        ("credit_note", "revenue:committed", "", "8.40", PERIOD),
    ]
    assert {row["date"] for row in rows} == {"2026-11-30"}, "booked in the month it is dated in"


@pytest.mark.parametrize(("period", "options"), [(PERIOD, ()), (AFTER, ()), (OPEN, ("--draft",))])
def test_beancount_finds_no_fault_and_the_same_totals(
    months: Months, tmp_path: Path, period: str, options: tuple[str, ...]
) -> None:
    journal_of(months, period, tmp_path, *options)
    entries, errors, of_file = booked(tmp_path / "journal.beancount")
    assert errors == []
    assert of_file["tolerance_multiplier"] == 0
    owed = Money(Decimal)
    for entry in entries:
        if isinstance(entry, Transaction):
            assert entry.flag == ("!" if options else "*")
            postings: list[Any] = list(entry.postings)
            for posting in postings:
                if posting.account.startswith("Assets:Receivable:"):
                    owed[posting.units.currency] += posting.units.number
    assert owed == months.totals(period, "draft" if options else "issued")
    accounts = [one.account for one in entries if isinstance(one, Open)]
    assert len(accounts) == len(set(accounts))
    invoices = months.invoices(period, "draft" if options else "issued")
    owing = {row["tenant_id"] for row in invoices if Decimal(row["total"])}
    receivables = [one for one in accounts if one.startswith("Assets:Receivable:")]
    assert len(receivables) == len(owing), "different ids have different accounts"


def test_a_journal_that_is_off_by_the_smallest_coin_is_refused(
    months: Months, tmp_path: Path
) -> None:
    journal_of(months, PERIOD, tmp_path)
    path = tmp_path / "journal.beancount"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  10.00 EUR", "  10.01 EUR", 1), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    _, errors, _ = booked(path)
    assert [type(one).__name__ for one in errors] == ["ValidationError"]


def test_a_correction_is_linked_with_what_it_corrects(months: Months, tmp_path: Path) -> None:
    journal_of(months, AFTER, tmp_path)
    entries, *_ = booked(tmp_path / "journal.beancount")
    [note] = [
        one
        for one in entries
        if isinstance(one, Transaction) and str(one.narration).startswith("credit note")
    ]
    assert note.links == {"inv-bolt-1", "inv-bolt-2"}
    assert note.meta["invoice_id"] == "2026-10/bolt/bolt-S/2"
    assert note.payee == "bolt Ltd"


@pytest.mark.parametrize(
    ("one", "other"),
    [("a-b", "a--b"), ("a--2Db", "a-b"), ("a/b", "a--2Fb"), ("A", "a"), ("é", "e"), ("-", "--")],
)
def test_accounts_of_different_tenants_differ(one: str, other: str) -> None:
    names = {account_name(next(postings_of(_invoice(tenant)))) for tenant in (one, other)}
    assert len(names) == 2
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9:-]*", name) for name in names)


def test_a_total_that_is_not_the_sum_of_its_lines_is_never_booked() -> None:
    with pytest.raises(AssertionError, match="not the sum"):
        list(postings_of(_invoice("acme", total=Decimal("10.01"))))


def _invoice(tenant: str, total: Decimal = Decimal(10)) -> Invoice:
    period = Period.parse(PERIOD)
    line = Line("l", "committed", "m", Decimal(1), Decimal(10), Decimal(10), "")
    return Invoice(
        invoice_id="i",
        tenant_id=tenant,
        tenant_name=tenant,
        subscription_id="S",
        subscription_name="S",
        document="invoice",
        status="draft",
        revision=1,
        number=None,
        issued_at=None,
        period=period,
        usage_period=period,
        currency="USD",
        total=total,
        lines=(line,),
    )
