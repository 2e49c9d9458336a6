"""Explain a line or a whole invoice: find it, and tell it from what it was made from.

Belongs here: which exports, terms and results a line rests on. Does not belong here: telling
(`explaining`), and printing (`cli`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.documents.model import Line
from pipeline.errors import BillingError, InputMissing, UsageError, did_you_mean
from pipeline.explaining.context import Context, Contexts
from pipeline.explaining.lines import committed, nothing_charged, usage
from pipeline.explaining.overage import overage
from pipeline.explaining.told import Told
from pipeline.issuing.differences import REVERSAL, VALUE
from pipeline.period import Period
from pipeline.published import Published
from pipeline.store.landing import LandedStore
from pipeline.store.ledger import Documents, Entry
from schemas.columns import MONEY, Table
from schemas.datasets import INVOICE_LINES, INVOICES

_LINE = list(Line.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A line with why it is what it is; or an invoice that has no line, with why it is there.

    A correction also has the line that it takes back.
    """

    invoice_id: str
    line: Line | None
    told: Told

    @property
    def name(self) -> str:
        """What is explained."""
        return self.line.line_id if self.line else self.invoice_id

    @property
    def adds_up(self) -> bool:
        """Whether the usage rows come to the line's quantity, where it rests on usage."""
        if self.line is None:
            return True
        sign = -1 if self.line.adjustment == REVERSAL else 1
        found = sign * (self.told.counted - self.told.less)
        return not self.told.rests_on_usage or found == self.line.quantity


