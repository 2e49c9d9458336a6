"""What holds when runs are killed, run into each other or fail in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest

from pipeline.errors import ControlsDoNotTie
from pipeline.stages import order
from pipeline.stages.conclude import Conclusion, Evidence
from pipeline.store.delta import DeltaTables
from pipeline.store.lock import store_lock
from pipeline.store.results import ResultStore
from schemas.datasets import DATASETS
from tests.good_feeds import PERIOD, good, save
from tests.support import Row, bill, shown, tenantbill

Process = subprocess.Popen[str]


def published(store: Path) -> dict[str, list[Row]]:
    """Every dataset of the month, read while somebody may be writing."""
    return {table.name: shown(table.name, PERIOD, store) for table in DATASETS}


def started(feeds: Path, store: Path, *options: object) -> Process:
    """A run in a process of its own."""
    program = "from pipeline.cli import main; main()"
    words = ("run", PERIOD, "--feeds", feeds, "--store", store, *options)
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: Process) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def files_in(store: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(store))


@pytest.fixture
def changed(tmp_path: Path) -> tuple[Path, Path]:
    """Feeds and store of a month that was billed; since then usage, prices and users changed."""
    feeds, store = save(good("acme", "good"), tmp_path / "feeds"), tmp_path / "store"
    bill(feeds, store, PERIOD)
    rows = good("acme", "bolt", "good")
    rows["usage"] += [
        {**rows["usage"][0], "event_id": f"more-{number}", "user_id": f"u{number}"}
        for number in range(50)
    ]
    rows["rates"][0]["unit_price"] = "12.34"
    rows["rates"].append({**rows["rates"][0], "charge": "overage"})
    save(rows, feeds)
    return feeds, store


def kill_moments(process: Process, store: Path, files: int) -> None:
    """Kill a run for good once it has written so many files, if it ever does."""
    before = files_in(store)
    while process.poll() is None and files_in(store) < before + files:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)


def test_a_killed_run_leaves_the_old_state_in_full_and_the_next_one_repairs(
    changed: tuple[Path, Path], tmp_path: Path
) -> None:
    feeds, store = changed
    bill(feeds, tmp_path / "fresh", PERIOD)
    old, new = published(store), published(tmp_path / "fresh")
    seen = []
    for files in (1, 2, 4, 8, 14):
        process = started(feeds, store)
        kill_moments(process, store, files)
        code, _, _ = ended(process)
        now = published(store)
        assert now in (old, new)
        seen.append((code, now == old))
    assert (-signal.SIGKILL, True) in seen, "at least one run was killed before it published"
    (store / "scratch" / "draft-of-the-dead").mkdir(parents=True, exist_ok=True)
    bill(feeds, store, PERIOD)
    assert published(store) == new
    assert not list(store.glob("scratch/*")), "what the dead left is cleared"


def test_a_run_that_is_killed_the_first_time_leaves_nothing_published(tmp_path: Path) -> None:
    feeds, store = save(good("acme"), tmp_path / "feeds"), tmp_path / "store"
    process = started(feeds, store)
    kill_moments(process, store, 4)
    assert ended(process)[0] == -signal.SIGKILL
    assert tenantbill("show", "invoices", PERIOD, "--store", store).exit_code == 1
    bill(feeds, store, PERIOD)
    bill(feeds, tmp_path / "fresh", PERIOD)
    assert published(store) == published(tmp_path / "fresh")


def test_while_one_run_is_at_work_another_leaves_and_readers_read(
    changed: tuple[Path, Path],
) -> None:
    feeds, store = changed
    old = published(store)
    with store_lock(store, 0):
        result = tenantbill("run", PERIOD, "--feeds", feeds, "--store", store)
        assert published(store) == old
    assert result.exit_code == 75
    assert "[StoreLocked]" in result.stderr
    assert f"process {os.getpid()}" in result.stderr
    assert "--wait" in result.stderr
    assert published(store) == old


def test_a_run_that_waits_begins_when_the_other_ends(changed: tuple[Path, Path]) -> None:
    feeds, store = changed
    held = store_lock(store, 0)
    held.__enter__()
    timer = Timer(0.5, lambda: held.__exit__(None, None, None))
    timer.start()
    began = time.monotonic()
    bill(feeds, store, PERIOD, "--wait", "30")
    assert time.monotonic() - began >= 0.5
    timer.join()
    assert {row["tenant_id"] for row in shown("invoices", PERIOD, store)} == {
        "acme",
        "bolt",
        "good",
    }


def test_a_run_waits_no_longer_than_it_is_told(changed: tuple[Path, Path]) -> None:
    feeds, store = changed
    with store_lock(store, 0):
        began = time.monotonic()
        result = tenantbill("run", PERIOD, "--feeds", feeds, "--store", store, "--wait", 1)
        assert 1 <= time.monotonic() - began < 5
    assert result.exit_code == 75
    assert "[StoreLocked]" in result.stderr


def test_two_runs_at_once_publish_once(changed: tuple[Path, Path]) -> None:
    feeds, store = changed
    both = [started(feeds, store, "--wait", 60) for _ in range(2)]
    outcomes = [ended(process) for process in both]
    assert [code for code, _, _ in outcomes] == [0, 0], outcomes
    assert sum("nothing has changed" in out for _, out, _ in outcomes) == 1
    assert len(ResultStore(store).runs()) == 2


def fail(_: Evidence) -> Conclusion:
    raise ControlsDoNotTie("one row is lost", where="a stage", remedy="tell us")


@pytest.mark.parametrize("name", [stage.name for stage in order.STAGES])
def test_a_stage_that_does_not_tie_publishes_nothing(
    changed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    feeds, store = changed
    old = published(store)
    stages = tuple(
        replace(stage, conclude=fail) if stage.name == name else stage for stage in order.STAGES
    )
    with monkeypatch.context() as patch:
        patch.setattr(order, "STAGES", stages)
        result = tenantbill("run", PERIOD, "--feeds", feeds, "--store", store)
    assert result.exit_code == 1
    assert "one row is lost [ControlsDoNotTie]" in result.stderr
    assert published(store) == old
    bill(feeds, store, PERIOD)
    assert published(store) != old


@pytest.mark.parametrize("datasets", [0, 1, 4])
def test_a_disk_that_fills_up_leaves_the_old_state(
    changed: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, datasets: int
) -> None:
    feeds, store = changed
    old, room = published(store), [datasets]
    whole = DeltaTables._write

    def write(*arguments: object, **options: object) -> None:
        if not room[0]:
            raise OSError(28, "No space left on device")
        room[0] -= 1
        whole(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(DeltaTables, "_write", write)
        result = tenantbill("run", PERIOD, "--feeds", feeds, "--store", store)
    assert result.exit_code == 1
    assert "No space left on device [SystemFailed]" in result.stderr
    assert published(store) == old
    bill(feeds, store, PERIOD)
    bill(feeds, tmp_path / "fresh", PERIOD)
    assert published(store) == published(tmp_path / "fresh")


FULL_DISK = """
import resource, sys
from pipeline.cli import main
from pipeline.store import files
place = sys.argv.pop(1)
def watch(path):
    if place in str(path):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
