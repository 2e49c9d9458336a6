"""Workbooks: what their cells say, exactly, and what is refused."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.styles.numbers import is_datetime
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from pipeline.exports import ExportError
from pipeline.exports import workbooks as reading
from pipeline.exports.sheet_values import UNCALCULATED, plain
from pipeline.exports.workbooks import workbook
from pipeline.extras import ExtraMissing

Rows = list[tuple[object, ...]]


def saved(path: Path, rows: Sequence[Sequence[Any]], title: str = "One") -> Path:
    """A workbook as openpyxl writes it: with texts that are shared."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def raw(path: Path, rows: str, **parts: str) -> Path:
    """A workbook whose only sheet has these rows of XML; `parts` replaces others."""
    saved(path, [])
    with zipfile.ZipFile(path) as archive:
        every = {name: archive.read(name).decode() for name in archive.namelist()}
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    every["xl/worksheets/sheet1.xml"] = (
        f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'
    )
    every["xl/workbook.xml"] = every["xl/workbook.xml"].replace('fullCalcOnLoad="1"', "")
    every.update(parts)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in every.items():
            archive.writestr(name, text)
    return path


def first_sheet(path: Path, used: Sequence[str] = ()) -> tuple[list[str], Rows, list[int]]:
    """The header, the rows and their numbers."""
    with workbook(path) as sheets:
        header = sheets[0].header()
        rows: Rows = []
        numbers: list[int] = []
        for cells in sheets[0].cells(used or header):
            assert cells.numbers is not None and cells.frame.columns == header
            rows += cells.frame.rows()
            numbers += cells.numbers.to_list()
    return header, rows, numbers


def values(path: Path) -> list[object]:
    """The first column below its header."""
    return [row[0] for row in first_sheet(path)[1]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        (" kept ", " kept "),
        ("007", "007"),
        ("é\n😀", "é\n😀"),
        (12, "12"),
        (12.0, "12"),
        (-3, "-3"),
        (0.1, "0.1"),
        (1.1, "1.1"),
        (1e-7, "0.0000001"),
        (1.5e15, "1500000000000000"),
        (2.0**60, "1152921504606847000"),
        (1e22, "10000000000000000000000"),
        (Decimal("0.000001"), "0.000001"),
        (True, "TRUE"),
        (False, "FALSE"),
        (date(2026, 10, 1), "2026-10-01"),
        (datetime(2026, 10, 1), "2026-10-01T00:00:00"),
        (datetime(2026, 10, 1, 9, 30, 15), "2026-10-01T09:30:15"),
        (datetime(2026, 10, 1, 9, 30, 15, 250_000), "2026-10-01T09:30:15.250000"),
        (time(9, 30), "09:30:00"),
        ("#N/A", None),
        ("=1+1", None),
    ],
)
def test_what_a_cell_says(tmp_path: Path, value: object, text: str | None) -> None:
    path = saved(tmp_path / "x.xlsx", [["a", "b"], [value, "x"]])
    assert first_sheet(path)[1] == [(text, "x" if text else None)]


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_the_shortest_that_names_it(number: float) -> None:
    text = plain(repr(number))
    assert float(text) == number and "e" not in text.lower()
    assert text.strip("-0.") == "" or Decimal(text) == Decimal(repr(number))
    assert not text.endswith(".0")


@pytest.mark.parametrize("stored", ["nan", "inf", "1e999", "x", ""])
def test_what_is_no_number(stored: str) -> None:
    with pytest.raises(ValueError):
        plain(stored)


def test_1904(tmp_path: Path) -> None:
    """Workbooks of old Macs count days from another one."""
    path = tmp_path / "x.xlsx"
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    book.active.append(["a"])
    book.active.append([datetime(2026, 10, 1, 12)])
    book.save(path)
    assert values(path) == ["2026-10-01T12:00:00"]


def test_rows_keep_the_numbers_of_the_sheet(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [],
        ["a", None, "b"],
        [None, None, 1],
        [],
        ["", "unnamed"],
        ["x"],
        [],
        [],
    ]
    path = saved(tmp_path / "x.xlsx", rows)
    assert first_sheet(path) == (["a", "b"], [(None, "1"), ("x", None)], [3, 6])
    with workbook(path) as sheets:
        assert sheets[0].header() == ["a", "b"]


