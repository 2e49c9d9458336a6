"""Months, days, and the instants at which they begin."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.period import (
    FIRST_DAY,
    LAST_DAY,
    Days,
    Period,
    add_months,
    instant,
    midnight,
    moment,
    timeline,
)

ZONES = (
    "UTC",
    "Africa/Cairo",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Amsterdam",
    "Pacific/Apia",
)

days_near_now = st.dates(date(1990, 1, 1), date(2036, 12, 31)).map(date.toordinal)


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def test_a_period_is_written_as_year_and_month() -> None:
    assert Period.parse("2026-10") == Period(2026, 10)
    assert str(Period(2026, 3)) == "2026-03"
    assert str(Period.parse("0001-01")) == "0001-01"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026-1",
        "2026-00",
        "2026-13",
        "26-10",
        "2026-10-01",
        "2026/10",
        " 2026-10",
        "2026-10\n",
        "0000-01",  # there is no year 0
        "9999-12",  # no month comes after it, in which it could be closed or corrected
        "٢٠٢٦-10",  # digits, but not those of the feeds
    ],
)
def test_anything_else_is_not_a_period(text: str) -> None:
    with pytest.raises(UsageError, match="is not a period"):
        Period.parse(text)


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("2026-10", "2026-10"),
        ("2026-10..2026-10", "2026-10"),
        ("2026-08..2026-10", "2026-08 2026-09 2026-10"),
        ("2025-11..2026-02", "2025-11 2025-12 2026-01 2026-02"),
    ],
)
def test_a_range_is_its_months_in_order(text: str, months: str) -> None:
    assert " ".join(map(str, Period.parse_range(text))) == months


@pytest.mark.parametrize(
    "text", ["2026-10..2026-09", "2026-10..", "..2026-10", "2026-10...2026-11", "2026-08-2026-10"]
)
def test_a_range_that_is_none_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Period.parse_range(text)
    assert refused.value.remedy.startswith("write ")
    assert refused.value.exit_code == 2


def test_a_range_the_wrong_way_round_says_how_to_write_it() -> None:
    with pytest.raises(UsageError, match="ends before it begins") as refused:
        Period.parse_range("2026-10..2026-08")
    assert refused.value.remedy == "write 2026-08..2026-10"


@pytest.mark.parametrize(
    ("period", "length"), [("2026-02", 28), ("2028-02", 29), ("2026-10", 31), ("9999-11", 30)]
)
def test_a_period_has_the_days_of_its_month(period: str, length: int) -> None:
    one = Period.parse(period)
    assert len(one.days) == length
    assert date.fromordinal(one.days.first) == date(one.year, one.month, 1)
    assert date.fromordinal(one.last_day) == date(one.year, one.month, length)


@pytest.mark.parametrize(
    ("period", "zone", "begins", "ends"),
    [
        ("2026-10", "UTC", "2026-10-01T00:00", "2026-11-01T00:00"),
        ("2026-10", "Europe/Amsterdam", "2026-09-30T22:00", "2026-10-31T23:00"),
        ("2026-10", "Asia/Kathmandu", "2026-09-30T18:15", "2026-10-31T18:15"),
        # Midnight of 1 November comes twice: October ends at the first.
        ("2026-10", "America/Havana", "2026-10-01T04:00", "2026-11-01T04:00"),
        ("2026-11", "America/Havana", "2026-11-01T04:00", "2026-12-01T05:00"),
        ("2011-12", "Pacific/Apia", "2011-12-01T10:00", "2011-12-31T10:00"),
    ],
)
def test_a_period_lasts_from_midnight_to_midnight_of_its_zone(
    period: str, zone: str, begins: str, ends: str
) -> None:
    first, after = Period.parse(period).bounds(zone)
    assert f"{moment(first):%Y-%m-%dT%H:%M}" == begins
    assert f"{moment(after):%Y-%m-%dT%H:%M}" == ends


@pytest.mark.parametrize(
    ("day", "zone", "begins"),
    [
        # Clocks go from 00:00 to 01:00 on 24 April: the day begins at the jump.
        ("2026-04-24", "Africa/Cairo", "2026-04-23T22:00"),
        ("2026-04-25", "Africa/Cairo", "2026-04-24T21:00"),
        ("2026-03-08", "America/Havana", "2026-03-08T05:00"),
        # Clocks go from 01:00 back to 00:00 on 1 November: the first of two midnights.
        ("2026-11-01", "America/Havana", "2026-11-01T04:00"),
        ("2026-11-02", "America/Havana", "2026-11-02T05:00"),
        # The day that Samoa skipped begins and ends at one instant.
        ("2011-12-29", "Pacific/Apia", "2011-12-29T10:00"),
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00"),
        ("2011-12-31", "Pacific/Apia", "2011-12-30T10:00"),
        # Clocks go from 00:00 back to 23:00 of the day before.
        ("2018-02-18", "America/Sao_Paulo", "2018-02-18T03:00"),
        # The edges of the calendar, where a zone could leave it.
        ("0001-01-01", "Europe/Amsterdam", "0001-01-02T00:00"),
        ("0001-01-02", "Europe/Amsterdam", "0001-01-02T00:00"),
        ("9999-12-31", "America/Havana", "9999-12-31T00:00"),
    ],
)
def test_a_day_begins_at_its_first_instant(day: str, zone: str, begins: str) -> None:
    assert moment(midnight(_day(day), zone)).strftime("%4Y-%m-%dT%H:%M") == begins


def test_the_day_after_the_last_begins_at_the_edge_of_time() -> None:
    assert midnight(LAST_DAY + 1, "UTC") == midnight(LAST_DAY, "Asia/Kathmandu")


@given(days_near_now, st.sampled_from(ZONES))
@example(_day("2011-12-30"), "Pacific/Apia")
@example(_day("2026-11-01"), "America/Havana")
@example(_day("2026-04-24"), "Africa/Cairo")
@example(_day("2006-10-29"), "America/St_Johns")
def test_before_its_midnight_it_is_still_the_day_before(day: int, zone: str) -> None:
    begins = moment(midnight(day, zone))
    before = begins - timedelta(microseconds=1)
    assert begins.astimezone(ZoneInfo(zone)).date().toordinal() >= day
    assert before.astimezone(ZoneInfo(zone)).date().toordinal() < day
    assert midnight(day, zone) <= midnight(day + 1, zone)


@given(st.datetimes(max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_an_instant_is_exact_to_the_microsecond_and_back(when: datetime) -> None:
    assert moment(instant(when)) == when
    assert instant(when + timedelta(microseconds=1)) == instant(when) + 1


def test_instants_count_from_1970_in_any_zone() -> None:
    assert instant(datetime(1970, 1, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam"))) == 0
    assert instant(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2026-01-31", 2, "2026-03-31"),
        ("2026-01-30", 1, "2026-02-28"),
        ("2026-10-15", 3, "2027-01-15"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-12-31", 0, "2026-12-31"),
        ("2026-03-31", -1, "2026-02-28"),
    ],
)
def test_months_later_is_the_same_day_or_the_last_of_the_month(
    start: str, months: int, end: str
) -> None:
    """R10.2."""
    assert add_months(_day(start), months) == _day(end)


def test_days_between_two_dates_include_both() -> None:
    stretch = Days.between(date(2026, 10, 5), date(2026, 10, 7))
    assert list(stretch) == [_day("2026-10-05"), _day("2026-10-06"), _day("2026-10-07")]
    assert [_day("2026-10-04") in stretch, _day("2026-10-08") in stretch] == [False, False]
    assert Days.between(None, None) == Days(FIRST_DAY, LAST_DAY + 1)


@given(*[st.builds(Days, st.integers(1, 12), st.integers(1, 12))] * 2)
def test_days_are_sets_of_days(one: Days, other: Days) -> None:
    assert set(one & other) == set(one) & set(other)
    assert len(one) == len(set(one))
    assert {day for day in range(14) if day in one} == set(one)


@given(
    st.lists(st.integers(0, 12)),
    st.integers(0, 6),
    st.integers(1, 6),
    st.lists(st.sampled_from("ab"), min_size=13, max_size=13),
)
def test_a_timeline_is_the_fewest_stretches_that_say_what_holds_each_day(
    boundaries: list[int], first: int, length: int, letters: list[str]
) -> None:
    """The value changes at the boundaries alone; neighbours of equal value are one stretch."""
    within = Days(first, first + length)
    known = sorted({0, *boundaries})

    def value_on(day: int) -> str:
        return letters[max(edge for edge in known if edge <= day)]

    pieces = timeline(boundaries, within, value_on)
    assert [value for days, value in pieces for _ in days] == [value_on(day) for day in within]
    assert [days.first for days, _ in pieces[1:]] == [days.after for days, _ in pieces[:-1]]
    assert all(a != b for (_, a), (_, b) in pairwise(pieces))


def test_a_timeline_merges_what_a_boundary_does_not_change() -> None:
    pieces = timeline([3, 5, 7, 99], Days(1, 9), lambda day: "a" if day < 5 else "b")
    assert pieces == [(Days(1, 5), "a"), (Days(5, 9), "b")]
