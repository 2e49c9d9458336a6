"""Writing datasets beside the work: of several failures the one that happened first is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import sleep

import pytest

from pipeline.errors import SystemFailed
from pipeline.period import Period
from pipeline.store.results import Parts, ResultStore
from schemas.columns import Table
from schemas.datasets import DATASETS

TABLES = {table.name: table for table in DATASETS}

MONTH = Period.parse("2026-10")

Wait = Callable[[], object]


def parts(*datasets: str) -> Parts:
    return {(name, "part"): TABLES[name].empty() for name in datasets}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> dict[str, Wait]:
    """Datasets whose writing fails, and what it waits for before it does."""
    waits: dict[str, Wait] = {}

    def write(_: ResultStore, period: Period, table: Table, parts: Parts) -> None:
        if table.name in waits:
            waits[table.name]()
            raise SystemFailed(f"no room for {table.name}", remedy="make some")

    monkeypatch.setattr(ResultStore, "_write", write)
    return waits


def test_a_failure_that_is_known_ends_the_work_at_the_next_write(
    failing: dict[str, Wait], tmp_path: Path
) -> None:
    failing["daily"] = lambda: None
    with (
        pytest.raises(SystemFailed, match="no room for daily"),
        ResultStore(tmp_path).writing(MONTH, TABLES) as write,
    ):
        write(parts("daily"))
        sleep(0.2)
        write(parts("overage"))
        raise AssertionError("the work went on")


def test_what_failed_first_is_told_and_not_what_the_work_came_to_after_it(
    failing: dict[str, Wait], tmp_path: Path
) -> None:
    failing["daily"] = lambda: None
    with (
        pytest.raises(SystemFailed, match="no room for daily") as told,
        ResultStore(tmp_path).writing(MONTH, TABLES) as write,
    ):
        write(parts("daily"))
        sleep(0.2)
        raise ValueError("the work fails later")
    assert isinstance(told.value.__context__, ValueError)


def test_the_work_that_failed_first_is_told_and_not_a_later_write(
    failing: dict[str, Wait], tmp_path: Path
) -> None:
    failing["daily"] = lambda: sleep(0.2)
    with (
        pytest.raises(ValueError, match="the work fails first"),
        ResultStore(tmp_path).writing(MONTH, TABLES) as write,
    ):
        write(parts("daily"))
        raise ValueError("the work fails first")


def test_of_several_writes_the_one_that_failed_first_is_told(
    failing: dict[str, Wait], tmp_path: Path
) -> None:
    overage_failed = Event()
    failing["daily"] = lambda: overage_failed.wait(5)
    failing["overage"] = lambda: None
    with (
        pytest.raises(SystemFailed, match="no room for overage"),
        ResultStore(tmp_path).writing(MONTH, TABLES) as write,
    ):
        write(parts("daily"))
        write(parts("overage"))
        sleep(0.2)
        overage_failed.set()
