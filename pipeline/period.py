"""Months and days: a billing period, local days as numbers, and the instants they begin at.

Belongs here: calendar arithmetic, in whole local days and in UTC microseconds. Does not belong
here: what is in force on a day (`rules`), and any clock.

A day is its proleptic ordinal (`date.toordinal`), a stretch of days is half-open, and an instant
is a number of microseconds since 1970 in UTC: all of them exact integers.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from typing import TypeVar
from zoneinfo import ZoneInfo

from pipeline.errors import UsageError

FIRST_DAY = date.min.toordinal()
LAST_DAY = date.max.toordinal()

EPOCH_DAY = date(1970, 1, 1).toordinal()
"""The day that engines count days from."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PERIOD = re.compile(r"(?!0000|9999-12)([0-9]{4})-(0[1-9]|1[0-2])")
"""A month of the calendar that another one comes after: it is closed and corrected then."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, order=True)
class Days:
    """A half-open stretch of local days: `first` is in it, `after` is not."""

    first: int
    after: int

    @classmethod
    def between(cls, start: date | None, end: date | None) -> Days:
        """The days of a feed's `start_date … end_date`, both inclusive; null reaches forever."""
        return cls(
            start.toordinal() if start else FIRST_DAY,
            end.toordinal() + 1 if end else LAST_DAY + 1,
        )

    def __contains__(self, day: int) -> bool:
        return self.first <= day < self.after

    def __and__(self, other: Days) -> Days:
        return Days(
            self.first if self.first > other.first else other.first,
            self.after if self.after < other.after else other.after,
        )

    def overlap(self, other: Days) -> int:
        """How many days both stretches hold."""
        first = self.first if self.first > other.first else other.first
        after = self.after if self.after < other.after else other.after
        return after - first if after > first else 0

    def __len__(self) -> int:
        return max(0, self.after - self.first)

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.after))


@dataclass(frozen=True, order=True)
class Period:
    """One calendar month, in whichever zone its tenant lives."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """`2026-10` as a period. Raises `UsageError` for anything else."""
        match = _PERIOD.fullmatch(text)
        if not match:
            raise UsageError(
                f"{text!r} is not a period",
                remedy="write a month as 2026-10, or a range as 2026-08..2026-10",
            )
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def parse_range(cls, text: str) -> list[Period]:
        """`2026-08..2026-10` as its months in order; a single month as a list of one."""
        first, dots, last = text.partition("..")
        begin, end = cls.parse(first), cls.parse(last if dots else first)
        if end < begin:
            raise UsageError(f"{text!r} ends before it begins", remedy=f"write {last}..{first}")
        months = range(begin.year * 12 + begin.month - 1, end.year * 12 + end.month)
        return [cls(month // 12, month % 12 + 1) for month in months]

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def following(self) -> Period:
        """The next month."""
        return Period(self.year + self.month // 12, self.month % 12 + 1)

    def earlier(self, months: int) -> Period:
        """The month so many months before."""
        month = self.year * 12 + self.month - 1 - months
        return Period(month // 12, month % 12 + 1)

    @cached_property
    def days(self) -> Days:
        """The local days of the month."""
        first = date(self.year, self.month, 1).toordinal()
        return Days(first, first + monthrange(self.year, self.month)[1])

    @property
    def last_day(self) -> int:
        """The month's last day."""
        return self.days.after - 1

    def bounds(self, zone: str) -> tuple[int, int]:
        """[first midnight, next month's first midnight) in the zone, as instants."""
        return midnight(self.days.first, zone), midnight(self.days.after, zone)


@cache
def midnight(day: int, zone: str) -> int:
    """The instant at which a local day begins.

    Where a zone springs forward over midnight, the day begins at the jump; where midnight comes
    twice, at the first one. Days at the edge of the calendar begin at the edge of time.
    """
    if day <= FIRST_DAY + 1:
        return instant(datetime(1, 1, 2, tzinfo=UTC))
    if day >= LAST_DAY:
        return instant(datetime(9999, 12, 31, tzinfo=UTC))
    return instant(datetime.combine(date.fromordinal(day), datetime.min.time(), ZoneInfo(zone)))


def instant(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970, UTC. Exact: no float is involved."""
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """The inverse of `instant`."""
    return _EPOCH + timedelta(microseconds=microseconds)


def add_months(day: int, months: int) -> int:
    """The same day of the month, `months` later; month ends clamp to the last day (R10.2)."""
    start = date.fromordinal(day)
    month = start.year * 12 + start.month - 1 + months
    year, month = month // 12, month % 12 + 1
    return date(year, month, min(start.day, monthrange(year, month)[1])).toordinal()


def timeline(
    boundaries: Iterable[int], within: Days, value_on: Callable[[int], Value]
) -> list[tuple[Days, Value]]:
    """What holds on each day of a stretch, given that it changes at the boundaries alone.

    `value_on` answers for one day, as the rule book does; the answer is the fewest stretches of
    equal value, in order, that fill `within`.
    """
    cuts = sorted({within.first, *(cut for cut in boundaries if within.first < cut < within.after)})
    pieces: list[tuple[Days, Value]] = []
    for first, after in zip(cuts, [*cuts[1:], within.after], strict=True):
        value = value_on(first)
        goes_on = pieces and pieces[-1][1] == value
        since = pieces.pop()[0].first if goes_on else first
        pieces.append((Days(since, after), value))
    return pieces
