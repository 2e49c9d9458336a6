"""A workbook for finance: documents, lines and what is behind them, to filter and to pivot.

Belongs here: the sheets, and how values become cells. Does not belong here: which rows there are
(`export`).

Every cell is a value: totals are computed here, and text is text, whatever it starts with. A
spreadsheet holds 15 digits and 32,767 characters a cell: a longer number is written as text, a
longer text is cut and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.documents.export import Export, totals_of
from pipeline.documents.model import Invoice, Line
from pipeline.documents.naming import document_number
from pipeline.errors import BillingError
from pipeline.extras import needed
from pipeline.findings import counted
from pipeline.money import minor_units
from schemas.datasets import CONTROLS, FINDINGS, OVERAGE, USAGE_SPLIT

MOST_ROWS = 1_048_576
LONGEST_TEXT = 32_767
FIRST_YEAR = 1900
WIDEST, NARROWEST = 60, 8

Row = Sequence[Any]
Value = Callable[[Invoice, Line], Any]

_INVOICES: dict[str, Callable[[Invoice], Any]] = {
    "document_number": document_number,
    "document": lambda one: one.document,
    "status": lambda one: one.status,
    "period": lambda one: str(one.period),
    "usage_period": lambda one: str(one.usage_period),
    "tenant_id": lambda one: one.tenant_id,
    "tenant_name": lambda one: one.tenant_name,
    "subscription_id": lambda one: one.subscription_id,
    "subscription_name": lambda one: one.subscription_name,
    "currency": lambda one: one.currency,
    "total": lambda one: one.total,
    "issued_at": lambda one: one.issued_at,
    "corrects": lambda one: "; ".join(ref.invoice_id for ref in one.corrects) or None,
    "invoice_id": lambda one: one.invoice_id,
}

_LINES: dict[str, Value] = {
    "kind": lambda _, line: line.kind,
    "corrected_kind": lambda _, line: line.corrected_kind,
    "adjustment": lambda _, line: line.adjustment,
    "meter": lambda _, line: line.meter,
    "quantity": lambda _, line: line.quantity,
    "unit_price": lambda _, line: line.unit_price,
    "amount": lambda _, line: line.amount,
    "currency": lambda invoice, _: invoice.currency,
    "because": lambda _, line: line.because,
    "corrects_line_id": lambda _, line: line.corrects_line_id,
    "line_id": lambda _, line: line.line_id,
}

_WHOSE = tuple(_INVOICES)[:9]

_BEHIND = {
    "Split": USAGE_SPLIT.name,
    "Overage": OVERAGE.name,
    "Findings": FINDINGS.name,
    "Controls": CONTROLS.name,
}


class TooManyRows(BillingError):
    """A sheet of a workbook cannot hold all rows."""


def write_workbook(export: Export, folder: Path) -> None:
    """Write `tenantbill-PERIOD.xlsx`. Raises `TooManyRows` where a sheet cannot hold them all."""
    xlsxwriter = needed("xlsxwriter", "excel")
    sheets = _sheets(export)
    _check_rows(sheets, export)
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
    }
    path = folder / f"tenantbill-{export.period}.xlsx"
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": f"tenantbill {export.period}", "created": _made_at(export)})
        cells = _Cells(book)
        for name, (columns, rows) in sheets.items():
            _write_sheet(book.add_worksheet(name), cells, columns, rows)


def _sheets(export: Export) -> dict[str, tuple[list[str], list[Row]]]:
    """Every sheet: its columns and rows."""
    invoices = [[value(one) for value in _INVOICES.values()] for one in export.invoices]
    lines = [
        [*(_INVOICES[name](one) for name in _WHOSE), *(value(one, it) for value in _LINES.values())]
        for one in export.invoices
        for it in one.lines
    ]
    sheets: dict[str, tuple[list[str], list[Row]]] = {
        "Invoices": (list(_INVOICES), list(invoices)),
        "Lines": ([*_WHOSE, *_LINES], list(lines)),
    }
    for sheet, dataset in _BEHIND.items():
        rows = export.datasets.get(dataset)
        if rows is not None:
            sheets[sheet] = (rows.columns, list(rows.iter_rows()))
    return {**sheets, "Totals": (["currency", "documents", "total"], _totals(export))}


def _totals(export: Export) -> list[Row]:
    return [
        (currency, sum(one.currency == currency for one in export.invoices), total)
        for currency, total in totals_of(export.invoices).items()
    ]


def _check_rows(sheets: dict[str, tuple[list[str], list[Row]]], export: Export) -> None:
    for name, (_, rows) in sheets.items():
        if len(rows) >= MOST_ROWS:
            raise TooManyRows(
                f"{name} has {counted(len(rows), 'row')}, and a sheet holds {MOST_ROWS - 1:,}",
                where=str(export.period),
                remedy="export some tenants at a time with --tenant, or all with --as parquet",
            )


def _made_at(export: Export) -> datetime:
    """When what is in the workbook was made, so that the same export is the same file."""
    issued = [one.issued_at for one in export.invoices if one.issued_at]
    made = max([*issued, *([export.run.published_at] if export.run else [])])
    return made.replace(tzinfo=None)


def _write_sheet(sheet: Any, cells: _Cells, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Fill a sheet: a header that stays in sight, a filter, columns as wide as what they hold."""
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(rows), len(columns) - 1)
    for place, name in enumerate(columns):
        widths = [len(name) + 3, *(len(str(row[place] or "")) for row in rows[:1000])]
        sheet.set_column(place, place, min(max(NARROWEST, *widths), WIDEST))
        sheet.write_string(0, place, name, cells.header)
    money = columns.index("currency") if "currency" in columns else None
    for number, row in enumerate(rows, start=1):
        currency = None if money is None else row[money]
        for place, (name, value) in enumerate(zip(columns, row, strict=True)):
            cells.write(sheet, number, place, value, currency if name in _MONEY else None)


