"""Texts into typed values, exactly: what cannot be read as its kind becomes null, never a guess.

Belongs here: for each kind, the usual form, which is read for all columns at once, and every form,
which is read for the few cells that are not in the usual one. Does not belong here: Parquet's own
types (`physical.py`) and what a null then means (`judge.py`).
"""

from __future__ import annotations

import polars as pl

from pipeline.sources.instants import instants, usual_instant
from schemas.columns import QUANTITY, Kind

EXACT = r"^[+-]?[0-9]{1,12}(?:\.[0-9]{1,6})?$"
"""What surely fits QUANTITY. Without it the cast rounds silently and takes `1e2`, `1.` and `.5`."""

PADDED = r"^([+-]?)0*([0-9]{1,12})(?:\.([0-9]{1,6})0*)?$"
"""The same values written with more zeros in front or at the end than QUANTITY has places."""

WHOLE = r"^[+-]?[0-9]{1,18}$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
FIRST_DAY = pl.date(1, 1, 1)


def usual(cell: pl.Expr, kind: Kind) -> pl.Expr:
    """The value of a text in the usual form of its kind; null for any other text."""
    match kind:
        case Kind.TEXT:
            return cell
        case Kind.QUANTITY:
            return pl.when(cell.str.contains(EXACT)).then(cell.cast(QUANTITY, strict=False))
        case Kind.INTEGER:
            return pl.when(cell.str.contains(WHOLE)).then(cell.cast(pl.Int64, strict=False))
        case Kind.DATE:
            day = cell.str.to_date("%Y-%m-%d", strict=False)
            return pl.when(cell.str.contains(DAY) & (day >= FIRST_DAY)).then(day)
        case Kind.INSTANT:
            return usual_instant(cell)
        case _:
            raise NotImplementedError(kind.name)


def unusual(cells: pl.Series, kind: Kind) -> pl.Series:
    """The values of texts that are not in the usual form, null where they have none."""
    match kind:
        case Kind.QUANTITY:
            return cells.to_frame("cell").select(_padded(pl.col("cell"))).to_series()
        case Kind.INSTANT:
            return instants(cells)
        case _:
            return pl.Series(cells.name, [], kind.dtype).extend_constant(None, len(cells))


def _padded(cell: pl.Expr) -> pl.Expr:
    part = [cell.str.extract(PADDED, group) for group in (1, 2, 3)]
    plain = pl.concat_str(part[0], part[1], pl.lit("."), part[2].fill_null("0"))
    return plain.cast(QUANTITY, strict=False)
