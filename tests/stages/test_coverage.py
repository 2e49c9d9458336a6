"""What is said of the days that exports of a source cover (R11.2, R4.1, R11.1).

A line of a table is an export: its name, then of each tenant when its rows start, in UTC: `5` is
noon of 5 October, `5T09` nine o'clock, `09-30T23:59` says the month; `5..8` is a row on each of
these days. Tenants live in UTC and are active all year, unless a test says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import cast
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.findings import Finding
from pipeline.period import Days, instant
from pipeline.rules.terms import Tenant
from pipeline.sources.kind import Kind
from pipeline.sources.kinds import KINDS
from pipeline.stages.coverage import seen_until
from pipeline.stages.covered import ListedSource, covered_days, extracts_of, sources_in
from pipeline.stages.extract_findings import days_in_words, usage_findings
from pipeline.stages.snapshot_days import snapshot_findings
from pipeline.stages.starts import STARTS
from pipeline.store.landing import ListedExport, Listing
from schemas.feeds import USAGE
from tests.rules.build import OCTOBER, rows, tenant

OVER = OCTOBER.days.after + 1
"""October is over everywhere."""

ALL_YEAR = tenant("S 2026-01-01..")


@pytest.fixture(autouse=True)
def _two_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds of usage to speak of: one that is selected by start, and one that is not."""
    plain = Kind("records", "", lambda _: USAGE, (".csv",), lambda *_: iter(()))
    for kind in (plain, replace(plain, name="sessions", selects_by_start=True)):
        monkeypatch.setitem(cast(dict[str, Kind], KINDS), kind.name, kind)


def moments(text: str) -> Iterator[datetime]:
    """The instants that an item of a line names."""
    first, dots, last = text.partition("..")
    for day in range(int(first), int(last) + 1) if dots else [first]:
        day_text, _, time = str(day).partition("T")
        month_day = day_text if "-" in day_text else f"10-{int(day_text):02}"
        yield datetime.fromisoformat(f"2026-{month_day}T{time or '12:00'}").replace(tzinfo=UTC)


def starts_in_words(table: str, zone: str = "UTC") -> tuple[tuple[ListedExport, ...], pl.DataFrame]:
    """The exports of a table, and their STARTS, row by row."""
    exports, counted = [], dict[tuple[int, str, int], list[int]]()
    for position, (name, *of_tenants) in enumerate(rows(table)):
        for tenant_id, _, items in (one.partition("=") for one in of_tenants):
            for at in (at for item in items.split(",") for at in moments(item)):
                day = at.astimezone(ZoneInfo(zone)).toordinal()
                counted.setdefault((position, tenant_id, day), []).append(instant(at))
        came = "2026-11-05T06:00:00+00:00"
        exports.append(ListedExport("usage", name, "", 0, 0, came, "", position, ""))
    found = [(*key, len(of), min(of), max(of)) for key, of in counted.items()]
    return tuple(exports), pl.DataFrame(found, STARTS, orient="row")


def found_in(
    table: str,
    kind: str = "records",
    seen: int = OVER,
    zone: str = "UTC",
    whose: Tenant = ALL_YEAR,
    came: str | None = None,
    summed: str = "",
) -> list[Finding]:
    """All that is said of a source's exports."""
    exports, starts = starts_in_words(table, zone)
    if came:
        exports = tuple(replace(one, arrived_at=came) for one in exports)
    tenants = {name: Tenant(name, zone, None, whose.subscriptions) for name in ("T", "U")}
    source = ListedSource("usage", kind, kind, exports)
    not_summed = tenants.keys() - {summed}
    return usage_findings(source, starts, tenants, not_summed, OCTOBER, seen)


def missing_in(table: str, **how: object) -> dict[str | None, str]:
    """The missing days of each tenant, as they are told."""
    found = [one for one in found_in(table, **how) if one.code == "no_export_of_days"]  # type: ignore[arg-type]
    return {one.tenant_id: one.message.split("covers ")[1].split(":")[0] for one in found}


