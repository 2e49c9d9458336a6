"""Parallel work on a running dask.distributed cluster.

Belongs here: its client as an `Executor`, and its failures by our names. Does not belong here: what
is executed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pipeline.executors.crew import (
    Crew,
    SchedulerLost,
    SchedulerUnreachable,
    WorkerLost,
    check_fit,
    fitness,
    on_worker,
)
from pipeline.extras import needed

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = "10s"
"""How long the scheduler may take to answer."""


@contextmanager
def dask(address: str, workers: int | None, store: Path) -> Iterator[Crew]:
    """The workers of a cluster, each with as many tasks at a time as it has threads.

    Raises `SchedulerUnreachable`, `WorkerUnfit`; and while tasks run `SchedulerLost`, `WorkerLost`.
    """
    distributed = needed("distributed", "cluster")
    _silence("distributed")
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SchedulerUnreachable(
            f"no dask scheduler answers: {error}",
            where=address,
            remedy="start it, or correct --scheduler (such as tcp://host:8786)",
        ) from error
    with client:
        known = client.scheduler_info(n_workers=-1)["workers"]
        if not known:
            raise SchedulerUnreachable(
                "the cluster has no workers",
                where=address,
                remedy="start workers, and run again",
            )
        for name, found in client.run(_prepared, store).items():
            check_fit(name, found, store)
        threads = sum(one["nthreads"] for one in known.values())
        at_a_time = min(workers or threads, threads)
        with _told(address), client.get_executor(pure=False) as executor:
            yield Crew(_Dask(executor), at_a_time, memory_of_a_task(known.values()))


def memory_of_a_task(workers: Iterable[Mapping[str, int]]) -> int | None:
    """The least that a thread of any worker may use, in bytes; None if they are told no limit."""
    limits = (one["memory_limit"] // one["nthreads"] for one in workers if one["memory_limit"])
    return min(limits, default=None)


def _silence(library: str) -> None:
    """Have a library log nothing: what it has to say of lost connections is told by our names."""
    for name in logging.root.manager.loggerDict:
        if name.partition(".")[0] == library:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class _Dask(Executor):
    """The cluster's executor, whose errors name the worker."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand a task to the cluster."""
        return self._executor.submit(_on_this_worker, partial(fn, *args, **kwargs))


def _on_this_worker(task: Callable[[], T]) -> T:
    from distributed import get_worker  # noqa: PLC0415

    return on_worker(str(get_worker().name), task)


def _prepared(store: Path, dask_worker: Any) -> tuple[str, bool]:
    """Have a worker's engines take no more threads than it has, and say what it is fit for.

    The library hands the worker in by the name of the parameter.
    """
    from pipeline.engines import prepare  # noqa: PLC0415

    threads = dask_worker.state.nthreads
    os.environ.setdefault("POLARS_MAX_THREADS", str(threads))
    prepare(threads)
    return fitness(store)


@contextmanager
def _told(address: str) -> Iterator[None]:
    """The library's failures by our names."""
    distributed = needed("distributed", "cluster")
    try:
        yield
    except distributed.KilledWorker as error:
        raise WorkerLost(
            f"one task ended {error.allowed_failures + 1} workers, the last {error.last_worker}",
            where=address,
            remedy="most often they ran out of memory: give them more, or fewer threads; then run "
            "again, which goes on from what is done",
        ) from error
    except (CancelledError, distributed.comm.CommClosedError) as error:
        raise SchedulerLost(
            "the cluster went away while tasks were under way; nothing was published",
            where=address,
            remedy="start it again and run again, which goes on from what is done",
        ) from error
