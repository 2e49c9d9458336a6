"""Published datasets as people and programs read them.

Belongs here: finding the rows and writing them out. Does not belong here: computing them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path

import polars as pl

from pipeline.errors import InputMissing, UsageError
from pipeline.money import minor_units
from pipeline.period import Period
from pipeline.stages.order import STAGES
from pipeline.store.landing import LandedStore
from pipeline.store.results import ResultStore, Run
from schemas.columns import Table
from schemas.datasets import CONTROLS, DATASETS, FINDINGS, INVOICES

_OF_EVERY_STAGE = (FINDINGS.name, CONTROLS.name)


def datasets_of(
    store: Path, dataset: str, periods: Sequence[Period], tenants: Sequence[str]
) -> pl.DataFrame:
    """The published rows of a dataset, in order of periods and of its key.

    Raises `UsageError` for an unknown dataset, `InputMissing` where a period has none.
    """
    table = _table(dataset)
    results = ResultStore(store)
    frames = [_rows(results, table, period) for period in periods]
    if len(periods) > 1 and "period" not in table.names:
        frames = [
            frame.select(pl.lit(str(period)).alias("period"), pl.all())
            for period, frame in zip(periods, frames, strict=True)
        ]
    rows = pl.concat(frames)
    if tenants and "tenant_id" in table.names:
        rows = rows.filter(pl.col("tenant_id").is_in(list(tenants)))
    return rows


def status_of(store: Path, periods: Sequence[Period] | None) -> pl.DataFrame:
    """One row a published period: its run, what it rests on, and how it stands."""
    results = ResultStore(store)
    newest = {run.period: run for run in results.runs()}
    wanted = periods or sorted(newest)
    rows = [_standing(results, newest[period]) for period in wanted if period in newest]
    if not rows:
        raise InputMissing(
            "nothing is published", where=store, remedy="run `tenantbill run PERIOD --feeds DIR`"
        )
    listing = LandedStore(store).listing()
    newest_listing = listing.number if listing else 0
    return pl.DataFrame(rows).with_columns(
        exports=pl.when(pl.col("exports") == newest_listing)
        .then(pl.lit("as taken in last"))
        .otherwise(pl.lit("newer ones are taken in"))
    )


def write_rows(rows: pl.DataFrame, shape: str) -> None:
    """Write rows to stdout as a table, CSV, JSON or Parquet."""
    # Through memory, since the engine has its own words for a reader that went away.
    written = BytesIO()
    match shape:
        case "table":
            _write_table(rows)
        case "csv":
            _texts(rows).write_csv(written)
        case "json":
            written.write(f"{_texts(rows).write_json()}\n".encode())
        case "parquet":
            rows.write_parquet(written)
    sys.stdout.buffer.write(written.getvalue())
    sys.stdout.flush()


def _rows(results: ResultStore, table: Table, period: Period) -> pl.DataFrame:
    run = results.latest(period)
    makers = [stage.name for stage in STAGES if table.name in (*stage.datasets, *_OF_EVERY_STAGE)]
    parts = [run.parts[maker] for maker in makers if maker in run.parts] if run else []
    if not parts:
        stage = makers[0] if run else "run"
        raise InputMissing(
            f"there is no {table.name} of {period} that is up to date",
            remedy=f"run `tenantbill {stage} {period}{'' if run else ' --feeds DIR'}`",
        )
    return results.read(table, period, parts)


def _table(dataset: str) -> Table:
    tables = {table.name: table for table in DATASETS}
    if dataset not in tables:
        close = get_close_matches(dataset, tables, n=1)
        raise UsageError(
            f"there is no dataset {dataset!r}",
            remedy=f"did you mean {close[0]}?" if close else f"there are {', '.join(tables)}",
        )
    return tables[dataset]


def _standing(results: ResultStore, run: Run) -> dict[str, object]:
    parts = list(run.parts.values())
    invoices = results.read(INVOICES, run.period, parts)
    found = results.read(FINDINGS, run.period, parts)
    totals = invoices.group_by("currency").agg(pl.col("total").sum()).sort("currency")
    missing = [stage.name for stage in STAGES if stage.name not in run.parts]
    return {
        "period": str(run.period),
        "run": run.run_id,
        "command": run.command,
        "published_at": run.published_at,
        "exports": run.listing,
        "invoices": len(invoices),
        "blocked": int((invoices["status"] == "blocked").sum()),
        "totals": "; ".join(
            f"{currency} {_money(total, currency)}" for currency, total in totals.iter_rows()
        ),
        **{
            f"{severity}s": int((found["severity"] == severity).sum())
            for severity in ("error", "warning", "notice")
        },
        "missing_stages": ", ".join(missing),
    }


def _money(value: object, currency: str) -> str:
    return f"{Decimal(str(value)):,.{minor_units(currency) or 0}f}"


def _texts(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with decimals as plain text and instants as UTC ISO 8601 with `Z`."""
    return rows.with_columns(_text(name, dtype) for name, dtype in rows.schema.items())


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Decimal):
        return column.cast(pl.String).str.replace(r"\.?0+$", "").alias(name)
    if isinstance(dtype, pl.Datetime):
        seconds = column.dt.strftime("%Y-%m-%dT%H:%M:%S")
        fraction = column.dt.strftime("%.6f").str.strip_chars_end("0").str.strip_chars_end(".")
        return (seconds + fraction + "Z").alias(name)
    return column


def _write_table(rows: pl.DataFrame) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as RichTable  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = RichTable(box=None, header_style="bold", pad_edge=False)
    for name, dtype in rows.schema.items():
        grid.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in _texts(rows).iter_rows():
        grid.add_row(*(Text("" if value is None else str(value)) for value in row))
    console = Console()
    if not console.is_terminal:
        console.width = 10_000
    console.print(grid)
