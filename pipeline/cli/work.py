"""Everything a command needs around its work: the lock, the executor, and somebody to tell.

Belongs here: the surroundings. Does not belong here: the work.
"""

from __future__ import annotations

import getpass
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputMissing
from pipeline.remote.place import Mirrored
from pipeline.settings import FILE, read_sources, told_nowhere

if TYPE_CHECKING:
    from pipeline.cli.report import Report
    from pipeline.request import Budget
    from pipeline.sources import Source
    from pipeline.tell import Teller


@dataclass(frozen=True, slots=True)
class Work:
    """The surroundings of work under way; the store is ours until it ends."""

    executor: Executor
    tell: Teller
    budget: Budget


@contextmanager
def at_work(
    store: Path,
    *,
    workers: int | None = None,
    memory: int | None = None,
    scheduler: str | None = None,
    wait: int = 0,
    log_format: str = "text",
    report: Report | None = None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Work]:
    """Hold the store and have workers ready while the block runs, and report how it ends.

    `check` raises where the work cannot begin; the store is not touched before it is passed.
    """
    from pipeline.engines import prepare  # noqa: PLC0415
    from pipeline.executors import crew_of  # noqa: PLC0415
    from pipeline.executors.embedded import cores  # noqa: PLC0415

    prepare(workers or cores())
    from pipeline.request import Budget  # noqa: PLC0415
    from pipeline.store.lock import store_lock  # noqa: PLC0415
    from pipeline.tell import teller  # noqa: PLC0415

    words_to = sys.stderr if report and report.takes_stdout else None
    with (
        teller(log_format, words_to) as tell,
        report.kept(tell) if report else nullcontext(),
    ):
        check()
        with store_lock(store, wait), crew_of(scheduler, workers, memory, store) as crew:
            yield Work(crew.executor, tell, Budget.of(crew.workers, memory, crew.memory))


def sources() -> tuple[Source, ...]:
    """The sources that the settings name."""
    blocks = read_sources()
    if not blocks:
        return ()
    from pipeline.sources import sources_of  # noqa: PLC0415

    return sources_of(blocks, str(FILE))


def check_told_where(feeds: Path | None) -> None:
    """Raise `UsageError` where nobody says where exports lie."""
    if feeds is None and not read_sources():
        raise told_nowhere()


def check_is_store(store: Path, period: object = "PERIOD") -> None:
    """Raise `InputMissing` where there is nothing to look into; an address is asked when used."""
    if isinstance(store, Mirrored) or store.is_dir():
        return
    raise InputMissing(
        "this is not a directory" if store.exists() else "there is no store yet",
        where=store,
        remedy=f"name the store with --store, or run `tenantbill run {period} --feeds DIR` first",
    )


def now() -> datetime:
    """The time: the only clock there is."""
    return datetime.now(UTC)


def actor() -> str:
    """Who is at work: the user and the machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def words_of(command: str, *parts: object) -> str:
    """A command as the log tells it: its name and those of its words that are there."""
    return " ".join([command, *(str(part) for part in parts if part)])
