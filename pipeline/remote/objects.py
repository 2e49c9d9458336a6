"""Moving files between this machine and an object store.

Belongs here: bringing, sending, listing, and writing only if nobody else has. Does not belong here:
what is moved. For a plain path nothing is moved: what is here is all there is.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any
from uuid import uuid4

from pipeline.extras import needed
from pipeline.fingerprint import file_sha256
from pipeline.remote.faults import by_our_names
from pipeline.remote.place import Mirrored, cache_folder, mirrored

_AT_A_TIME = 16
"""Small files are moved so many at a time: each costs a round trip, hardly any bytes."""

MOST_TRIES = 4
"""How often a request is tried again."""

_PIECE = 8 << 20

Tag = dict[str, str]
"""What tells versions of an object apart: its `e_tag`, and its `version` if it has one."""

_turns: defaultdict[Path, Lock] = defaultdict(Lock)
"""One thread brings a file; the others wait for it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An object: its path here, and what the store says of it."""

    path: Mirrored
    size: int
    stat: tuple[int, ...]


def bring(path: Path) -> bool:
    """Whether a file is there; afterwards it is here."""
    if not isinstance(path, Mirrored) or path.exists():
        return path.exists()
    with _turns[path]:
        try:
            if not path.exists():
                _fetch(path, path)
        except FileNotFoundError:
            return False
    return True


def bring_all(paths: Sequence[Path]) -> list[Path]:
    """Bring many; gives those that are not there."""
    away = [path for path in paths if not path.exists()]
    if not any(isinstance(path, Mirrored) for path in away):
        return away
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return [
            path for path, is_here in zip(away, pool.map(bring, away), strict=True) if not is_here
        ]


def is_kept(path: Path) -> bool:
    """Whether a file is where everybody finds it; that it is here is not enough."""
    if not isinstance(path, Mirrored):
        return path.exists()
    try:
        with by_our_names(path):
            _library().head(_bucket(path), path.key)
    except FileNotFoundError:
        return False
    return True


def send(path: Path) -> None:
    """Have a file where everybody finds it."""
    if isinstance(path, Mirrored):
        with by_our_names(path):
            _library().put(_bucket(path), path.key, Path(path), chunk_size=_PIECE)


def send_all(paths: Sequence[Path]) -> None:
    """Have many files where everybody finds them."""
    if any(isinstance(path, Mirrored) for path in paths):
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            list(pool.map(send, paths))


def content(path: Path) -> bytes:
    """What a file holds now. Raises `FileNotFoundError`."""
    return tagged(path)[0] if isinstance(path, Mirrored) else path.read_bytes()


def probe(folder: Mirrored) -> None:
    """Write an object in a folder and remove it again."""
    probe = folder / f".probe-{uuid4().hex}"
    with by_our_names(folder):
        _library().put(_bucket(probe), probe.key, b"?")
        _library().delete(_bucket(probe), probe.key)


def tagged(path: Mirrored) -> tuple[bytes, Tag]:
    """What an object holds now, and the tag of this version. Raises `FileNotFoundError`."""
    with by_our_names(path):
        found = _library().get(_bucket(path), path.key)
        return bytes(found.bytes()), _tag(found.meta)


def create(path: Mirrored, value: bytes) -> Tag:
    """Write an object that is not there, and give its tag. Raises `ChangedMeanwhile`."""
    return _put(path, value, "create")


def replace(path: Mirrored, value: bytes, tag: Tag) -> Tag:
    """Write over the version of that tag, and give the new one's. Raises `ChangedMeanwhile`."""
    return _put(path, value, tag)


def below(folder: Mirrored) -> list[Listed]:
    """Every object below a folder, at any depth, in order of names."""
    with by_our_names(folder):
        pages = list(_library().list(_bucket(folder), folder.key or None))
    return _listed(folder, (one for page in pages for one in page))


def entries(folder: Mirrored) -> tuple[list[Listed], list[Mirrored]]:
    """The objects right in a folder, and the folders in it, each in order of names."""
    with by_our_names(folder):
        found = _library().list_with_delimiter(_bucket(folder), folder.key or None)
    folders = [folder / name.rstrip("/").rpartition("/")[2] for name in found["common_prefixes"]]
    return _listed(folder, found["objects"]), sorted(folders)


@contextmanager
def copies(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Files to read while the block runs: those from an object store are here only so long."""
    if not any(isinstance(path, Mirrored) for path in paths):
        yield list(paths)
        return
    with TemporaryDirectory(prefix="copies-", dir=cache_folder()) as folder:
        here = [
            mirrored(path.address, Path(folder)) for path in paths if isinstance(path, Mirrored)
        ]
        for path, copy in zip(paths, here, strict=True):
            _fetch(Mirrored(path), copy)
        yield list(here)


def content_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, wherever it lies."""
    if not isinstance(path, Mirrored):
        return file_sha256(path)
    digest = hashlib.sha256()
    with by_our_names(path):
        for piece in _library().get(_bucket(path), path.key).stream(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _fetch(path: Mirrored, to: Path) -> None:
    """Have an object's bytes in a file, whole or not at all. Raises `FileNotFoundError`."""
    with by_our_names(path):
        found = _library().get(_bucket(path), path.key)
        to.parent.mkdir(parents=True, exist_ok=True)
        draft = to.with_name(f".{to.name}.{uuid4().hex}")
        try:
            with draft.open("wb") as file:
                for piece in found.stream(_PIECE):
                    file.write(piece)
            draft.replace(to)
        finally:
            draft.unlink(missing_ok=True)


def _put(path: Mirrored, value: bytes, mode: Any) -> Tag:
    with by_our_names(path):
        return _tag(_library().put(_bucket(path), path.key, value, mode=mode))


def _tag(said: Any) -> Tag:
    return {name: said[name] for name in ("e_tag", "version") if said.get(name)}


def _listed(folder: Mirrored, found: Iterable[Any]) -> list[Listed]:
    """What the store says, but for the empty objects that only stand for a folder."""
    skipped = len(folder.key) + 1 if folder.key else 0
    inside = [one for one in found if len(one["path"]) > skipped]
    folders = {one["path"].rpartition("/")[0] for one in inside}
    return sorted(
        (
            Listed(folder / one["path"][skipped:], one["size"], _stat(one))
            for one in inside
            if one["size"] or one["path"] not in folders
        ),
        key=lambda one: one.path,
    )


def _stat(one: Any) -> tuple[int, ...]:
    """Size, time of the last change in microseconds, and the tag as a number."""
    changed = one["last_modified"]
    tag = hashlib.sha256(str(one["e_tag"]).encode()).digest()[:8]
    return one["size"], int(changed.timestamp() * 1_000_000), int.from_bytes(tag)


def _library() -> Any:
    return needed("obstore", "objects")


def _bucket(path: Mirrored) -> Any:
    return _opened(path.base, path.service, os.environ.get(path.variables.allow_http, "false"))


@cache
def _opened(base: str, service: str, allow_http: str) -> Any:
    """A bucket of a service; the library takes the rest from the environment."""
    return needed("obstore.store", "objects").from_url(
        base,
        client_options={"connect_timeout": "10s", "timeout": "300s", "allow_http": allow_http},
        retry_config={"max_retries": MOST_TRIES, "retry_timeout": timedelta(seconds=60)},
    )
