"""From raw cells to a typed batch in which every broken row names what is wrong with it.

Belongs here: defaults, defects and the raw text of broken rows. Does not belong here: how a cell is
read (`cells.py`, `physical.py`) and where cells come from (`csv_files.py`, `parquet_files.py`).

The clean path costs one pass over each column; text is made for the broken rows alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from itertools import compress
from operator import or_

import polars as pl

from pipeline.exports.batch import BROKEN, Batch
from pipeline.exports.physical import as_texts, read_columns
from schemas.columns import Column, Table

SHAPE = "row_shape"


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows as they stand in the file: raw cells by header name, empty ones null.

    `misshapen` holds, by position, the raw JSON of rows that do not have the header's fields;
    their cells are all null. `numbers` and `remarks` are those of `Batch`; `said` gives, for some
    positions, what the file says of those rows as JSON, where that is not what the cells say.
    """

    frame: pl.DataFrame
    misshapen: Mapping[int, str] = field(default_factory=dict)
    numbers: pl.Series | None = None
    remarks: Mapping[str, int] = field(default_factory=dict)
    said: Callable[[pl.Series], list[str]] | None = None

    def read_as(self, columns: Iterable[pl.Expr]) -> Cells:
        """The same rows, with the columns of a feed: each an expression on the columns here.

        What the file says of a row stays what it says.
        """
        return replace(self, frame=self.frame.select(columns), said=self.texts)

    def texts(self, at: pl.Series) -> list[str]:
        """What the file says of the rows at some positions, as JSON."""
        if self.said is not None:
            return self.said(at)
        few = self.frame[at]
        rows = zip(at.to_list(), *as_texts(few), strict=True)
        return [self._text(position, row) for position, *row in rows]

    def _text(self, position: int, row: Iterable[str | None]) -> str:
        said = {name: text or None for name, text in zip(self.frame.columns, row, strict=True)}
        return self.misshapen.get(position) or json.dumps(said, ensure_ascii=False)


def without_empties(frame: pl.DataFrame) -> pl.DataFrame:
    """The same cells with empty texts as null."""
    texts = [series for series in frame if series.dtype == pl.String]
    empty = [text.name for text in texts if text.null_count() < len(text) and (text == "").any()]
    return frame.with_columns(_filled(frame.get_column(name)) for name in empty) if empty else frame


def judge(cells: Cells, table: Table, first_row: int) -> Batch:
    """The typed batch; `first_row` is the number of the first of these rows in its file."""
    values = read_columns(cells.frame, table)
    unreadable = _unreadable(cells.frame, values)
    rows = _complete(cells, table, values)
    broken = _broken(cells, table, rows, unreadable)
    return Batch(rows, first_row, broken, cells.numbers, cells.remarks)


def _filled(cells: pl.Series) -> pl.Series:
    return cells.set(cells == "", None)


def _unreadable(frame: pl.DataFrame, values: pl.DataFrame) -> dict[str, pl.Series]:
    """For each column with unreadable cells: where they are."""
    return {
        value.name: value.is_null() & frame.get_column(value.name).is_not_null()
        for value in values
        if value.null_count() != frame.get_column(value.name).null_count()
    }


def _complete(cells: Cells, table: Table, values: pl.DataFrame) -> pl.DataFrame:
    """Every column of the table: with its default where the file says nothing.

    A column that the file does not have costs nothing: the engine keeps one value for all rows.
    """
    absent = [
        pl.lit(column.default).cast(column.kind.dtype).alias(column.name)
        for column in table
        if column.name not in values.columns
    ]
    present = [
        _defaulted(cells, column, values.get_column(column.name))
        for column in table
        if column.name in values.columns and column.default is not None
    ]
    rows = values.with_columns(*absent, *present)[table.names]
    return _nowhere(cells, rows, table) if cells.misshapen else rows


def _defaulted(cells: Cells, column: Column, value: pl.Series) -> pl.Series:
    """The column, with its default where the file says nothing, not where it is unreadable."""
    said = cells.frame.get_column(column.name).is_not_null()
    if said.all():
        return value
    default = pl.Series(column.name, [column.default], pl.String).cast(column.kind.dtype)
    return value.zip_with(said, default.new_from_index(0, len(value)))


def _nowhere(cells: Cells, rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The rows without the defaults of those that do not have the header's fields."""
    defaulted = [column.name for column in table if column.default is not None]
    return rows.with_columns(pl.when(~_misshapen(cells)).then(name) for name in defaulted)


def _misshapen(cells: Cells) -> pl.Series:
    """Where the rows are that do not have the header's fields."""
    nowhere = pl.repeat(False, cells.frame.height, eager=True, dtype=pl.Boolean)
    return nowhere.scatter(list(cells.misshapen), True)


def _broken(
    cells: Cells, table: Table, rows: pl.DataFrame, unreadable: Mapping[str, pl.Series]
) -> pl.DataFrame:
    """The rows that are not in order: where they are, what is wrong with them, what they say."""
    broken = [flag for flag in rows.select(_flags(table)) if flag.any()]
    if not (broken or unreadable or cells.misshapen):
        return BROKEN.to_frame()
    marks = [mark.alias(f"{name}_unreadable") for name, mark in unreadable.items()]
    marks += [_judgeable(flag, unreadable) for flag in broken]
    if cells.misshapen:
        misshapen = _misshapen(cells)
        marks = [misshapen.alias(SHAPE), *(mark & ~misshapen for mark in marks)]
    at = reduce(or_, marks).arg_true()
    few = pl.DataFrame(marks)[at]
    defects = [";".join(compress(few.columns, row)) for row in few.rows()]
    return pl.DataFrame({"at": at, "defects": defects, "raw": cells.texts(at)}, schema=BROKEN)


@lru_cache
def _flags(table: Table) -> list[pl.Expr]:
    """For each rule, by its name, where it is broken."""
    return [rule.broken.fill_null(False).alias(rule.name) for rule in table.row_rules()]


def _judgeable(flag: pl.Series, unreadable: Mapping[str, pl.Series]) -> pl.Series:
    """A value that is there but cannot be read is not also missing."""
    column = flag.name.removesuffix("_missing")
    if column != flag.name and column in unreadable:
        return flag & ~unreadable[column]
    return flag
