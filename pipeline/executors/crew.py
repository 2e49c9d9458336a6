"""A crew: an executor, and what it has to work with.

Belongs here: the words that every executor uses for itself. Does not belong here: any executor.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.errors import BillingError
from pipeline.fingerprint import billing_code
from pipeline.remote.objects import is_kept
from pipeline.remote.place import name_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Crew:
    """An executor, the tasks that it takes at a time, and the bytes that one of them may use.

    `memory` is None where tasks run on this machine, or on workers that nobody limits: then they
    may use what they might here.
    """

    executor: Executor
    workers: int
    memory: int | None = None


class SchedulerUnreachable(BillingError):
    """Nothing answers at the address of the cluster, or it has no workers."""


class SchedulerLost(BillingError):
    """The cluster went away while tasks were under way."""


class WorkerLost(BillingError):
    """Workers died again and again of one task."""


class WorkerUnfit(BillingError):
    """A worker has another version of the program, or does not see the store."""


def on_worker(name: str, task: Callable[[], T]) -> T:
    """Do a task on the worker of that name; an error says where it arose."""
    try:
        return task()
    except BillingError as error:
        raise error.within(f"on worker {name}") from error


def fitness(store: Path) -> tuple[str, bool]:
    """The version of the program where this is called, and whether the store is to be seen."""
    return billing_code(), is_kept(store / ".lock")


def check_fit(name: str, found: tuple[str, bool], store: Path) -> None:
    """Raise `WorkerUnfit` for a worker whose `fitness` is not what is needed."""
    version, sees_the_store = found
    if version != billing_code():
        raise WorkerUnfit(
            "it has another version of the program, so its results would not be the same",
            where=f"worker {name}",
            remedy="install the version that is installed here on every worker",
        )
    if not sees_the_store:
        raise WorkerUnfit(
            f"it does not see the store {name_of(store)}",
            where=f"worker {name}",
            remedy="name a store with --store that every worker reaches under that name: a shared "
            "folder, or an object store",
        )