def test_many_rows_come_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", 7)
    path = saved(tmp_path / "x.xlsx", [["a"], *([n] for n in range(50))])
    assert values(path) == [str(n) for n in range(50)]
    assert first_sheet(path)[2] == list(range(2, 52))


ERROR = '<row r="1"><c t="str"><v>a</v></c><c t="str"><v>b</v></c></row>'


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("<c><f>1+1</f></c>", None),
        ("<c><f>1+1</f><v/></c>", None),
        ("<c><f>1+1</f><v>2</v></c>", "2"),
        ('<c t="str"><f>IF(1,"","x")</f><v></v></c>', ""),
        ('<c t="str"><f>"x"</f><v>x</v></c>', "x"),
        ('<c t="e"><v>#REF!</v></c>', None),
        ('<c t="e"><f>Z!A1</f><v>#N/A</v></c>', None),
        ('<c t="b"><v>1</v></c>', "TRUE"),
        ('<c t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c>', "inline"),
        ('<c t="inlineStr"><is><t> 東 </t><rPh sb="0" eb="1"><t>x</t></rPh></is></c>', " 東 "),
        ('<c t="d"><v>2026-10-01T09:00:00</v></c>', "2026-10-01T09:00:00"),
        ("<c><v>0.30000000000000004</v></c>", "0.30000000000000004"),
        ("<c><v>1.1000000000000001</v></c>", "1.1"),
        ("<c><v>1E3</v></c>", "1000"),
        ("<c><v>12345678901234567890</v></c>", "12345678901234567890"),
        ("<c><v>many</v></c>", None),
    ],
)
def test_cells_that_cannot_be_relied_on(tmp_path: Path, cell: str, text: str | None) -> None:
    """An error, or a formula that was never calculated, is not nothing: its row is set aside."""
    path = raw(tmp_path / "x.xlsx", f'{ERROR}<row r="2"><c t="str"><v>x</v></c>{cell}</row>')
    with workbook(path) as sheets:
        (used,) = sheets[0].cells(["b"])
        (unused,) = sheets[0].cells(["a"])
    assert not unused.misshapen and unused.frame["a"].to_list() == ["x"]
    if text is not None:
        assert not used.misshapen and used.frame.row(0) == ("x", text or None)
        return
    assert used.frame.row(0) == (None, None) and list(used.misshapen) == [0]
    said = json.loads(used.texts(used.frame.with_row_index("at")["at"])[0])
    assert (said["sheet"], said["row"], said["cells"]["a"]) == ("One", 2, "x")
    assert said["cells"]["b"] in (UNCALCULATED, "#REF!", "#N/A", "many")


def test_formulas_of_a_workbook_that_nobody_calculated(tmp_path: Path) -> None:
    """Xlsxwriter stores 0 for every formula, and asks whoever opens the file to calculate them."""
    path = tmp_path / "x.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["a", "b"])
        sheet.write(1, 0, "x")
        sheet.write_formula(1, 1, "=1+1")
    assert openpyxl.load_workbook(path, data_only=True).active["B2"].value == 0
    assert first_sheet(path)[1] == [(None, None)]


def _old(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512)


def _cut(path: Path) -> None:
    saved(path, [["a"], ["b"]])
    path.write_bytes(path.read_bytes()[:-200])


def _changed(path: Path) -> None:
    saved(path, [["a"], *([f"b{n}"] for n in range(999))])
    data = bytearray(path.read_bytes())
    data[data.index(b"xl/worksheets/sheet1.xml") + 300] ^= 0xFF
    path.write_bytes(data)


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "none")


def _bomb(path: Path) -> None:
    """A row of megabytes that is a few kB in the file."""
    raw(path, f'{ERROR}<row r="2"><c t="str"><v>{"x" * 3 * 2**20}</v></c></row>')


