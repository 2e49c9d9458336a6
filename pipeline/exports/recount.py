"""Counting usage exports again with another engine, which shares nothing with the reading.

Belongs here: rows and quantities of Parquet exports, as DuckDB finds them. Does not belong here:
CSV exports; their reading accounts for every byte itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import duckdb

from pipeline.exports.find import kind_of

Counted = tuple[int, Decimal]

_ESCAPED = str.maketrans({"[": "[[]", "*": "[*]", "?": "[?]"})
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def recounted(paths: Sequence[Path]) -> list[Counted | None]:
    """The rows of each usage export and the sum of its `quantity`; None where nobody can say.

    The engine cannot of other kinds of file than Parquet, nor where quantities are not decimals
    that the feed can hold, every one.
    """
    if not any(kind_of(path) == ".parquet" for path in paths):
        return [None] * len(paths)
    with duckdb.connect(config={"threads": 1}) as connection:
        return [
            _counted(connection, path) if kind_of(path) == ".parquet" else None for path in paths
        ]


def _counted(connection: duckdb.DuckDBPyConnection, path: Path) -> Counted | None:
    file = str(path.absolute()).translate(_ESCAPED)
    try:
        kind, rows, quantity = connection.execute(
            "select any_value(typeof(quantity)), count(*), coalesce(sum(quantity), 0) "
            "from read_parquet(?)",
            [file],
        ).fetchall()[0]
    except duckdb.Error:
        return None
    return (int(rows), Decimal(quantity)) if kind is None or _holds(str(kind)) else None


def _holds(kind: str) -> bool:
    """Whether every value of the type is a quantity: 12 digits, a point, 6 digits."""
    found = _DECIMAL.fullmatch(kind)
    return found is not None and int(found[2]) <= 6 and int(found[1]) - int(found[2]) <= 12
