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

import click
import polars as pl

from pipeline.errors import InputMissing, UsageError, did_you_mean
from pipeline.explaining.chargeback import chargeback
from pipeline.explaining.curve import curve
from pipeline.period import Period
from pipeline.published import Published, makers
from pipeline.texts import texts, visible
from schemas.columns import Table
from schemas.datasets import CHARGEBACK, CURVE, DATASETS, FINDINGS, INVOICES

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

    frames = []
    for period in periods:
        found = find(period)
        if found is None:
            raise _missing(store, table, period, as_of)
        frames.append(found)
    if len(periods) > 1 and "period" not in table.names:
        frames = [
            frame.select(pl.lit(str(period)).alias("period"), pl.all())
            for period, frame in zip(periods, frames, strict=True)
        ]
    rows = pl.concat(frames)
    if tenants and "tenant_id" in table.names:
        rows = rows.filter(pl.col("tenant_id").is_in(list(tenants)))
        _note_strangers({*tenants} - {*rows["tenant_id"]}, published, periods)
    return rows


def _note_strangers(tenants: set[str], published: Published, periods: Sequence[Period]) -> None:
    """Say on stderr of which tenants no dataset of the periods has anything.

    That may be so, of one without a contract in force; mostly its id is misspelt.
    """
    known: set[str] = set()
    # What has most tenants in fewest rows comes first: the others are mostly not looked at.
    of_tenants = [table for table in DATASETS if "tenant_id" in table.names]
    for table in sorted(of_tenants, key=lambda table: table not in (INVOICES, FINDINGS)):
        for period in periods if tenants - known else ():
            rows = published.rows(table, period)
            known |= set() if rows is None else {*rows["tenant_id"].drop_nulls().unique()}
    for stranger in sorted(tenants - known):
        months = f"{periods[0]}..{periods[-1]}" if len(periods) > 1 else str(periods[0])
        guess = did_you_mean(stranger, known, f"see `tenantbill show invoices {months}`")
        words = f"there is nothing of a tenant {stranger!r} in {months}; {guess}"
        click.echo(visible(words), err=True)


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


def _missing(store: Path, table: Table, period: Period, as_of: datetime | None) -> InputMissing:
    """The error where a period has no such dataset, with what to run or to ask instead."""
    run = Published(store).run(period)
    stage = next(iter(makers(table)), "rate") if run else "run"
    remedy = f"run `tenantbill {stage} {period}{'' if run else ' --feeds DIR'}`"
    if run and as_of:
        remedy = f"name a later instant with --as-of: `tenantbill log {period}` has them"
    by_then = f" as of {as_of:%Y-%m-%dT%H:%M:%SZ}" if as_of else ""
    return InputMissing(
        f"there is no {table.name} of {period} that is up to date{by_then}",
        where=store,
        remedy=remedy,
    )


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
