"""Every night: which months are due, what is caught up, and what is left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import billing, closing, correcting
from pipeline.errors import ControlsDoNotTie
from pipeline.nightly import periods_due
from pipeline.period import Period
from pipeline.stages import order
from pipeline.stages.conclude import Conclusion, Evidence
from pipeline.store.lock import store_lock
from schemas.datasets import DATASETS
from tests.good_feeds import Feeds, good, save
from tests.support import bill, shown, tenantbill
from tests.worlds import COLUMNS, write_csv

Summary = dict[str, Any]


class Nights:
    """A feeds directory that grows, and the nights that bill it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.feeds, self.store, self.file = folder / "in", folder / "store", folder / "run.json"
        self.metrics = folder / "run.prom"
        self.rows: Feeds = good("acme", "bolt")
        self.change_terms()

    def change_terms(self, **rate: str) -> None:
        """Export all terms again, with another rate of acme."""
        self.rows["rates"][0].update(rate)
        save({feed: rows for feed, rows in self.rows.items() if feed != "usage"}, self.feeds)

    def export(self, *days: str, tenant: str = "acme") -> None:
        """Export a session of each of some days, in one file."""
        first = self.rows["usage"][0]
        sessions = [
            {**first, "tenant_id": tenant, "subscription_id": f"{tenant}-S"}
            | {"event_id": f"{tenant} {day}"}
            | {"started_at": f"{day}T09:00:00Z", "ended_at": f"{day}T10:00:00Z"}
            for day in days
        ]
        file = self.feeds / "usage" / f"{days[0]}-{tenant}-{len(days)}.csv"
        write_csv(file, COLUMNS["usage"].split(), sessions)

    def turns(self, day: str) -> None:
        """Let it be four o'clock of a day."""
        instant = datetime.fromisoformat(f"{day}T04:00:00Z").astimezone(UTC)
        for room in (billing, closing, correcting):
            self._monkeypatch.setattr(room, "now", lambda: instant)

    def run(self, day: str, *options: object, code: int = 0) -> Summary:
        """Run a night, and give its summary."""
        self.turns(day)
        self.words = tenantbill("run", "auto", *self._places, *options)
        assert self.words.exit_code == code, self.words.output
        summary: Summary = json.loads(self.file.read_text())
        return summary

    def close(self, *periods: str) -> None:
        """Close some months, and see that all of them is issued."""
        for period in periods:
            result = tenantbill("close", period, "--store", self.store)
            assert result.exit_code == 0, result.output
            assert "issued to" in result.stdout

    def files(self) -> dict[Path, int]:
        """Every file of the store but the lock, and when it was written."""
        files = (path for path in self.store.rglob("*") if path.is_file() and path.name != ".lock")
        return {path: path.stat().st_mtime_ns for path in files}

    @property
    def _places(self) -> tuple[object, ...]:
        files = ("--summary", self.file, "--metrics", self.metrics)
        return ("--feeds", self.feeds, "--store", self.store, *files)


def periods_of(summary: Summary) -> list[str]:
    return [one["period"] for one in summary["periods"]]


def news_of(summary: Summary) -> list[str]:
    return [one["period"] for one in summary["closed_with_news"]]


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return Nights(tmp_path, monkeypatch)


def periods(*names: str) -> list[Period]:
    return [Period.parse(name) for name in names]


@pytest.mark.parametrize(
    ("usage", "has_run", "closed", "due"),
    [
        ("", "", "", "2026-10 2026-11"),
        ("2026-08-01 2026-09-29", "", "", "2026-08 2026-09 2026-10 2026-11"),
        ("2025-11-30 2025-11-29 2025-10-15", "", "", "2025-11 2026-10 2026-11"),
        ("2026-07-31", "", "", "2026-10 2026-11"),
        ("1970-01-05 0001-01-01 9999-12-31 2026-12-05", "", "", "2026-10 2026-11"),
        ("", "2024-03 2027-01", "", "2024-03 2026-10 2026-11"),
        ("2026-09-05", "2026-09 2026-10", "2026-09 2026-10", "2026-11"),
    ],
    ids=["nothing", "usage", "a year", "east of it", "strays", "published", "closed"],
)
def test_months_are_due_by_calendar_usage_and_runs_unless_they_are_closed(
    usage: str, has_run: str, closed: str, due: str
) -> None:
    days = {date.fromisoformat(day).toordinal() for day in usage.split()}
    known, shut = periods(*has_run.split()), periods(*closed.split())
    assert periods_due(Period(2026, 11), days, known, shut) == periods(*due.split())


