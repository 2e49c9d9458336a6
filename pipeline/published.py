"""What readers see of a period: issued documents, and drafts where nothing is issued yet.

Belongs here: which rows of a dataset count, now or as of an instant. Does not belong here: printing
them (`show`), and making them.

A tenant that is closed in a period keeps the results it was closed with; whatever runs came later
are candidates beside them. The others are shown from the newest run.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline.findings import error_codes
from pipeline.issuing.life import Life
from pipeline.period import Period
from pipeline.stages.order import STAGES
from pipeline.store.ledger import Documents, Entry, Ledger
from pipeline.store.results import ResultStore, Run, in_order
from schemas.columns import Table
from schemas.datasets import CONTROLS, FINDINGS, INVOICE_LINES, INVOICES

DOCUMENTS = (INVOICES.name, INVOICE_LINES.name)

_OF_EVERY_STAGE = (FINDINGS.name, CONTROLS.name)


class Published:
    """The published state of a store: as it is, or as it was at an instant."""

    def __init__(self, store: Path, as_of: datetime | None = None) -> None:
        self.results = ResultStore(store)
        self._ledger = Ledger(store)
        self._as_of = as_of

    @cached_property
    def life(self) -> Life:
        """Which tenants are closed in which periods."""
        return Life(self._ledger.entries(self._as_of))

    def run(self, period: Period) -> Run | None:
        """The run that the open tenants of a period are shown from."""
        return self.results.latest(period, self._as_of)

    @cached_property
    def periods(self) -> list[Period]:
        """The periods of which anything is published, in order."""
        by_then = [
            run.period
            for run in self.results.runs()
            if self._as_of is None or run.knows_until <= self._as_of
        ]
        dated = self.issued().invoices["period"].unique()
        return sorted({*by_then, *map(Period.parse, dated)})

    def issued(self, period: Period | None = None) -> Documents:
        """The issued documents: those dated in a period, or all."""
        return self._ledger.issued(self.life.issuing_entries, period)

    def candidate(self, table: Table, period: Period) -> pl.DataFrame | None:
        """The rows of a dataset as the newest run has them, whatever was issued."""
        run = self.run(period)
        return self.of_parts(table, period, run.parts) if run else None

    def of_entry(self, entry: Entry) -> Documents:
        """The documents that an entry of the ledger issued."""
        return self._ledger.issued([entry])

    def rows(self, table: Table, period: Period) -> pl.DataFrame | None:
        """The rows of a dataset; none where the stage that makes it has not run."""
        drafts = self.candidate(table, period)
        closed = self.life.closed(period)
        if table.name in DOCUMENTS:
            issued = self._issued(table, period)
            if drafts is None:
                return issued if len(issued) else None
            return in_order(table, pl.concat([issued, _of_others(drafts, closed)]))
        if not closed:
            return drafts
        return self._beside_closed(table, period, drafts)

    def open_tenants(self, period: Period) -> list[str]:
        """The tenants with a draft that is not issued, or with an error that prevents one."""
        run = self.run(period)
        if run is None:
            return []
        drafts = self.of_parts(INVOICES, period, run.parts)
        found = self.of_parts(FINDINGS, period, run.parts)
        with_draft = {*drafts["tenant_id"]} if drafts is not None else set()
        in_error = {*error_codes(found)} if found is not None else set()
        return sorted((with_draft | in_error) - {*self.life.closed(period)})

    def of_parts(self, table: Table, period: Period, parts: dict[str, str]) -> pl.DataFrame | None:
        """The rows of a dataset under the parts of some stages; none where none of them made it."""
        named = [parts[maker] for maker in makers(table) if maker in parts]
        return self.results.read(table, period, named) if named else None

    def _issued(self, table: Table, period: Period) -> pl.DataFrame:
        documents = self.issued(period)
        return documents.invoices if table.name == INVOICES.name else documents.lines

    def _beside_closed(
        self, table: Table, period: Period, drafts: pl.DataFrame | None
    ) -> pl.DataFrame | None:
        """What the closed tenants were closed with, and what the newest run has of the others."""
        closed = self.life.closed(period)
        by_entry = {entry.entry_id: entry for entry in closed.values()}
        frozen = {
            name: self.of_parts(table, period, entry.act.bases[period].parts)
            for name, entry in by_entry.items()
        }
        is_over = not self.open_tenants(period)
        if "tenant_id" not in table.names:
            last = next(reversed(frozen.values()))
            return last if is_over else drafts
        frames = [
            rows.filter(pl.col("tenant_id").is_in(_closed_by(closed, name)))
            for name, rows in frozen.items()
            if rows is not None
        ]
        of_nobody = next(reversed(frozen.values())) if is_over else drafts
        if of_nobody is not None:
            frames.append(of_nobody.filter(pl.col("tenant_id").is_null()))
        if drafts is not None:
            frames.append(_of_others(drafts.drop_nulls("tenant_id"), closed))
        return in_order(table, pl.concat(frames)) if frames else None


def makers(table: Table) -> list[str]:
    """The stages that publish a dataset, in order."""
    return [stage.name for stage in STAGES if table.name in (*stage.datasets, *_OF_EVERY_STAGE)]


def _closed_by(closed: dict[str, Entry], entry_id: str) -> list[str]:
    return [tenant for tenant, entry in closed.items() if entry.entry_id == entry_id]


def _of_others(rows: pl.DataFrame, tenants: Iterable[str]) -> pl.DataFrame:
    return rows.filter(~pl.col("tenant_id").is_in(list(tenants)))
