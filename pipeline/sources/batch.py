"""What reading an export gives: consecutive typed rows, and apart from them what is broken.

Belongs here: the form alone. Does not belong here: how it comes about (`judge.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

BROKEN = pl.Schema({"at": pl.UInt32(), "defects": pl.String(), "raw": pl.String()})
"""The columns of `Batch.broken`."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of an export: every row of the file is in exactly one.

    `rows` are all rows, broken ones too, in exactly the table's columns and types, defaults filled
    in where the file says nothing. `first_row` is the number of the first of them in its file, from
    1. `broken` has one row for each that is not in order: `at`, its position in `rows`, ascending;
    `defects`, the names of the rules that it breaks, joined by `;`; `raw`, what the file says of
    it, as JSON.
    """

    rows: pl.DataFrame
    first_row: int
    broken: pl.DataFrame

    def whole(self) -> pl.DataFrame:
        """The rows with `row`, their number, and with `defects` and `raw`, null where in order."""
        height = self.rows.height
        numbers = pl.int_range(self.first_row, self.first_row + height, eager=True, dtype=pl.Int64)
        return self.rows.with_columns(
            numbers.alias("row"),
            *(self._spread(self.broken.get_column(name)) for name in ("defects", "raw")),
        )

    def slices(self, height: int) -> Iterator[Batch]:
        """The same rows in batches of at most `height`."""
        if self.rows.height <= height:
            yield self
            return
        for start in range(0, self.rows.height, height):
            inside = pl.col("at").is_between(start, start + height - 1)
            broken = self.broken.filter(inside).with_columns(pl.col("at") - start)
            yield Batch(self.rows.slice(start, height), self.first_row + start, broken)

    def _spread(self, texts: pl.Series) -> pl.Series:
        """The texts of the broken rows, each at the position of its row."""
        nothing = pl.Series(texts.name, [None], pl.String).new_from_index(0, self.rows.height)
        return nothing.scatter(self.broken.get_column("at"), texts) if len(texts) else nothing
