"""The ledger: who closed, planned and applied what, when, why, and from what. Append-only.

Belongs here: its entries, and the issued documents that they name. Does not belong here: what is to
be issued (`issuing`).

Issued documents are rows of `invoices` and `invoice_lines` under the id of their entry; adding the
entry is what issues them all together. Nothing that an entry names is ever changed or deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import BillingError
from pipeline.fingerprint import fingerprint
from pipeline.period import Period
from pipeline.remote.faults import ChangedMeanwhile
from pipeline.store.delta import DeltaTables
from pipeline.store.results import ResultStore
from schemas.columns import INSTANT
from schemas.datasets import INVOICE_LINES, INVOICES

CLOSED, PLANNED, APPLIED = "close", "plan", "apply"

_TABLES = {table.name: table for table in (INVOICES, INVOICE_LINES)}

_LEDGER = pl.Schema(
    {
        "sequence": pl.Int64(),
        "entry_id": pl.String(),
        "previous_entry_id": pl.String(),
        "at": INSTANT,
        "actor": pl.String(),
        "action": pl.String(),
        "words": pl.String(),
        "reason": pl.String(),
        "plan": pl.String(),
        "bases": pl.String(),
        "documents": pl.Int64(),
    }
)


class IssuedMeanwhile(BillingError):
    """Another command wrote to the ledger while this one was at work (exit code 75)."""

    exit_code = 75

    @classmethod
    def of(cls) -> IssuedMeanwhile:
        """What another command issued, as an error."""
        return cls(
            "another command issued something meanwhile",
            where="ledger",
            remedy="run the command again: it starts from what is issued now",
        )


@dataclass(frozen=True, slots=True)
class Basis:
    """What the documents of some tenants in a period were made from: all that could change them.

    `listing` is the number of the exports counted, by their hashes; terms and rates are among them.
    `parts` names the results, stage by stage; `run_id` the run that published them, if one did.
    """

    tenants: tuple[str, ...]
    listing: int
    code: str
    inputs: str
    parts: dict[str, str]
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """What is done to the ledger: in which words, by whom, why, and on what basis.

    `bases` by period of usage; `plan` is the name of the plan that is made or applied.
    """

    action: str
    at: datetime
    actor: str
    words: str
    bases: Mapping[Period, Basis]
    plan: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An act that was written down, and how many documents it issued."""

    sequence: int
    entry_id: str
    act: Act
    documents: int = 0


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents to be issued, and their lines, all dated in one period."""

    invoices: pl.DataFrame = field(default_factory=INVOICES.empty)
    lines: pl.DataFrame = field(default_factory=INVOICE_LINES.empty)


class Ledger:
    """The ledger of a store."""

    def __init__(self, store: Path) -> None:
        self._tables = DeltaTables(store)
        self._results = ResultStore(store)

    def entries(self, as_of: datetime | None = None) -> list[Entry]:
        """All entries in order; or those made by an instant."""
        rows = self._tables.read("ledger", _LEDGER).sort("sequence")
        entries = [_entry(row) for row in rows.iter_rows(named=True)]
        return [one for one in entries if as_of is None or one.act.at <= as_of]

    def issued(self, entries: Iterable[Entry], period: Period | None = None) -> Documents:
        """What some entries issued: dated in one period, or in any."""
        parts = [one.entry_id for one in entries if one.documents]
        if not parts:
            return Documents()
        return Documents(
            self._results.read(INVOICES, period, parts),
            self._results.read(INVOICE_LINES, period, parts),
        )

    def write(
        self, act: Act, issued: Mapping[Period, Documents], issued_until: str | None
    ) -> Entry:
        """Write an act down, and issue its documents, by the periods they are dated in.

        `issued_until` is the last entry that had issued anything when the act was worked out.
        Raises `IssuedMeanwhile` if there is another one by now. Whether or not the lock was held
        all the time: the entry comes right after those that were looked at, or not at all.
        """
        seen = self._tables.version("ledger")
        before = self.entries()
        if last_issue(before) != issued_until:
            raise IssuedMeanwhile.of()
        last = before[-1] if before else None
        sequence = last.sequence + 1 if last else 1
        content = [
            (str(period), one.invoices.drop("issued_at").rows(), one.lines.rows())
            for period, one in sorted(issued.items())
        ]
        previous = last.entry_id if last else None
        # Two that try the same at once must not write the same part.
        attempt = (act.at, act.actor)
        made_of = (sequence, previous, act.action, act.plan, act.reason, content, attempt)
        entry_id = fingerprint(*made_of)[:12]
        for period, documents in issued.items():
            frames = {
                (INVOICES.name, entry_id): documents.invoices,
                (INVOICE_LINES.name, entry_id): documents.lines,
            }
            self._results.write(period, _TABLES, frames)
        documents_issued = sum(len(one.invoices) for one in issued.values())
        entry = Entry(sequence, entry_id, act, documents_issued)
        try:
            self._tables.append("ledger", _row(entry, previous), entry_id, seen)
        except ChangedMeanwhile as error:
            raise IssuedMeanwhile.of() from error
        return entry


def last_issue(entries: Iterable[Entry]) -> str | None:
    """The id of the last of some entries that issued documents; None where none did."""
    return next((one.entry_id for one in reversed([*entries]) if one.documents), None)


def _row(entry: Entry, previous: str | None) -> pl.DataFrame:
    act = entry.act
    bases = {
        str(period): [one.tenants, one.listing, one.code, one.inputs, one.parts, one.run_id]
        for period, one in act.bases.items()
    }
    row = {
        "sequence": entry.sequence,
        "entry_id": entry.entry_id,
        "previous_entry_id": previous,
        "at": act.at,
        "actor": act.actor,
        "action": act.action,
        "words": act.words,
        "reason": act.reason,
        "plan": act.plan,
        "bases": json.dumps(bases),
        "documents": entry.documents,
    }
    return pl.DataFrame([row], schema=_LEDGER)


def _entry(row: dict[str, Any]) -> Entry:
    bases = {
        Period.parse(period): Basis(tuple(tenants), *values)
        for period, (tenants, *values) in json.loads(row["bases"]).items()
    }
    act = Act(
        row["action"],
        row["at"],
        row["actor"],
        row["words"],
        bases,
        row["plan"],
        row["reason"],
    )
    return Entry(row["sequence"], row["entry_id"], act, row["documents"])
