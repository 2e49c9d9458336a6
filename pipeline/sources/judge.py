"""From raw cells to a typed batch in which every broken row names what is wrong with it.

Belongs here: defaults, defects and the raw text of broken rows. Does not belong here: how a cell is
read (`cells.py`, `physical.py`) and where cells come from (`csv_files.py`, `parquet_files.py`).

The clean path costs one pass over each column; text is made for the broken rows alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from pipeline.sources.batch import BROKEN, Batch
from pipeline.sources.physical import as_text, read_columns
from schemas.columns import Column, Table

SHAPE = "row_shape"


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows as they stand in the file: raw cells by header name, empty ones null.

    `misshapen` holds, by position, the raw JSON of rows that do not have the header's fields;
    their cells are all null.
    """

    frame: pl.DataFrame
    misshapen: Mapping[int, str] = field(default_factory=dict)


def without_empties(frame: pl.DataFrame) -> pl.DataFrame:
    """The same cells with empty texts as null."""
    empty = [s.name for s in frame if s.dtype == pl.String and (s == "").any()]
    return frame.with_columns(_filled(frame[name]) for name in empty)


def judge(cells: Cells, table: Table, first_row: int) -> Batch:
    """The typed batch; `first_row` is the number of the first of these rows in its file."""
    values = read_columns(cells.frame, table)
    unreadable = _unreadable(cells.frame, values)
    typed = pl.DataFrame([_defaulted(cells, c, values) for c in table])
    return Batch(typed, first_row, _broken(cells, table, typed, unreadable))


def _filled(cells: pl.Series) -> pl.Series:
    return cells.set(cells == "", None)


def _unreadable(frame: pl.DataFrame, values: pl.DataFrame) -> dict[str, pl.Series]:
    """For each column with unreadable cells: where they are."""
    return {
        value.name: value.is_null() & frame.get_column(value.name).is_not_null()
        for value in values
        if value.null_count() != frame.get_column(value.name).null_count()
    }


def _defaulted(cells: Cells, column: Column, values: pl.DataFrame) -> pl.Series:
    """The column, with its default where the file says nothing, not where it is unreadable."""
    height = cells.frame.height
    default = pl.Series(column.name, [column.default], pl.String).cast(column.kind.dtype)
    if column.name not in values.columns:
        value = pl.Series(column.name, [None], column.kind.dtype).new_from_index(0, height)
        said = pl.repeat(False, height, eager=True)
    else:
        value = values.get_column(column.name)
        said = cells.frame.get_column(column.name).is_not_null()
    if column.default is None or not value.null_count():
        return value
    return value.zip_with(said | _misshapen(cells), default.new_from_index(0, height))


def _misshapen(cells: Cells) -> pl.Series:
    """Where the rows are that do not have the header's fields."""
    nowhere = pl.repeat(False, cells.frame.height, eager=True, dtype=pl.Boolean)
    return nowhere.scatter(list(cells.misshapen), True)


def _broken(
    cells: Cells, table: Table, typed: pl.DataFrame, unreadable: Mapping[str, pl.Series]
) -> pl.DataFrame:
    """The rows that are not in order: where they are, what is wrong with them, what they say."""
    rules = table.row_rules()
    flags = typed.select(rule.broken.fill_null(False).alias(rule.name) for rule in rules)
    broken = [flag for flag in flags if flag.any()]
    if not (broken or unreadable or cells.misshapen):
        return BROKEN.to_frame()
    marks = [m.alias(f"{name}_unreadable") for name, m in unreadable.items()]
    marks += [_judgeable(flag, unreadable) for flag in broken]
    if cells.misshapen:
        misshapen = _misshapen(cells)
        marks = [misshapen.alias(SHAPE), *(mark & ~misshapen for mark in marks)]
    marked = pl.DataFrame(marks)
    bad = marked.select(pl.any_horizontal(pl.all())).to_series()
    names = [pl.when(pl.col(m.name)).then(pl.lit(m.name)) for m in marks]
    defects = marked.filter(bad).select(pl.concat_str(names, separator=";", ignore_nulls=True))
    at = bad.arg_true()
    return pl.DataFrame([at, defects.to_series(), _raw(cells, at)], schema=BROKEN)


def _judgeable(flag: pl.Series, unreadable: Mapping[str, pl.Series]) -> pl.Series:
    """A value that is there but cannot be read is not also missing."""
    column = flag.name.removesuffix("_missing")
    if column != flag.name and column in unreadable:
        return flag & ~unreadable[column]
    return flag


def _raw(cells: Cells, at: pl.Series) -> pl.Series:
    """The raw JSON of the rows at these positions."""
    few = cells.frame[at]
    names = few.columns
    columns = [as_text(series) for series in few]
    rows = zip(at.to_list(), *columns, strict=True)
    texts = [
        cells.misshapen.get(position)
        or json.dumps({n: v or None for n, v in zip(names, row, strict=True)}, ensure_ascii=False)
        for position, *row in rows
    ]
    return pl.Series(texts, dtype=pl.String)
