"""Invoices and cover pages for people: what is on them is what was issued."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.documents.naming import file_stem
from pipeline.documents.paper.pages import legible
from pipeline.documents.paper.wording import LOCALES, wording
from pipeline.money import minor_units
from tests.documents.months import AFTER, HOSTILE, OPEN, PERIOD, Months
from tests.documents.paper import Page, assert_complete, page, pdf_text, with_poppler
from tests.support import Row, shown, tenantbill

INVISIBLE = dict.fromkeys(map(ord, "\u200b\ufffd"))
"""Where a long word may be broken, and what stands for a character that no page can show."""


def printed(months: Months, period: str, folder: Path, *options: object) -> Path:
    """Print a month as users do, and give the directory."""
    words = ("print", period, "-o", folder, "--store", months.store)
    result = tenantbill(*words, *options)
    assert result.exit_code in (0, 3), result.output
    return folder


def stem_of(row: Row) -> str:
    number = f"{row['tenant_id']}-{row['number']}"
    return file_stem(number if row["number"] else f"draft-{row['invoice_id']}")


def money_of(row: Row, point: str = ".", thousands: str = ",") -> str:
    digits = minor_units(row["currency"]) or 0
    text = f"{Decimal(row['total']):,.{digits}f}"
    return text.translate({ord(","): thousands, ord("."): point}) + f" {row['currency']}"


def cover_of(tenant: str, period: str) -> str:
    return file_stem(f"{tenant}-{period}-cover")


@pytest.mark.parametrize("period", [PERIOD, AFTER])
def test_every_issued_document_has_a_page_with_its_total_and_every_tenant_a_cover(
    months: Months, tmp_path: Path, period: str
) -> None:
    folder = printed(months, period, tmp_path / "a" / "b")
    rows = months.invoices(period)
    tenants = {row["tenant_id"] for row in rows}
    wanted = {stem_of(row) for row in rows} | {cover_of(one, period) for one in tenants}
    assert {file.name for file in folder.iterdir()} == {f"{stem}.html" for stem in wanted}
    for row in rows:
        file = folder / f"{stem_of(row)}.html"
        assert_complete(file)
        assert page(file).text.count(money_of(row)) >= 1, row
        assert money_of(row) in page(folder / f"{cover_of(row['tenant_id'], period)}.html").text


def test_every_line_is_on_its_invoice_with_its_reason(months: Months, tmp_path: Path) -> None:
    folder = printed(months, PERIOD, tmp_path, "--tenant", "acme")
    invoice = next(row for row in months.invoices(PERIOD) if row["tenant_id"] == "acme")
    text = page(folder / f"{stem_of(invoice)}.html").text
    lines = [
        row
        for row in shown("invoice_lines", PERIOD, months.store)
        if row["invoice_id"] == invoice["invoice_id"]
    ]
    assert len(lines) == 3
    for line in lines:
        assert " ".join(line["because"].split()) in text
        assert f"{Decimal(line['amount']):.2f}" in text
    assert "the contract of acme" in text
    assert "acme Ltd" in text


def test_a_correction_names_what_it_corrects_and_has_old_and_new_side_by_side(
    months: Months, tmp_path: Path
) -> None:
    folder = printed(months, AFTER, tmp_path, "--tenant", "acme")
    row = next(
        one
        for one in months.invoices(AFTER)
        if one["tenant_id"] == "acme" and one["document"] == "supplementary_invoice"
    )
    text = page(folder / f"{stem_of(row)}.html").text
    assert "Supplementary invoice" in text
    corrected = "acme-1 of 10 December 2026"
    assert f"This document corrects {corrected}" in text
    old, new = text.index("was charged -1 7.125 -7.13"), text.index("is correct 1 9.125 9.13")
    assert old < new < text.index("Difference") < text.index("2.00")
    assert "acme-1" in text[:old], "the line says which document it corrects"


def test_a_credit_note_says_that_it_is_in_the_customers_favour(
    months: Months, tmp_path: Path
) -> None:
    folder = printed(months, AFTER, tmp_path, "--tenant", "bolt")
    row = next(one for one in months.invoices(AFTER) if one["document"] == "credit_note")
    text = page(folder / f"{stem_of(row)}.html").text
    assert f"Total in your favour {money_of(row)}" in text
    assert row["total"].startswith("-")


def test_drafts_are_printed_where_asked_for_and_marked(months: Months, tmp_path: Path) -> None:
    refused = tenantbill("print", OPEN, "-o", tmp_path, "--store", months.store)
    assert refused.exit_code == 1
    assert "[NothingToPrint]" in refused.stderr
    assert "--draft" in refused.stderr
    assert not list(tmp_path.iterdir()), "nothing is written where anything is refused"
    folder = printed(months, OPEN, tmp_path, "--draft")
    for file in folder.iterdir():
        made = page(file)
        assert made.of_class("stamp"), file.name[:40]
        assert "DRAFT" in made.text
    issued = printed(months, PERIOD, tmp_path / "issued", "--draft")
    assert not any(page(file).of_class("stamp") for file in issued.glob("acme-*"))


def test_a_blocked_invoice_is_left_out_and_named(months: Months, tmp_path: Path) -> None:
    words = ("print", OPEN, "-o", tmp_path, "--store", months.store, "--draft")
    result = tenantbill(*words)
    assert result.exit_code == 3
    assert "stuck-S is left out: it is blocked" in result.stderr
    assert not list(tmp_path.glob("*stuck*"))


def test_the_cover_says_who_is_primary_what_changed_and_what_was_found(
    months: Months, tmp_path: Path
) -> None:
    folder = printed(months, AFTER, tmp_path, "--tenant", "acme")
    text = page(folder / "acme-2026-11-cover.html").text
    assert "Primary subscription the contract of acme (since 1 January 2026)" in text
    assert "What changed since October 2026" in text
    now = sum(Decimal(row["total"]) for row in months.invoices(AFTER) if row["tenant_id"] == "acme")
    was = next(row for row in months.invoices(PERIOD) if row["tenant_id"] == "acme")
    change = now - Decimal(was["total"])
    assert f"Total of the contract of acme {money_of(was)} {now:.2f} USD +{change:.2f} USD" in text
    found = shown("findings", AFTER, months.store, "--tenant", "acme")
    assert all(" ".join(row["message"].split()) in text for row in found)
    first = printed(months, PERIOD, tmp_path / "first", "--tenant", "acme")
    assert "no month before" in page(first / "acme-2026-10-cover.html").text


def test_numbers_dates_and_words_follow_the_locale(months: Months, tmp_path: Path) -> None:
    folder = printed(months, PERIOD, tmp_path, "--tenant", "yearly", "--locale", "es")
    row = next(one for one in months.invoices(PERIOD) if one["tenant_id"] == "yearly")
    made = page(folder / f"{stem_of(row)}.html")
    assert ("html", {"lang": "es"}) in made.elements
    assert "Factura" in made.text
    assert "10 de diciembre de 2026" in made.text
    assert money_of(row, ",", ".") in made.text


@pytest.mark.parametrize(
    ("locale", "amount", "currency", "text"),
    [
        ("en", "1234567.5", "USD", "1,234,567.50"),
        ("es", "1234567.5", "EUR", "1.234.567,50"),
        ("en", "-0.05", "USD", "-0.05"),
        ("en", "1234", "JPY", "1,234"),
        ("es", "-1234.5", "BHD", "-1.234,500"),
        ("en", "0.0075", "USD", "0.0075"),
        (
            "en",
            "123456789012345678901234567890.01",
            "USD",
            "123,456,789,012,345,678,901,234,567,890.01",
        ),
    ],
)
def test_money_is_exact_and_has_the_digits_of_its_currency(
    locale: str, amount: str, currency: str, text: str
) -> None:
    assert wording(locale).money(Decimal(amount), currency) == text


def test_every_language_says_everything() -> None:
    english, *others = (wording(locale).words for locale in LOCALES)
    for other in others:
        assert other.keys() == english.keys()
        for key, text in english.items():
            if isinstance(text, str):
                assert _fields(text) == _fields(other[key]), key


def _fields(text: str) -> set[str]:
    return {part.split("}")[0] for part in text.split("{")[1:]}


@pytest.mark.parametrize("tenant", HOSTILE, ids=lambda name: name[:10])
def test_hostile_names_are_text_and_their_files_stay_in_the_folder(
    months: Months, tmp_path: Path, tenant: str
) -> None:
    folder = printed(months, PERIOD, tmp_path / "in", "--tenant", tenant)
    files = list(folder.iterdir())
    assert len(files) == 2
    assert list(tmp_path.iterdir()) == [folder], "nothing is written elsewhere"
    for file in files:
        assert len(file.name.encode()) <= 255
        assert file.name[0] not in ".-~=+"
        assert_complete(file)
        assert " ".join(legible(f"{tenant} Ltd").split()) in page(file).text
        isolated = [name for name, _ in page(file).elements].count("bdi")
        assert isolated >= 3, "names of other scripts leave the text around them alone"


def test_what_turns_text_round_is_taken_out_and_scripts_are_left_alone() -> None:
    assert legible("\u202eevil\u2066 \x00\t\x85") == "\ufffdevil\ufffd \ufffd\ufffd\ufffd"
    for name in ("עיריית חיפה", "شركة\u200c الاتصالات", "東京電力", "Łódź\u00a0SA", "👩‍🚀"):
        assert legible(name) == name


def test_parties_are_as_the_settings_tell_them(
    months: Months, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tenantbill.toml").write_text(
        '[seller]\nname = "Mills & <Sons>"\nstreet = "1 Quay"\nvat_id = "GB1"\n'
        '[buyers."acme"]\nname = "Acme Holding"\norder = "PO-7"\n'
    )
    monkeypatch.chdir(tmp_path)
    folder = printed(months, PERIOD, tmp_path / "out", "--tenant", "acme")
    text = page(folder / "acme-1.html").text
    assert "From Mills & <Sons> 1 Quay VAT id GB1" in text
    assert "To Acme Holding Your order PO-7" in text


def test_pdf_without_typst_says_what_to_install(
    months: Months, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    words = ("print", PERIOD, "-o", tmp_path, "--as", "pdf", "--store", months.store)
    refused = tenantbill(*words)
    assert refused.exit_code == 1
    assert "pip install 'tenantbill[pdf]'" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_a_pdf_is_the_same_bytes_every_time(months: Months, tmp_path: Path) -> None:
    pytest.importorskip("typst")
    one, two = (
        printed(months, AFTER, tmp_path / name, "--tenant", "acme", "--as", "pdf")
        for name in ("one", "two")
    )
    files = sorted(file.name for file in one.iterdir())
    assert len(files) == 3
    for name in files:
        assert (one / name).read_bytes() == (two / name).read_bytes()


@with_poppler
@pytest.mark.parametrize("period", [PERIOD, AFTER])
def test_the_total_of_a_pdf_is_that_of_the_ledger(
    months: Months, tmp_path: Path, period: str
) -> None:
    pytest.importorskip("typst")
    plain = [row for row in months.invoices(period) if row["tenant_id"] not in HOSTILE]
    tenants = [word for row in plain for word in ("--tenant", row["tenant_id"])]
    folder = printed(months, period, tmp_path, *tenants, "--as", "pdf")
    assert plain
    for row in plain:
        text = pdf_text(folder / f"{stem_of(row)}.pdf")
        assert money_of(row) in text
        assert f"{row['tenant_id']} Ltd" in text


@with_poppler
def test_hostile_names_are_text_in_a_pdf_too(months: Months, tmp_path: Path) -> None:
    pytest.importorskip("typst")
    for tenant in HOSTILE:
        folder = printed(months, PERIOD, tmp_path, "--tenant", tenant, "--as", "pdf")
        row = next(one for one in months.invoices(PERIOD) if one["tenant_id"] == tenant)
        assert money_of(row) in pdf_text(folder / f"{stem_of(row)}.pdf")
        text = pdf_text(folder / f"{cover_of(tenant, PERIOD)}.pdf").translate(INVISIBLE)
        letters = "".join(one for one in tenant if one.isprintable() and one.isascii())
        assert letters[:500] in "".join(text.split())


def test_names_that_are_markup_stay_text_in_a_page() -> None:
    made = Page("<p>&lt;script&gt;</p>")
    assert [name for name, _ in made.elements] == ["p"]
    assert made.text == "<script>"
