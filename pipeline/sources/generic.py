"""Any table with a mapping: `csv`, `parquet` and `xlsx`.

Belongs here: the files that tables come in. Does not belong here: the mapping (`mapping.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from pipeline.errors import did_you_mean
from pipeline.exports import Cells, EmptyExport
from pipeline.exports.csv_files import csv_table
from pipeline.exports.faults import UnknownSheet
from pipeline.exports.headers import check_repeats
from pipeline.exports.parquet_files import parquet_cells
from pipeline.exports.reader import BATCH_ROWS
from pipeline.exports.workbooks import Sheet, workbook
from pipeline.sources.kind import Key, Kind, Options
from pipeline.sources.mapping import KEYS, check_mapping, feed_columns, feed_of
from schemas.columns import Kind as Holds

MIDNIGHT = "T00:00:00"


def _csv_cells(path: Path, options: Options) -> Iterator[Cells]:
    header, every = csv_table(path, options["separator"])
    check_repeats(path, header)
    columns = feed_columns(path, pl.Schema(dict.fromkeys(header, pl.String())), options)
    for cells in every:
        yield cells.read_as(columns)


def _parquet_cells(path: Path, options: Options) -> Iterator[Cells]:
    def columns(schema: pl.Schema) -> list[pl.Expr]:
        return feed_columns(path, schema, options)

    return parquet_cells(path, feed_of(options), BATCH_ROWS, columns)


def _xlsx_cells(path: Path, options: Options) -> Iterator[Cells]:
    with workbook(path) as sheets:
        sheet = _meant(path, sheets, options["sheet"])
        place = f"{path}, sheet {sheet.name!r}"
        header = sheet.header()
        if not header:
            raise EmptyExport(
                "the sheet is empty: it has no header",
                where=place,
                remedy="export again; an export of no rows still has a header",
            )
        columns = feed_columns(place, pl.Schema(dict.fromkeys(header, pl.String())), options)
        used = {*feed_of(options).names, *options["columns"].values()}
        for cells in sheet.cells(used):
            yield cells.read_as(_days(columns, options))


def _days(columns: Sequence[pl.Expr], options: Options) -> list[pl.Expr]:
    """The columns, with days as days: a workbook keeps one as the moment at which it begins."""
    days = {column.name for column in feed_of(options) if column.kind is Holds.DATE}
    return [
        column.str.strip_suffix(MIDNIGHT) if column.meta.output_name() in days else column
        for column in columns
    ]


def _meant(path: Path, sheets: Sequence[Sheet], name: str | None) -> Sheet:
    """The sheet that is named, or the only one that shows."""
    names = [sheet.name for sheet in sheets]
    shown = [sheet for sheet in sheets if sheet.is_visible]
    if name is None and len(shown) == 1:
        return shown[0]
    listed = f"its sheets are {', '.join(map(repr, names))}"
    if name is None:
        raise UnknownSheet(
            f"the workbook shows {len(shown)} sheets, and none is said",
            where=path,
            remedy=f"say sheet in the [[source]]: {listed}",
        )
    if name not in names:
        raise UnknownSheet(
            f"there is no sheet {name!r}", where=path, remedy=did_you_mean(name, names, listed)
        )
    return sheets[names.index(name)]


def _check_csv(options: Options) -> None:
    check_mapping(options)
    mark = options["separator"]
    if len(mark) != 1 or not mark.isascii() or mark in '"\r\n':
        raise ValueError(f'separator is {mark!r}; say one character, such as ";" or "\\t"')
    if mark == "," and options["decimal_comma"]:
        raise ValueError("a comma is both between fields and in numbers; say another separator")


CSV = Kind(
    "csv",
    "any CSV file, with a mapping",
    feed_of,
    (".csv", ".csv.gz"),
    _csv_cells,
    {
        **KEYS,
        "separator": Key(str, "what is between two fields", default=","),
        "decimal_comma": Key(bool, "whether numbers are written 1,5 for 1.5", default=False),
    },
    _check_csv,
)

PARQUET = Kind(
    "parquet",
    "any Parquet file, with a mapping",
    feed_of,
    (".parquet",),
    _parquet_cells,
    KEYS,
    check_mapping,
)

XLSX = Kind(
    "xlsx",
    "a sheet of any workbook, with a mapping",
    feed_of,
    (".xlsx", ".xlsm"),
    _xlsx_cells,
    {**KEYS, "sheet": Key(str, "the sheet that holds the table; else the only one that shows")},
    check_mapping,
)
