"""E-invoices: UBL 2.1 as EN 16931 and Peppol BIS Billing 3 want it, an XML file a document.

Belongs here: what a document says in these words. Does not belong here: who the parties are
(`parties`), and sending anything.

A line's price times its quantity must be its amount. Where it is not, because the line charges a
part of a month or several months, it is 1 at its amount, and its note has quantity and price.
Prices are never negative: what is taken back has a negative quantity. A credit note turns all signs
around.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

from pipeline.documents.export import Export
from pipeline.documents.model import Invoice, Line
from pipeline.documents.naming import document_number, file_stem, number_of
from pipeline.documents.parties import OUTSIDE_VAT, Deal, Party, Tax, deals_of
from pipeline.errors import BillingError
from pipeline.money import minor_units, plain, product, round_half_up

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_CUSTOMIZATION = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
_PROFILE = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
_MOST_DIGITS = 2
_UNITS = {"minute": "MIN", "GB": "E34"}
_ONE = "C62"
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NotInEn16931(BillingError):
    """A document says something that EN 16931 has no way to say."""


def write_ubl(export: Export, folder: Path) -> None:
    """Write every document, named by its number. Raises `SettingMissing`, `NotInEn16931`."""
    deals = deals_of(export.settings, (one.tenant_id for one in export.invoices))
    for one in export.invoices:
        root = document(one, deals[one.tenant_id], export)
        ET.indent(root)
        text = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        with (folder / f"{file_stem(document_number(one))}.xml").open("xb") as file:
            file.write(text + b"\n")


def document(invoice: Invoice, deal: Deal, export: Export) -> ET.Element:
    """A document as UBL has it."""
    is_credit = invoice.document == "credit_note"
    name = "CreditNote" if is_credit else "Invoice"
    sign = -1 if is_credit else 1
    net = sign * (invoice.total or Decimal(0))
    due = product(net, deal.tax.percent).scaleb(-2)
    tax = round_half_up(*due.as_integer_ratio(), _digits(invoice.currency))
    root = ET.Element(
        name,
        {
            "xmlns": f"{_UBL}{name}-2",
            "xmlns:cac": f"{_UBL}CommonAggregateComponents-2",
            "xmlns:cbc": f"{_UBL}CommonBasicComponents-2",
        },
    )
    say = _Writer(root, invoice)
    say.text("CustomizationID", _CUSTOMIZATION)
    say.text("ProfileID", _PROFILE)
    say.text("ID", document_number(invoice))
    say.text("IssueDate", str(_dated(invoice)))
    say.text(f"{name}TypeCode", "381" if is_credit else "380")
    say.text("Note", None if invoice.is_issued else "draft: not issued")
    say.text("DocumentCurrencyCode", invoice.currency)
    say.text("BuyerReference", deal.reference)
    period = say.within("InvoicePeriod")
    period.text("StartDate", str(date.fromordinal(invoice.usage_period.days.first)))
    period.text("EndDate", str(date.fromordinal(invoice.usage_period.last_day)))
    if deal.order:
        say.within("OrderReference").text("ID", deal.order)
    for one in invoice.corrects:
        corrected = say.within("BillingReference").within("InvoiceDocumentReference")
        corrected.text("ID", number_of(invoice.tenant_id, one.number))
        corrected.text("IssueDate", str(one.issued_at.date()) if one.issued_at else None)
    _party(say.within("AccountingSupplierParty").within("Party"), deal.seller)
    _party(say.within("AccountingCustomerParty").within("Party"), deal.buyer)
    if deal.iban and not is_credit:
        means = say.within("PaymentMeans")
        means.text("PaymentMeansCode", "30")
        means.within("PayeeFinancialAccount").text("ID", deal.iban)
    say.within("PaymentTerms").text("Note", deal.payment_terms)
    _totals(say, net, tax, deal.tax)
    for number, line in enumerate(invoice.lines, start=1):
        _line(say.within(f"{name}Line"), number, line, sign, deal.tax, export)
    if not invoice.lines:
        nothing = Line("", "usage", "", Decimal(0), Decimal(0), Decimal(0), "nothing to charge")
        _line(say.within(f"{name}Line"), 1, nothing, sign, deal.tax, export)
    return root


class _Writer:
    """Adds elements below one, in the order that UBL prescribes; nothing where there is nothing."""

    def __init__(self, at: ET.Element, invoice: Invoice) -> None:
        self._at, self.invoice = at, invoice

    def within(self, name: str) -> _Writer:
        """A new aggregate."""
        return _Writer(ET.SubElement(self._at, f"cac:{name}"), self.invoice)

    def text(self, name: str, value: str | None, **attributes: str) -> None:
        """A new element with a text; what XML cannot hold is shown as a replacement."""
        clean = _NOT_IN_XML.sub("\ufffd", value or "")
        if clean.strip():
            ET.SubElement(self._at, f"cbc:{name}", attributes).text = clean

    def money(self, name: str, value: Decimal) -> None:
        """A new element with an amount, which has two digits at most."""
        currency = self.invoice.currency
        rounded = round_half_up(*value.as_integer_ratio(), _digits(currency))
        if rounded != value:
            raise NotInEn16931(
                f"{plain(value)} {currency} has more than {_MOST_DIGITS} digits after the point",
                where=self.invoice.invoice_id,
                remedy="bill its tenant in another way, and export the others with --tenant",
            )
        self.text(name, f"{rounded:f}", currencyID=currency)


def _digits(currency: str) -> int:
    """Digits after the point of an amount; the standard has no room for a third."""
    return min(_MOST_DIGITS, minor_units(currency) or 0)


def _dated(invoice: Invoice) -> date:
    """The day of issue; of a draft, the last day of its month."""
    if invoice.issued_at is not None:
        return invoice.issued_at.date()
    return date.fromordinal(invoice.period.last_day)


def _party(say: _Writer, party: Party) -> None:
    say.text("EndpointID", party.endpoint, schemeID=party.endpoint_scheme)
    say.within("PartyName").text("Name", party.name)
    address = say.within("PostalAddress")
    address.text("StreetName", party.street)
    address.text("CityName", party.city)
    address.text("PostalZone", party.postal_code)
    address.within("Country").text("IdentificationCode", party.country)
    if party.vat_id:
        scheme = say.within("PartyTaxScheme")
        scheme.text("CompanyID", party.vat_id)
        scheme.within("TaxScheme").text("ID", "VAT")
    legal = say.within("PartyLegalEntity")
    legal.text("RegistrationName", party.name)
    legal.text("CompanyID", party.registration_id)


def _totals(say: _Writer, net: Decimal, tax: Decimal, of: Tax) -> None:
    """The tax, on the sum of all lines; and what is to be paid."""
    total = say.within("TaxTotal")
    total.money("TaxAmount", tax)
    subtotal = total.within("TaxSubtotal")
    subtotal.money("TaxableAmount", net)
    subtotal.money("TaxAmount", tax)
    category = subtotal.within("TaxCategory")
    _category(category, of, with_reason=True)
    sums = say.within("LegalMonetaryTotal")
    sums.money("LineExtensionAmount", net)
    sums.money("TaxExclusiveAmount", net)
    sums.money("TaxInclusiveAmount", net + tax)
    sums.money("PayableAmount", net + tax)


def _category(say: _Writer, tax: Tax, *, with_reason: bool) -> None:
    say.text("ID", tax.category)
    say.text("Percent", None if tax.category == OUTSIDE_VAT else plain(tax.percent))
    say.text("TaxExemptionReason", tax.exemption_reason if with_reason else None)
    say.within("TaxScheme").text("ID", "VAT")


def _line(say: _Writer, number: int, line: Line, sign: int, tax: Tax, export: Export) -> None:
    net = sign * (line.amount or Decimal(0))
    quantity, price, unit, note = _priced(line, net, sign, export)
    is_credit = sign < 0
    say.text("ID", str(number))
    say.text("Note", note)
    say.text("CreditedQuantity" if is_credit else "InvoicedQuantity", quantity, unitCode=unit)
    say.money("LineExtensionAmount", net)
    item = say.within("Item")
    item.text("Description", line.because)
    item.text("Name", " ".join(_words(line, export)))
    if line.meter:
        item.within("SellersItemIdentification").text("ID", line.meter)
    _category(item.within("ClassifiedTaxCategory"), tax, with_reason=False)
    say.within("Price").text("PriceAmount", price, currencyID=say.invoice.currency)


def _priced(
    line: Line, net: Decimal, sign: int, export: Export
) -> tuple[str, str, str, str | None]:
    """Quantity, price, unit and note of a line: such that the first two make its amount."""
    price = line.unit_price or Decimal(0)
    exact = product(sign * line.quantity, price)
    if round_half_up(*exact.as_integer_ratio(), _MOST_DIGITS) == net:
        unit = _UNITS.get(export.meter(line.meter).unit or "", _ONE)
        return plain(sign * line.quantity), plain(price), unit, None
    quantity = plain(sign * line.quantity)
    note = f"in full: quantity {quantity} at {plain(price)} each, for the time that it describes"
    return "1" if net >= 0 else "-1", plain(abs(net)), _ONE, note


def _words(line: Line, export: Export) -> Iterator[str]:
    """What a line is called: what it charges of which meter, and what it does to another line."""
    if line.meter:
        yield f"{export.label(line.meter)},"
    yield line.corrected_kind or line.kind
    if line.adjustment:
        yield {"reversal": "taken back", "statement": "corrected"}[line.adjustment]
