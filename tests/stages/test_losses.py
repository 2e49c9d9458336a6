"""Exports that are gone and days that lose usage stop a run, unless that is accepted.

A folder of usage exports is told as `a=5:10,6:3 b=7:2`: export a has ten sessions on 5 October and
three on the 6th, export b two on the 7th. Exports that are told the same have the same content.
"""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from pipeline.errors import BillingError
from pipeline.executors.embedded import InProcess
from pipeline.stages.ingest import ingest
from pipeline.store.landing import LandedStore
from pipeline.store.usage import LandedUsage
from schemas.datasets import DATASETS
from tests.good_feeds import PERIOD, good, rows_of, save
from tests.support import Row, bill, shown, tenantbill
from tests.worlds import COLUMNS, write_csv

Sessions = list[tuple[int, int]]
"""Days of October, and how many sessions begin on each."""


def folder_of(told: str) -> dict[str, Sessions]:
    """`a=5:10,6:3` as exports and their sessions."""
    exports = dict(one.split("=") for one in told.split())
    return {
        name: [(int(day), int(rows)) for day, _, rows in (one.partition(":") for one in of)]
        for name, of in ((name, of.split(",")) for name, of in exports.items())
    }


def put(feeds: Path, exports: dict[str, Sessions]) -> None:
    """Make these the exports of usage."""
    for old in (feeds / "usage").glob("*"):
        old.unlink()
    for name, sessions in exports.items():
        rows = [
            rows_of("acme")["usage"]
            | {"event_id": f"{day}-{number}", "user_id": f"u{number}"}
            | {"started_at": f"2026-10-{day:02}T09:00:00Z"}
            | {"ended_at": f"2026-10-{day:02}T10:00:00Z"}
            for day, count in sessions
            for number in range(count)
        ]
        write_csv(feeds / "usage" / f"{name}.csv", COLUMNS["usage"].split(), rows)


def published(store: Path) -> dict[str, list[Row]]:
    return {table.name: shown(table.name, PERIOD, store) for table in DATASETS}


def listings(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (store / "listings").iterdir()}


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    """Feeds of one tenant, but for usage."""
    return save({name: of for name, of in good("acme").items() if name != "usage"}, tmp_path / "in")


@pytest.fixture
def store(feeds: Path) -> Path:
    return feeds.parent / "store"


@pytest.mark.parametrize(
    ("before", "then"),
    [
        # More is never a loss,
        ("a=5:10 b=6:10", "a=5:10 b=6:10 c=5:1,7:1"),
        ("a=5:10", "a=5:12"),
        # nor is another name for the same,
        ("a=5:10 b=6:10", "z=5:10 b=6:10"),
        ("a=5:10 b=6:10", "b=5:10 a=6:10"),
        # nor that a second copy is taken away.
        ("a=5:10 b=5:10", "a=5:10"),
        # A fifth of a day may fall: corrections take some rows away.
        ("a=5:10", "a=5:8"),
        # It is a fifth of the day, not of the export: here 9 of 100 rows.
        ("a=5:10 b=5:90", "a=5:1 b=5:90"),
        # What another export brings instead is there.
        ("a=5:10", "a=5:1 b=5:9"),
    ],
)
def test_what_is_no_loss_is_billed(feeds: Path, store: Path, before: str, then: str) -> None:
    put(feeds, folder_of(before))
    bill(feeds, store, PERIOD)
    put(feeds, folder_of(then))
    bill(feeds, store, PERIOD)
    bill(feeds, feeds.parent / "fresh", PERIOD)
    assert published(store) == published(feeds.parent / "fresh")


