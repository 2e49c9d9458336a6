"""Questions about the store as a place: can it be written to, who holds it, is there room.

Belongs here: what the file system says of the store. Does not belong here: what is in it
(`taken_in`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from pipeline.doctoring.check import ERROR, OK, WARNING, Check, size_in_words
from pipeline.findings import counted
from pipeline.remote.objects import probe
from pipeline.remote.place import CACHE, Mirrored, cache_folder
from pipeline.store.lock import holder_of

PLAIN = (".csv", ".json", ".jsonl", ".ndjson")
"""What exports end in that are as long as what they say."""

GROWS = 8
"""How many times its size a packed export may come to once it is taken in: some 60 bytes a row. A
plain one comes to less than its size."""


def store_is_usable(store: Path) -> Iterator[Check]:
    """Whether a run could write there: a file is really written, and removed."""
    if isinstance(store, Mirrored):
        probe(store)
        yield Check(OK, "store", f"{store.address}: it can be written to")
        store = cache_folder()
    place = existing(store)
    if not place.is_dir():
        yield Check(
            ERROR,
            "store",
            f"{store}: {place} is not a directory",
            "name a directory to write to with --store",
        )
        return
    closed = [one for one in _folders(store) if not os.access(one, os.W_OK | os.X_OK)]
    reason = _not_written(place) or (f"{closed[0]} belongs to somebody else" if closed else "")
    if reason:
        yield Check(
            ERROR,
            "store",
            f"{store}: it cannot be written to: {reason}",
            "correct its permissions, or name a directory to write to with --store",
        )
    elif store.exists():
        yield Check(OK, "store", f"{store}: it is there, and can be written to")
    else:
        yield Check(OK, "store", f"{store}: it is not there yet; the first run makes it")


def lock(store: Path) -> Iterator[Check]:
    """Whether another run is at work; whatever a killed one left half-written."""
    holder = holder_of(store)
    if holder:
        yield Check(
            WARNING,
            "lock",
            f"another run is using the store ({holder})",
            "let it finish, or start yours with --wait SECONDS",
        )
        return
    yield Check(OK, "lock", "nobody is using the store")
    left = [path for path in (store / "scratch").rglob("*") if path.is_file()]
    if left:
        size = size_in_words(sum(path.stat().st_size for path in left))
        yield Check(
            WARNING,
            "scratch",
            f"a run that was killed left {counted(len(left), 'file')} half-written ({size})",
            "nothing to do: the next run removes them",
        )


def room(store: Path, new: Sequence[tuple[str, int]]) -> Iterator[Check]:
    """Whether the disk has room for what new exports, by name and size, come to in the store."""
    need = sum(size if name.lower().endswith(PLAIN) else size * GROWS for name, size in new)
    free = shutil.disk_usage(existing(store)).free
    told = f"{size_in_words(free)} free; "
    told += (
        f"{counted(len(new), 'export')} to take in may come to {size_in_words(need)}"
        if new
        else "there is nothing to take in"
    )
    other = CACHE if isinstance(store, Mirrored) else "--store"
    remedy = f"free some space, or name a folder on another disk with {other}"
    if free < need:
        yield Check(ERROR, "disk", told, remedy)
    elif free < 2 * need:
        yield Check(WARNING, "disk", f"{told}, and results come on top", remedy)
    else:
        yield Check(OK, "disk", told)


def existing(path: Path) -> Path:
    """The path, or the nearest one above it that is there."""
    path = path if path.is_absolute() else Path.cwd() / path
    return next((one for one in (path, *path.parents) if one.exists()), Path(path.anchor))


def _folders(store: Path) -> list[Path]:
    return [one for one in sorted(store.iterdir()) if one.is_dir()] if store.is_dir() else []


def _not_written(directory: Path) -> str:
    """Why no file can be written in a directory; empty where one was, and was removed again."""
    probe = directory / f".probe-{uuid4().hex}"
    try:
        with probe.open("xb") as file:
            file.write(b"?" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or type(error).__name__
    finally:
        probe.unlink(missing_ok=True)
    return ""
