"""What becomes of every usage row: its fate, its owner and the reason (R3, R11.2).

Belongs here: deciding rows, many at once. Does not belong here: the rules of the split
(`rules.split`), and rows that come twice (`stages.events`).

The idea: on a given day nearly all rows of a kind share one fate and one owner. So kinds are
decided first, as if each were one row at the day's first instant; only rows of kinds that the day
or the user leaves open are decided one by one, by the same function. A *case* is a kind with what
was decided of it; after this a row is its case, and everything else is counting.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pipeline.measures.arrays import Flags, Ints, Whole
from pipeline.rules import split as rule
from pipeline.rules.split import NOBODY
from pipeline.stages.book import PEAK, SUM, Book
from pipeline.stages.kinds import Kinds
from pipeline.stages.row import Rows
from pipeline.store.usage import DAY_US, NO_QUANTITY, OPEN

FATES = (
    "quarantined",
    "duplicate",
    "superseded",
    "outside",
    "on_premises",
    "unbilled",
    "billed",
)
"""What becomes of a usage row: exactly one of these (R11.2)."""

QUARANTINED, DUPLICATE, SUPERSEDED, OUTSIDE, ON_PREMISES, UNBILLED, BILLED = range(7)


@dataclass(frozen=True, slots=True)
class Cases:
    """What was decided, of kinds or of rows: arrays of one length, codes of `Book`.

    `owner` and `reason` (a position in REASONS) hold for billed ones; `meter` is -1 where unknown.
    """

    kind: Ints
    meter: Ints
    owner: Ints
    reason: Ints
    fate: Ints

    def __len__(self) -> int:
        return len(self.kind)

    def with_changed(self, positions: Ints, changed: Cases) -> Cases:
        """The same, with others at some positions."""
        columns = {one.name: getattr(self, one.name).copy() for one in fields(self)}
        for name, values in columns.items():
            values[positions] = getattr(changed, name)
        return Cases(**columns)


@dataclass(frozen=True, slots=True)
class Decided:
    """Rows with their cases: `case` is each row's position in `cases`."""

    cases: Cases
    case: Whole


