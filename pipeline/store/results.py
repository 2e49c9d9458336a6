"""Published results: Delta tables, and the one table that says which of their rows count.

Belongs here: publishing and reading. Does not belong here: computing.

A dataset's rows lie under (billing_period, part); a part is the fingerprint of what made them, so
writing it again writes the same. A row of `runs` names the part of every stage of a period: adding
it publishes all datasets together, and readers take what the newest row names. Nothing that a row
of `runs` names is ever changed or deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable

from pipeline.errors import BillingError, StoreDamaged
from pipeline.period import Period
from schemas.columns import INSTANT, Table
from schemas.screen import is_as_declared

_KEEP = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}

_RUNS = pl.Schema(
    {
        "billing_period": pl.String(),
        "sequence": pl.Int64(),
        "run_id": pl.String(),
        "previous_run_id": pl.String(),
        "published_at": INSTANT,
        "command": pl.String(),
        "inputs": pl.String(),
        "listing": pl.Int64(),
        "parts": pl.String(),
        "code": pl.String(),
    }
)


_UNUSABLE = frozenset("[]\\^|%*?")
"""Characters that Delta takes for parts of a URL, or DuckDB for wildcards."""


class StoreNameUnusable(BillingError):
    """The store cannot lie in a folder of that name."""


class PublishedMeanwhile(BillingError):
    """Another run published the period while this one was at work."""


@dataclass(frozen=True, slots=True)
class Run:
    """One published state of a period: `parts` names the part of each stage that has run."""

    period: Period
    sequence: int
    run_id: str
    previous_run_id: str | None
    published_at: datetime
    command: str
    inputs: str
    listing: int
    parts: dict[str, str]
    code: str


Parts = Mapping[tuple[str, str], pl.DataFrame]
"""(dataset, part) to its rows."""


class ResultStore:
    """The published results of a store."""

    def __init__(self, store: Path) -> None:
        unusable = sorted(_UNUSABLE.intersection(str(store.absolute())))
        if unusable:
            raise StoreNameUnusable(
                f"{' '.join(unusable)} in the path of the store, which its files cannot have",
                where=store,
                remedy="choose another folder with --store",
            )
        self._root = store / "results"

    def runs(self, period: Period | None = None) -> list[Run]:
        """Every run that was published, in order; of one period, or of all."""
        rows = self._files("runs", _RUNS, pl.lit(True))
        ordered = rows.sort("billing_period", "sequence")
        runs = [_run(row) for row in ordered.iter_rows(named=True)]
        return [run for run in runs if period in (None, run.period)]

    def latest(self, period: Period) -> Run | None:
        """The published state of a period, if there is one."""
        return next(reversed(self.runs(period)), None)

    def read(self, table: Table, period: Period, parts: list[str]) -> pl.DataFrame:
        """The rows of a dataset under some parts, in order of the dataset's key."""
        is_wanted = (pl.col("partition.billing_period") == str(period)) & pl.col(
            "partition.part"
        ).is_in(parts)
        rows = self._files(table.name, table.dtypes, is_wanted)
        return rows.sort(table.key or table.names, nulls_last=True, maintain_order=True)

    def write(self, period: Period, tables: Mapping[str, Table], parts: Parts) -> None:
        """Write parts of datasets. Nobody reads them before a run names them."""
        for dataset in sorted({name for name, _ in parts}):
            table = tables[dataset]
            frames = {
                part: _as_declared(table, rows)
                for (name, part), rows in parts.items()
                if name == dataset and len(rows)
            }
            if not frames:
                continue
            rows = pl.concat(
                frame.sort(table.key or table.names, nulls_last=True).with_columns(
                    billing_period=pl.lit(str(period)), part=pl.lit(part)
                )
                for part, frame in frames.items()
            )
            names = ", ".join(f"'{part}'" for part in frames)
            predicate = f"billing_period = '{period}' AND part IN ({names})"
            path = self._root / dataset
            self._write(path, rows, predicate if DeltaTable.is_deltatable(str(path)) else None)

    def publish(self, run: Run) -> None:
        """Make a run the published state of its period, if the one before it still is.

        Raises `PublishedMeanwhile` otherwise.
        """
        latest = self.latest(run.period)
        if (latest.run_id if latest else None) != run.previous_run_id:
            raise PublishedMeanwhile(
                f"{run.period} was published by another run meanwhile",
                where=str(run.period),
                remedy="run again: it starts from what is published now",
            )
        row = {
            "billing_period": str(run.period),
            "sequence": run.sequence,
            "run_id": run.run_id,
            "previous_run_id": run.previous_run_id,
            "published_at": run.published_at,
            "command": run.command,
            "inputs": run.inputs,
            "listing": run.listing,
            "parts": json.dumps(run.parts),
            "code": run.code,
        }
        frame = pl.DataFrame([row], schema=_RUNS)
        frame.write_delta(
            str(self._root / "runs"),
            mode="append",
            delta_write_options={
                "configuration": _KEEP,
                "commit_properties": CommitProperties(custom_metadata={"run_id": run.run_id}),
            },
        )

    def _files(self, name: str, schema: pl.Schema, is_wanted: pl.Expr) -> pl.DataFrame:
        """The rows of a Delta table's current files, of the partitions that are wanted.

        The log names the files; reading them by their real paths works for any folder, while
        polars' own `scan_delta` fails where its name has a space or an accent.
        """
        path = self._root / name
        if not DeltaTable.is_deltatable(str(path)):
            return pl.DataFrame(schema=schema)
        log = pl.DataFrame(DeltaTable(str(path)).get_add_actions(flatten=True))
        files = [path / unquote(file) for file in log.filter(is_wanted)["path"]]
        missing = next((file for file in files if not file.exists()), None)
        if missing:
            raise StoreDamaged(
                "a published file is gone",
                where=missing,
                remedy="restore it from a backup, or bill into a new --store from the exports",
            )
        if not files:
            return pl.DataFrame(schema=schema)
        # All in one call: runs have a file each, and one by one they would take long.
        columns = schema.names()
        rows = pl.read_parquet(files, glob=False, hive_partitioning=False, columns=columns)
        return rows.match_to_schema(schema)

    def _write(self, path: Path, rows: pl.DataFrame, predicate: str | None) -> None:
        options: dict[str, Any] = {
            "partition_by": ["billing_period", "part"],
            "configuration": _KEEP,
        }
        if predicate:
            options["predicate"] = predicate
        rows.write_delta(
            str(path), mode="overwrite" if predicate else "append", delta_write_options=options
        )


def _as_declared(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, if they are exactly as declared; else raises pandera's account of what is not."""
    if is_as_declared(table, rows):
        return rows
    from schemas.checks import assert_dataset  # noqa: PLC0415

    return assert_dataset(table, rows)


def _run(row: dict[str, Any]) -> Run:
    return Run(
        Period.parse(row["billing_period"]),
        row["sequence"],
        row["run_id"],
        row["previous_run_id"],
        row["published_at"],
        row["command"],
        row["inputs"],
        row["listing"],
        json.loads(row["parts"]),
        row["code"],
    )