class Explainer:
    """Explains the lines of a store; what several of them share is opened once."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._published = Published(store)
        self._contexts = Contexts(self._published, LandedStore(store))
        self._issued_by: dict[str, set[str]] = {}
        self._of_month: dict[tuple[str, Period | None], pl.DataFrame] = {}
        self._lines_of: dict[str, pl.DataFrame] = {}

    def explain(self, name: str) -> list[Explanation]:
        """The line of that name, or all lines of the invoice of that name.

        Raises `UsageError` where there is neither, `InputMissing` where nothing is published.
        """
        lines = self._known(INVOICE_LINES, name)
        chosen = lines.filter(pl.col("line_id") == name)
        if chosen.is_empty():
            chosen = lines.filter(pl.col("invoice_id") == name).sort("line_id")
        if chosen.is_empty():
            return [self._without_lines(name, lines)]
        return [self._explained(row, lines) for row in chosen.iter_rows(named=True)]

    @cached_property
    def _issued(self) -> Documents:
        return self._published.issued()

    def _known(self, table: Table, name: str) -> pl.DataFrame:
        """The rows among which one of that name could be: all issued, and its month's drafts."""
        month = _month(name)
        key = (table.name, month)
        if key not in self._of_month:
            is_lines = table.name == INVOICE_LINES.name
            issued = self._issued.lines if is_lines else self._issued.invoices
            drafts = self._published.rows(table, month) if month else None
            rows = issued if drafts is None else pl.concat([issued, drafts])
            self._of_month[key] = rows.unique(table.names[0], keep="first", maintain_order=True)
        return self._of_month[key]

    def _without_lines(self, name: str, lines: pl.DataFrame) -> Explanation:
        """The invoice of that name, which has no line."""
        invoices = self._known(INVOICES, name)
        found = invoices.filter(pl.col("invoice_id") == name)
        if found.is_empty():
            raise self._unknown(name, [*invoices["invoice_id"].sort(), *lines["line_id"]])
        (row,) = found.iter_rows(named=True)
        context = self._context(name, row)
        return Explanation(name, None, nothing_charged(context, row["subscription_id"]))

    def _unknown(self, name: str, names: list[str]) -> BillingError:
        """Nothing is called that; perhaps something else was meant."""
        if not self._published.periods:
            return InputMissing(
                "nothing is published",
                where=self._store,
                remedy=f"run `tenantbill run {_month(name) or 'PERIOD'} --feeds DIR` first",
            )
        otherwise = "see the ids in `tenantbill show invoice_lines PERIOD`"
        return UsageError(
            f"there is no invoice and no line {name!r}", remedy=did_you_mean(name, names, otherwise)
        )

    def _explained(self, row: dict[str, Any], lines: pl.DataFrame) -> Explanation:
        line = Line(*(row[name] for name in _LINE))
        if line.adjustment == REVERSAL:
            is_corrected = pl.col("line_id") == line.corrects_line_id
            (corrected,) = lines.filter(is_corrected).iter_rows(named=True)
            before = self._explained(corrected, lines)
            sentences = [
                f"It {line.because}.",
                f"{line.corrects_line_id} was there for this reason:",
                *before.told.sentences,
            ]
            told = replace(before.told, sentences=sentences)
            return Explanation(row["invoice_id"], line, told)
        context = self._context(line.line_id, row)
        computed, others = self._computed(context, row)
        whose, kind = row["subscription_id"], computed["kind"]
        if kind == "committed":
            number = int(computed["line_id"].rpartition("/")[2])
            told = committed(context, line, whose, number)
        elif kind == "overage":
            told = overage(context, line, whose, others)
        else:
            told = usage(context, line, whose, others)
        if line.corrects_line_id:
            note = f"It states what {line.corrects_line_id} should have said: {line.because}."
            told = replace(told, sentences=[note, *told.sentences])
        return Explanation(row["invoice_id"], line, told)

    def _context(self, name: str, row: dict[str, Any]) -> Context:
        """What it was made from: as the ledger says of what is issued, else the newest run."""
        period, tenant = Period.parse(row["usage_period"]), row["tenant_id"]
        entries = self._published.life.issuing_entries
        entry = next((one for one in entries if self._is_issued_by(one, name)), None)
        if entry is not None:
            basis = entry.act.bases[period]
            number, parts = basis.listing, basis.parts
        else:
            run = self._published.run(period)
            if run is None:
                raise AssertionError(f"{name} was shown, but no run made it")
            number, parts = run.listing, run.parts
        return self._contexts.of(number, parts, period, tenant)

    def _is_issued_by(self, entry: Entry, name: str) -> bool:
        if entry.entry_id not in self._issued_by:
            documents = self._published.of_entry(entry)
            names = {*documents.invoices["invoice_id"], *documents.lines["line_id"]}
            self._issued_by[entry.entry_id] = names
        return name in self._issued_by[entry.entry_id]

    def _computed(self, context: Context, row: dict[str, Any]) -> tuple[dict[str, Any], Decimal]:
        """The line as the run computed it, and what the other slices of its charge come to.

        A statement of a correction is the computed line that says the same.
        """
        kind = row["corrected_kind"] or row["kind"]
        about = {"tenant_id": row["tenant_id"], "subscription_id": row["subscription_id"]}
        about |= {"kind": kind, "meter": row["meter"], "currency": row["currency"]}
        part = context.parts["rate"]
        if part not in self._lines_of:
            rows = self._published.of_parts(INVOICE_LINES, context.period, context.parts)
            self._lines_of[part] = INVOICE_LINES.empty() if rows is None else rows
        rows = self._lines_of[part]
        alike = rows.filter(pl.col(name) == value for name, value in about.items())
        said = [pl.col(name).eq_missing(pl.lit(row[name], MONEY)) for name in VALUE]
        same = alike.filter(*said)
        by_name = same.filter(pl.col("line_id") == row["line_id"])
        computed = (by_name if len(by_name) else same).row(0, named=True)
        total_quantity = Decimal(alike["quantity"].sum())
        return computed, total_quantity - computed["quantity"]


def _month(name: str) -> Period | None:
    """The month that an id begins with, if it does."""
    try:
        return Period.parse(name.partition("/")[0])
    except UsageError:
        return None
