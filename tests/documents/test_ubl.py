"""E-invoices: what they say, and what is asked for before they say it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pipeline.documents.export import Export
from pipeline.documents.model import Invoice, Line
from pipeline.documents.parties import deals_of
from pipeline.documents.ubl import NotInEn16931, document
from pipeline.period import Period
from pipeline.rules.catalogue import SHIPPED
from pipeline.settings import read_tables
from tests.documents.einvoices import SPACES, money_at, read, said, settings, settings_of, toml_of
from tests.documents.months import AFTER, HOSTILE, OPEN, PERIOD, Months
from tests.support import tenantbill

__all__ = ["settings"]

NET = "cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount"
PAYABLE = "cac:LegalMonetaryTotal/cbc:PayableAmount"


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(("period", "status"), [(PERIOD, "issued"), (AFTER, "issued"), (OPEN, "")])
def test_totals_are_those_of_the_documents(
    months: Months, tmp_path: Path, period: str, status: str
) -> None:
    options = () if status else ("--draft",)
    documents = read(months.export(period, "ubl", tmp_path / "out", *options))
    sums: dict[str, Decimal] = {}
    for root in documents.values():
        sign = -1 if root.tag.endswith("CreditNote") else 1
        money = said(root, "cbc:DocumentCurrencyCode")
        sums[money] = sums.get(money, Decimal(0)) + sign * money_at(root, NET)
    assert sums == months.totals(period, status or "draft")


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("period", [PERIOD, AFTER])
def test_every_line_is_its_quantity_times_its_price_and_lines_add_up(
    months: Months, tmp_path: Path, period: str
) -> None:
    documents = read(months.export(period, "ubl", tmp_path / "out"))
    for number, root in documents.items():
        is_credit = root.tag.endswith("CreditNote")
        lines = root.findall(f"cac:{'CreditNote' if is_credit else 'Invoice'}Line", SPACES)
        assert lines, number
        amounts = []
        for line in lines:
            quantity = money_at(line, f"cbc:{'Credited' if is_credit else 'Invoiced'}Quantity")
            price = money_at(line, "cac:Price/cbc:PriceAmount")
            amounts.append(money_at(line, "cbc:LineExtensionAmount"))
            assert price >= 0
            assert abs(quantity * price - amounts[-1]) < Decimal("0.01"), number
        assert sum(amounts) == money_at(root, NET)
        percent = root.findtext(".//cac:TaxCategory/cbc:Percent", "0", SPACES)
        tax = money_at(root, "cac:TaxTotal/cbc:TaxAmount")
        assert abs(money_at(root, NET) * Decimal(percent) / 100 - tax) <= Decimal("0.005")
        assert money_at(root, PAYABLE) == money_at(root, NET) + tax


@pytest.mark.usefixtures("settings")
def test_a_part_of_a_month_is_one_at_its_amount_with_quantity_and_price_in_the_note(
    months: Months, tmp_path: Path
) -> None:
    root = read(months.export(PERIOD, "ubl", tmp_path / "out"))["kyoto-1"]
    line = next(
        line
        for line in root.findall("cac:InvoiceLine", SPACES)
        if "committed" in said(line, "cac:Item/cbc:Name")
    )
    assert said(line, "cbc:InvoicedQuantity") == "1"
    assert said(line, "cac:Price/cbc:PriceAmount") == "9"
    assert said(line, "cbc:LineExtensionAmount") == "9"
    assert "quantity 1 at 10 each" in said(line, "cbc:Note")
    assert "29 of 31 days" in said(line, "cac:Item/cbc:Description")


@pytest.mark.usefixtures("settings")
def test_corrections_name_what_they_correct(months: Months, tmp_path: Path) -> None:
    documents = read(months.export(AFTER, "ubl", tmp_path / "out"))
    note, more = documents["bolt-2"], documents["acme-2"]
    assert (note.tag.partition("}")[2], said(note, "cbc:CreditNoteTypeCode")) == (
        "CreditNote",
        "381",
    )
    assert said(more, "cbc:InvoiceTypeCode") == "380"
    corrected = "cac:BillingReference/cac:InvoiceDocumentReference/cbc:"
    assert (said(note, f"{corrected}ID"), said(more, f"{corrected}ID")) == ("bolt-1", "acme-1")
    assert said(note, f"{corrected}IssueDate") == "2026-12-10"
    assert said(note, "cac:InvoicePeriod/cbc:StartDate") == "2026-10-01"
    assert money_at(note, NET) == Decimal("1.60"), "a credit is positive on a credit note"
    quantities = [
        (said(line, "cbc:CreditedQuantity"), said(line, "cac:Item/cbc:Name"))
        for line in note.findall("cac:CreditNoteLine", SPACES)
    ]
    assert quantities == [
        ("1", "Standard agents, committed taken back"),
        ("-1", "Standard agents, committed corrected"),
    ]


@pytest.mark.usefixtures("settings")
def test_each_file_is_one_plain_word_and_each_id_what_it_was(
    months: Months, tmp_path: Path
) -> None:
    folder = months.export(PERIOD, "ubl", tmp_path / "out")
    names = sorted(path.name for path in folder.iterdir())
    assert "acme-1.xml" in names
    assert "%2E.%2Fx-1.xml" in names
    assert "%3Cscript%3Ealert%281%29%3C%2Fscript%3E-1.xml" in names
    assert all(len(name) < 255 and name.isascii() for name in names)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "work"}
    documents = read(folder)
    assert {f"{tenant}-1" for tenant in HOSTILE} <= set(documents)
    customer = "cac:AccountingCustomerParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName"
    for tenant in HOSTILE:
        assert said(documents[f"{tenant}-1"], customer) == f"{tenant} Ltd"


@pytest.mark.usefixtures("settings")
def test_a_draft_says_that_it_is_none(months: Months, tmp_path: Path) -> None:
    folder = months.export(OPEN, "ubl", tmp_path / "out", "--draft", "--tenant", "acme")
    [(number, root)] = read(folder).items()
    assert number == "draft-2026-12/acme/acme-S"
    assert said(root, "cbc:Note") == "draft: not issued"
    assert [path.name for path in folder.iterdir()] == ["draft-2026-12%2Facme%2Facme-S.xml"]


BUYER = 'buyers."acme"'


@pytest.mark.parametrize(
    ("table", "taken", "put", "told"),
    [
        ("seller", "name", {}, "e-invoices need seller.name "),
        ("seller", "vat_id", {}, "e-invoices need seller.vat_id "),
        ("seller", "payment_terms", {}, "seller.payment_terms"),
        ("tax", "category", {}, "need tax.category "),
        ("tax", "percent", {}, "need tax.percent "),
        (BUYER, "name", {}, 'need buyers."acme".name '),
        (BUYER, "endpoint", {}, 'buyers."acme".endpoint '),
        (BUYER, "reference", {}, 'buyers."acme".reference'),
        (BUYER, "", {"tax_category": "AE"}, 'buyers."acme".tax_exemption_reason'),
        (BUYER, "vat_id", {"tax_category": "AE", "tax_exemption_reason": "r"}, ".vat_id"),
        (BUYER, "", {"tax_category": "S"}, 'buyers."acme".tax_percent'),
        (BUYER, "", {"tax_category": "X"}, "known are S, Z, E, AE, G, O"),
        (BUYER, "", {"country": "Germany"}, "two letters"),
        (BUYER, "", {"endpoint_scheme": "EM"}, "four digits"),
        ("tax", "", {"percent": "0"}, "S has a rate above 0"),
        (BUYER, "", {"tax_category": "Z", "tax_percent": "7"}, "every other category has none"),
        ("tax", "", {"exemption_reason": "r"}, "remove one of the two"),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_nothing_is_written(
    months: Months, settings: Path, table: str, taken: str, put: dict[str, str], told: str
) -> None:
    tables = settings_of(months)
    values = {key: value for key, value in tables[table].items() if key != taken}
    (settings / "tenantbill.toml").write_text(toml_of({**tables, table: {**values, **put}}))
    words = ("export", PERIOD, "--as", "ubl", "-o", "out", "--store", months.store)
    result = tenantbill(*words, "--tenant", "acme")
    assert result.exit_code == 2, result.output
    assert told in result.stderr.replace("\n", " ")
    assert "tenantbill.toml" in result.stderr
    assert list((settings / "out").iterdir()) == []


def test_without_any_settings_the_first_missing_key_is_told(
    months: Months, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = tenantbill("export", PERIOD, "--as", "ubl", "-o", "out", "--store", months.store)
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "error: tenantbill.toml: e-invoices need seller.name, seller.country, seller.endpoint, "
        "seller.endpoint_scheme, seller.payment_terms and "
    )
    assert "add what is missing, beginning with `name = …` below `[seller]`" in result.stderr


def invoice_of(amount: str, currency: str) -> Invoice:
    month, total = Period.parse(PERIOD), Decimal(amount)
    line = Line("l", "usage", "connect_voice", Decimal(1), total, total, "because\x00\ud7ff")
    return Invoice(
        invoice_id="i",
        tenant_id="acme",
        tenant_name="Acme",
        subscription_id="S",
        subscription_name="S",
        document="invoice",
        status="draft",
        revision=1,
        number=None,
        issued_at=None,
        period=month,
        usage_period=month,
        currency=currency,
        total=total,
        lines=(line,),
    )


def document_of(invoice: Invoice, settings: Path) -> ET.Element:
    deal = deals_of(read_tables(settings / "tenantbill.toml"), ["acme"])["acme"]
    return document(invoice, deal, Export(invoice.period, (invoice,), {}, meters=SHIPPED))


def test_an_amount_with_a_third_digit_is_refused(settings: Path) -> None:
    assert document_of(invoice_of("9.350", "BHD"), settings)
    with pytest.raises(NotInEn16931, match=r"9.355 BHD has more than 2 digits") as raised:
        document_of(invoice_of("9.355", "BHD"), settings)
    assert "--tenant" in raised.value.remedy


def test_units_are_those_of_the_standard_and_what_xml_cannot_hold_is_shown(settings: Path) -> None:
    root = ET.fromstring(ET.tostring(document_of(invoice_of("2", "EUR"), settings)))
    [line] = root.findall("cac:InvoiceLine", SPACES)
    quantity = line.find("cbc:InvoicedQuantity", SPACES)
    assert quantity is not None
    assert quantity.get("unitCode") == "MIN"
    assert said(line, "cac:Item/cbc:Description") == "because\ufffd\ud7ff"


@pytest.mark.parametrize(("net", "tax"), [("0.13", "0.02"), ("10.50", "2.00"), ("0.02", "0.00")])
def test_tax_is_rounded_half_up_on_the_sum(settings: Path, net: str, tax: str) -> None:
    root = ET.fromstring(ET.tostring(document_of(invoice_of(net, "EUR"), settings)))
    assert said(root, "cac:TaxTotal/cbc:TaxAmount") == tax
