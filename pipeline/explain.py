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
from pipeline.errors import UsageError, did_you_mean
from pipeline.explaining.context import Context, Contexts
from pipeline.explaining.lines import committed, usage
from pipeline.explaining.overage import overage
from pipeline.explaining.told import Told
from pipeline.issuing.differences import REVERSAL, VALUE
from pipeline.period import Period
from pipeline.published import Published
from pipeline.store.landing import LandedStore
from pipeline.store.ledger import Entry
from schemas.columns import MONEY
from schemas.datasets import INVOICE_LINES

_LINE = list(Line.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A line with why it is what it is; a correction also has the line that it takes back."""

    line: Line
    currency: str
    told: Told

    @property
    def adds_up(self) -> bool:
        """Whether the usage rows come to the line's quantity, where it rests on usage."""
        sign = -1 if self.line.adjustment == REVERSAL else 1
        found = sign * (self.told.counted - self.told.less)
        return not self.told.rests_on_usage or found == self.line.quantity


class Explainer:
    """Explains the lines of a store; what several of them share is opened once."""

    def __init__(self, store: Path) -> None:
        self._published = Published(store)
        self._contexts = Contexts(self._published, LandedStore(store))
        self._issued_by: dict[str, set[str]] = {}
        self._of_month: dict[str, pl.DataFrame] = {}
        self._lines_of: dict[str, pl.DataFrame] = {}

    def explain(self, name: str) -> list[Explanation]:
        """The line of that name, or all lines of the invoice of that name.

        Raises `UsageError` where there is neither.
        """
        lines = self._lines(name)
        chosen = lines.filter(pl.col("line_id") == name)
        if chosen.is_empty():
            chosen = lines.filter(pl.col("invoice_id") == name).sort("line_id")
        if chosen.is_empty():
            raise unknown_name(name, lines)
        return [self._explained(row, lines) for row in chosen.iter_rows(named=True)]

    @cached_property
    def _issued(self) -> pl.DataFrame:
        return self._published.issued().lines

    def _lines(self, name: str) -> pl.DataFrame:
        """The lines among which one of that name could be: all issued, and its month's drafts."""
        month = name.partition("/")[0]
        if month not in self._of_month:
            try:
                drafts = self._published.rows(INVOICE_LINES, Period.parse(month))
            except UsageError:
                drafts = None
            lines = self._issued if drafts is None else pl.concat([self._issued, drafts])
            self._of_month[month] = lines.unique("line_id", keep="first", maintain_order=True)
        return self._of_month[month]

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
            return Explanation(line, row["currency"], replace(before.told, sentences=sentences))
        context = self._context(row)
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
        return Explanation(line, row["currency"], told)

    def _context(self, row: dict[str, Any]) -> Context:
        """What a line was made from: as the ledger says of an issued one, else the newest run."""
        period, tenant = Period.parse(row["usage_period"]), row["tenant_id"]
        entries = self._published.life.issuing_entries
        entry = next((one for one in entries if self._is_issued_by(one, row)), None)
        if entry is not None:
            basis = entry.act.bases[period]
            number, parts = basis.listing, basis.parts
        else:
            run = self._published.run(period)
            if run is None:
                raise AssertionError(f"{row['line_id']} was shown, but no run made it")
            number, parts = run.listing, run.parts
        return self._contexts.of(number, parts, period, tenant)

    def _is_issued_by(self, entry: Entry, row: dict[str, Any]) -> bool:
        if entry.entry_id not in self._issued_by:
            lines = self._published.of_entry(entry).lines
            self._issued_by[entry.entry_id] = {*lines["line_id"]}
        return row["line_id"] in self._issued_by[entry.entry_id]

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


def unknown_name(name: str, lines: pl.DataFrame) -> UsageError:
    """Nothing is called that; perhaps something else was meant."""
    names = [*lines["invoice_id"].unique().sort(), *lines["line_id"]]
    otherwise = "see the ids in `tenantbill show invoice_lines PERIOD`"
    return UsageError(
        f"there is no invoice and no line {name!r}", remedy=did_you_mean(name, names, otherwise)
    )
