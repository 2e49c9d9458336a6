"""Local days as tenants live them: short and long ones, and days that begin at the jump."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.period import Period, instant
from pipeline.stages.local_days import LocalDays
from pipeline.stages.stretches import Table
from pipeline.store.usage import DAY_US


def local_days(period: str, *zones: str) -> LocalDays:
    tenants = [SimpleNamespace(zone=zone) for zone in zones]
    book: Any = SimpleNamespace(period=Period.parse(period), tenants=tenants)
    return LocalDays(book)


def at(words: str) -> int:
    return instant(datetime.fromisoformat(words).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "words", "number"),
    [
        ("UTC", "2026-10-01T00:00", 0),
        ("UTC", "2026-10-31T23:59", 30),
        ("America/Los_Angeles", "2026-10-02T06:59", 0),
        ("America/Los_Angeles", "2026-10-02T07:00", 1),
        ("Asia/Kolkata", "2026-10-01T18:29", 0),
        ("Asia/Kolkata", "2026-10-01T18:30", 1),
        ("Europe/Berlin", "2026-10-25T22:59", 24),
        ("Europe/Berlin", "2026-10-25T23:00", 25),
        ("Pacific/Kiritimati", "2026-09-30T10:00", 0),
    ],
)
def test_an_instant_falls_on_the_tenants_own_day(zone: str, words: str, number: int) -> None:
    days = local_days("2026-10", "UTC", zone)
    found = days.number(np.array([1]), np.array([at(words)]))
    assert found.tolist() == [number]
    begin = int(days.begin(np.array([1]), found)[0])
    assert begin <= at(words) < int(days.begin(np.array([1]), found + 1)[0])


def test_a_day_of_utc_is_cut_at_the_midnight_of_each_tenant() -> None:
    days = local_days("2026-10", "UTC", "America/Los_Angeles", "Asia/Kolkata")
    begin = (date(2026, 10, 5) - date(1970, 1, 1)).days * DAY_US
    end = begin + DAY_US
    assert days.most_cuts(begin, end) == 1
    cuts = days.cut(np.array([0, 1, 2]), begin, end, 0)
    assert cuts.tolist() == [begin, at("2026-10-05T07:00"), at("2026-10-05T18:30")]
    whole = Table(np.array([0, 1, 2]), np.full(3, begin), np.array([4, 5, 6]))
    cut = whole.cut(cuts)
    assert cut.group.tolist() == [0, 1, 1, 2, 2]
    assert cut.since.tolist() == [begin, begin, cuts[1], begin, cuts[2]]
    assert cut.number.tolist() == [4, 5, 5, 6, 6], "both pieces are of the same stretch"


def test_nothing_is_cut_where_a_stretch_begins_at_midnight_anyway() -> None:
    midnight = at("2026-10-05T07:00")
    table = Table(np.array([1, 1]), np.array([midnight - 5, midnight]), np.array([0, 1]))
    assert table.cut(np.full(2, midnight)).since.tolist() == [midnight - 5, midnight]
