"""Threads for little work, processes for much: the same results, and errors by their names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import StoreDamaged
from pipeline.executors import embedded as room
from pipeline.executors.crew import WorkerLost
from pipeline.executors.embedded import MUCH, PROCESS_BYTES, embedded, expect
from pipeline.stages.bucket import BucketTask
from schemas.datasets import DATASETS
from tests.good_feeds import PERIOD, good, save
from tests.support import bill, shown, tenantbill
from tests.worlds import world, write

PLENTY = 8 << 30


@pytest.mark.parametrize(
    ("size", "memory", "is_elsewhere"),
    [
        (MUCH, PLENTY, True),
        (MUCH - 1, PLENTY, False),
        (MUCH, 2 * PROCESS_BYTES, True),
        (MUCH, 2 * PROCESS_BYTES - 1, False),
    ],
)
def test_much_work_is_done_by_processes_if_there_is_memory(
    size: int, memory: int, is_elsewhere: bool
) -> None:
    with embedded(2, memory) as executor:
        assert executor.submit(os.getpid).result() == os.getpid()
        expect(executor, size)
        assert (executor.submit(os.getpid).result() != os.getpid()) == is_elsewhere
        expect(executor, 0)
        assert (executor.submit(os.getpid).result() != os.getpid()) == is_elsewhere


def test_one_worker_does_it_all_itself() -> None:
    with embedded(1, PLENTY) as executor:
        expect(executor, MUCH)
        assert executor.submit(os.getpid).result() == os.getpid()


def test_processes_come_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = world(11)
    write(crowd, tmp_path / "feeds")
    bill(tmp_path / "feeds", tmp_path / "alone", crowd.period, "--workers", 1)
    monkeypatch.setattr(room, "MUCH", 1)
    bill(tmp_path / "feeds", tmp_path / "together", crowd.period, "--workers", 2)
    for table in DATASETS:
        alone, together = (
            shown(table.name, crowd.period, tmp_path / one) for one in ("alone", "together")
        )
        assert together == alone, table.name


def test_an_error_in_a_process_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds = save(good("acme"), tmp_path / "feeds")
    (feeds / "usage.csv").unlink()
    (feeds / "usage.parquet").write_bytes(b"PAR1 and then nothing")
    monkeypatch.setattr(room, "MUCH", 1)
    words = ("run", PERIOD, "--feeds", feeds, "--store", tmp_path / "store", "--workers", 2)
    result = tenantbill(*words)
    assert result.exit_code == 1
    assert "[DamagedParquet]" in result.stderr
    assert "usage.parquet" in result.stderr
    assert "Traceback" not in result.output


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_the_system_ends_is_an_error_by_name() -> None:
    with pytest.raises(WorkerLost, match="want of memory"), embedded(2, PLENTY) as executor:
        expect(executor, MUCH)
        executor.submit(die).result()


LONELY = """
import os, time
from multiprocessing import active_children
from pipeline.executors.embedded import MUCH, embedded, expect
if __name__ == "__main__":
    with embedded(2, 8 << 30) as executor:
        expect(executor, MUCH)
        sleeping = [executor.submit(time.sleep, 60) for _ in range(9)]
        print(*(one.pid for one in active_children()), flush=True)
        sleeping[0].result()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_run(tmp_path: Path, how: signal.Signals) -> None:
    """Neither `kill -9` of the run alone, nor Ctrl-C, which they do not hear, leaves any."""
    script = tmp_path / "lonely.py"
    script.write_text(LONELY)
    root = str(Path(room.__file__).parents[2])
    run = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
        start_new_session=True,
    )
    assert run.stdout is not None
    workers = run.stdout.readline().split()
    assert len(workers) == 2
    time.sleep(1)
    os.kill(run.pid, how) if how == signal.SIGKILL else os.killpg(run.pid, how)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{one}").exists() for one in workers):
        assert time.monotonic() < deadline, "they are still there"
        time.sleep(0.05)
    run.communicate()


def test_an_error_in_a_bucket_says_in_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(task: BucketTask) -> str:
        raise StoreDamaged("a file is gone", where="landed/ab", remedy="restore it")

    monkeypatch.setattr("pipeline.run.run_bucket", damaged)
    feeds = save(good("acme"), tmp_path / "feeds")
    result = tenantbill("run", PERIOD, "--feeds", feeds, "--store", tmp_path / "store")
    assert result.exit_code == 1
    assert "landed/ab (bucket of slots 0 to 255): a file is gone [StoreDamaged]" in result.stderr
    assert "restore it" in result.stderr
