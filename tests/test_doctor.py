"""The doctor: each thing that may be wrong is told with its remedy, and nothing is changed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from pipeline.cli import billing, doctoring
from pipeline.doctoring import exports, machine, places, taken_in
from pipeline.doctoring.check import size_in_words
from pipeline.exports.csv_files import csv_cells
from pipeline.sources.kind import Kind
from pipeline.sources.kinds import KINDS
from pipeline.store.lock import store_lock
from schemas.feeds import USAGE
from tests.good_feeds import PERIOD, good, save
from tests.support import Row, tenantbill
from tests.worlds import COLUMNS, write_csv

FEEDS, STORE = Path("feeds"), Path("store")

KIND = Kind(
    "sessions",
    "sessions, as a file has them",
    lambda _: USAGE,
    (".csv", ".xlsx"),
    lambda path, _: csv_cells(path, packed=False),
)


def days_of(first: int, last: int) -> list[Row]:
    """A session of acme on each of some days of October."""
    row = good("acme")["usage"][0]
    return [
        row
        | {"event_id": f"e{day}", "started_at": f"2026-10-{day:02}T09:00:00Z"}
        | {"ended_at": f"2026-10-{day:02}T10:00:00Z"}
        for day in range(first, last + 1)
    ]


def turns(monkeypatch: pytest.MonkeyPatch, day: str) -> None:
    """Let it be four o'clock of a day."""
    instant = datetime.fromisoformat(f"{day}T04:00:00Z").astimezone(UTC)
    for room in (billing, doctoring):
        monkeypatch.setattr(room, "now", lambda: instant)


def take_in(store: Path = STORE, *options: object) -> None:
    result = tenantbill("ingest", PERIOD, "--feeds", FEEDS, "--store", store, *options)
    assert result.exit_code == 0, result.output


@pytest.fixture(autouse=True)
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory where nothing is wrong: a whole October, taken in on 5 November."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(cast(dict[str, Kind], KINDS), "sessions", KIND)
    turns(monkeypatch, "2026-11-05")
    save({**good("acme"), "usage": days_of(1, 31)}, FEEDS)
    take_in()


def asked(*words: object, code: int = 0, store: Path = STORE) -> list[Row]:
    """What the doctor says of October."""
    where = () if "--feeds" in words else ("--feeds", FEEDS)
    result = tenantbill("doctor", PERIOD, "--store", store, "--format", "json", *where, *words)
    assert result.exit_code == code, result.output
    assert result.stderr == ""
    return cast(list[Row], json.loads(result.stdout))


def wrong(*words: object, code: int = 0, store: Path = STORE) -> list[tuple[str, str, str]]:
    """Severity, check and what of all that is not in order; each has a remedy."""
    rows = [row for row in asked(*words, code=code, store=store) if row["severity"] != "ok"]
    assert all(row["remedy"] for row in rows)
    return [(row["severity"], row["check"], row["what"]) for row in rows]


def files() -> dict[str, tuple[int, int]]:
    """Every file and folder below here: size and time, but for the time of the store itself."""
    found = {str(path): path.stat() for path in Path().rglob("*")}
    return {
        name: (0, 0) if name == str(STORE) else (one.st_size, one.st_mtime_ns)
        for name, one in found.items()
    }


def test_where_all_is_well_every_check_is_ok_and_nothing_is_changed() -> None:
    before = files()
    rows = asked()
    assert {row["severity"] for row in rows} == {"ok"}
    told = {row["check"]: row["what"] for row in rows}
    assert told["days of 2026-10"] == (
        "exports cover all that are over, of every tenant that they tell of"
    )
    assert told["exports of usage"].startswith("1 file, ")
    assert told["store"] == "store: it is there, and can be written to"
    assert told["exports of meters"] == "none, and none is needed"
    assert told["taken in"] == "7 exports, 2026-11-05T04:00:00Z"
    assert files() == before


def test_without_a_store_it_says_what_to_run_and_makes_none() -> None:
    found = wrong(store=Path("fresh/bills"))
    assert found == [
        ("warning", "taken in", "fresh/bills: nothing was taken in yet, so no day is looked at")
    ]
    [row] = [row for row in asked(store=Path("fresh")) if row["check"] == "taken in"]
    assert row["remedy"] == "run `tenantbill ingest 2026-10 --feeds feeds`, and ask again"
    [row] = [row for row in asked(store=Path("fresh")) if row["check"] == "store"]
    assert row["what"] == "fresh: it is not there yet; the first run makes it"
    assert not Path("fresh").exists()