def test_a_fresh_store_catches_up_and_comes_to_what_months_by_name_come_to(
    nights: Nights, tmp_path: Path
) -> None:
    nights.export("2026-07-10", "2026-09-01", "2026-11-03")
    assert periods_of(nights.run("2026-11-10")) == ["2026-07", "2026-09", "2026-10", "2026-11"]
    for period in ("2026-07", "2026-09", "2026-10", "2026-11"):
        bill(nights.feeds, tmp_path / "named", period)
        for table in DATASETS:
            by_name = shown(table.name, period, tmp_path / "named")
            assert shown(table.name, period, nights.store) == by_name
    assert tenantbill("show", "invoices", "2026-08", "--store", nights.store).exit_code == 1


def test_a_night_with_nothing_new_writes_nothing(nights: Nights) -> None:
    nights.export("2026-10-05", "2026-11-03")
    nights.run("2026-11-10")
    before = nights.files()
    again = nights.run("2026-11-11")
    assert nights.files() == before
    assert [(one["period"], one["changed"]) for one in again["periods"]] == [
        ("2026-10", False),
        ("2026-11", False),
    ]
    assert nights.words.stdout.count("nothing has changed") == 2


def test_missed_nights_are_caught_up_by_the_next_one_also_over_the_end_of_a_month(
    nights: Nights,
) -> None:
    nights.export("2026-10-05")
    nights.run("2026-10-06")
    nights.export("2026-10-06", "2026-10-30")
    nights.export("2026-11-01", "2026-11-02")
    nights.export("2026-12-01")
    summary = nights.run("2026-12-02")
    billed = {one["period"]: one["rows"]["billed"] for one in summary["periods"]}
    assert billed == {"2026-09": 0, "2026-10": 3, "2026-11": 2, "2026-12": 1}


def test_stray_rows_make_no_months(nights: Nights) -> None:
    nights.export("1970-01-05", "2025-06-05", "9999-12-30", "2026-10-05", "2027-02-05")
    assert periods_of(nights.run("2026-11-10")) == ["2026-10", "2026-11"]


def test_closed_months_are_not_run_and_named_once_exports_have_come_for_them(
    nights: Nights,
) -> None:
    nights.export("2026-09-05", "2026-10-05", tenant="acme")
    nights.export("2026-10-05", tenant="bolt")
    nights.run("2026-11-10")
    nights.close("2026-09", "2026-10")
    nights.export("2026-11-10")
    quiet = nights.run("2026-11-11")
    assert (periods_of(quiet), news_of(quiet)) == (["2026-11"], [])
    nights.export("2026-10-20")
    loud = nights.run("2026-11-12")
    assert periods_of(loud) == ["2026-11"]
    assert loud["closed_with_news"] == [{"period": "2026-10", "remedy": "tenantbill plan 2026-10"}]
    assert nights.words.stdout.startswith("closed, with other exports since: 2026-10; see ")
    assert "`tenantbill plan`" in nights.words.stdout
    assert news_of(nights.run("2026-11-13")) == ["2026-10"], "until somebody looks"
    assert tenantbill("plan", "2026-10", "--store", nights.store).exit_code == 0
    assert news_of(nights.run("2026-11-14")) == []


NEWS: dict[str, Callable[[Nights], None]] = {
    "other prices": lambda nights: nights.change_terms(unit_price="11"),
    "an export that is gone": lambda nights: next(nights.feeds.glob("usage/*acme*")).unlink(),
    "usage at the edge": lambda nights: nights.export("2026-11-01"),
}


@pytest.mark.parametrize("what", NEWS)
def test_anything_that_may_change_a_closed_month_is_news(nights: Nights, what: str) -> None:
    nights.export("2026-10-05")
    nights.export("2026-10-05", tenant="bolt")
    nights.run("2026-11-10")
    nights.close("2026-10")
    NEWS[what](nights)
    assert news_of(nights.run("2026-11-11", "--allow-shrink")) == ["2026-10"]


