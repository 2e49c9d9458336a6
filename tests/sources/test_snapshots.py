"""Snapshots: the day in a file's name, and intervals from what several of them say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.kinds import KINDS
from pipeline.sources.snapshots import LINEAGE, SnapshotWithoutDay, day_of, intervals
from schemas.columns import Table
from schemas.feeds import ENTITLEMENTS, USERS

LINEAGE_TYPES = {"file": pl.String(), "row": pl.Int64(), "defects": pl.String(), "raw": pl.String()}
DAYS = [date(2026, 10, day) for day in (1, 5, 12, 20)]
ONE_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("users-2026-10-01.csv", "2026-10-01"),
        ("2026-10-01.csv.gz", "2026-10-01"),
        ("licenses_20261001.json", "2026-10-01"),
        ("20261001T0203Z-licenses.json", "2026-10-01"),
        ("acme 2026-10-01 (copy 2).csv", "2026-10-01"),
        ("2026-10-01/again 20261001.csv", "2026-10-01"),
        ("order 99999999, 2026-02-28.csv", "2026-02-28"),
    ],
)
def test_a_snapshot_is_of_the_day_in_its_name(name: str, day: str) -> None:
    assert day_of(Path("2020-01-01") / name) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("users.csv", "does not say on which day"),
        ("users-2026-10.csv", "does not say on which day"),
        ("users-2026-02-30.csv", "does not say on which day"),
        ("users-2026-1001.csv", "does not say on which day"),
        ("users-20261001020304.csv", "does not say on which day"),
        ("users-2026-10-01..2026-10-31.csv", "says 2 days"),
    ],
)
def test_without_one_day_nobody_knows_what_it_is_of(name: str, told: str) -> None:
    with pytest.raises(SnapshotWithoutDay, match=told) as error:
        day_of(Path("2026-10-01") / name)
    assert "such as users-2026-10-01.csv" in error.value.remedy


def test_the_kinds_that_are_snapshots() -> None:
    kinds = {name for name, kind in KINDS.items() if kind.is_snapshot}
    assert kinds == {"control-hub-users", "licenses-api"}


def _rows(table: Table, rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=pl.Schema({**table.dtypes, **LINEAGE_TYPES}))


def _user(day: int, who: str, license_: str = "standard", **more: Any) -> dict[str, Any]:
    """A row of the snapshot of a day of October, in the file of that day."""
    row = {"tenant_id": "acme", "user_id": who, "name": who, "role": "agent", "license": license_}
    lineage = {"file": f"users-{day:02}.csv", "row": 1, "start_date": date(2026, 10, day)}
    return {**row, "subscription_id": "S", **lineage, **more}


def _told(rows: Iterable[dict[str, Any]]) -> list[str]:
    """What snapshots of users say together: `user licence, first..last day, file row`."""

    def day(one: date | None) -> str:
        return f"{one:%d}" if one else ""

    found = intervals(_rows(USERS, rows), USERS).sort("user_id", "start_date", "license")
    return [
        f"{row['user_id']} {row['license']} {day(row['start_date'])}..{day(row['end_date'])} "
        f"{row['file']} {row['row']}"
        for row in found.iter_rows(named=True)
    ]


def test_one_snapshot_holds_always() -> None:
    """Somebody worked before their assignment was first exported."""
    assert _told([_user(10, "ann")]) == ["ann standard .. users-10.csv 1"]


def test_what_stands_in_consecutive_snapshots_is_one_row() -> None:
    rows = [_user(day, "ann") for day in (1, 5, 12)]
    assert _told(rows) == ["ann standard .. users-01.csv 1"]


def test_a_change_holds_from_the_day_of_the_snapshot_that_shows_it() -> None:
    rows = [_user(1, "ann"), _user(12, "ann", "premium"), _user(20, "ann", "premium")]
    assert _told(rows) == ["ann standard ..11 users-01.csv 1", "ann premium 12.. users-12.csv 1"]


def test_who_goes_and_comes_again_has_two_intervals() -> None:
    rows = [_user(day, "bob") for day in (1, 5, 12, 20)]
    rows += [_user(1, "ann"), _user(12, "ann"), _user(20, "ann")]
    assert _told(rows)[:2] == [
        "ann standard ..04 users-01.csv 1",
        "ann standard 12.. users-12.csv 1",
    ]


def test_a_new_name_alone_is_no_change_and_the_newest_counts() -> None:
    rows = [_user(1, "ann", name="Ann Lee"), _user(5, "ann", name="Ann Ray")]
    [found] = intervals(_rows(USERS, rows), USERS).iter_rows(named=True)
    assert (found["name"], found["start_date"], found["end_date"]) == ("Ann Ray", None, None)
    assert (found["file"], found["row"]) == ("users-01.csv", 1)


def test_files_of_one_day_are_one_snapshot_and_what_both_say_holds_once() -> None:
    rows = [
        _user(1, "ann"),
        _user(1, "bob", row=2),
        _user(1, "ann", file="users-01-more.csv"),
        _user(1, "cho", file="users-01-more.csv", row=2),
        _user(5, "ann"),
    ]
    assert _told(rows) == [
        "ann standard .. users-01.csv 1",
        "bob standard ..04 users-01.csv 2",
        "cho standard ..04 users-01-more.csv 2",
    ]


def test_both_licences_are_two_rows() -> None:
    """R3.2 says which of them counts."""
    rows = [_user(1, "ann"), _user(1, "ann", "premium"), _user(5, "ann", "premium")]
    assert _told(rows) == ["ann premium .. users-01.csv 1", "ann standard ..04 users-01.csv 1"]


def test_each_tenant_has_its_own_snapshots() -> None:
    """An export of one says nothing of another."""
    rows = [_user(1, "ann"), _user(5, "bob", tenant_id="other"), _user(12, "ann")]
    assert _told(rows) == ["ann standard .. users-01.csv 1", "bob standard .. users-05.csv 1"]


def test_nothing_is_nothing() -> None:
    for table in (USERS, ENTITLEMENTS):
        empty = _rows(table, [])
        assert intervals(empty, table).equals(empty)


def test_broken_rows_stay_as_they_are() -> None:
    """Quarantine shows what was read, and the tenant is not billed."""
    rows = [_user(1, "ann", "x", defects="license_unknown", raw="{}"), _user(5, "ann")]
    found = intervals(_rows(USERS, rows), USERS).sort("file").to_dicts()
    assert [found[0][name] for name in (*LINEAGE, "start_date", "end_date")] == [
        *("users-01.csv", 1, "license_unknown", "{}", DAYS[0], None)
    ]
    assert (found[1]["start_date"], found[1]["defects"]) == (DAYS[1], None)


def _quantity(day: int, quantity: str, **more: Any) -> dict[str, Any]:
    row = {"tenant_id": "acme", "subscription_id": "S", "meter": "ivr_port", "quantity": quantity}
    lineage = {"file": f"{day:02}.json", "row": 1, "start_date": date(2026, 10, day)}
    return {**row, "deployment": "cloud", **lineage, **more}


def test_a_quantity_holds_until_another_is_seen() -> None:
    rows = [_quantity(1, "50"), _quantity(5, "50"), _quantity(12, "60")]
    frame = pl.DataFrame(rows).cast({"quantity": ENTITLEMENTS["quantity"].kind.dtype})
    found = intervals(_rows(ENTITLEMENTS, frame.to_dicts()), ENTITLEMENTS)
    assert found.select(pl.col("quantity").cast(pl.Int64), "start_date", "end_date").rows() == [
        (50, None, date(2026, 10, 11)),
        (60, date(2026, 10, 12), None),
    ]


def test_files_of_one_day_that_contradict_each_other_are_not_added_up() -> None:
    """Two quantities of one contract on one day: which is right, nobody can say."""
    rows = [_quantity(1, "50"), _quantity(1, "60", file="later.json"), _quantity(5, "60")]
    frame = pl.DataFrame(rows).cast({"quantity": ENTITLEMENTS["quantity"].kind.dtype})
    found = intervals(_rows(ENTITLEMENTS, frame.to_dicts()), ENTITLEMENTS)
    assert dict(found.select("file", "defects").iter_rows()) == {
        "01.json": "repeated_key",
        "later.json": "repeated_key",
        "05.json": None,
    }


_KEY = ("tenant_id", "user_id", "role", "license", "subscription_id")
_SAID = st.tuples(
    st.sampled_from(("acme", "other")),
    st.sampled_from(("ann", "bob")),
    st.sampled_from(("agent", "admin")),
    st.sampled_from(("standard", "premium")),
    st.sampled_from(("S", None)),
)
_SNAPSHOTS = st.lists(st.tuples(st.sampled_from(DAYS), st.lists(_SAID, max_size=6)), max_size=6)

Said = list[tuple[date, list[tuple[str | None, ...]]]]


@settings(max_examples=60, deadline=None)
@given(_SNAPSHOTS)
def test_on_every_day_holds_what_the_newest_snapshot_says(snapshots: Said) -> None:
    """Day by day: the newest snapshot at or before it; before the first, what that says."""
    rows = [
        dict(zip(_KEY, one, strict=True))
        | {"start_date": day, "file": f"{number}.csv", "row": row, "name": f"n{number}"}
        for number, (day, said) in enumerate(sorted(snapshots, key=lambda one: one[0]))
        for row, one in enumerate(said, 1)
    ]
    found = intervals(_rows(USERS, rows), USERS).to_dicts()
    known = {(one["file"], one["row"]) for one in rows}
    assert {(one["file"], one["row"]) for one in found} <= known
    day = DAYS[0] - 2 * ONE_DAY
    while day <= DAYS[-1] + 2 * ONE_DAY:
        holding = [
            tuple(one[name] for name in _KEY)
            for one in found
            if (one["start_date"] or day) <= day <= (one["end_date"] or day)
        ]
        assert sorted(holding, key=str) == sorted(_naive(snapshots, day), key=str)
        day += ONE_DAY


def _naive(snapshots: Said, day: date) -> set[tuple[str | None, ...]]:
    holding = set()
    for tenant in ("acme", "other"):
        said = [(when, one) for when, rows in snapshots for one in rows if one[0] == tenant]
        if said:
            first = min(when for when, _ in said)
            newest = max((when for when, _ in said if when <= day), default=first)
            holding |= {one for when, one in said if when == newest}
    return holding


def test_canary_the_rank_of_rows_tells_null_from_empty_and_the_same_from_other() -> None:
    """`intervals` counts on it to give each distinct row one number."""
    frame = pl.DataFrame({"a": ["x", None, None, "x", ""], "b": [1, 2, 2, None, None]})
    ranks = frame.select(pl.struct("a", "b").rank("dense")).to_series().to_list()
    assert ranks[1] == ranks[2]
    assert len(set(ranks)) == 4