def test_it_is_printed_as_every_dataset_is() -> None:
    words = ("doctor", PERIOD, "--feeds", FEEDS, "--store", STORE)
    assert tenantbill(*words).stdout.startswith("severity,check,what,remedy\n")
    assert tenantbill(*words, "--format", "table").stdout.startswith("severity  check ")
    assert "1 with one" in tenantbill("doctor", "--help").stdout


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("store = ", "this is not TOML"),
        ('stroe = "x"', "there is no setting 'stroe'"),
        ("workers = 0", "workers"),
        ('memory = "much"', "'much' is no amount of memory"),
        ('[[source]]\nkind = "sesions"\npath = "in"', "there is no kind of source 'sesions'"),
        ('[[source]]\nkind = "sessions"', "a source needs path"),
        ('[[source]]\nkind = "sessions"\npath = "nowhere"', "no file of the source sessions"),
    ],
)
def test_wrong_settings_are_an_error(content: str, told: str) -> None:
    Path("tenantbill.toml").write_text(content)
    found = wrong(code=1)
    assert any(severity == "error" and told in what for severity, _, what in found), found


def test_settings_that_are_in_order_are_told_with_their_sources() -> None:
    Path("tenantbill.toml").write_text('[[source]]\nkind = "sessions"\npath = "in"\n')
    write_csv(Path("in/2026-10-01..2026-10-31.csv"), COLUMNS["usage"].split(), days_of(2, 3))
    rows = {row["check"]: row["what"] for row in asked()}
    assert rows["settings"] == "tenantbill.toml is in order, with 1 source"
    assert rows["exports of usage"].startswith("2 files, ")


def no_feeds() -> None:
    shutil.rmtree(FEEDS)


def no_rates() -> None:
    (FEEDS / "rates.csv").unlink()


def empty_usage() -> None:
    (FEEDS / "usage.csv").write_text("")


def strange_file() -> None:
    (FEEDS / "users").mkdir()
    (FEEDS / "users" / "list.doc").write_text("?")


def unknown_zone() -> None:
    rows = [{"tenant_id": "acme", "time_zone": "Europe/Madird"}]
    write_csv(FEEDS / "tenants.csv", COLUMNS["tenants"].split(), rows)


def damaged_tenants() -> None:
    (FEEDS / "tenants.csv").write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    ("breaks", "check", "told"),
    [
        (no_feeds, "exports of usage", "feeds: there is no such place [FeedsNotADirectory]"),
        (no_rates, "exports of rates", "[FeedMissing]"),
        (empty_usage, "exports of usage", "usage.csv: the file is empty"),
        (strange_file, "exports of users", "[UnknownFileKind]"),
        (unknown_zone, "time zones", "the zone of acme is 'Europe/Madird', which is not known"),
        (damaged_tenants, "time zones", "tenants.csv"),
    ],
)
def test_exports_that_a_run_cannot_use_are_an_error(
    breaks: Callable[[], None], check: str, told: str
) -> None:
    breaks()
    errors = [(one, what) for severity, one, what in wrong(code=1) if severity == "error"]
    assert len(errors) == 1, errors
    assert errors[0][0] == check
    assert told in errors[0][1]


def test_a_mistyped_zone_is_guessed() -> None:
    unknown_zone()
    [row] = [row for row in asked(code=1) if "Madird" in row["what"]]
    assert row["remedy"] == "did you mean 'Europe/Madrid'?"


def test_nobody_says_where_exports_lie() -> None:
    result = tenantbill("doctor", PERIOD, "--store", STORE)
    assert result.exit_code == 1
    assert "nothing says where the exports lie" in result.stdout


def test_a_file_that_may_not_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path).name != "usage.csv" and access(path, mode)
    )
    assert ("error", "exports of usage", "usage.csv: it cannot be read") in wrong(code=1)


def test_workbooks_without_their_package_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tenantbill.toml").write_text('[[source]]\nkind = "sessions"\npath = "in"\n')
    Path("in").mkdir()
    Path("in/a.xlsx").write_text("?")
    assert not [one for one in wrong() if one[0] == "error"]
    monkeypatch.setattr(exports, "is_there", lambda package: package != "openpyxl")
    told = "in/a.xlsx: workbooks need openpyxl, which is not installed"
    assert ("error", "exports of usage", told) in wrong(code=1)


