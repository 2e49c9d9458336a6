"""Workbooks (`.xlsx`): the rows of their sheets as raw cells, row by row, in bounded memory.

Belongs here: the package, its sheets, and rows as blocks of cells. Does not belong here: what a
cell says (`sheet_values.py`), and which sheets are meant (`sources`).

openpyxl reads the package: which sheets there are, their texts and formats. The rows are taken from
the sheet's XML, since openpyxl gives numbers as floats, does not tell a formula that was never
calculated from an empty cell, and trusts the size that a sheet says it has.
"""

from __future__ import annotations

import json
import warnings
import zipfile
import zlib
from collections.abc import Collection, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring, iterparse

import polars as pl

from pipeline.exports.faults import (
    DamagedWorkbook,
    ExportError,
    UnreadableExport,
    UnreadableHeader,
)
from pipeline.exports.headers import check_repeats
from pipeline.exports.judge import Cells
from pipeline.exports.sheet_values import Formats, Value, value_of
from pipeline.extras import ExtraMissing, needed

AT_ONCE = 8_192
MOST_ROWS = 1_048_576
LARGEST_PART = 256 * 2**20
"""Unpacked bytes of a part that is held in memory, such as the table of texts."""

LONGEST_ROW = 64 * 2**20
_OLD_MAGIC = b"\xd0\xcf\x11\xe0"

