"""Counting a usage export again with another engine, which shares nothing with the reading.

Belongs here: rows and quantities of Parquet exports, as DuckDB finds them. Does not belong here:
CSV exports; their reading accounts for every byte itself.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import duckdb

from pipeline.sources.exports import kind_of

_ESCAPED = str.maketrans({"[": "[[]", "*": "[*]", "?": "[?]"})
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def recounted(path: Path) -> tuple[int, Decimal] | None:
    """The rows of a usage export and the sum of `quantity`; None where the engine cannot say.

    It cannot of other kinds of file than Parquet, nor where quantities are not decimals that the
    feed can hold, every one.
    """
    if kind_of(path) != ".parquet":
        return None
    file = str(path.absolute()).translate(_ESCAPED)
    with duckdb.connect(config={"threads": 1}) as connection:
        try:
            described = connection.execute("describe from read_parquet(?)", [file]).fetchall()
            types = {name: str(kind) for name, kind, *_ in described}
            if not _holds(types.get("quantity", "")):
                return None
            counted = connection.execute(
                "select count(*), coalesce(sum(quantity), 0) from read_parquet(?)", [file]
            ).fetchone()
        except duckdb.Error:
            return None
    return (int(counted[0]), Decimal(counted[1])) if counted else None


def _holds(kind: str) -> bool:
    """Whether every value of the type is a quantity: 12 digits, a point, 6 digits."""
    found = _DECIMAL.fullmatch(kind)
    return found is not None and int(found[2]) <= 6 and int(found[1]) - int(found[2]) <= 12
