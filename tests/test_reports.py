"""What runs leave behind for programs: a summary as JSON, and metrics for Prometheus."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pipeline import run as orchestrator
from pipeline.cli import billing
from pipeline.metrics import GAUGES, metrics_of, sample
from pipeline.request import Request
from pipeline.run import Done
from pipeline.store.lock import store_lock
from tests.exposition import Metrics, read_metrics
from tests.good_feeds import PERIOD, good, save
from tests.support import shown, tenantbill
from tests.worlds import world, write

Summary = dict[str, Any]


class Desk:
    """A feeds directory, a store, and the files that runs report to."""

    def __init__(self, folder: Path) -> None:
        self.feeds, self.store = folder / "in", folder / "store"
        self.summary_file, self.metrics_file = folder / "run.json", folder / "run.prom"

    def run(self, *options: object, code: int = 0, period: str = PERIOD) -> None:
        files = ("--summary", self.summary_file, "--metrics", self.metrics_file)
        places = ("--feeds", self.feeds, "--store", self.store)
        self.words = tenantbill("run", period, *places, *files, *options)
        assert self.words.exit_code == code, self.words.output

    @property
    def summary(self) -> Summary:
        read: Summary = json.loads(self.summary_file.read_text())
        return read

    @property
    def metrics(self) -> Metrics:
        return read_metrics(self.metrics_file.read_text())

    def gauge(self, name: str, **labels: str) -> float:
        return self.metrics[f"tenantbill_{name}", tuple(labels.items())]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    save(good("acme", "bolt"), made.feeds)
    return made


@pytest.fixture(scope="module")
def worldly(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The desk of a month that has rows in every dataset."""
    made, crowd = Desk(tmp_path_factory.mktemp("worldly")), world(0)
    write(crowd, made.feeds)
    made.run(code=3, period=crowd.period)
    return made


def test_summary_and_metrics_say_what_show_says(worldly: Desk) -> None:
    (figures,) = worldly.summary["periods"]
    period, store = figures["period"], worldly.store
    invoices, found = shown("invoices", period, store), shown("findings", period, store)
    controls = shown("controls", period, store)
    fates = {
        row["measure"].removeprefix("rows "): int(row["value_in"])
        for row in controls
        if row["stage"] == "split" and row["measure"].startswith("rows ")
    }
    read = next(row for row in controls if row["measure"] == "usage rows read")
    assert figures["rows"] == {"read": int(read["value_in"]), **fates}
    assert sum(fates.values()) == int(read["value_in"])
    assert fates["billed"] > 0 < fates["quarantined"]
    totals = {
        currency: sum(Decimal(row["total"] or 0) for row in invoices if row["currency"] == currency)
        for currency in {row["currency"] for row in invoices}
    }
    assert {currency: Decimal(told) for currency, told in figures["totals"].items()} == totals
    for fate, rows in fates.items():
        assert worldly.gauge("usage_rows", period=period, fate=fate) == rows
    for currency, total in totals.items():
        told = worldly.gauge("invoiced_amount", period=period, currency=currency)
        assert told == float(total)
    for name, rows_of, label in (
        ("invoices", invoices, "status"),
        ("findings", found, "severity"),
    ):
        assert sum(figures[name].values()) == len(rows_of)
        for value, count in figures[name].items():
            assert count == sum(row[label] == value for row in rows_of)
            assert worldly.gauge(name, **{"period": period, label: value}) == count


def test_the_summary_says_when_what_and_whether_anything_changed(desk: Desk) -> None:
    desk.run()
    first = desk.summary
    assert (first["command"], first["exit_code"], first["error"]) == ("run", 0, None)
    assert first["began_at"] <= first["ended_at"]
    assert first["began_at"].endswith("Z")
    (done,) = first["periods"]
    assert (done["changed"], len(done["redone"])) == (True, 7)
    assert done["run_id"] in desk.words.stdout
    desk.run()
    (again,) = desk.summary["periods"]
    assert (again["changed"], again["redone"]) == (False, [])
    assert {**again, "changed": True, "redone": done["redone"]} == done