class Judge:
    """Decides the rows of a bucket, whose terms are a `Book` and whose words are `Kinds`."""

    def __init__(self, book: Book, kinds: Kinds) -> None:
        self._book = book
        self._kinds = kinds
        self._last: tuple[int, Cases] | None = None

    def decide(self, rows: Rows, day: int | None) -> Decided:
        """The case of every row; all of them start on a UTC `day`, or anywhere where it is None."""
        if day is None:
            return Decided(self._one_by_one(rows), np.arange(len(rows)))
        count, by_kind = len(self._kinds), self._kinds_on(day * DAY_US)
        is_summed = self._measure(by_kind) == SUM
        is_open = is_summed.take(rows.kind) & (rows.quantity == NO_QUANTITY)
        is_open |= self._is_open(day).take(rows.kind)
        still_open = np.flatnonzero(is_open)
        if not len(still_open):
            return Decided(by_kind, rows.kind)
        one_by_one = self._one_by_one(rows.at(still_open))
        different, which = _different(one_by_one)
        case = rows.kind.astype(np.int64)
        case[still_open] = count + which
        return Decided(_joined(by_kind, different), case)

    def tenants(self, rows: Rows) -> Ints:
        """The tenant of each row; -1 for one that nobody knows."""
        return self._kinds.tenant[rows.kind]

    def is_broken(self, rows: Rows) -> Flags:
        """Whether rows break a rule that needs the terms (USAGE_IN_CONTEXT)."""
        meter, _ = self._by_user(rows.kind, self._kinds.book_user[rows.user], rows.started)
        return self._is_broken(rows.kind, meter, rows.quantity != NO_QUANTITY)

    def _kinds_on(self, begin: int) -> Cases:
        """The case of every kind as a day begins; only those are decided anew that may differ.

        Kinds that need their user, or a quantity, stay open, so neither is asked for here.
        """
        kinds = np.arange(len(self._kinds))
        if self._last is not None:
            since, cases = self._last
            changes = self._book.changes_within(min(since, begin), max(since, begin) + 1)
            kinds = np.flatnonzero(changes[self._kinds.tenant])
        start = np.full(len(kinds), begin)
        nobody, has_quantity = np.full(len(kinds), NOBODY), np.full(len(kinds), True)
        decided = self._cases(kinds, nobody, start, start, has_quantity)
        if self._last is not None:
            decided = cases.with_changed(kinds, decided)
        self._last = begin, decided
        return decided

    def _one_by_one(self, rows: Rows) -> Cases:
        return self._cases(
            rows.kind.astype(np.int64),
            self._kinds.book_user[rows.user],
            rows.started,
            rows.ended,
            rows.quantity != NO_QUANTITY,
        )

    def _cases(
        self, kind: Ints, user: Ints, started: Ints, ended: Ints, has_quantity: Flags
    ) -> Cases:
        """Decide rows by their kind, the user's code in `Book`, and what they state."""
        kinds, book = self._kinds, self._book
        tenant = kinds.tenant[kind]
        meter, assigned = self._by_user(kind, user, started)
        named = kinds.named[kind]
        candidate = np.where(named != NOBODY, named, assigned)
        is_active = np.zeros(len(kind), bool)
        known = np.flatnonzero(candidate >= 0)
        is_active[known] = book.is_active.at(candidate[known], started[known]) == 1
        primary = np.full(len(kind), NOBODY)
        known = np.flatnonzero(tenant >= 0)
        primary[known] = book.primary.at(tenant[known], started[known])
        is_routed = np.append(book.is_routed, False)[meter]
        owner, reason = rule.owners(is_routed, named, assigned, is_active, primary)
        fate = np.full(len(kind), BILLED)
        fate[(owner == NOBODY) | self._is_set_aside[tenant]] = UNBILLED
        fate[kinds.is_on_premises[kind]] = ON_PREMISES
        touches = self.touches(tenant, book.measure[tenant, meter], started, ended)
        fate[self._is_broken(kind, meter, has_quantity)] = QUARANTINED
        fate[~touches] = OUTSIDE
        return Cases(kind, meter, owner, reason, fate)

    def touches(
        self,
        tenant: Ints,
        measure: Whole,
        started: Ints,
        ended: Ints,
        end_unreadable: Flags | bool = False,
    ) -> Flags:
        """Whether rows are the period's business: they start in it, or reach into it from before.

        One without an end reaches in where its meter is a peak (R4.1); one of a summed meter, or
        with an end that cannot be read, never does.
        """
        begins, ends = (bounds[tenant] for bounds in self._book.bounds)
        starts_in = (begins <= started) & (started < ends)
        reaches_in = (started < begins) & np.where(
            ended == OPEN,
            (measure == PEAK) & ~np.asarray(end_unreadable),
            (ended > begins) & (measure != SUM),
        )
        result: Flags = starts_in | reaches_in
        return result

    def _by_user(self, kind: Whole, user: Ints, started: Ints) -> tuple[Ints, Ints]:
        """R3.1, R3.2: each row's meter, and the subscription that its user is assigned to."""
        kinds, book = self._kinds, self._book
        meter = kinds.meter[kind].copy()
        assigned = np.full(len(kind), NOBODY)
        asked = np.flatnonzero(kinds.needs_user[kind] & (user >= 0))
        if len(asked):
            assigned[asked] = book.assigned.at(user[asked], started[asked])
            unstated = asked[~kinds.states_meter[kind[asked]]]
            meter[unstated] = book.licensed_meter.at(user[unstated], started[unstated])
        return meter, assigned

    def _is_broken(self, kind: Whole, meter: Ints, has_quantity: Flags) -> Flags:
        lacks_meter = ~self._kinds.states_meter[kind] & (meter < 0)
        is_summed = self._book.measure[self._kinds.tenant[kind], meter] == SUM
        is_broken: Flags = self._kinds.is_broken[kind] | lacks_meter | (is_summed & ~has_quantity)
        return is_broken

    def _is_open(self, day: int) -> Flags:
        """Whether the rows of a kind may be decided differently from one another on a day."""
        changes = self._book.changes_within(day * DAY_US, (day + 1) * DAY_US)
        return self._kinds.needs_user | changes[self._kinds.tenant]

    def _measure(self, cases: Cases) -> Whole:
        measure: Whole = self._book.measure[self._kinds.tenant[cases.kind], cases.meter]
        return measure

    @property
    def _is_set_aside(self) -> Flags:
        return np.array([*(why is not None for why in self._book.set_aside), False])


def _different(cases: Cases) -> tuple[Cases, Ints]:
    """The different ones among them, and which of those each is."""
    parts = [getattr(cases, one.name) for one in fields(cases)]
    which = np.zeros(len(cases), np.int64)
    for part in parts:
        values, code = np.unique(part, return_inverse=True)
        _, which = np.unique(which * len(values) + code, return_inverse=True)
    _, first = np.unique(which, return_index=True)
    return Cases(*(part[first] for part in parts)), which


def joined(some: Decided, more: Decided) -> Decided:
    """All rows of both, in order."""
    case = np.concatenate([some.case, more.case.astype(np.int64) + len(some.cases)])
    return Decided(_joined(some.cases, more.cases), case)


def _joined(some: Cases, more: Cases) -> Cases:
    return Cases(
        *(
            np.concatenate([getattr(some, one.name), getattr(more, one.name)])
            for one in fields(some)
        )
    )
