"""The declared tables as pandera schemas, and the two questions asked of them.

Belongs here: everything that needs pandera. Which rows of a feed break which rules (`broken_rows`),
and whether a dataset is exactly as declared (`assert_dataset`). Both look at collected frames: a
lazy one would have its data checks skipped without a word.
"""

from __future__ import annotations

from functools import cache

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from schemas.columns import Column, Rule, Table


@cache
def feed_schema(table: Table) -> pa.DataFrameSchema:
    """A feed's typed rows: types, then every row rule under its name. Others may stand by."""
    return pa.DataFrameSchema(
        {column.name: pa.Column(column.kind.dtype, nullable=True) for column in table},
        checks=[_check(rule) for rule in table.row_rules()],
        strict=False,
        coerce=False,
    )


@cache
def dataset_schema(table: Table) -> pa.DataFrameSchema:
    """A dataset as it is published: exactly its columns, in order, with its key unique."""
    return pa.DataFrameSchema(
        {column.name: _dataset_column(column) for column in table},
        strict=True,
        ordered=True,
        coerce=False,
        unique=list(table.key) or None,
    )


def broken_rows(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The rules that rows of a feed break: `index` (row of the frame), `rule`; none if all is well.

    `rows` has the feed's columns, typed. A type that is not the declared one is a defect of the
    program, not of the data, and raises.
    """
    nothing = pl.DataFrame(schema={"index": pl.Int64, "rule": pl.String})
    try:
        feed_schema(table).validate(rows, lazy=True)
    except SchemaErrors as failures:
        cases: pl.DataFrame = failures.failure_cases
        if cases["index"].is_null().any():
            raise
        return cases.select(pl.col("index").cast(pl.Int64), rule=pl.col("check")).unique()
    return nothing


def assert_dataset(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame itself, if it is exactly as declared; else pandera's account of what is not."""
    checked: pl.DataFrame = dataset_schema(table).validate(frame, lazy=True)
    return checked


def _check(rule: Rule) -> pa.Check:
    holds = ~rule.broken.fill_null(False)
    return pa.Check(
        lambda data, holds=holds: data.lazyframe.select(holds), name=rule.name, error=rule.name
    )


def _dataset_column(column: Column) -> pa.Column:
    checks = pa.Check.isin(list(column.choices)) if column.choices else None
    return pa.Column(column.kind.dtype, checks, nullable=not column.required)
