"""One look at a whole frame: whether anything in it is not as declared.

Belongs here: the quick answer, which is almost always no. Does not belong here: saying what is
wrong; that is asked of pandera (`checks.py`), which need not be loaded otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from schemas.columns import Rule, Table


def keeps_rules(table: Table, rows: pl.DataFrame, across: Iterable[Rule] = ()) -> bool:
    """Whether a feed's rows have its types and break no rule, of a row or `across` rows.

    Other columns may stand beside the feed's own.
    """
    if rows.select(table.names).schema != table.dtypes:
        return False
    broken = [rule.broken.fill_null(False).any() for rule in (*table.row_rules(), *across)]
    return rows.is_empty() or not rows.select(pl.any_horizontal(False, *broken)).item()


def is_as_declared(table: Table, frame: pl.DataFrame) -> bool:
    """Whether a dataset has exactly its columns in order, values as they may be, each key once."""
    if frame.schema != table.dtypes or frame.columns != table.names:
        return False
    missing = [pl.col(column.name).is_null().any() for column in table if column.required]
    unknown = [
        (~pl.col(column.name).is_in(column.choices)).any() for column in table if column.choices
    ]
    repeated = [pl.struct(table.key).is_duplicated().any()] if table.key else []
    wrong = pl.any_horizontal(False, *missing, *unknown, *repeated)
    return frame.is_empty() or not frame.select(wrong).item()
