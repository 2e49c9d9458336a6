"""Clusters of real processes on this machine: a scheduler and workers, started and stopped here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

DYING = Path(__file__).with_name("dying.py")


@dataclass(frozen=True)
class Cluster:
    """A running cluster: its address, and the processes that a test may end."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def cluster(folder: Path, workers: int, dies_writing: str = "") -> Iterator[Cluster]:
    """A scheduler and workers of one thread each; the first to write such a file dies of it, once.

    `dies_writing` is part of the path in the store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    address = folder / "scheduler.json"
    environment = os.environ | {"DIES_WRITING": dies_writing, "DIED": str(folder / "died")}
    with ExitStack() as running:

        def start(*words: object) -> subprocess.Popen[bytes]:
            log = running.enter_context((folder / f"{words[0]}.log").open("ab"))
            command = [sys.executable, "-m", "distributed.cli.dask_" + str(words[0])]
            process = subprocess.Popen(
                [*command, *map(str, words[1:]), "--no-dashboard"],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
            running.callback(_end, process)
            return process

        file = ("--scheduler-file", address)
        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", 0, *file)
        preload = ("--preload", DYING) if dies_writing else ()
        size = ("--nthreads", 1, "--memory-limit", "2GiB", "--death-timeout", 60)
        started = [
            start("worker", *file, *size, *preload, "--local-directory", folder / f"w{number}")
            for number in range(workers)
        ]
        yield Cluster(_address(address, workers), scheduler, started)


def _address(file: Path, workers: int) -> str:
    """The scheduler's address, once all workers are there."""
    from distributed import Client  # noqa: PLC0415

    with Client(scheduler_file=str(file), timeout="60s", set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=60)
        return str(client.scheduler.address)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