def test_every_gauge_is_described_and_sampled(worldly: Desk) -> None:
    assert {name for name, _ in worldly.metrics} == {*GAUGES}
    assert worldly.gauge("exit_code") == 3
    assert worldly.gauge("last_success_timestamp_seconds") > 1.7e9
    assert worldly.gauge("last_run_seconds") == worldly.summary["seconds"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_accepts_the_metrics(worldly: Desk) -> None:
    with worldly.metrics_file.open() as file:
        check = subprocess.run(
            ["promtool", "check", "metrics"],
            stdin=file,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (check.returncode, check.stdout + check.stderr) == (0, "")


def test_label_values_may_hold_anything() -> None:
    odd = 'a "word", a \\ and a\nline'
    described = "# HELP some Words.\n# TYPE some gauge\n"
    written = f"{described}{sample('some', {'period': odd, 'b': '}'})} 1\n"
    assert read_metrics(written) == {("some", (("period", odd), ("b", "}"))): 1.0}


def test_after_a_failure_the_last_success_and_what_is_published_stay(desk: Desk) -> None:
    desk.run()
    before = desk.metrics
    (desk.feeds / "rates.csv").unlink()
    desk.run(code=1)
    after = desk.metrics
    own = {("tenantbill_exit_code", ()), ("tenantbill_last_run_seconds", ())}
    assert before.keys() == after.keys()
    assert {name: before[name] for name in before.keys() - own} == {
        name: after[name] for name in after.keys() - own
    }
    assert desk.gauge("exit_code") == 1
    assert desk.summary["error"]["name"] == "FeedMissing"
    assert desk.summary["error"]["remedy"] in desk.words.stderr
    with store_lock(desk.store, 0):
        desk.run(code=75)
    assert desk.gauge("exit_code") == 75
    assert desk.gauge("last_success_timestamp_seconds") > 0


@pytest.mark.parametrize("before", [None, "", "nonsense\n\x00 {} 1\n", b"\xff\xfe"])
def test_without_any_success_the_last_one_was_never(desk: Desk, before: str | bytes | None) -> None:
    if before is not None:
        desk.metrics_file.write_bytes(before if isinstance(before, bytes) else before.encode())
    (desk.feeds / "usage.csv").unlink()
    desk.run(code=1)
    assert desk.metrics == {
        ("tenantbill_last_success_timestamp_seconds", ()): 0,
        ("tenantbill_last_run_seconds", ()): desk.summary["seconds"],
        ("tenantbill_exit_code", ()): 1,
    }


def test_metrics_of_a_success_are_of_its_months_alone() -> None:
    told = {"ended_at": "2026-11-10T04:00:00Z", "seconds": 1, "exit_code": 0, "error": None}
    before = metrics_of({**told, "periods": []}, "").replace(" 0\n", " 3\n")
    gone = before + 'tenantbill_invoices{period="2026-08",status="draft"} 7\n'
    assert metrics_of({**told, "periods": []}, gone) == metrics_of({**told, "periods": []}, "")


def test_a_summary_on_stdout_stands_there_alone(desk: Desk) -> None:
    desk.run("--summary", "-")
    assert json.loads(desk.words.stdout)["exit_code"] == 0
    assert desk.words.stderr.startswith("2026-10: ingest, validate")
    desk.run("--summary", "-", "--log-format", "json")
    assert json.loads(desk.words.stdout)["exit_code"] == 0
    assert json.loads(desk.words.stderr.splitlines()[-1])["event"] == "done"
    (desk.feeds / "rates.csv").unlink()
    for shape in ("text", "json"):
        desk.run("--summary", "-", "--log-format", shape, code=1)
        assert json.loads(desk.words.stdout)["error"]["name"] == "FeedMissing"


@pytest.mark.parametrize("raised", [OSError(28, "No space left on device"), RuntimeError("odd")])
def test_failures_that_nobody_foresaw_are_reported_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    def fail(request: Request, *more: object) -> Done:
        raise raised

    monkeypatch.setattr(orchestrator, "execute", fail)
    if isinstance(raised, OSError):
        desk.run(code=1)
        told = ("SystemFailed", "No space left on device")
    else:
        with pytest.raises(RuntimeError):
            desk.run()
        told = ("RuntimeError", "odd")
    assert (desk.summary["error"]["name"], desk.summary["error"]["what"]) == told
    assert desk.summary["error"]["period"] == PERIOD
    assert (desk.summary["exit_code"], desk.gauge("exit_code")) == (1, 1)


@pytest.mark.parametrize("shape", ["text", "json"])
def test_a_report_that_cannot_be_written_is_told_and_changes_nothing_else(
    desk: Desk, shape: str
) -> None:
    (desk.feeds.parent / "file").write_text("")
    elsewhere = desk.feeds.parent / "file" / "run.json"
    desk.run("--summary", elsewhere, "--log-format", shape)
    assert "the report could not be written: " in desk.words.stderr
    assert shown("invoices", PERIOD, desk.store)
    assert desk.gauge("exit_code") == 0, "the other file is written all the same"


def test_reports_replace_files_at_once_and_write_into_pipes_and_through_links(
    desk: Desk,
) -> None:
    folder = desk.feeds.parent
    pipe, link = folder / "pipe", folder / "link.prom"
    os.mkfifo(pipe)
    link.symlink_to(desk.metrics_file)
    said: list[str] = []
    reader = Thread(target=lambda: said.append(pipe.read_text()))
    reader.start()
    desk.run("--summary", pipe, "--metrics", link)
    reader.join(timeout=10)
    assert json.loads(said[0])["exit_code"] == 0
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert desk.gauge("exit_code") == 0
    desk.run("--summary", folder / "new" / "run.json")
    assert [path.name for path in (folder / "new").iterdir()] == ["run.json"], "no drafts stay"


def test_files_to_report_to_can_be_settings(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.feeds.parent)
    settings = 'feeds = "in"\nsummary = "by-file.json"\nmetrics = "by-file.prom"\n'
    Path("tenantbill.toml").write_text(settings)
    monkeypatch.setenv("TENANTBILL_METRICS", "by-environment.prom")
    assert tenantbill("run", PERIOD).exit_code == 0
    assert json.loads(Path("by-file.json").read_text())["exit_code"] == 0
    assert read_metrics(Path("by-environment.prom").read_text())
    assert not Path("by-file.prom").exists()
    assert tenantbill("validate", PERIOD).exit_code == 0, "other commands take no notice"


def test_seconds_are_from_the_start_to_the_report(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(9))
    four = datetime(2026, 11, 10, 4, tzinfo=UTC)
    monkeypatch.setattr(billing, "now", lambda: four.replace(second=next(clock)))
    desk.run()
    assert desk.summary["seconds"] == 2.0