def test_a_missing_extra_is_told_and_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_there", lambda package: package != "typst")
    rows = {row["what"]: row for row in asked()}
    row = rows["pdf is not installed whole: typst (for `print --as pdf`) is missing"]
    assert (row["severity"], row["remedy"]) == (
        "ok",
        "where you need it: pip install 'tenantbill[pdf]'",
    )


def test_a_machine_without_time_zones_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "time_zones", list)
    [zones] = [one for one in wrong(code=1) if one[1] == "time zones"]
    assert "this machine knows none" in zones[2]


@pytest.mark.parametrize(
    ("words", "free", "limit", "told"),
    [
        ("1GiB 1", "2000000", "max", ""),
        ("1GiB 1", "500000", "max", "more than there is free now (488.3 MiB)"),
        ("1GiB 1", "2000000", "536870912", "more than there is free now (512.0 MiB)"),
        ("600MiB 4", "2000000", "max", "less than 4 workers need (676.3 MiB)"),
    ],
)
def test_memory_that_is_not_there_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, words: str, free: str, limit: str, told: str
) -> None:
    info, cgroup = Path("meminfo"), Path("memory.max")
    info.write_text(f"MemTotal: 1 kB\nMemAvailable: {free} kB\n")
    cgroup.write_text(f"{limit}\n")
    monkeypatch.setattr(machine, "MEMORY_INFO", info)
    monkeypatch.setattr(machine, "CGROUP_LIMIT", cgroup)
    memory, workers = words.split()
    monkeypatch.setenv("TENANTBILL_MEMORY", memory)
    monkeypatch.setenv("TENANTBILL_RUN_WORKERS", workers)
    found = [
        what for severity, check, what in wrong() if (severity, check) == ("warning", "machine")
    ]
    assert len(found) == bool(told)
    assert all(told in what for what in found)
    [row] = [row for row in asked() if row["check"] == "machine"]
    assert row["what"].startswith(f"a run has {workers} workers on ")


def test_a_store_that_is_a_file_is_an_error() -> None:
    Path("file").write_text("")
    for store in (Path("file"), Path("file/below")):
        found = [one for one in wrong(code=1, store=store) if one[1] == "store"]
        assert len(found) == 1
        assert found[0][2].endswith("file is not a directory")


def test_a_store_that_takes_no_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = files()
    assert ("error", "store", "store: it cannot be written to: No space left on device") in wrong(
        code=1
    )
    assert files() == before


def test_a_folder_of_somebody_else_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "results")
    [found] = [one for one in wrong(code=1) if one[1] == "store"]
    assert "store/results belongs to somebody else" in found[2]


def test_a_run_at_work_is_a_warning_and_is_left_alone() -> None:
    with store_lock(STORE, 0):
        [found] = wrong()
        assert found[:2] == ("warning", "lock")
        assert f"another run is using the store (process {os.getpid()} on " in found[2]
    assert wrong() == []
    with store_lock(STORE, 0):
        pass


def test_what_a_killed_run_left_is_a_warning() -> None:
    (STORE / "scratch" / "draft").mkdir(parents=True)
    (STORE / "scratch" / "draft" / "rows").write_bytes(b"?" * 2048)
    told = "a run that was killed left 1 file half-written (2.0 KiB)"
    assert wrong() == [("warning", "scratch", told)]
    assert (STORE / "scratch" / "draft" / "rows").exists()


@pytest.mark.parametrize(("free", "severity"), [(1, "error"), (1.5, "warning"), (3, "ok")])
def test_a_disk_without_room_is_told_before_it_is_full(
    monkeypatch: pytest.MonkeyPatch, free: float, severity: str
) -> None:
    usage = namedtuple("usage", "free")
    path = FEEDS / "usage.csv"
    write_csv(path, COLUMNS["usage"].split(), days_of(1, 30))
    room = int(path.stat().st_size * free) - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(room))
    rows = [row for row in asked(code=severity == "error") if row["check"] == "disk"]
    assert [row["severity"] for row in rows] == [severity]
    assert "1 export to take in may come to" in rows[0]["what"]


def test_packed_exports_are_expected_to_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(500))
    [plain] = places.room(Path(), [("a.csv", 100)])
    [packed] = places.room(Path(), [("a.csv.gz", 100)])
    assert (plain.severity, packed.severity) == ("ok", "error")


def test_a_clock_before_the_last_exports_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    turns(monkeypatch, "2026-11-03")
    [found] = wrong()
    assert found[:2] == ("warning", "clock")
    assert "it is 2026-11-03T04:00:00Z here" in found[2]


