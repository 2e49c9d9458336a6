"""The workbook, read back by two programs that did not write it."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from pipeline.documents import workbook
from pipeline.documents.workbook import LONGEST_TEXT, fitting, is_exact
from tests.documents.months import HOSTILE, OPEN, PERIOD, Months
from tests.support import shown, tenantbill

SHEETS = ["Invoices", "Lines", "Split", "Overage", "Findings", "Controls", "Totals"]


def workbook_of(months: Months, period: str, folder: Path, *options: object) -> Path:
    return months.export(period, "xlsx", folder, *options) / f"tenantbill-{period}.xlsx"


def rows_of(path: Path, sheet: str) -> list[dict[str, Any]]:
    """The rows of a sheet as calamine reads them; numbers are floats there, as in any workbook."""
    header, *rows = CalamineWorkbook.from_path(path).get_sheet_by_name(sheet).to_python()
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def cents(value: object) -> Decimal:
    """A workbook's number to the third digit, beyond which no currency goes."""
    return round(Decimal(repr(value)), 3)


@pytest.mark.parametrize(("period", "status"), [(PERIOD, "issued"), (OPEN, "draft")])
def test_totals_are_values_and_those_of_the_invoices(
    months: Months, tmp_path: Path, period: str, status: str
) -> None:
    options = ("--draft",) if status == "draft" else ()
    path = workbook_of(months, period, tmp_path, *options)
    assert CalamineWorkbook.from_path(path).sheet_names == SHEETS
    expected = months.totals(period, status)
    assert {row["currency"]: cents(row["total"]) for row in rows_of(path, "Totals")} == expected
    for sheet, column in (("Invoices", "total"), ("Lines", "amount")):
        sums = dict.fromkeys(expected, Decimal(0))
        for row in rows_of(path, sheet):
            sums[row["currency"]] += cents(row[column])
        assert sums == expected, sheet


def test_what_is_behind_the_invoices_is_there_row_by_row(months: Months, tmp_path: Path) -> None:
    path = workbook_of(months, PERIOD, tmp_path)
    stuck = {"tenant_id": "stuck"}
    for sheet, dataset in (("Split", "usage_split"), ("Overage", "overage")):
        published = [row for row in shown(dataset, PERIOD, months.store) if row | stuck != row]
        read = rows_of(path, sheet)
        assert [row["tenant_id"] for row in read] == [row["tenant_id"] for row in published]
        numbers = [name for name in published[0] if name in ("quantity", "usage", "overage")]
        for name in numbers:
            assert [cents(row[name]) for row in read] == [Decimal(row[name]) for row in published]


def test_nothing_is_a_formula_or_a_link_and_ids_are_what_they_were(
    months: Months, tmp_path: Path
) -> None:
    path = workbook_of(months, PERIOD, tmp_path)
    book = load_workbook(path)
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert kinds <= {"s", "n", "d", "inlineStr"}
    formulas = [
        cell.value
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
        if str(cell.value).startswith("=") and not cell.quotePrefix
    ]
    assert formulas == []
    with ZipFile(path) as archive:
        xml = b"".join(archive.read(name) for name in archive.namelist() if "worksheets" in name)
    assert b"<f>" not in xml
    assert b"hyperlink" not in xml
    assert set(HOSTILE) <= {row["tenant_id"] for row in rows_of(path, "Invoices")}


def test_sheets_have_a_header_that_stays_a_filter_and_the_digits_of_each_currency(
    months: Months, tmp_path: Path
) -> None:
    book = load_workbook(workbook_of(months, PERIOD, tmp_path))
    for sheet in book:
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == sheet.dimensions
    header, *rows = book["Invoices"].iter_rows()
    names = [cell.value for cell in header]
    formats = {
        row[names.index("currency")].value: row[names.index("total")].number_format for row in rows
    }
    assert formats["USD"] == formats["EUR"] == "#,##0.00"
    assert formats["JPY"] == "#,##0"
    assert formats["BHD"] == "#,##0.000"
    assert rows[0][names.index("issued_at")].is_date
    widths = [dimension.width for dimension in book["Invoices"].column_dimensions.values()]
    assert all(8 <= width <= 62 for width in widths)


def test_a_text_that_no_cell_can_hold_is_cut_and_says_so(
    months: Months, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "LONGEST_TEXT", 5_000)
    path = workbook_of(months, PERIOD, tmp_path)
    [cut] = [
        row["tenant_id"]
        for row in rows_of(path, "Invoices")
        if str(row["tenant_id"]).startswith("long-")
    ]
    assert cut.endswith("[cut: 10,000 characters]")
    assert len(cut) == 5_000


@pytest.mark.parametrize("letter", ["a", "é", "😀"])
def test_the_longest_texts_fit(letter: str) -> None:
    def units(text: str) -> int:
        return len(text.encode("utf-16-le")) // 2

    most = letter * (LONGEST_TEXT // units(letter))
    assert fitting(most) == most
    over = fitting(most + letter * 2)
    assert LONGEST_TEXT - 1 <= units(over) <= LONGEST_TEXT
    assert over.endswith("characters]")


def test_more_rows_than_a_sheet_holds_are_refused(
    months: Months, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 20)
    words = ("export", PERIOD, "--as", "xlsx", "-o", tmp_path, "--store", months.store)
    result = tenantbill(*words)
    assert result.exit_code == 1
    assert "Lines has 23 rows, and a sheet holds 19 [TooManyRows]" in result.stderr
    assert "--tenant" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "exact"),
    [
        ("0", True),
        ("123456789012.345", True),
        ("-0.10", True),
        ("1000000000000000000", True),
        ("1234567890123.456", False),
    ],
)
def test_a_number_with_more_digits_than_a_spreadsheet_has_is_told_apart(
    number: str, exact: bool
) -> None:
    assert is_exact(Decimal(number)) is exact
    assert not exact or Decimal(f"{Decimal(number):.15G}") == Decimal(number)


def test_without_the_extra_the_command_that_installs_it_is_told(
    months: Months, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    words = ("export", PERIOD, "--as", "xlsx", "-o", tmp_path, "--store", months.store)
    result = tenantbill(*words)
    assert result.exit_code == 1
    assert result.stderr == (
        "error: this needs xlsxwriter, which is not installed [ExtraMissing]\n"
        "  pip install 'tenantbill[excel]'\n"
    )
    assert list(tmp_path.iterdir()) == []
