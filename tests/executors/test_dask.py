"""A running dask.distributed cluster: the same results to the byte, whatever happens to it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.executors.dask import memory_of_a_task
from schemas.datasets import DATASETS
from tests.bench.generate import Shape, generate
from tests.executors.clusters import Cluster, cluster
from tests.support import shown, tenantbill
from tests.test_cases import CASES

pytest.importorskip("distributed", reason="needs the extra [cluster]")

SAMPLE = Path("sample_data/feeds").absolute()
PERIOD = "2026-10"
MONTH_ROWS = int(os.environ.get("TENANTBILL_CLUSTER_ROWS", "1_000_000"))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), workers=3) as running:
        yield running


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, as clusters are used."""
    program = [sys.executable, "-W", "ignore", "-m", "pipeline.cli", *map(str, words)]
    return subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)


def run(feeds: Path, store: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return command("run", PERIOD, "--feeds", feeds, "--store", store, *words)


def state(store: Path) -> dict[str, list[dict[str, str]]]:
    """Every dataset as it is published."""
    return {table.name: shown(table.name, PERIOD, store) for table in DATASETS}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """The sample month, billed on this machine."""
    store = tmp_path_factory.mktemp("here") / "store"
    assert tenantbill("run", PERIOD, "--feeds", SAMPLE, "--store", store).exit_code == 3
    return state(store)


@pytest.mark.parametrize(
    ("workers", "room"),
    [
        ([(8 << 30, 2), (3 << 30, 1)], 3 << 30),
        ([(8 << 30, 4), (0, 1)], 2 << 30),
        ([(0, 1), (0, 2)], None),
    ],
)
def test_a_task_may_use_what_the_least_of_the_limited_workers_has(
    workers: list[tuple[int, int]], room: int | None
) -> None:
    said = [{"memory_limit": limit, "nthreads": threads} for limit, threads in workers]
    assert memory_of_a_task(said) == room


@pytest.mark.skipif(not CASES, reason="TENANTBILL_CASES names no folder of worked cases")
def test_every_worked_case_comes_out_as_on_this_machine(three: Cluster, tmp_path: Path) -> None:
    for case in CASES:
        here, there = tmp_path / case.name / "here", tmp_path / case.name / "there"
        tenantbill("run", PERIOD, "--feeds", case / "feeds", "--store", here)
        words = ("--store", there, "--scheduler", three.address)
        result = tenantbill("run", PERIOD, "--feeds", case / "feeds", *words)
        assert result.exit_code in (0, 3), result.output
        assert state(there) == state(here), case.name


def test_a_month_of_many_rows_is_the_same_to_the_byte(three: Cluster, tmp_path: Path) -> None:
    generate(tmp_path / "feeds", MONTH_ROWS, Shape())
    for store, words in (("here", ()), ("there", ("--scheduler", three.address))):
        result = run(tmp_path / "feeds", tmp_path / store, *words)
        assert result.returncode in (0, 3), result.stderr
    assert state(tmp_path / "there") == state(tmp_path / "here")
    again = run(tmp_path / "feeds", tmp_path / "there", "--scheduler", three.address)
    assert "nothing has changed" in again.stdout


@pytest.mark.parametrize("writing", ["/landed/", "/work/"])
def test_a_worker_that_dies_of_a_task_changes_nothing(
    tmp_path: Path, sample: dict[str, list[dict[str, str]]], writing: str
) -> None:
    """In the middle of ingest, and of metering."""
    with cluster(tmp_path / "cluster", workers=2, dies_writing=writing) as two:
        result = run(SAMPLE, tmp_path / "store", "--scheduler", two.address)
    assert result.returncode == 3, result.stderr
    assert (tmp_path / "cluster" / "died").exists(), "a worker did die"
    assert state(tmp_path / "store") == sample


def test_without_its_scheduler_a_run_stops_by_name_and_the_next_goes_on(
    tmp_path: Path, sample: dict[str, list[dict[str, str]]]
) -> None:
    store = tmp_path / "store"
    with cluster(tmp_path / "cluster", workers=1, dies_writing="/work/") as one:
        watching = threading.Thread(
            target=_end_when, args=(tmp_path / "cluster" / "died", one), daemon=True
        )
        watching.start()
        result = run(SAMPLE, store, "--scheduler", one.address)
        watching.join()
    assert result.returncode == 1
    assert "[SchedulerLost]" in result.stderr and "run again" in result.stderr
    assert "Traceback" not in result.stderr
    assert command("show", "invoices", PERIOD, "--store", store).returncode == 1
    landed = {path.parent.name for path in (store / "landed").rglob("manifest.json")}
    assert run(SAMPLE, store).returncode == 3
    assert {path.parent.name for path in (store / "landed").rglob("manifest.json")} == landed
    assert state(store) == sample


def test_nobody_at_the_address_is_an_error_by_name(tmp_path: Path) -> None:
    result = run(SAMPLE, tmp_path / "store", "--scheduler", "tcp://127.0.0.1:9")
    assert result.returncode == 1
    assert "[SchedulerUnreachable]" in result.stderr and "--scheduler" in result.stderr


def test_an_error_in_a_task_names_the_worker(three: Cluster, tmp_path: Path) -> None:
    bad = tmp_path / "feeds"
    bad.mkdir()
    for path in SAMPLE.glob("*.csv"):
        (bad / path.name).write_bytes(path.read_bytes())
    (bad / "usage.parquet").write_bytes(b"PAR1 and then nothing")
    result = run(bad, tmp_path / "store", "--scheduler", three.address)
    assert result.returncode == 1
    assert "usage.parquet" in result.stderr and "on worker tcp://" in result.stderr
    assert "[DamagedParquet]" in result.stderr


def _end_when(sign: Path, running: Cluster) -> None:
    """End the scheduler as soon as its worker has died in the middle of a task."""
    deadline = time.monotonic() + 60
    while not sign.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.scheduler.kill()
