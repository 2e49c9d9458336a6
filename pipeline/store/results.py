"""Published results: Delta tables, and the one table that says which of their rows count.

Belongs here: publishing and reading. Does not belong here: computing.

A dataset's rows lie under (billing_period, part); a part is the fingerprint of what made them, so
writing it again writes the same. A row of `runs` names the part of every stage of a period: adding
it publishes all datasets together, and readers take what the newest row names. Nothing that a row
of `runs` names is ever changed or deleted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import BillingError
from pipeline.period import Period
from pipeline.remote.faults import ChangedMeanwhile
from pipeline.store.delta import DeltaTables
from schemas.columns import INSTANT, Table
from schemas.screen import is_as_declared

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
        "actor": pl.String(),
        "as_of": INSTANT,
    }
)


class PublishedMeanwhile(BillingError):
    """Another run published while this one was at work (exit code 75)."""

    exit_code = 75

    @classmethod
    def of(cls, what: object) -> PublishedMeanwhile:
        """What another run published, as an error."""
        return cls(
            "another run published meanwhile",
            where=str(what),
            remedy="run again: it starts from what is published now",
        )


@dataclass(frozen=True, slots=True)
class Run:
    """One published state of a period: `parts` names the part of each stage that has run.

    `as_of` is the instant by which everything it counts had arrived, where one was asked for.
    """

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
    actor: str | None = None
    as_of: datetime | None = None

    @property
    def knows_until(self) -> datetime:
        """The instant whose knowledge the run shows."""
        return self.as_of or self.published_at


Parts = Mapping[tuple[str, str], pl.DataFrame]
"""(dataset, part) to its rows."""

Write = Callable[[Parts], None]


class ResultStore:
    """The published results of a store."""

    def __init__(self, store: Path) -> None:
        self._tables = DeltaTables(store)

    def runs(self, period: Period | None = None) -> list[Run]:
        """Every run that was published, in order; of one period, or of all."""
        ordered = self._tables.read("runs", _RUNS).sort("billing_period", "sequence")
        runs = [_run(row) for row in ordered.iter_rows(named=True)]
        return [run for run in runs if period in (None, run.period)]

    def latest(self, period: Period, as_of: datetime | None = None) -> Run | None:
        """The published state of a period, if there is one: the newest, or what was known by then.

        Of the runs that know nothing later than `as_of`, the one that knows most counts.
        """
        runs = self.runs(period)
        if as_of is None:
            return next(reversed(runs), None)
        by_then = [run for run in runs if run.knows_until <= as_of]
        return max(by_then, key=lambda run: (run.knows_until, run.sequence), default=None)

    def read(self, table: Table, period: Period | None, parts: Iterable[str]) -> pl.DataFrame:
        """The rows of a dataset under some parts, in order of the dataset's key.

        Of one period, or of whichever the parts lie under.
        """
        is_wanted = pl.col("partition.part").is_in(list(parts))
        if period is not None:
            is_wanted &= pl.col("partition.billing_period") == str(period)
        rows = self._tables.read(table.name, table.dtypes, is_wanted)
        return in_order(table, rows)

    def write(self, period: Period, tables: Mapping[str, Table], parts: Parts) -> None:
        """Write parts of datasets. Nobody reads them before a run or the ledger names them."""
        with self.writing(period, tables) as write:
            write(parts)

    @contextmanager
    def writing(self, period: Period, tables: Mapping[str, Table]) -> Iterator[Write]:
        """Something that writes parts while the block goes on; they are written once it ends.

        Datasets are tables apart, so they are written side by side; all parts of one are to be
        given together. Of all that fails, writing or the block, what failed first is raised: what
        fails after it may only follow from it.
        """
        failures: list[BaseException] = []

        def attempt(table: Table, parts: Parts) -> None:
            try:
                self._write(period, table, parts)
            except BaseException as error:
                failures.append(error)
                raise

        def raise_first() -> None:
            if failures:
                raise failures[0]

        with ThreadPoolExecutor(len(tables), thread_name_prefix="writer") as writers:

            def write(parts: Parts) -> None:
                raise_first()
                for name in sorted({name for name, _ in parts}):
                    writers.submit(attempt, tables[name], parts)

            try:
                yield write
            except Exception:
                raise_first()
                raise
        raise_first()

    def _write(self, period: Period, table: Table, parts: Parts) -> None:
        """Write the parts of one dataset."""
        frames = {
            part: _as_declared(table, rows)
            for (name, part), rows in parts.items()
            if name == table.name and len(rows)
        }
        if not frames:
            return
        rows = pl.concat(
            in_order(table, frame).with_columns(
                billing_period=pl.lit(str(period)), part=pl.lit(part)
            )
            for part, frame in frames.items()
        )
        names = ", ".join(f"'{part}'" for part in frames)
        predicate = f"billing_period = '{period}' AND part IN ({names})"
        try:
            self._tables.put(table.name, rows, ["billing_period", "part"], predicate)
        except ChangedMeanwhile as error:
            raise PublishedMeanwhile.of(period) from error

    def publish(self, run: Run) -> None:
        """Make a run the published state of its period, if the one before it still is.

        Raises `PublishedMeanwhile` otherwise. Whether or not the lock was held all the time: the
        row comes right after those that were looked at, or not at all.
        """
        seen = self._tables.version("runs")
        latest = self.latest(run.period)
        if (latest.run_id if latest else None) != run.previous_run_id:
            raise PublishedMeanwhile.of(run.period)
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
            "actor": run.actor,
            "as_of": run.as_of,
        }
        try:
            self._tables.append("runs", pl.DataFrame([row], schema=_RUNS), run.run_id, seen)
        except ChangedMeanwhile as error:
            raise PublishedMeanwhile.of(run.period) from error


def in_order(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in order of the dataset's key."""
    return rows.sort(table.key or table.names, nulls_last=True, maintain_order=True)


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
        row["actor"],
        row["as_of"],
    )