LOSSES = [
    # An export that is gone is named, and the days that it takes with it,
    (
        "a=5:10 b=6:1000",
        "a=5:10",
        "exports that are gone: usage/b.csv (rows: 1,000); "
        "usage falls by more than 20 %: 2026-10-06 (rows: 1,000, now 0) [DataMissing]",
    ),
    # also where nothing falls: its rows may be others than those that came.
    (
        "a=5:10 b=6:10",
        "a=5:11 c=6:12",
        "exports that are gone: usage/b.csv (rows: 10) [DataMissing]",
    ),
    # An export of the same name with fewer rows: days that fall are named, others are not.
    (
        "a=5:10",
        "a=5:7",
        "usage falls by more than 20 %: 2026-10-05 (rows: 10, now 7); "
        "exports that changed: usage/a.csv [UsageShrinks]",
    ),
    (
        "a=5:10,6:10 b=6:1",
        "a=5:19,6:1 b=6:1",
        "usage falls by more than 20 %: 2026-10-06 (rows: 11, now 2); "
        "exports that changed: usage/a.csv [UsageShrinks]",
    ),
    # Whoever accepts accepts all of it, so all of it is told.
    (
        "a=5:10 b=6:1 c=7:1",
        "a=5:1 b=6:1",
        "exports that are gone: usage/c.csv (rows: 1); usage falls by more than 20 %: "
        "2026-10-05 (rows: 10, now 1), 2026-10-07 (rows: 1, now 0); "
        "exports that changed: usage/a.csv [DataMissing]",
    ),
    # Of many, the first five are named.
    (
        "a=1:1 b=2:1 c=3:1 d=4:1 e=5:1 f=6:1 g=7:1 h=8:1",
        "h=8:1",
        "exports that are gone: usage/a.csv (rows: 1), usage/b.csv (rows: 1), "
        "usage/c.csv (rows: 1), usage/d.csv (rows: 1), usage/e.csv (rows: 1) and 2 more; "
        "usage falls by more than 20 %: 2026-10-01 (rows: 1, now 0), 2026-10-02 (rows: 1, now 0), "
        "2026-10-03 (rows: 1, now 0), 2026-10-04 (rows: 1, now 0), 2026-10-05 (rows: 1, now 0) "
        "and 2 more [DataMissing]",
    ),
]


@pytest.mark.parametrize(("before", "then", "told"), LOSSES)
def test_a_loss_is_told_and_leaves_everything_as_it_was(
    feeds: Path, store: Path, before: str, then: str, told: str
) -> None:
    put(feeds, folder_of(before))
    bill(feeds, store, PERIOD)
    old, listed = published(store), listings(store)
    put(feeds, folder_of(then))
    for command in ("run", "ingest", "run"):
        result = tenantbill(command, PERIOD, "--feeds", feeds, "--store", store)
        assert result.exit_code == 1
        first, remedy = result.stderr.splitlines()
        assert first == f"error: {feeds}: {told}"
        assert "--allow-shrink" in remedy
        assert result.stdout == ""
        assert (published(store), listings(store)) == (old, listed)
    put(feeds, folder_of(before))
    assert "nothing has changed" in bill(feeds, store, PERIOD).stdout
    assert (published(store), listings(store)) == (old, listed)


@pytest.mark.parametrize(("before", "then", "told"), LOSSES)
def test_an_accepted_loss_is_what_later_runs_start_from(
    feeds: Path, store: Path, before: str, then: str, told: str
) -> None:
    put(feeds, folder_of(before))
    bill(feeds, store, PERIOD)
    put(feeds, folder_of(then))
    bill(feeds, store, PERIOD, "--allow-shrink")
    bill(feeds, feeds.parent / "fresh", PERIOD)
    assert published(store) == published(feeds.parent / "fresh")
    assert tenantbill("status", "--store", store).stdout.count("run --allow-shrink") == 1
    assert "nothing has changed" in bill(feeds, store, PERIOD).stdout
    put(feeds, folder_of(f"{then} later=9:1"))
    bill(feeds, store, PERIOD)