def codes_in(table: str, **how: object) -> set[str]:
    return {one.code for one in found_in(table, **how)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("table", "missing"),
    [
        # A name says which days an export holds, also where nothing happened on them.
        ("2026-10-01..2026-10-31.csv T=2,30", None),
        ("2026-10-01_2026-10-15.csv T=2 \n 20261018_20261031.csv T=30", "2026-10-16..2026-10-17"),
        ("2026-10-01..2026-10-30.csv T=2", "2026-10-31"),
        ("2026-09-01..2026-10-30.csv T=09-02 \n 2026-10-31.csv", None),
        # Rows of other days are there, too: they are covered one by one.
        ("2026-10-03..2026-10-31.csv T=1,5", "2026-10-02"),
        # A name that says nothing: from the first row to the last.
        ("a.csv T=1,20 \n b.csv T=23,31", "2026-10-21..2026-10-22"),
        ("a.csv T=09-20,31", None),
        ("a.csv T=09-20,10-30", "2026-10-31"),
        # One date is that day,
        ("2026-10-01.csv T=1 \n a.csv T=3,31", "2026-10-02"),
        ("2026-10-01.csv T=1,2T01 \n a.csv T=4,31", "2026-10-03"),
        # unless the rows are of more days than one: then it is when it was written.
        ("2026-10-08.csv T=1,3,5,7 \n a.csv T=8,31", None),
        ("2026-10-08.csv T=1,7T01,7T02,7T03,8 \n a.csv T=9,31", "2026-10-02..2026-10-06"),
        # Of a tenant of the last month all is missing where nothing came;
        ("2026-09-01..2026-09-30.csv T=09-02", "2026-10-01..2026-10-31"),
        # one that was not there even then is not expected.
        ("2026-08-01..2026-08-31.csv T=08-02", None),
        ("", None),
    ],
)
def test_days_that_no_export_covers_are_missing(table: str, missing: str | None) -> None:
    assert missing_in(table).get("T") == missing


def test_an_export_covers_its_days_for_every_tenant_of_its_series() -> None:
    """A day without rows of a tenant is a quiet one, if only its exports came."""
    daily = "\n".join(f"2026-10-{day:02}.csv T={day}" for day in range(1, 32))
    assert missing_in(daily.replace("T=5", "T=5 U=5")) == {}
    own = "2026-10-01..2026-10-31_acme.csv T=2 \n 2026-10-01..2026-10-07_bolt.csv U=3"
    assert missing_in(own) == {"U": "2026-10-08..2026-10-31"}
    folders = "acme/2026-10-01..2026-10-31.csv T=2 \n bolt/2026-10-01..2026-10-07.csv U=3"
    assert missing_in(folders) == {"U": "2026-10-08..2026-10-31"}


@pytest.mark.parametrize(
    ("subscriptions", "missing"),
    [
        ("S 2026-01-01..", "2026-10-01..2026-10-04, 2026-10-08..2026-10-31"),
        ("S 2026-10-03..2026-10-09", "2026-10-03..2026-10-04, 2026-10-08..2026-10-09"),
        ("S 2026-01-01..2026-10-02 \n R 2026-10-31..", "2026-10-01..2026-10-02, 2026-10-31"),
        ("S 2026-10-05..2026-10-07", None),
        ("S 2026-01-01.. trial", None),
    ],
)
def test_only_days_of_an_active_subscription_are_missing(
    subscriptions: str, missing: str | None
) -> None:
    table = "2026-10-05..2026-10-07.csv T=6"
    assert missing_in(table, whose=tenant(subscriptions)).get("T") == missing


@pytest.mark.parametrize(
    ("zone", "seen", "missing"),
    [
        # On 10 October, 00:00 UTC, the 9th is over in the east, and the 8th in the west.
        ("UTC", "2026-10-10", "2026-10-08..2026-10-09"),
        ("Pacific/Auckland", "2026-10-10", "2026-10-08..2026-10-09"),
        ("America/New_York", "2026-10-10", "2026-10-08"),
        ("America/New_York", "2026-10-09", None),
        ("UTC", "2026-10-01", None),
        ("UTC", "2026-09-15", None),
    ],
)
def test_days_that_are_not_over_are_not_missing(zone: str, seen: str, missing: str | None) -> None:
    day = date.fromisoformat(seen).toordinal()
    table = "2026-10-01..2026-10-07.csv T=6"
    assert missing_in(table, zone=zone, seen=day).get("T") == missing