files.watchers.append(watch)
watch(place if place == "anywhere" else "")
main()
"""
"""A command that can write to no file any more once it is about to write to some place."""


def on_full_disk(place: str, *words: object) -> tuple[int, str, str]:
    program = [sys.executable, "-c", FULL_DISK, place, *map(str, words)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return ended(process)


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("landed", "scratch"),
        ("listings", "listings"),
        ("work", "scratch"),
        ("results/usage_split", "results"),
        ("results/invoices", "results"),
        ("results/runs", "results/runs"),
    ],
)
def test_a_system_that_refuses_a_write_is_told_with_the_place(
    changed: tuple[Path, Path], tmp_path: Path, place: str, named: str
) -> None:
    feeds, store = changed
    old = published(store)
    code, _, err = on_full_disk(place, "run", PERIOD, "--feeds", feeds, "--store", store)
    assert code == 1
    assert "Traceback" not in err
    assert "File too large [SystemFailed]" in err
    assert f"error: {store / named}" in err
    assert published(store) == old
    bill(feeds, store, PERIOD)
    bill(feeds, tmp_path / "fresh", PERIOD)
    assert published(store) == published(tmp_path / "fresh")


def test_an_issue_that_the_system_refuses_to_write_issues_nothing(
    changed: tuple[Path, Path],
) -> None:
    _, store = changed
    words = ("close", PERIOD, "--store", store, "--provisional")
    code, _, err = on_full_disk("results/ledger", *words)
    assert code == 1
    assert "Traceback" not in err
    assert f"{store / 'results' / 'ledger'}: File too large [SystemFailed]" in err
    assert tenantbill(*words).exit_code == 0


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_documents_that_the_system_refuses_to_write_are_told(
    changed: tuple[Path, Path], tmp_path: Path, form: str
) -> None:
    _, store = changed
    into = tmp_path / "documents"
    words = ("export", PERIOD, "--store", store, "-o", into, "--as", form, "--draft")
    code, _, err = on_full_disk("anywhere", *words)
    assert (code, list(into.iterdir())) == (1, [])
    assert f"error: {into}" in err
    assert "File too large [SystemFailed]" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_conversion_that_the_system_refuses_to_write_leaves_nothing(
    tmp_path: Path, ending: str
) -> None:
    session = '{"agentSessionId":"s1","agentId":"u1","startTime":1790000000123}'
    (tmp_path / "sessions.jsonl").write_text(session)
    into = tmp_path / "feeds" / f"usage.{ending}"
    words = ("search-api-agent-sessions", tmp_path / "sessions.jsonl", "-o", into)
    code, _, err = on_full_disk("anywhere", "convert", *words, "--tenant", "acme")
    assert (code, list(into.parent.iterdir())) == (1, [])
    assert f"error: {into.parent}" in err
    assert "File too large [SystemFailed]" in err
    assert "Traceback" not in err


def test_a_file_in_the_way_of_a_table_is_named(changed: tuple[Path, Path]) -> None:
    feeds, store = changed
    in_the_way = store / "results" / "usage_split"
    shutil.rmtree(in_the_way)
    in_the_way.write_text("")
    result = tenantbill("run", PERIOD, "--feeds", feeds, "--store", store)
    assert result.exit_code == 1
    assert f"error: {in_the_way}: " in result.stderr
    assert "[StoreDamaged]" in result.stderr
