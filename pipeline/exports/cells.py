"""Texts into typed values, exactly: what cannot be read as its kind becomes null, never a guess.

Belongs here: for each kind, the usual form, which is read for all cells at once, and the others,
which are read for those that are left. Does not belong here: Parquet's own types (`physical.py`)
and what a null then means (`judge.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from pipeline.exports.fixed_instants import fixed_instants
from pipeline.exports.instants import instants, usual_instant
from schemas.columns import QUANTITY, Kind

EXACT = r"^[+-]?[0-9]{1,12}(?:\.[0-9]{1,6})?$"
"""What surely fits QUANTITY. Without it the cast rounds silently and takes `1e2`, `1.` and `.5`."""

PADDED = r"^([+-]?)0*([0-9]{1,12})(?:\.([0-9]{1,6})0*)?$"
"""The same values written with more zeros in front or at the end than QUANTITY has places."""

WHOLE = r"^[+-]?[0-9]{1,18}$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
FIRST_DAY = pl.date(1, 1, 1)


def read_texts(cells: pl.Series, kind: Kind) -> pl.Series:
    """The values of texts, null where they have none.

    All are read as if they were in the usual form, then those that were not in every form.
    """
    if kind is Kind.INSTANT:
        return _in_turn(cells, (fixed_instants, _by(usual_instant), instants))
    if kind is Kind.QUANTITY:
        return _in_turn(cells, (_by(_quantity), _by(_padded)))
    return _in_turn(cells, (_by(_PLAIN[kind]),))


def _in_turn(cells: pl.Series, readings: Sequence[Callable[[pl.Series], pl.Series]]) -> pl.Series:
    """What the first of the readings makes of each text: the later ones see only what is left."""
    values = readings[0](cells)
    for reading in readings[1:]:
        if values.null_count() == cells.null_count():
            break
        left = (values.is_null() & cells.is_not_null()).arg_true()
        values = values.scatter(left, reading(cells.gather(left)))
    return values


def _by(reading: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.Series], pl.Series]:
    return lambda cells: cells.to_frame("cell").select(reading(pl.col("cell"))).to_series()


def _quantity(cell: pl.Expr) -> pl.Expr:
    return pl.when(cell.str.contains(EXACT)).then(cell.cast(QUANTITY, strict=False))


def _whole(cell: pl.Expr) -> pl.Expr:
    return pl.when(cell.str.contains(WHOLE)).then(cell.cast(pl.Int64, strict=False))


def _day(cell: pl.Expr) -> pl.Expr:
    day = cell.str.to_date("%Y-%m-%d", strict=False)
    return pl.when(cell.str.contains(DAY) & (day >= FIRST_DAY)).then(day)


def _padded(cell: pl.Expr) -> pl.Expr:
    part = [cell.str.extract(PADDED, group) for group in (1, 2, 3)]
    plain = pl.concat_str(part[0], part[1], pl.lit("."), part[2].fill_null("0"))
    return plain.cast(QUANTITY, strict=False)


_PLAIN = {Kind.INTEGER: _whole, Kind.DATE: _day}