@pytest.mark.parametrize(
    ("zone", "table", "missing"),
    [
        ("UTC", "a.csv T=1T05:00,31T23:30", None),
        # 05:00 UTC is still 30 September in Los Angeles, where October is seven hours late,
        ("America/Los_Angeles", "a.csv T=1T05:00,31T12:00", None),
        ("America/Los_Angeles", "a.csv T=1T07:00,31T06:59", "2026-10-31"),
        ("America/Los_Angeles", "a.csv T=1T07:00,31T07:00", None),
        # and 11:00 UTC of the 30th the 31st in Auckland, thirteen hours early in summer.
        ("Pacific/Auckland", "a.csv T=09-30T11:00,30T11:00", None),
        ("Pacific/Auckland", "a.csv T=1T11:00,30T10:59", "2026-10-01, 2026-10-31"),
    ],
)
def test_days_are_those_of_the_tenant(zone: str, table: str, missing: str | None) -> None:
    assert missing_in(table, zone=zone).get("T") == missing


@pytest.mark.parametrize(
    ("now", "taken_at", "seen"),
    [
        # While the month goes on, as far as exports were taken in;
        ("2026-10-20T04:00", "2026-10-19T04:00", "2026-10-19"),
        ("2026-10-20T04:00", "2026-09-19T04:00", "2026-09-19"),
        ("2026-11-01T23:59", "2026-10-19T04:00", "2026-10-19"),
        # once it is over everywhere, it is expected whole, whenever exports came last.
        ("2026-11-02T00:00", "2026-10-19T04:00", "2026-11-02"),
        ("2027-04-01T00:00", "2026-10-19T04:00", "2026-11-02"),
        ("2027-04-01T00:00", "2027-03-19T04:00", "2026-11-02"),
        ("2026-11-01T23:59", "2026-11-01T04:00", "2026-11-01"),
    ],
)
def test_a_month_is_expected_as_far_as_exports_came_and_whole_once_it_is_over(
    now: str, taken_at: str, seen: str
) -> None:
    at, taken = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (now, taken_at))
    assert date.fromordinal(seen_until(OCTOBER, taken, at)).isoformat() == seen


@pytest.mark.parametrize(
    ("table", "kind", "subscriptions", "late"),
    [
        ("2026-10-01..2026-10-31.csv T=6", "sessions", "S 2026-01-01..", True),
        ("2026-09-30..2026-10-31.csv T=6", "sessions", "S 2026-01-01..", False),
        ("2026-10-01..2026-10-31.csv T=09-30T22,6", "sessions", "S 2026-01-01..", False),
        ("a.csv T=09-29,31", "sessions", "S 2026-01-01..", False),
        ("a.csv T=1T00:01,31", "sessions", "S 2026-01-01..", True),
        # The exports of September reach to its last day, or they do not.
        ("a.csv T=1,31 \n b.csv T=09-01,09-30", "sessions", "S 2026-01-01..", False),
        ("a.csv T=1,31 \n b.csv T=09-01,09-28", "sessions", "S 2026-01-01..", True),
        # Who began in October has no sessions from before,
        ("2026-10-01..2026-10-31.csv T=6", "sessions", "S 2026-10-01..", False),
        # and what is selected by its end is there whenever it began.
        ("2026-10-01..2026-10-31.csv T=6", "records", "S 2026-01-01..", False),
    ],
)
def test_an_extract_selected_by_start_must_begin_a_day_before_the_month(
    table: str, kind: str, subscriptions: str, late: bool
) -> None:
    """R4.1: a session that is open when the month begins counts from its begin."""
    found = found_in(table, kind, whose=tenant(subscriptions))
    said = [one for one in found if one.code == "extract_starts_late"]
    assert len(said) == late
    assert all("from 2026-09-30 on" in one.remedy for one in said)


def test_what_is_summed_counts_when_it_starts_and_no_extract_of_it_is_late() -> None:
    table = "2026-10-01..2026-10-31.csv T=6 U=7"
    late = [one for one in found_in(table, "sessions", summed="T") if one.rule == "R4.1"]
    assert [one.tenant_id for one in late] == ["U"]


def test_midnight_of_the_day_before_is_that_of_the_tenant() -> None:
    """30 September ends in New York at 04:00 UTC of 1 October."""
    table = "a.csv T=1T03:59,31"
    assert "extract_starts_late" in codes_in(table, kind="sessions")
    assert "extract_starts_late" not in codes_in(table, kind="sessions", zone="America/New_York")


