"""Stretches of constant entitlement of a bucket's meters, as arrays (R5.4).

Belongs here: asking the rule once a tenant and meter, finding stretches by instants, and cutting
them into local days. Does not belong here: the rule itself (`rules.entitlement`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from pipeline.measures.arrays import Ints
from pipeline.measures.timeline import BEGINNING
from pipeline.money import in_millionths
from pipeline.period import Days
from pipeline.stages.book import Book
from pipeline.stages.local_days import LocalDays
from schemas.columns import MONEY

STRETCHES = pl.Schema(
    {
        "group": pl.Int64(),
        "stretch": pl.Int64(),
        "first_day": pl.Int64(),
        "after_day": pl.Int64(),
        "since": pl.Int64(),
        "entitlement": MONEY,
    }
)
"""Stretches as a frame: `stretch` counts in the group, days are ordinals, `since` an instant."""


@dataclass(frozen=True, slots=True)
class Table:
    """Stretches in order of (group, since): `since` is an instant, `number` counts in the group."""

    group: Ints
    since: Ints
    number: Ints

    def with_more(self, other: Table) -> Table:
        """The stretches of both, in order; no group is in both."""
        group = np.concatenate([self.group, other.group])
        order = np.argsort(group, kind="stable")
        since = np.concatenate([self.since, other.since])
        number = np.concatenate([self.number, other.number])
        return Table(group[order], since[order], number[order])

    def within(self, begin: int, end: int) -> Table:
        """The stretches that reach into [begin, end), cut at its beginning."""
        is_last = np.append(self.group[1:] != self.group[:-1], True)
        until = np.where(is_last, end, np.append(self.since[1:], end))
        chosen = np.flatnonzero((self.since < end) & (until > begin))
        since = np.maximum(self.since[chosen], begin)
        return Table(self.group[chosen], since, self.number[chosen])

    def cut(self, instant: Ints) -> Table:
        """The stretches, each in two where its instant is within it."""
        is_last = np.append(self.group[1:] != self.group[:-1], True)
        until = np.where(is_last, np.iinfo(np.int64).max, np.append(self.since[1:], 0))
        inside = np.flatnonzero((self.since < instant) & (instant < until))
        return Table(
            np.insert(self.group, inside + 1, self.group[inside]),
            np.insert(self.since, inside + 1, instant[inside]),
            np.insert(self.number, inside + 1, self.number[inside]),
        )

    def at(self, group: Ints, instant: Ints) -> Ints:
        """The number of the stretch that each (group, instant) falls in."""
        instants = np.unique(self.since)
        bits = len(instants).bit_length()
        keys = (self.group << bits) | np.searchsorted(instants, self.since)
        ranks = np.searchsorted(instants, instant, side="right") - 1
        found: Ints = self.number[np.searchsorted(keys, (group << bits) | ranks, side="right") - 1]
        return found


class Stretches:
    """The stretches of every group, (tenant, meter) as one code, that was ever asked for."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.local_days = LocalDays(book)
        self._of: dict[int, list[tuple[Days, int, Decimal]]] = {}
        self._all = Table(*np.empty((3, 0), np.int64))

    def of(self, group: int) -> list[tuple[Days, int, Decimal]]:
        """(days, first instant, entitlement) of each stretch of a group."""
        if group not in self._of:
            tenant, meter = divmod(group, len(self._book.meters))
            self._of[group] = self._book.stretches(tenant, meter)
        return self._of[group]

    def told(self, groups: pl.Series) -> pl.DataFrame:
        """The stretches of some groups, in their order: STRETCHES.

        What comes along with other meters (R5.2) may have more decimals than usage: it is rounded
        half up here, where usage is compared with it.
        """
        rows = [
            (group, number, days.first, days.after, since, in_millionths(included))
            for group in groups.to_list()
            for number, (days, since, included) in enumerate(self.of(group))
        ]
        columns = zip(*rows, strict=True) if rows else ((),) * len(STRETCHES)
        return pl.DataFrame(dict(zip(STRETCHES, columns, strict=True)), STRETCHES)

    def table(self, groups: Ints) -> Table:
        """The stretches of some groups, given in order. A group's first is since ever."""
        known = np.zeros(max(_after(groups), _after(self._all.group)), bool)
        known[self._all.group] = True
        missing = groups[~known[groups]]
        if len(missing):
            self._all = self._all.with_more(self._table_of(missing))
        asked = np.zeros(_after(self._all.group), bool)
        asked[groups] = True
        chosen = asked[self._all.group]
        return Table(self._all.group[chosen], self._all.since[chosen], self._all.number[chosen])

    def within(self, groups: Ints, begin: int, end: int) -> Table:
        """The stretches of some groups that reach into [begin, end), cut at each local midnight."""
        table = self.table(groups).within(begin, end)
        for rank in range(self.local_days.most_cuts(begin, end)):
            tenant = table.group // len(self._book.meters)
            table = table.cut(self.local_days.cut(tenant, begin, end, rank))
        return table

    def _table_of(self, groups: Ints) -> Table:
        rows = [
            (group, since if number else BEGINNING, number)
            for group in groups.tolist()
            for number, (_, since, _) in enumerate(self.of(group))
        ]
        return Table(*np.array(rows, np.int64).reshape(-1, 3).T)


def _after(codes: Ints) -> int:
    """The first number above all of some codes."""
    return int(codes.max(initial=-1)) + 1
