"""One writer at a time: a lock on the store that the kernel lets go of when its holder dies.

Belongs here: taking turns. Does not belong here: what the holder does, and how machines take turns
at a store in an object store (`lease`); there the lock is held beside, for what lies here of it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TextIO

from pipeline.errors import BillingError
from pipeline.remote.place import Mirrored
from pipeline.store.lease import Lease, lessee

LOCK = ".lock"

_POLL_SECONDS, _POLL_LEASE_SECONDS = 0.1, 1.0


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
    me = f"process {os.getpid()} on {socket.gethostname()}"
    deadline = time.monotonic() + wait_seconds
    with _opened(store) as file:
        _wait(lambda: _holder(file), store, deadline, _POLL_SECONDS)
        file.truncate(0)
        file.write(me)
        file.flush()
        lease = Lease(store / LOCK, me) if isinstance(store, Mirrored) else None
        if lease:
            _wait(lease.take, store, deadline, _POLL_LEASE_SECONDS)
        with lease.kept() if lease else nullcontext():
            yield


def _wait(taken_by: Callable[[], str | None], store: Path, deadline: float, pause: float) -> None:
    """Try until nobody else has it. Raises `StoreLocked` at the deadline."""
    while holder := taken_by():
        if time.monotonic() >= deadline:
            raise StoreLocked(
                f"another run is using this store ({holder})",
                where=store,
                remedy="let it finish and run again, or wait for it with --wait SECONDS",
            )
        time.sleep(pause)


def holder_of(store: Path) -> str | None:
    """Who holds a store now, if anybody does. Changes nothing, and never waits.

    Raises `OSError` where the lock cannot be looked at, `ObjectStoreFailed` where the lease cannot.
    """
    if isinstance(store, Mirrored) and (holder := lessee(store / LOCK)):
        return holder
    try:
        file = (store / LOCK).open(encoding="utf-8")
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
        return (store / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreUnusable(
            f"it cannot be written to: {error.strerror or type(error).__name__}",
            where=store,
            remedy="name a directory to write to with --store",
        ) from error


def _holder(file: TextIO) -> str | None:
    """Take the lock if it is free; else gives who has it."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _named_in(file)
    return None