@pytest.mark.parametrize(
    ("table", "days", "names"),
    [
        ("a.csv T=1,5T08,5T10 \n b.csv T=5T09,31", "2026-10-05", "a.csv, b.csv"),
        ("a.csv T=5..8 \n b.csv T=7..9 \n c.csv T=20", "2026-10-07..2026-10-08", "a.csv, b.csv"),
        ("a.csv T=5T08,5T20 \n b.csv T=5T09 \n c.csv T=5T19", "2026-10-05", "a.csv, b.csv, c.csv"),
        # One after the other within a day: cut at another midnight than the tenant's.
        ("a.csv T=5T08,5T10 \n b.csv T=5T11,31", None, None),
        ("a.csv T=5T11,5T12 \n b.csv T=4,5T08,5T10", None, None),
        # By rows, whatever the names say; and of one tenant.
        ("2026-10-01..2026-10-09.csv T=2 \n 2026-10-05..2026-10-31.csv T=10", None, None),
        ("a.csv T=5T08,5T10 \n b.csv U=5T09,5T11", None, None),
        # What overlaps in other months is said there.
        ("a.csv T=09-05T08,09-05T10 \n b.csv T=09-05T09", None, None),
    ],
)
def test_exports_that_hold_the_same_hours_overlap(
    table: str, days: str | None, names: str | None
) -> None:
    said = [one for one in found_in(table) if one.code == "extracts_overlap"]
    assert len(said) == (days is not None)
    for one in said:
        assert f"the same hours of {days}: {names}." in one.message
        assert (one.severity, one.rule, one.tenant_id) == ("notice", "R11.1", "T")


def test_of_many_exports_that_overlap_the_first_are_named() -> None:
    table = "\n".join(f"{name}.csv T=5T08,5T10" for name in "abcdefgh")
    [said] = [one for one in found_in(table) if one.code == "extracts_overlap"]
    assert "a.csv, b.csv, c.csv, d.csv, e.csv and 3 more." in said.message


@pytest.mark.parametrize(
    ("table", "came", "told"),
    [
        ("a.csv T=5T10", "2026-10-05T11:00:00+00:00", None),
        ("a.csv T=5T10", "2026-10-05T10:00:00+00:00", None),
        ("a.csv T=5T10", "2026-10-05T09:59:59+00:00", "first taken in at 2026-10-05T09:59:59Z"),
        ("a.csv T=5,11-20", "2026-10-06T00:00:00+00:00", "rows up to 2026-11-20T12:00:00Z"),
        # A name leaves a day for the time zone.
        ("2026-10-05.csv T=5,6T23:59", None, None),
        ("2026-10-05.csv T=5,7T00", None, "its name says 2026-10-05"),
        ("2026-10-01..2026-10-05.csv T=7T00", None, "its name says 2026-10-01..2026-10-05"),
        # Written on the 5th: nothing is said of what it holds.
        ("2026-10-05.csv T=1..3,10..20", None, None),
        # Exports of another month are looked at there.
        ("2026-09-05.csv T=09-05,09-09", None, None),
        ("2026-10-05.csv T=09-07", None, None),
        ("2026-10-05.csv T=11-04", None, "its name says 2026-10-05"),
    ],
)
def test_rows_that_start_after_their_export_are_told(
    table: str, came: str | None, told: str | None
) -> None:
    said = [one for one in found_in(table, came=came) if one.code == "export_older_than_data"]
    assert len(said) == (told is not None)
    assert all(told and told in one.message for one in said)
    assert all(one.tenant_id == "T" and one.subject == table.split(maxsplit=1)[0] for one in said)


def test_an_export_of_several_tenants_is_told_of_none() -> None:
    [said] = [
        one for one in found_in("2026-10-05.csv T=5,7 U=6") if one.code == "export_older_than_data"
    ]
    assert said.tenant_id is None


def test_what_is_said_has_a_place_and_a_next_step() -> None:
    found = found_in("a.csv T=2,31", kind="sessions", whose=tenant("S 2026-09-30.."))
    told = {one.code: (one.severity, one.rule, one.subject, one.message) for one in found}
    assert told == {
        "no_export_of_days": (
            "warning",
            "R11.2",
            "sessions",
            "No export of sessions covers 2026-10-01: usage of that day is not billed.",
        ),
        "extract_starts_late": (
            "warning",
            "R4.1",
            "sessions",
            "No export of sessions covers 2026-09-30. An export holds what begins in its days "
            "alone, so what was still open when 2026-10 began is missing, and the peak may be too "
            "low.",
        ),
    }
    assert all(one.remedy for one in found)


