"""The one port for parallel work: anything with the standard library's `Executor` interface.

Belongs here: the embedded executors. Does not belong here: what is executed. Tasks are picklable
functions of names and paths; what they make goes through the store, so one that runs twice changes
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

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


def embedded(workers: int) -> Executor:
    """An executor on this machine: in this process, or that many others."""
    if workers == 1:
        return InProcess()
    # A fresh interpreter each: the engines' threads do not survive a fork.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
