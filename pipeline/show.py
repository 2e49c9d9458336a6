"""Published datasets as people and programs read them.

Belongs here: finding the rows and writing them out. Does not belong here: computing them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from io import BytesIO, StringIO
from pathlib import Path
from shutil import get_terminal_size

import polars as pl

from pipeline.errors import InputMissing, UsageError
from pipeline.explaining.chargeback import chargeback
from pipeline.explaining.curve import curve
from pipeline.period import Period
from pipeline.published import Published, makers
from pipeline.texts import texts, visible
from schemas.columns import Table
from schemas.datasets import CHARGEBACK, CURVE, DATASETS

WORKED_OUT = {CHARGEBACK: chargeback, CURVE: curve}
"""What is worked out for whoever asks for it, instead of being published."""


def datasets_of(
    store: Path,
    dataset: str,
    periods: Sequence[Period],
    tenants: Sequence[str],
    as_of: datetime | None = None,
    *,
    is_candidate: bool = False,
) -> pl.DataFrame:
    """The published rows of a dataset, now or as of an instant, in order of periods and of its key.

    Or the newest run's, also of tenants that are closed.

    Raises `UsageError` for an unknown dataset, `InputMissing` where a period has none.
    """
    table = _table(dataset)
    published = Published(store, as_of)

    def find(period: Period) -> pl.DataFrame | None:
        if table in WORKED_OUT:
            return WORKED_OUT[table](store, published, period, tenants or None)
        of = published.candidate if is_candidate else published.rows
        return of(table, period)

    frames = [_there(find(period), published, table, period) for period in periods]
    if len(periods) > 1 and "period" not in table.names:
        frames = [
            frame.select(pl.lit(str(period)).alias("period"), pl.all())
            for period, frame in zip(periods, frames, strict=True)
        ]
    rows = pl.concat(frames)
    if tenants and "tenant_id" in table.names:
        rows = rows.filter(pl.col("tenant_id").is_in(list(tenants)))
    return rows


def write_rows(rows: pl.DataFrame, shape: str) -> None:
    """Write rows to stdout as a table, CSV, JSON or Parquet."""
    # Through memory, since the engine has its own words for a reader that went away.
    written = BytesIO()
    match shape:
        case "table":
            width = get_terminal_size().columns if sys.stdout.isatty() else 10_000
            written.write(as_table(rows, width).encode())
        case "csv":
            texts(rows).write_csv(written)
        case "json":
            written.write(f"{texts(rows).write_json()}\n".encode())
        case "parquet":
            rows.write_parquet(written)
    sys.stdout.buffer.write(written.getvalue())
    sys.stdout.flush()


def write_changes(changes: pl.DataFrame, shape: str) -> None:
    """Write what would change; on a terminal without what only programs read."""
    for_programs = ("corrects_invoice_id", "corrects_line_id", "because")
    write_rows(changes.drop(for_programs) if shape == "table" else changes, shape)


def _there(
    rows: pl.DataFrame | None, published: Published, table: Table, period: Period
) -> pl.DataFrame:
    """The rows; where there are none yet, raises `InputMissing` with what to run."""
    if rows is None:
        is_there = published.run(period) is not None
        stage = next(iter(makers(table)), "rate") if is_there else "run"
        raise InputMissing(
            f"there is no {table.name} of {period} that is up to date",
            remedy=f"run `tenantbill {stage} {period}{'' if is_there else ' --feeds DIR'}`",
        )
    return rows


def _table(dataset: str) -> Table:
    tables = {table.name: table for table in (*DATASETS, *WORKED_OUT)}
    if dataset not in tables:
        close = get_close_matches(dataset, tables, n=1)
        raise UsageError(
            f"there is no dataset {dataset!r}",
            remedy=f"did you mean {close[0]}?" if close else f"there are {', '.join(tables)}",
        )
    return tables[dataset]


def as_table(rows: pl.DataFrame, width: int = 10_000) -> str:
    """Rows as a table for eyes, numbers to the right; no value can steer a terminal."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as RichTable  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = RichTable(box=None, header_style="bold", pad_edge=False)
    for name, dtype in rows.schema.items():
        grid.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in texts(rows).iter_rows():
        grid.add_row(*(Text("" if value is None else visible(str(value))) for value in row))
    written = StringIO()
    Console(file=written, width=width, force_terminal=sys.stdout.isatty()).print(grid)
    return written.getvalue()