@pytest.mark.parametrize(
    ("names", "seen", "codes"),
    [
        ("users-2026-10-01.csv", OVER, ""),
        ("users-2026-09-15.csv users-2026-10-15.csv", OVER, ""),
        ("2026-09-01_users.csv", OVER, "snapshot_too_old"),
        ("users-2026-08-01.csv users-2026-09-30.csv", OVER, "snapshot_too_old"),
        ("users-2026-10-02.csv", OVER, "snapshot_after_begin"),
        ("users-2026-11-02.csv", OVER, "snapshot_after_begin"),
        # Of each tenant's own snapshots by themselves.
        ("acme-2026-10-01.csv bolt-2026-09-01.csv", OVER, "snapshot_too_old"),
        ("acme-2026-09-01.csv acme-2026-10-01.csv bolt-2026-10-01.csv", OVER, ""),
        # A month that has only begun cannot have its own yet.
        ("users-2026-09-30.csv", OCTOBER.days.first, ""),
        ("users-2026-09-30.csv", OCTOBER.days.first + 1, "snapshot_too_old"),
        # One without a date is the reader's to refuse.
        ("users.csv", OVER, ""),
    ],
)
def test_a_month_needs_a_snapshot_that_holds_at_its_begin(
    names: str, seen: int, codes: str
) -> None:
    exports = [ListedExport("users", one, "", 0, 0, "", "", 0, "") for one in names.split()]
    found = list(snapshot_findings("control-hub-users", exports, OCTOBER, seen))
    assert " ".join(one.code for one in found) == codes


def test_snapshots_of_several_series_are_told_by_their_names() -> None:
    names = ("acme-2026-09-01.csv", "bolt-2026-09-02.csv")
    exports = [ListedExport("users", one, "", 0, 0, "", "", 0, "") for one in names]
    found = snapshot_findings("users-csv", exports, OCTOBER, OVER)
    assert [one.subject for one in found] == ["users-csv: acme-", "users-csv: bolt-"]


def test_sources_of_one_kind_are_told_by_where_they_lie() -> None:
    def listed(feed: str, name: str, kind: str, source: str) -> ListedExport:
        return ListedExport(feed, name, "", 0, 0, "", "", 0, "", kind=kind, source=source)

    listing = Listing(
        1,
        datetime(2026, 11, 1, tzinfo=UTC),
        (
            listed("usage", "usage/a.csv", "", ""),
            listed("users", "users.csv", "", ""),
            listed("usage", "in/acme/09/1.csv", "sessions", "s1"),
            listed("usage", "in/acme/10/1.csv", "sessions", "s1"),
            listed("usage", "in/bolt/1.csv", "sessions", "s2"),
            listed("usage", "1.csv", "records", "s3"),
        ),
    )
    labels = [one.label for one in sources_in(listing)]
    assert labels == ["records", "sessions in in/acme", "sessions in in/bolt"]
    assert [one.label for one in sources_in(listing, with_feeds=True)] == [
        "the feeds directory",
        *labels,
    ]


SPANS = st.tuples(st.integers(1, 30), st.integers(1, 9)).map(lambda of: (of[0], min(31, sum(of))))
EXPORTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.none() | SPANS, st.lists(st.integers(1, 31), max_size=4)),
    max_size=5,
)
"""Series, first and last day of the name if it says any, and the days of the rows of T."""


@settings(max_examples=60, deadline=None)
@given(EXPORTS)
def test_a_day_is_covered_as_the_naive_twin_says(
    exports: list[tuple[str, tuple[int, int] | None, list[int]]],
) -> None:
    lines = [
        f"{series}{'2026-10-{:02}..2026-10-{:02}'.format(*span) if span else number}.csv "
        + (f"T={','.join(map(str, days))}" if days else "")
        for number, (series, span, days) in enumerate(exports)
    ]
    listed, starts = starts_in_words("\n".join(lines))
    covered = covered_days(extracts_of(listed, starts), starts, OCTOBER.days).get("T", set())
    own = {series for series, span, days in exports if span and days}
    for day in range(1, 32):
        is_covered = any(
            day in days
            or (span is None and days and min(days) <= day <= max(days))
            or (span is not None and series in own and span[0] <= day <= span[1])
            for series, span, days in exports
        )
        assert is_covered == (OCTOBER.days.first + day - 1 in covered), day


@given(st.sets(st.integers(1, 60)))
def test_days_in_words_name_each_day_once(days: set[int]) -> None:
    told: set[int] = set()
    for part in days_in_words(days).split(", ") if days else []:
        first, _, last = part.partition("..")
        ends = [date.fromisoformat(one).toordinal() for one in (first, last or first)]
        told.update(Days(ends[0], ends[1] + 1))
    assert told == days