def test_a_month_is_news_for_as_long_as_any_of_its_tenants_was_not_looked_at(
    nights: Nights,
) -> None:
    nights.export("2026-10-05")
    nights.run("2026-11-10")
    tenantbill("close", "2026-10", "--store", nights.store, "--tenant", "acme")
    nights.export("2026-10-06")
    summary = nights.run("2026-11-11")
    assert "2026-10" in periods_of(summary), "bolt is still open"
    nights.close("2026-10")
    summary = nights.run("2026-11-12")
    assert (periods_of(summary), news_of(summary)) == (["2026-11"], ["2026-10"])


def test_a_month_that_fails_leaves_those_before_it_published(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    *others, last = order.STAGES

    def fail(evidence: Evidence) -> Conclusion:
        if evidence.period == Period(2026, 10):
            raise ControlsDoNotTie("one row is lost", where="a stage", remedy="tell us")
        return last.conclude(evidence)

    nights.export("2026-09-05", "2026-10-05")
    stages = (*others, replace(last, conclude=fail))
    with monkeypatch.context() as patch:
        patch.setattr(order, "STAGES", stages)
        summary = nights.run("2026-11-10", code=1)
    assert periods_of(summary) == ["2026-09"]
    assert summary["exit_code"] == 1
    told = {"name": "ControlsDoNotTie", "what": "one row is lost", "where": "a stage"}
    assert summary["error"] == {**told, "remedy": "tell us", "period": "2026-10"}
    assert "one row is lost [ControlsDoNotTie]" in nights.words.stderr
    assert shown("invoices", "2026-09", nights.store)
    assert tenantbill("show", "invoices", "2026-10", "--store", nights.store).exit_code == 1
    assert periods_of(nights.run("2026-11-11")) == ["2026-09", "2026-10", "2026-11"]


def test_a_night_with_error_findings_ends_with_three(nights: Nights) -> None:
    nights.export("2026-10-05")
    own = nights.rows["subscriptions"]
    own.append({**own[0], "subscription_id": "acme-N", "license_model": "named"})
    nights.change_terms()
    summary = nights.run("2026-11-10", code=3)
    assert (summary["exit_code"], summary["error"]) == (3, None)
    assert summary["periods"][0]["findings"]["error"] == 1


def test_a_night_that_is_locked_out_leaves_with_75_and_says_who_is_at_work(
    nights: Nights,
) -> None:
    nights.export("2026-10-05")
    with store_lock(nights.store, 0):
        summary = nights.run("2026-11-10", code=75)
    assert (summary["exit_code"], summary["periods"]) == (75, [])
    assert summary["error"]["name"] == "StoreLocked"
    assert summary["error"]["period"] is None
    assert "process" in summary["error"]["what"]


def test_of_two_nights_at_once_the_second_waits_or_leaves(nights: Nights) -> None:
    nights.export("2026-10-05")
    words = ("run", "auto", "--feeds", nights.feeds, "--store", nights.store, "--wait")
    program = [sys.executable, "-m", "pipeline.cli", *map(str, words)]
    both = [subprocess.Popen([*program, "60"], stdout=subprocess.PIPE, text=True) for _ in "ab"]
    told = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("nothing has changed" in words for words in told) == [False, True]
    with store_lock(nights.store, 0):
        late = subprocess.run([*program, "0"], capture_output=True, check=False)
    assert late.returncode == 75


def test_the_log_says_that_it_was_a_night(nights: Nights) -> None:
    nights.export("2026-10-05")
    nights.run("2026-11-10", "--tenant", "acme")
    log = tenantbill("log", "--store", nights.store, "--format", "csv").stdout.splitlines()
    assert [line.split(",")[2] for line in log[1:]] == ["run auto --tenant acme"] * 2


def test_auto_is_about_now_and_takes_no_instant(nights: Nights) -> None:
    result = tenantbill("run", "auto", "--feeds", nights.feeds, "--as-of", "2026-11-05")
    assert result.exit_code == 2
    assert "name the months" in result.stderr


@pytest.mark.parametrize("command", ["show invoices", "split", "close", "status", "ingest"])
def test_only_run_takes_auto(command: str, nights: Nights) -> None:
    options = ("--feeds", nights.feeds) if command == "ingest" else ()
    assert tenantbill(*command.split(), "auto", "--store", nights.store, *options).exit_code == 2
