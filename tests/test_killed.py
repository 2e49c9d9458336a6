"""Commands that are killed at any of their writes: the last state is whole, the next run repairs.

The store tells watchers of each write before it happens. A command runs in a process of its own
that kills itself, for good, at one of them; then everybody must read what was there before or what
was to come, never a mixture; and doing it again must come to what it would have come to at once.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.store import files
from schemas.datasets import DATASETS
from tests.good_feeds import PERIOD, good, save
from tests.support import Row, bill, tenantbill

PROGRAM = """
import os, signal, sys
from pipeline.cli import main
from pipeline.store import files
at = int(sys.argv.pop(1))
seen = 0
def watch(path):
    global seen
    seen += 1
    if seen == at:
        os.kill(os.getpid(), signal.SIGKILL)
files.watchers.append(watch)
try:
    main()
finally:
    print("WRITES", seen, file=sys.stderr)
"""

NEVER = 1_000_000

AFTER = "2026-11"

State = dict[str, list[Row]]


def state(store: Path) -> State:
    """What is published, without what two runs of the same may differ in: names and times."""
    found: State = {}
    for period in (PERIOD, AFTER):
        for table in DATASETS:
            words = ("show", table.name, period, "--store", store, "--format", "json")
            result = tenantbill(*words)
            rows = json.loads(result.stdout) if result.exit_code == 0 else []
            found[f"{table.name} {period}"] = [{**row, "issued_at": ""} for row in rows]
    return found


@dataclass
class Case:
    """A store in which a command has something to do, and its words."""

    folder: Path
    words: tuple[object, ...]

    def doing(self, store: Path, kill_at: int) -> tuple[int, int]:
        """Do it, killed at one of its writes or never; gives exit code and writes."""
        words = [str(word) for word in (*self.words, "--store", store)]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(kill_at), *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        told = done.stderr.rpartition("WRITES ")[2].strip()
        return done.returncode, int(told) if told.isdigit() else 0

    def store(self, name: str) -> Path:
        """A copy of the store as it is before."""
        copy = self.folder / name
        shutil.copytree(self.folder / "store", copy)
        return copy


def books(folder: Path) -> tuple[Path, Path]:
    """Two tenants, billed for October."""
    feeds, store = save(good("acme", "bolt"), folder / "in"), folder / "store"
    bill(feeds, store, PERIOD)
    return feeds, store


def other_price(feeds: Path) -> None:
    rows = good("acme", "bolt")
    rows["rates"][0]["unit_price"] = "12.5"
    save(rows, feeds)


def a_run(folder: Path) -> Case:
    feeds, _ = books(folder)
    other_price(feeds)
    return Case(folder, ("run", PERIOD, "--feeds", feeds))


def a_closing(folder: Path) -> Case:
    books(folder)
    return Case(folder, ("close", PERIOD))


def a_plan(folder: Path) -> Case:
    feeds, store = books(folder)
    tenantbill("close", PERIOD, "--store", store)
    other_price(feeds)
    return Case(folder, ("plan", PERIOD, "--feeds", feeds, "--output", folder / "again.json"))


def an_application(folder: Path) -> Case:
    feeds, store = books(folder)
    tenantbill("close", PERIOD, "--store", store)
    other_price(feeds)
    plan = folder / "plan.json"
    tenantbill("plan", "--feeds", feeds, "--store", store, "--output", plan)
    return Case(folder, ("apply", plan, "--reason", "a price"))


@pytest.mark.parametrize("begin", [a_run, a_closing, a_plan, an_application])
def test_wherever_a_command_is_killed_the_state_is_whole_and_doing_it_again_repairs(
    tmp_path: Path, begin: Callable[[Path], Case]
) -> None:
    case = begin(tmp_path)
    before = state(case.folder / "store")
    through = case.store("through")
    code, writes = case.doing(through, NEVER)
    assert code == 0
    assert writes > 2
    wanted = state(through)
    assert (wanted == before) == (begin is a_plan), "a plan publishes nothing"
    seen = set()
    for at in range(1, writes + 1):
        store = case.store(f"killed-{at}")
        code, _ = case.doing(store, at)
        assert code == -signal.SIGKILL
        after = state(store)
        assert after in (before, wanted), f"killed at write {at} of {writes}"
        seen.add(after == before)
        again = tenantbill(*case.words, "--store", store)
        assert again.exit_code == 0, again.output
        assert state(store) == wanted, f"killed at write {at} of {writes}, done again"
        assert not list(store.glob("scratch/*"))
        shutil.rmtree(store)
    assert True in seen, "it was killed before it counted"


@pytest.mark.parametrize("begin", [a_closing, an_application])
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_is_full_or_read_only_issues_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begin: Callable[[Path], Case],
    at: int,
    error: int,
) -> None:
    case = begin(tmp_path)
    store = case.store("full")
    before = state(store)
    seen = 0

    def full(path: Path) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            raise OSError(error, os.strerror(error), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(files, "watchers", [full])
        result = tenantbill(*case.words, "--store", store)
    assert result.exit_code == 1
    assert f"{os.strerror(error)} [SystemFailed]" in result.stderr
    assert state(store) == before
    assert tenantbill(*case.words, "--store", store).exit_code == 0
    assert state(store) != before


@pytest.mark.parametrize("begin", [a_closing, an_application])
def test_two_at_once_issue_once(tmp_path: Path, begin: Callable[[Path], Case]) -> None:
    case = begin(tmp_path)
    store = case.store("shared")
    words = [str(word) for word in (*case.words, "--store", store, "--wait", 60)]
    program = "from pipeline.cli import main; main()"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    alone = case.store("alone")
    tenantbill(*case.words, "--store", alone)
    assert state(store) == state(alone)
    assert sum("issued" in out and "nothing" not in out for out, _ in told) == 1
