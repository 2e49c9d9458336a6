"""Parallel work on this machine: in threads, or where there is much of it, in processes.

Belongs here: the embedded executors. Does not belong here: how many workers a run may have.

Nearly all work is done by engines that let other threads run meanwhile, so threads do for a million
rows. But threads share one table of memory, and wait for each other whenever one of them asks for
more or looks at a file; with many rows that takes a quarter of the time. Processes do not, and take
half a second to begin and some memory each.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from pipeline.engines import prepare
from pipeline.executors.crew import WorkerLost

P = ParamSpec("P")
T = TypeVar("T")

MUCH = 64 << 20
"""Exports of so many bytes are worth processes: some two million rows of Parquet."""

PROCESS_BYTES = 700 << 20
"""What a process needs, with its engines and the rows that it measures at once."""

ENGINE_THREADS = "2"
"""Threads of polars in a process that is one of many: one reads on while the other is at work."""


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


class Embedded(Executor):
    """Runs tasks in threads; in processes once it is told of much work, if memory allows."""

    def __init__(self, workers: int, memory: int) -> None:
        self._workers = workers
        self._has_room = memory >= workers * PROCESS_BYTES
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._processes: Executor | None = None

    def expect(self, size: int) -> None:
        """Hear how many bytes of exports the tasks to come are about."""
        if size >= MUCH and self._has_room and self._processes is None:
            # Most runs do without.
            from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
            from multiprocessing import get_context  # noqa: PLC0415

            os.environ.setdefault("POLARS_MAX_THREADS", ENGINE_THREADS)
            self._processes = ProcessPoolExecutor(self._workers, get_context("spawn"), _begin)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand a task to a worker."""
        return (self._processes or self._threads).submit(fn, *args, **kwargs)

    def stop(self) -> None:
        """End processes in the middle of their tasks: what they made so far counts for nothing."""
        if self._processes is not None:
            from multiprocessing import active_children  # noqa: PLC0415

            for process in active_children():
                process.terminate()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all workers; tasks that have not begun may be left."""
        for pool in filter(None, (self._processes, self._threads)):
            pool.shutdown(wait, cancel_futures=cancel_futures)


def expect(executor: Executor, size: int) -> None:
    """Tell an executor, if it wants to know, how many bytes of exports tasks are about."""
    if isinstance(executor, Embedded):
        executor.expect(size)


def _begin() -> None:
    """Set a process up: it leaves Ctrl-C to its parent, and never outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process  # noqa: PLC0415

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usual_memory(workers: int) -> int:
    """What a run may take unless it is told: half of the machine's memory, at most 4 GiB.

    Or what so many processes need, where that is more.
    """
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return min(pages * size // 2, max(4 << 30, workers * PROCESS_BYTES))


@contextmanager
def embedded(workers: int, memory: int) -> Iterator[Executor]:
    """An executor on this machine, of that many workers, who may use so much memory together.

    Tasks that have not begun when the run fails are not begun any more. Raises `WorkerLost` where
    the system ended a process.
    """
    if workers == 1:
        yield InProcess()
        return
    executor = Embedded(workers, memory)
    try:
        yield executor
    except KeyboardInterrupt:
        executor.stop()
        raise
    except BrokenExecutor as error:
        raise WorkerLost(
            "the system ended a process of this run, most often for want of memory; nothing was "
            "published",
            remedy="take fewer --workers, or a smaller --memory, and run again: it goes on from "
            "what is done",
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)