def _texts(path: Path) -> None:
    raw(path, ERROR, **{"xl/sharedStrings.xml": "x" * (3 * 2**20)})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_old, "protected by a password, or of the old form .xls"),
        (_cut, "cut or damaged"),
        (_changed, "damaged"),
        (_zip, "of no use"),
        (_bomb, "a row is longer than 1 MiB"),
        (_texts, "xl/sharedStrings.xml unpacks to 3 MiB"),
        (lambda path: path.write_bytes(b""), "cut or damaged"),
        (lambda path: path.write_bytes(b"a,b\n1,2\n"), "cut or damaged"),
        (lambda path: raw(path, '<row r="2"/><row r="1"/>'), "row 1 after 2"),
        (lambda path: raw(path, '<row r="9999999999"/>'), "row 9999999999 after 0"),
        (lambda path: raw(path, '<row r="x"/>'), "cannot be read"),
        (lambda path: raw(path, '<row><c t="s"><v>7</v></c></row>'), "cannot be read"),
        (lambda path: raw(path, '<row><c s="x"><v>7</v></c></row>'), "cannot be read"),
        (lambda path: raw(path, "<row>"), "cut or damaged"),
        (lambda path: raw(path, '<row><c t="e"><v>#N/A</v></c></row>'), "the header holds"),
        (lambda path: raw(path, ERROR.replace("<v>b", "<v>a")), "the header repeats 'a'"),
        (lambda path: raw(path, "", **{"xl/workbook.xml": "<x/>"}), "it has no sheet"),
        (lambda path: raw(path, "", **{"xl/styles.xml": "<"}), "cut or damaged"),
        (lambda path: path.mkdir(), "cannot be read"),
    ],
)
def test_a_workbook_that_is_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any, words: str
) -> None:
    monkeypatch.setattr(reading, "LONGEST_ROW", 2**20)
    monkeypatch.setattr(reading, "LARGEST_PART", 2**20)
    path = tmp_path / "x.xlsx"
    spoil(path)
    with pytest.raises(ExportError) as refused:
        first_sheet(path)
    assert words in str(refused.value) and str(path) in refused.value.where
    assert refused.value.remedy


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "x.xlsx", [["a"]])
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(ExtraMissing, match="openpyxl") as refused:
        first_sheet(path)
    assert "tenantbill[excel]" in refused.value.remedy


def test_what_openpyxl_warns_of_is_no_matter(tmp_path: Path) -> None:
    """It says what it leaves out, such as styles. The filter does not touch anybody else's."""
    with zipfile.ZipFile(saved(tmp_path / "y.xlsx", [])) as archive:
        styles = archive.read("xl/styles.xml").decode()
    begin, end = styles.index("<cellStyles"), styles.index("</cellStyles>") + 13
    styles = styles[:begin] + styles[end:]
    path = raw(tmp_path / "x.xlsx", ERROR, **{"xl/styles.xml": styles})
    with pytest.warns(UserWarning, match="no default style"):
        warnings.simplefilter("always")
        openpyxl.load_workbook(path, read_only=True).close()
    warnings.simplefilter("error")
    assert first_sheet(path)[0] == ["a", "b"]
    with pytest.raises(UserWarning):
        warnings.warn("of ours", UserWarning, stacklevel=1)


def test_canary_openpyxl_hides_what_we_must_see(tmp_path: Path) -> None:
    """Why rows are taken from the XML: floats, formulas never calculated, and wrong dimensions."""
    cell = '<c r="B2"><f>1+1</f></c>'
    rows = f'{ERROR}<row r="2"><c r="A2"><v>0.1</v></c>{cell}</row>'
    path = raw(tmp_path / "x.xlsx", rows)
    sheet = openpyxl.load_workbook(path, data_only=True).active
    assert (sheet["A2"].value, sheet["B2"].value) == (0.1, None)
    with zipfile.ZipFile(path) as archive:
        text = archive.read("xl/worksheets/sheet1.xml").decode()
    wrong = text.replace("<sheetData>", '<dimension ref="A1"/><sheetData>')
    path = raw(tmp_path / "y.xlsx", rows, **{"xl/worksheets/sheet1.xml": wrong})
    book = openpyxl.load_workbook(path, read_only=True)
    assert [len(row) for row in book.active.iter_rows()] == [1]
    book.close()
    assert len(first_sheet(path)[0]) == 2


def test_canary_openpyxl_knows_moments_by_their_format() -> None:
    """What `Formats` relies on."""
    assert is_datetime("yyyy-mm-dd") == "date" and is_datetime("dd.mm.yyyy hh:mm") == "datetime"
    assert is_datetime("0.00") is None
    book = openpyxl.Workbook()
    assert book.epoch == datetime(1899, 12, 30)
    assert book._date_formats == {} and book._timedelta_formats == {}
