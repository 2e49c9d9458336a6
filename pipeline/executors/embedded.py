"""Parallel work on this machine, in this process.

Belongs here: the embedded executors. Does not belong here: how many workers a run may have.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class InProcess(Executor):
    """Runs each task at once, in the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run the task and give its outcome, be it a result or an error."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usual_memory() -> int:
    """What a run may take unless it is told: half of the machine's memory, at most 4 GiB."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return min(pages * size // 2, 4 << 30)


@contextmanager
def embedded(workers: int) -> Iterator[Executor]:
    """An executor on this machine, of that many threads.

    Threads are enough: nearly all work is done by engines that let other threads run meanwhile,
    and they share one program, one set of terms and one memory. Tasks that have not begun when the
    run fails are not begun any more.
    """
    if workers == 1:
        yield InProcess()
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
