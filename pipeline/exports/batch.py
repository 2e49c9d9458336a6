"""What reading an export gives: consecutive typed rows, and apart from them what is broken.

Belongs here: the form alone. Does not belong here: how it comes about (`judge.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

BROKEN = pl.Schema({"at": pl.UInt32(), "defects": pl.String(), "raw": pl.String()})
"""The columns of `Batch.broken`."""

BESIDE = pl.Schema({"row": pl.Int64(), "defects": pl.String(), "raw": pl.String()})
"""The columns that `Batch.whole` has beside the feed's."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of an export: every row of the file is in exactly one.

    `rows` are all rows, broken ones too, in exactly the table's columns and types, defaults filled
    in where the file says nothing. `first_row` is the number of the first of them in its file, from
    1. `broken` has one row for each that is not in order: `at`, its position in `rows`, ascending;
    `defects`, the names of the rules that it breaks, joined by `;`; `raw`, what the file says of
    it, as JSON.

    What other systems export is not always a row a record: `numbers` then says for each row which
    record of the file it was made of, ascending, and `remarks` counts by their code (`sources.
    remarks`) what is to be said of records, such as those that no row was made of.
    """

    rows: pl.DataFrame
    first_row: int
    broken: pl.DataFrame
    numbers: pl.Series | None = None
    remarks: Mapping[str, int] = field(default_factory=dict)

    def whole(self) -> pl.DataFrame:
        """The rows with `row`, their number, and with `defects` and `raw`, null where in order."""
        return self.rows.with_columns(
            self.row_numbers(),
            *(self._spread(self.broken.get_column(name)) for name in ("defects", "raw")),
        )

    def row_numbers(self) -> pl.Series:
        """`row`: the number in its file of each row, from 1."""
        if self.numbers is not None:
            return self.numbers.cast(pl.Int64).alias("row")
        end = self.first_row + self.rows.height
        return pl.int_range(self.first_row, end, eager=True, dtype=pl.Int64).alias("row")

    def slices(self, height: int) -> Iterator[Batch]:
        """The same rows in batches of at most `height`."""
        if self.rows.height <= height:
            yield self
            return
        for start in range(0, self.rows.height, height):
            inside = pl.col("at").is_between(start, start + height - 1)
            broken = self.broken.filter(inside).with_columns(pl.col("at") - start)
            numbers = None if self.numbers is None else self.numbers.slice(start, height)
            remarks = {} if start else self.remarks
            first_row = self.first_row + start
            yield Batch(self.rows.slice(start, height), first_row, broken, numbers, remarks)

    def _spread(self, texts: pl.Series) -> pl.Series:
        """The texts of the broken rows, each at the position of its row."""
        nothing = pl.Series(texts.name, [None], pl.String).new_from_index(0, self.rows.height)
        return nothing.scatter(self.broken.get_column("at"), texts) if len(texts) else nothing
