"""Columns of a Parquet file into the feed's kinds: which types can be read exactly, and how.

Belongs here: polars types other than text. Does not belong here: texts (`cells.py`), files.
"""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import polars as pl

from pipeline.exports.cells import read_texts
from pipeline.exports.instants import FIRST_MS, LAST_MS, from_epoch_ms
from schemas.columns import INSTANT, QUANTITY, Kind, Table

FIRST_DAY = -719_162
LAST_DAY = 2_932_896
"""0001-01-01 and 9999-12-31 as days since 1970-01-01."""

DAY_US = 86_400_000_000
_PER_MS = {"us": 1_000, "ns": 1_000_000}


def usable(dtype: pl.DataType, kind: Kind) -> bool:
    """Whether every value of the type can be read exactly as the kind, or be named unreadable."""
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum | pl.Null):
        return True
    match kind:
        case Kind.TEXT | Kind.INTEGER:
            return dtype.is_integer()
        case Kind.QUANTITY:
            return dtype.is_integer() or isinstance(dtype, pl.Decimal)
        case Kind.DATE:
            return isinstance(dtype, pl.Date) or (
                isinstance(dtype, pl.Datetime) and dtype.time_zone in {None, "UTC"}
            )
        case Kind.INSTANT:
            return dtype.is_integer() or isinstance(dtype, pl.Datetime)
        case _:
            return False


def read_columns(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The columns of the table that the frame has, typed; null where a value cannot be read.

    `usable` must hold of each.
    """
    present = [column for column in table if column.name in frame.columns]
    return pl.DataFrame([_values(frame.get_column(c.name), c.kind).alias(c.name) for c in present])


def _values(cells: pl.Series, kind: Kind) -> pl.Series:
    if _is_read(cells, kind):
        return cells
    if cells.null_count() == len(cells):
        return pl.Series([None], dtype=kind.dtype).new_from_index(0, len(cells))
    if cells.dtype == pl.String:
        return read_texts(cells, kind)
    return cells.to_frame("cell").select(_native(pl.col("cell"), cells.dtype, kind)).to_series()


def _is_read(cells: pl.Series, kind: Kind) -> bool:
    """Whether the cells are values of the kind already, every one of them."""
    if cells.dtype != kind.dtype:
        return False
    if kind is Kind.INSTANT:
        return _within(cells, FIRST_MS * 1000, LAST_MS * 1000 + 999)
    return kind is not Kind.DATE or _within(cells, FIRST_DAY, LAST_DAY)


def _within(cells: pl.Series, first: int, last: int) -> bool:
    counts = cells.to_physical()
    low, high = counts.min(), counts.max()
    return low is None or (first <= cast("int", low) and cast("int", high) <= last)


def _native(cell: pl.Expr, dtype: pl.DataType, kind: Kind) -> pl.Expr:
    match kind:
        case Kind.DATE:
            return _date(cell, dtype)
        case Kind.INSTANT:
            return _instant(cell, dtype)
        case Kind.QUANTITY:
            # The cast rounds silently: what is not the same afterwards was not exact.
            exact = cell.cast(QUANTITY, strict=False)
            return pl.when(exact == cell).then(exact) if isinstance(dtype, pl.Decimal) else exact
        case _:
            return cell.cast(kind.dtype, strict=False)


def _date(cell: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    days = cell.to_physical()
    if isinstance(dtype, pl.Datetime):
        unit = DAY_US // 1000 * _PER_MS.get(dtype.time_unit, 1)
        days = pl.when(days % unit == 0).then(days // unit)
    inside = pl.when(days.is_between(FIRST_DAY, LAST_DAY)).then(days)
    return inside.cast(pl.Int32).cast(pl.Date)


def _instant(cell: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if not isinstance(dtype, pl.Datetime):
        return from_epoch_ms(cell.cast(pl.Int64, strict=False))
    # Judged as a number: a temporal cast of a moment out of range panics, or wraps around.
    count = cell.to_physical()
    if dtype.time_unit == "ms":
        return from_epoch_ms(count)
    per_ms = _PER_MS[dtype.time_unit]
    inside = pl.when(count.is_between(FIRST_MS * per_ms, LAST_MS * per_ms + per_ms - 1)).then(count)
    return (inside if dtype.time_unit == "us" else inside // 1000).cast(INSTANT)


def as_texts(few: pl.DataFrame) -> list[list[str | None]]:
    """What the cells of each column hold, for people to read; for rows that are set aside."""
    numbered = pl.DataFrame([series.alias(str(n)) for n, series in enumerate(few)])
    shown = numbered.with_columns(
        _text(series.name, series.dtype)
        for series in numbered
        if series.dtype != pl.String and not _is_shown_by_python(series.dtype)
    )
    return [
        series.to_list()
        if series.dtype == pl.String
        else [None if value is None else str(value) for value in series.to_list()]
        for series in shown
    ]


def _is_shown_by_python(dtype: pl.DataType) -> bool:
    return dtype.is_nested() or isinstance(dtype, pl.Binary | pl.Object | pl.Time | pl.Duration)


@lru_cache
def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    cell = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        moment = _instant(cell, dtype).dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
    elif isinstance(dtype, pl.Date):
        moment = _date(cell, dtype).dt.to_string("%Y-%m-%d")
    else:
        return cell.cast(pl.String)
    return pl.coalesce(moment, cell.to_physical().cast(pl.String))
