"""One writer at a time: a lock on the store that the kernel lets go of when its holder dies.

Belongs here: taking turns on one machine. Does not belong here: what the holder does.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pipeline.errors import BillingError

_POLL_SECONDS = 0.1


class StoreLocked(BillingError):
    """Another run is writing to the store: the command may well succeed later (exit code 75)."""

    exit_code = 75


class StoreUnusable(BillingError):
    """The store cannot be written to: it is no directory, or the system does not let us."""


@contextmanager
def store_lock(store: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the store while the block runs.

    Raises `StoreLocked` if it stays taken for too long, `StoreUnusable` if it is no place to write.
    """
    with _opened(store) as file:
        deadline = time.monotonic() + wait_seconds
        while not _taken(file.fileno()):
            if time.monotonic() >= deadline:
                raise StoreLocked(
                    f"another run is using this store ({_named_in(file)})",
                    where=store,
                    remedy="let it finish and run again, or wait for it with --wait SECONDS",
                )
            time.sleep(_POLL_SECONDS)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def holder_of(store: Path) -> str | None:
    """Who holds a store now, if anybody does. Changes nothing, and never waits.

    Raises `OSError` where the lock cannot be looked at.
    """
    try:
        file = (store / ".lock").open(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    with file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _named_in(file)
    return None


def _named_in(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip() or "an unknown process"


def _opened(store: Path) -> TextIO:
    try:
        store.mkdir(parents=True, exist_ok=True)
        return (store / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreUnusable(
            f"it cannot be written to: {error.strerror or type(error).__name__}",
            where=store,
            remedy="name a directory to write to with --store",
        ) from error


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