def test_exports_that_another_version_read_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken_in, "reading_code", lambda: "another")
    assert wrong() == [
        ("warning", "taken in", "7 exports were read by another version of the program"),
        ("warning", "days of 2026-10", "not looked at"),
    ]


def test_rows_that_are_gone_from_the_store_are_a_warning() -> None:
    shutil.rmtree(STORE / "landed")
    found = wrong()
    assert [one[:2] for one in found] == [("warning", "taken in"), ("warning", "days of 2026-10")]
    assert "usage.csv" in found[0][2]
    assert "and 2 more is not in the store any more" in found[0][2]


def test_a_listing_that_is_not_whole_is_an_error() -> None:
    [listing] = (STORE / "listings").iterdir()
    listing.write_text("{")
    [found] = wrong(code=1)
    assert found[:2] == ("error", "taken in")
    assert "[StoreDamaged]" in found[2]


def test_terms_that_stop_a_run_are_an_error() -> None:
    rows = [good("acme")["subscriptions"][0], {"tenant_id": "", "subscription_id": "x"}]
    write_csv(FEEDS / "subscriptions.csv", COLUMNS["subscriptions"].split(), rows)
    assert tenantbill("ingest", PERIOD, "--feeds", FEEDS, "--store", STORE).exit_code == 1
    [found] = wrong(code=1)
    assert found[:2] == ("error", "days of 2026-10")
    assert "[BrokenTerms]" in found[2]


def test_exports_that_came_or_went_since_are_a_warning() -> None:
    write_csv(FEEDS / "usage" / "late.csv", COLUMNS["usage"].split(), days_of(30, 31))
    assert wrong() == [("warning", "taken in", "1 export new or changed since: usage/late.csv")]
    (FEEDS / "usage" / "late.csv").unlink()
    (FEEDS / "usage.csv").rename(FEEDS / "usage" / "usage.csv")
    assert wrong() == [("warning", "taken in", "1 export new or changed since: usage/usage.csv")]
    (FEEDS / "usage" / "usage.csv").unlink()
    (FEEDS / "users.csv").unlink()
    write_csv(FEEDS / "usage.csv", COLUMNS["usage"].split(), days_of(1, 31))
    found = wrong()
    assert ("warning", "taken in", "exports that were taken in are gone: users.csv") in found


def days() -> Iterator[tuple[str, str]]:
    for severity, check, what in wrong():
        assert check == "days of 2026-10"
        yield severity, what


def test_days_without_an_export_are_a_warning_and_tenants_are_told_together() -> None:
    feeds = good("acme", "bolt")
    sessions = [
        row | {"tenant_id": name, "subscription_id": f"{name}-S", "event_id": f"{name}{number}"}
        for name in ("acme", "bolt")
        for number, row in enumerate(days_of(3, 29))
    ]
    save({**feeds, "usage": sessions}, FEEDS)
    take_in(STORE, "--allow-shrink")
    assert list(days()) == [
        (
            "warning",
            "acme, bolt: No export of the feeds directory covers 2026-10-01..2026-10-02, "
            "2026-10-30..2026-10-31: usage of these days is not billed. [no_export_of_days]",
        )
    ]


def test_days_are_expected_up_to_now_although_nothing_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run expects days as far as exports came; the doctor sees that they stopped coming."""
    turns(monkeypatch, "2026-10-11")
    save({**good("acme"), "usage": days_of(1, 8)}, FEEDS)
    store = Path("other")
    take_in(store)
    told = [what.split(":")[1] for _, _, what in wrong(store=store)]
    assert told == [" No export of the feeds directory covers 2026-10-09..2026-10-10"]
    turns(monkeypatch, "2026-10-20")
    told = [what.split(":")[1] for _, _, what in wrong(store=store)]
    assert told == [" No export of the feeds directory covers 2026-10-09..2026-10-19"]


def test_every_month_of_a_range_is_looked_at() -> None:
    result = tenantbill("doctor", "2026-09..2026-11", "--feeds", FEEDS, "--store", STORE)
    assert result.exit_code == 0
    checks = [line.split(",")[1] for line in result.stdout.splitlines()]
    assert {"days of 2026-09", "days of 2026-10", "days of 2026-11"} <= set(checks)


@pytest.mark.parametrize(
    ("size", "told"),
    [(0, "0 bytes"), (1023, "1,023 bytes"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")],
)
def test_sizes_are_told_as_people_write_them(size: int, told: str) -> None:
    assert size_in_words(size) == told
