"""Measure every meter of a bucket on one day, or part of it: sums, peaks, different users (R4).

Belongs here: bringing a part's billed rows to the measures. Does not belong here: the measures
themselves (`measures`, `stages.sessions`, `stages.seen`), and joining parts (`stages.month`).

All codes are those of `Book`: `group` is tenant and meter, `own` is owner and meter, each as one
number, `tenant * meters + meter` and `owner * meters + meter`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.measures.arrays import Codes32, Ints
from pipeline.stages.book import DISTINCT, PEAK, SUM, Book
from pipeline.stages.cases import BILLED, Cases, Decided
from pipeline.stages.row import Rows
from pipeline.stages.seen import seen_in
from pipeline.stages.sessions import (
    EventIds,
    Groups,
    Stays,
    measure_sessions,
)
from pipeline.stages.stretches import Stretches
from pipeline.store.usage import NO_USER, OPEN
from schemas.columns import MONEY

Frames = dict[str, pl.DataFrame]

LOW_BITS = 32
"""Sums of millionths are kept in two halves: neither can overflow 64 bits in a day."""


def together() -> pl.Expr:
    """The halves `high` and `low` of sums of millionths, as quantities, exactly."""
    millionths = pl.col("high").cast(pl.Int128) * (1 << LOW_BITS) + pl.col("low")
    return millionths.cast(MONEY) / 1_000_000


class Meters:
    """Measures the days of a bucket, or parts of them."""

    def __init__(self, book: Book, tenant_of_kind: Ints, event_ids: EventIds) -> None:
        self._book = book
        self._tenant_of_kind = tenant_of_kind
        self._event_ids = event_ids
        self.stretches = Stretches(book)
        count = len(book.meters)
        own = np.arange(len(book.owners) * count)
        tenant = book.owners[own // max(count, 1)]
        begins, ends = book.bounds
        self._groups = Groups(tenant * count + own % max(count, 1), begins[tenant], count)
        self._ends = ends[tenant]
        counts_users = [book.terms.catalogue[name].counts == "users" for name in book.meters]
        self._counts_users = np.array(counts_users * len(book.owners), bool)

    def measure(
        self, rows: Rows, decided: Decided, carried: Stays, begin: int, end: int
    ) -> tuple[Frames, Stays]:
        """What the rows of a part, decided, come to, and what is handed to the next part.

        Frames: `sums` (own, on, high, low), `open` (tenant, rows); `seen` and `nobodies` of
        `stages.seen`; `peaks` and `parts` of `stages.sessions`, each with the instant at which the
        part began, `begun`. `on` is the number of a tenant's local day.
        """
        cases, case = decided.cases, decided.case
        measure = self._measure_of(cases).take(case)
        own = cases.owner * len(self._book.meters) + cases.meter
        summed = np.flatnonzero(measure == SUM)
        peaked = np.flatnonzero(measure == PEAK)
        seen = np.flatnonzero(measure == DISTINCT)
        stays = self._stays(rows, peaked, own.take(case.take(peaked)))
        sessions = measure_sessions(
            stays,
            rows.number.take(peaked),
            carried,
            begin,
            end,
            self._groups,
            self.stretches,
            self._event_ids,
        )
        still_open = peaked[rows.ended.take(peaked) == OPEN]
        tenant = self._tenant_of_kind[rows.kind[still_open]]
        users, nobodies = self._seen(rows.at(seen), own.take(case.take(seen)), begin)
        frames = {
            "sums": self._sums(rows, summed, own.take(case.take(summed))),
            "open": _counted(tenant, "tenant"),
            "peaks": _dated(sessions.peaks, begin),
            "parts": _dated(sessions.parts, begin),
            "seen": users,
            "nobodies": nobodies,
        }
        return frames, sessions.carried

    def _measure_of(self, cases: Cases) -> npt.NDArray[np.int8]:
        """The measure of each case's rows; -1 where they are not billed."""
        measure = self._book.measure[self._tenant_of_kind[cases.kind], cases.meter]
        return np.where(cases.fate == BILLED, measure, -1).astype(np.int8)

    def _stays(self, rows: Rows, which: Ints, own: Ints) -> Stays:
        """The sessions of some rows, none of them beyond the period."""
        user: Codes32 = rows.user.take(which)
        user[~self._counts_users.take(own)] = NO_USER
        ends = self._ends.take(own)
        return Stays(own, user, rows.started.take(which), np.minimum(rows.ended.take(which), ends))

    def _sums(self, rows: Rows, which: Ints, own: Ints) -> pl.DataFrame:
        """R4 sum: the quantities of each `own` on each local day."""
        tenant = self._groups.of[own] // len(self._book.meters)
        on = self.stretches.local_days.number(tenant, rows.started.take(which))
        return _sums(own, on, rows.quantity.take(which))

    def _seen(self, rows: Rows, own: Ints, begin: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """R4 distinct: the users of a part, and its rows without one."""
        tenant = self._groups.of[own] // len(self._book.meters)
        return seen_in(
            rows,
            own,
            tenant,
            (self._groups.begins.take(own), self._ends.take(own)),
            begin,
            len(self._book.meters),
            self.stretches.local_days,
            self._event_ids,
        )


@dataclass(frozen=True, slots=True)
class _Halves:
    high: Ints
    low: Ints


def _sums(own: Ints, on: Ints, quantity: Ints) -> pl.DataFrame:
    """The quantities of each (own, on), as `high` * 2^LOW_BITS + `low` millionths, exactly."""
    first = int(on.min()) if len(on) else 0
    width = int(on.max()) + 1 - first if len(on) else 1
    code = own * width + (on - first)
    count = int(code.max()) + 1 if len(code) else 0
    halves = _Halves(np.zeros(count, np.int64), np.zeros(count, np.int64))
    np.add.at(halves.high, code, quantity >> LOW_BITS)
    np.add.at(halves.low, code, quantity & ((1 << LOW_BITS) - 1))
    present = np.flatnonzero(np.bincount(code, minlength=count))
    return pl.DataFrame(
        {
            "own": present // width,
            "on": first + present % width,
            "high": halves.high[present],
            "low": halves.low[present],
        }
    )


def _dated(frame: pl.DataFrame, begin: int) -> pl.DataFrame:
    """The frame with the instant at which its part began, in every row."""
    return frame.insert_column(0, pl.Series("begun", np.full(len(frame), begin)))


def _counted(codes: Ints, name: str) -> pl.DataFrame:
    """How often each code comes."""
    counts = np.bincount(codes) if len(codes) else np.empty(0, np.int64)
    present = np.flatnonzero(counts)
    return pl.DataFrame({name: present, "rows": counts[present]})
