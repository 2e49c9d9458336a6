"""The one port for parallel work: anything with the standard library's `Executor` interface.

Belongs here: the embedded executors. Does not belong here: what is executed. Tasks are picklable
functions of names and paths; what they make goes through the store, so one that runs twice changes
nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import ParamSpec, TypeVar

from pipeline.errors import WorkerLost

P = ParamSpec("P")
T = TypeVar("T")


class InProcess(Executor):
    """Runs each task at once, in this process: the engines use every core by themselves."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run the task and give its outcome, be it a result or an error."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def embedded(workers: int) -> Iterator[Executor]:
    """An executor on this machine: in this process, or that many others.

    Raises `WorkerLost` where one of them ends before its task.
    """
    if workers == 1:
        yield InProcess()
        return
    # A fresh interpreter each: the engines' threads do not survive a fork.
    spawn = get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, spawn, initializer=_leave_with_parent) as pool:
            yield pool
    except BrokenProcessPool as error:
        raise WorkerLost(
            "a worker process ended before its task; nothing was published",
            remedy="run again: it goes on from what is done; with fewer --workers if memory is "
            "short",
        ) from error


def _leave_with_parent() -> None:
    """End this worker when the run that started it is gone, however it went."""

    def watch() -> None:
        parent = parent_process()
        if parent:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()