_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Such a text is marked as text for good: it stays one where somebody edits the cell."""

_MONEY = ("amount", "total")
"""Columns that have the digits of their row's currency."""


class _Cells:
    """Writes values as cells of a workbook, each in its format."""

    def __init__(self, book: Any) -> None:
        self.header = book.add_format({"bold": True, "bottom": 1})
        self._stays_text = book.add_format({"quote_prefix": True})
        self._of_digits = cache(lambda digits: book.add_format({"num_format": _pattern(digits)}))

    def write(self, sheet: Any, row: int, column: int, value: Any, currency: str | None) -> None:
        """Write a value: a number as a number, an instant as one, all else as text."""
        match value:
            case None:
                return
            case int():
                sheet.write_number(row, column, value)
            case Decimal() if is_exact(value):
                digits = None if currency is None else minor_units(currency)
                form = None if digits is None else self._of_digits(digits)
                sheet.write_number(row, column, value, form)
            case datetime() if value.year >= FIRST_YEAR:
                sheet.write_datetime(row, column, value.replace(tzinfo=None))
            case _:
                text = fitting(str(value))
                form = self._stays_text if text.startswith(_STARTS_A_FORMULA) else None
                sheet.write_string(row, column, text, form)


def is_exact(value: Decimal) -> bool:
    """Whether a spreadsheet's number is this one, to the last digit that is shown."""
    return len(value.normalize().as_tuple().digits) <= 15


def fitting(text: str) -> str:
    """A text that fits a cell; one that does not is cut, and says so at its end."""
    units = text.encode("utf-16-le")
    if len(units) // 2 <= LONGEST_TEXT:
        return text
    mark = f" [cut: {len(text):,} characters]"
    kept = units[: 2 * (LONGEST_TEXT - len(mark))].decode("utf-16-le", "ignore")
    return kept + mark


def _pattern(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")