def test_accepting_comes_from_the_environment_and_the_settings_too(
    feeds: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(feeds.parent)
    words = ("ingest", PERIOD, "--feeds", feeds, "--store", store)
    put(feeds, folder_of("a=5:10"))
    assert tenantbill(*words).exit_code == 0
    put(feeds, folder_of("a=5:5"))
    assert "[UsageShrinks]" in tenantbill(*words).stderr
    with monkeypatch.context() as patch:
        patch.setenv("TENANTBILL_ALLOW_SHRINK", "1")
        assert tenantbill(*words).exit_code == 0
    put(feeds, folder_of("a=5:1"))
    Path("tenantbill.toml").write_text("allow_shrink = false\n")
    assert "[UsageShrinks]" in tenantbill(*words).stderr
    Path("tenantbill.toml").write_text("allow_shrink = true\n")
    assert tenantbill(*words).exit_code == 0


def test_rows_that_can_no_longer_be_read_are_usage_that_falls(feeds: Path, store: Path) -> None:
    put(feeds, folder_of("a=5:10"))
    bill(feeds, store, PERIOD)
    export = feeds / "usage" / "a.csv"
    export.write_text(export.read_text().replace("2026-10-05T09", "05/10/2026 09"))
    result = tenantbill("run", PERIOD, "--feeds", feeds, "--store", store)
    assert "2026-10-05 (rows: 10, now 0)" in result.stderr


def test_without_a_loss_of_usage_no_day_is_counted(
    feeds: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: LandedUsage) -> None:
        raise AssertionError("days are counted")

    put(feeds, folder_of("a=5:10 b=6:10"))
    bill(feeds, store, PERIOD)
    words = ("ingest", PERIOD, "--feeds", feeds, "--store", store)
    monkeypatch.setattr(LandedUsage, "cells", refuse)
    assert "nothing has changed" in tenantbill(*words).stdout
    for then in ("a=5:10 b=6:10 c=7:1", "z=5:10 b=6:10 c=7:1"):
        put(feeds, folder_of(then))
        assert tenantbill(*words).exit_code == 0
    write_csv(feeds / "users.csv", COLUMNS["users"].split(), [])
    assert tenantbill(*words).exit_code == 0
    put(feeds, folder_of("z=5:9 b=6:10 c=7:1"))
    with pytest.raises(AssertionError, match="days are counted"):
        tenantbill(*words)


def test_days_that_cannot_be_compared_are_not_taken_for_whole(feeds: Path, store: Path) -> None:
    """What lies in `landed` may be thrown away while every export is there as it was."""
    put(feeds, folder_of("a=5:10 b=6:10"))
    bill(feeds, store, PERIOD)
    shutil.rmtree(store / "landed")
    bill(feeds, store, PERIOD)
    shutil.rmtree(store / "landed")
    put(feeds, folder_of("a=5:10 b=6:11"))
    result = tenantbill("run", PERIOD, "--feeds", feeds, "--store", store)
    assert result.exit_code == 1
    assert "usage/a.csv, usage/b.csv: " in result.stderr
    assert "[StoreDamaged]" in result.stderr
    bill(feeds, store, PERIOD, "--allow-shrink")


@pytest.mark.parametrize(
    ("before", "then", "told"),
    [
        # A feed that vanishes is told, one that is needed under its own name.
        ("users", "", "exports that are gone: users.csv (rows: 1) [DataMissing]"),
        ("tenants", "", "exports that are gone: tenants.csv (rows: 1) [DataMissing]"),
        ("partners", "", "exports that are gone: partners.csv (rows: 1) [DataMissing]"),
        ("rates", "", "[FeedMissing]"),
        # A snapshot gives way to the next one, under its name or another; a name means nothing.
        ("users", "users+", ""),
        ("users/1", "users/2+", ""),
        ("rates", "rates/2+", ""),
        ("users", "users/1", ""),
        # One of several is gone: nothing new could stand in for it, or something does.
        ("rates/1 rates/2+", "rates/1", "exports that are gone: rates/2.csv (rows: 2) [DataM"),
        ("rates/1 rates/2+", "rates/3", "exports that are gone: rates/2.csv (rows: 2) [DataM"),
        ("rates/1 rates/2+", "rates/1++", ""),
        # What is new in one feed does not stand in for another.
        ("users partners", "partners+", "exports that are gone: users.csv (rows: 1) [DataMissing]"),
    ],
)
def test_a_snapshot_of_terms_may_be_replaced_and_not_vanish(
    tmp_path: Path, before: str, then: str, told: str
) -> None:
    """A `+` is another row in the export, of another day."""
    feeds, store = save(good("acme"), tmp_path / "in"), tmp_path / "store"

    def put_terms(exports: str) -> None:
        for name in {one.split("/")[0].strip("+") for one in before.split()}:
            (feeds / f"{name}.csv").unlink(missing_ok=True)
            shutil.rmtree(feeds / name, ignore_errors=True)
        for one in exports.split():
            name, more = one.rstrip("+"), one.count("+")
            feed = name.split("/")[0]
            usual = rows_of("acme")[feed]
            dated = "added_on" if feed == "partners" else "start_date"
            rows = [usual, *(usual | {dated: f"2027-01-0{n}"} for n in range(1, more + 1))]
            write_csv(feeds / f"{name}.csv", COLUMNS[feed].split(), rows)

    put_terms(before)
    words = ("ingest", PERIOD, "--feeds", feeds, "--store", store)
    assert tenantbill(*words).exit_code == 0
    put_terms(then)
    result = tenantbill(*words)
    assert result.exit_code == bool(told), result.output
    assert told in result.stderr
    accepted = tenantbill(*words, "--allow-shrink")
    assert accepted.exit_code == (told == "[FeedMissing]")


def test_any_nights_are_judged_as_told(feeds: Path, store: Path) -> None:
    """Exports come, go, change and are renamed, and some losses are accepted."""
    draw, seen = Random(1), Counter[str]()
    listed = {"a": [(1, 3)]}
    exports = dict(listed)
    for night in range(120):
        put(feeds, exports)
        if night and draw.random() < 0.2:
            take_in(feeds, store, allow_shrink=True)
            listed = exports
        else:
            error = judged(listed, exports) if night else ""
            assert take_in(feeds, store) == error, (listed, exports)
            seen[error] += 1
            listed = listed if error else exports
        names = [one.name for one in LandedStore(store).listing().of("usage")]  # type: ignore[union-attr]
        assert names == [f"usage/{name}.csv" for name in sorted(listed)]
        exports = dict(listed)
        for name in draw.sample("abcd", draw.randint(1, 2)):
            change = draw.choice(["gone", "new", "new", "new", "renamed"])
            sessions = exports.pop(name, None) if change != "new" else None
            if change == "new" or not exports:
                exports[name] = [(day, draw.randint(1, 9)) for day in draw.sample((1, 2), 2)]
            elif change == "renamed" and sessions:
                exports[draw.choice("efgh")] = sessions
    assert min(seen[name] for name in ("", "DataMissing", "UsageShrinks")) > 5, seen


def take_in(feeds: Path, store: Path, *, allow_shrink: bool = False) -> str:
    """Take exports in; gives the name of the error, if there is one."""
    try:
        now = datetime(2026, 11, 1, tzinfo=UTC)
        ingest(feeds, (), store, InProcess(), now, lambda _: None, allow_shrink=allow_shrink)
    except BillingError as error:
        return error.name
    return ""


def judged(before: dict[str, Sessions], now: dict[str, Sessions]) -> str:
    """The error that comes of it, found slowly."""
    lost = [name for name, sessions in before.items() if sessions not in now.values()]
    if any(name not in now for name in lost):
        return "DataMissing"
    for day in (1, 2):
        rows = [
            sum(count for sessions in of.values() for on, count in sessions if on == day)
            for of in (before, now)
        ]
        if lost and 5 * rows[1] < 4 * rows[0]:
            return "UsageShrinks"
    return ""
