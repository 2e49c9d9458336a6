"""Names, types and units: what a column is, said once.

Belongs here: the vocabulary to describe a feed or a dataset. Does not belong here: any particular
feed or dataset (`feeds.py`, `datasets.py`), and pandera (`checks.py`), so that describing stays
cheap to import.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import polars as pl

QUANTITY = pl.Decimal(18, 6)
"""Quantities and prices as they arrive: up to 12 digits, a point, 6 digits. Never a float."""

MONEY = pl.Decimal(38, 6)
"""Sums, prices and amounts as they leave; amounts are already rounded to the minor unit (R10.5)."""

INSTANT = pl.Datetime("us", "UTC")


class Kind(Enum):
    """What a column holds; the value is the polars type that carries it exactly."""

    TEXT = pl.String()
    QUANTITY = QUANTITY
    MONEY = MONEY
    INTEGER = pl.Int64()
    DATE = pl.Date()
    INSTANT = INSTANT

    @property
    def dtype(self) -> pl.DataType:
        """The polars type of the kind."""
        dtype: pl.DataType = self.value
        return dtype


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, kind and meaning, and what may stand in it.

    `required` columns of a feed must be in its header and hold a value in every row; `default`
    stands in for an empty cell; `choices` lists every value that is allowed.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A named way in which a row can break its contract.

    `broken` is true where the row breaks the rule; null (it cannot be judged, since a value is
    missing) does not count as broken. `remedy` tells whoever owns the row what to do.
    """

    name: str
    broken: pl.Expr
    remedy: str


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A feed or a dataset: what one row is, its columns in order, and the rules of a row."""

    name: str
    grain: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    optional: bool = False
    key: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> list[str]:
        """The column names, in order."""
        return [column.name for column in self.columns]

    @property
    def dtypes(self) -> pl.Schema:
        """The polars schema: name to type, in order."""
        return pl.Schema({column.name: column.kind.dtype for column in self.columns})

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with exactly these columns."""
        return pl.DataFrame(schema=self.dtypes)

    def row_rules(self) -> tuple[Rule, ...]:
        """Every rule that a typed row can be judged by alone: from its columns, then its own.

        A required value that is not there, and a value outside the choices. What cannot be read as
        the column's kind at all is found while reading, where the raw text still is.
        """
        missing = (
            Rule(f"{c.name}_missing", pl.col(c.name).is_null(), f"state {c.name} in every row")
            for c in self.columns
            if c.required
        )
        unknown = (
            Rule(
                f"{c.name}_unknown",
                ~pl.col(c.name).is_in(list(c.choices)),
                f"{c.name} is one of {', '.join(c.choices)}",
            )
            for c in self.columns
            if c.choices
        )
        return (*missing, *unknown, *self.rules)