Row = dict[int, Value]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook. Its header is its first row that is not empty."""

    path: Path
    name: str
    is_visible: bool
    book: _Book
    part: str

    def header(self) -> list[str]:
        """The names of its columns; those without one are left out. Empty for an empty sheet."""
        with closing(self._rows()) as rows:
            return list(self._names(next(rows, (0, {}))[1]).values())

    def count(self) -> int:
        """How many rows it has below its header."""
        with closing(self._rows()) as rows:
            return max(sum(1 for _ in rows) - 1, 0)

    def cells(self, used: Collection[str]) -> Iterator[Cells]:
        """The rows below its header as cells by column name; `numbers` are the sheet's own.

        A row with an error (`#REF!`) or a formula that was never calculated in one of the columns
        that are used is misshapen, since nothing can be said for such a cell.
        """
        with closing(self._rows()) as rows:
            names = self._names(next(rows, (0, {}))[1])
            block: list[tuple[int, Row]] = []
            for number, row in rows:
                if row.keys().isdisjoint(names):
                    continue
                block.append((number, row))
                if len(block) == AT_ONCE:
                    yield self._block(block, names, used)
                    block = []
            if block:
                yield self._block(block, names, used)

    def _names(self, row: Row) -> dict[int, str]:
        """The column names by their place."""
        if any(value.is_unusable for value in row.values()):
            raise UnreadableHeader(
                "the header holds an error, or a formula that was never calculated",
                where=f"{self.path}, sheet {self.name!r}, header",
                remedy="correct it in the workbook, save it, and export again",
            )
        names = {column: value.text for column, value in sorted(row.items())}
        check_repeats(f"{self.path}, sheet {self.name!r}", list(names.values()))
        return names

    def _block(
        self, rows: list[tuple[int, Row]], names: dict[int, str], used: Collection[str]
    ) -> Cells:
        needed_here = [column for column, name in names.items() if name in used]
        misshapen = {}
        for at, (number, row) in enumerate(rows):
            if any(column in row and row[column].is_unusable for column in needed_here):
                shown = {
                    names[column]: cell.text for column, cell in row.items() if column in names
                }
                misshapen[at] = self._json(
                    number, {name: shown.get(name) for name in names.values()}
                )
                rows[at] = number, {}
        numbers = pl.Series([number for number, _ in rows], dtype=pl.Int64)
        columns = {
            name: pl.Series(
                name,
                [row[column].text if column in row else None for _, row in rows],
                pl.String,
            )
            for column, name in names.items()
        }
        frame = pl.DataFrame(columns)

        def said(at: pl.Series) -> list[str]:
            few = zip(at, numbers.gather(at), frame[at].rows(named=True), strict=True)
            return [misshapen.get(n) or self._json(number, row) for n, number, row in few]

        return Cells(frame, misshapen, numbers, said=said)

    def _json(self, number: int, row: dict[str, str | None]) -> str:
        said = {"sheet": self.name, "row": number, "cells": row}
        return json.dumps(said, ensure_ascii=False)

    def _rows(self) -> Generator[tuple[int, Row], None, None]:
        """The rows that are not empty, with their numbers."""
        last = 0
        with named_faults(self.path), self.book.archive.open(self.part) as file:
            for _, element in iterparse(_Guarded(self.path, file)):
                if not element.tag.endswith("}row"):
                    continue
                number = int(element.get("r") or last + 1)
                if not last < number <= MOST_ROWS:
                    raise _damaged(self.path, f"sheet {self.name!r} has row {number} after {last}")
                last = number
                row = self.book.row(element)
                element.clear()
                if row:
                    yield number, row


@dataclass(slots=True)
class _Book:
    """What the cells of all sheets share."""

    archive: zipfile.ZipFile
    texts: list[str]
    formats: Formats

    def row(self, element: Element) -> Row:
        """The cells of a row that are not empty, by the number of their column, from 1."""
        row: Row = {}
        column = 0
        for cell in element:
            place = cell.get("r")
            column = _column(place) if place else column + 1
            value = value_of(cell, self.texts, self.formats)
            if value is not None:
                row[column] = value
        return row


class _Guarded:
    """A part of the package as a file, refused where a row goes on and on."""

    def __init__(self, path: Path, file: Any) -> None:
        self._path, self._file, self._length = path, file, 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        part: bytes = self._file.read(size)
        end = part.rfind(b"row>")
        self._length = len(part) - end if end >= 0 else self._length + len(part)
        if self._length > LONGEST_ROW:
            raise _damaged(self._path, f"a row is longer than {LONGEST_ROW // 2**20} MiB")
        return part


@contextmanager
def workbook(path: Path) -> Iterator[list[Sheet]]:
    """The sheets of a workbook, in their order. Raises `ExportError`, `ExtraMissing`."""
    needed("openpyxl", "excel")
    # It warns of what it leaves out, such as styles; cells are none of that.
    warnings.filterwarnings("ignore", module="openpyxl")
    with named_faults(path):
        _check_package(path)
        reader = import_module("openpyxl.reader.excel").ExcelReader(
            path, read_only=True, data_only=True, keep_links=False
        )
    with closing(reader.archive):
        with named_faults(path):
            sheets = _sheets(path, reader)
        yield sheets


def _sheets(path: Path, reader: Any) -> list[Sheet]:
    reader.read_manifest()
    reader.read_strings()
    reader.read_workbook()
    import_module("openpyxl.styles.stylesheet").apply_stylesheet(reader.archive, reader.wb)
    formats = Formats(reader.wb, is_stale=_is_stale(reader))
    book = _Book(reader.archive, reader.shared_strings, formats)
    sheets = [
        Sheet(path, sheet.name, sheet.state == "visible", book, relation.target)
        for sheet, relation in reader.parser.find_sheets()
        if relation.Type.endswith("/worksheet")
    ]
    if not sheets:
        raise _damaged(path, "it has no sheet")
    return sheets


def _is_stale(reader: Any) -> bool:
    """Whether the workbook says that its formulas are to be calculated before they are read."""
    root = fromstring(reader.archive.read(reader.parser.workbook_part_name))
    return any(
        element.tag.endswith("}calcPr") and element.get("fullCalcOnLoad") in ("1", "true")
        for element in root
    )


def _check_package(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(_OLD_MAGIC))
    if start == _OLD_MAGIC:
        raise _damaged(
            path,
            "it is protected by a password, or of the old form .xls",
            "save it as .xlsx, without a password",
        )
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            is_sheet = part.filename.startswith("xl/worksheets/")
            if not is_sheet and part.file_size > LARGEST_PART:
                raise _damaged(
                    path,
                    f"{part.filename} unpacks to {part.file_size // 2**20} MiB",
                    "export it as CSV, or in parts",
                )


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Whatever the reading of a package raises, by our names; it has no errors of its own."""
    try:
        yield
    except (ExportError, ExtraMissing, MemoryError):
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, ParseError) as error:
        raise _damaged(path, f"it is cut or damaged: {error}") from error
    except OSError as error:
        if error.strerror is None:
            raise _damaged(path, str(error)) from error
        raise UnreadableExport(
            f"it cannot be read: {error.strerror}",
            where=path,
            remedy="correct the place or its permissions, and run again",
        ) from error
    except Exception as error:
        what = str(error).partition("\n")[0] or type(error).__name__
        raise _damaged(path, f"it cannot be read: {what}") from error


def _damaged(path: Path, what: str, remedy: str = "export or save it again") -> DamagedWorkbook:
    return DamagedWorkbook(f"the workbook is of no use: {what}", where=path, remedy=remedy)


def _column(place: str) -> int:
    """The number of the column of a place such as `AB12`."""
    number = 0
    for letter in place.rstrip("0123456789"):
        number = number * 26 + ord(letter) - 64
    return number
