"""Workbooks and tables for tests of sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import xlsxwriter

from pipeline.sources import Source

Rows = Sequence[Sequence[object]]


def save_workbook(path: Path, sheets: Mapping[str, Rows]) -> Path:
    """Write sheets of rows: texts as texts, numbers as numbers."""
    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    return path


def source(kind: str, path: Path, **said: Any) -> Source:
    """A source as the settings would say it."""
    return Source.of(kind, str(path), said, "tenantbill.toml, [[source]] 1")


def read(it: Source, path: Path | None = None) -> pl.DataFrame:
    """Every row of a file, with what is wrong with it."""
    batches = list(it.read(path or Path(it.path)))
    if not batches:
        return pl.DataFrame(schema={**it.table.dtypes, "row": pl.Int64})
    return pl.concat([batch.whole() for batch in batches])


def remarks(it: Source, path: Path | None = None) -> dict[str, int]:
    """What is said of the records of a file."""
    said: dict[str, int] = {}
    for batch in it.read(path or Path(it.path)):
        for code, count in batch.remarks.items():
            said[code] = said.get(code, 0) + count
    return said
