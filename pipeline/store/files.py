"""Files that appear whole or not at all, and are read as they were written, or named.

Belongs here: writing beside and renaming, sending what is to lie elsewhere, and what is said of
files that are damaged. Does not belong here: what the files hold.

Everything that the store writes passes `about_to_write` first.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import BadZipFile

import polars as pl

from pipeline.errors import StoreDamaged, SystemFailed, writing
from pipeline.remote.faults import ChangedMeanwhile, without_secrets
from pipeline.remote.objects import content, create, send, send_all
from pipeline.remote.place import Mirrored

MANIFEST = "manifest.json"
"""The file that says what is in a folder."""

UNREADABLE = (pl.exceptions.PolarsError, BadZipFile, EOFError, LookupError, TypeError, ValueError)
"""What is raised where a file is not as it was written."""

watchers: list[Callable[[Path], None]] = []
"""Told of every write to the store beforehand. Nobody is, but where tests end a process there."""


def about_to_write(path: Path) -> None:
    """Called before every write to the store, and before every step that makes one count."""
    for watch in watchers:
        watch(path)


@contextmanager
def appearing(final: Path, scratch: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `final` when the block ends well, and vanishes otherwise.

    Where `final` is already there, it stays: both were made from the same, so they are the same.
    """
    about_to_write(final)
    scratch.mkdir(parents=True, exist_ok=True)
    draft = scratch / uuid4().hex
    draft.mkdir()
    try:
        yield draft
        final.parent.mkdir(parents=True, exist_ok=True)
        if not final.exists():
            about_to_write(final)
            _rename(draft, final)
        _send_folder(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def appearing_file(final: Path, scratch: Path) -> Iterator[Path]:
    """A file to write, which becomes `final` when the block ends well, and vanishes otherwise."""
    about_to_write(final)
    scratch.mkdir(parents=True, exist_ok=True)
    draft = scratch / uuid4().hex
    try:
        yield draft
        final.parent.mkdir(parents=True, exist_ok=True)
        about_to_write(final)
        draft.replace(final)
        if isinstance(final, Mirrored):
            about_to_write(final)
            send(final)
    finally:
        draft.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1))


def write_text(path: Path, text: str) -> None:
    """Write a file of text, whole or not at all."""
    about_to_write(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with writing(path), draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        about_to_write(path)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def reading(file: Path, remedy: str) -> Iterator[None]:
    """While a file is read: raises `StoreDamaged` where it is not as it was written."""
    try:
        yield
    except (*UNREADABLE, OSError) as error:
        raise SystemFailed.behind(error, file) or StoreDamaged(
            f"this file is damaged: {without_secrets(str(error))}", where=file, remedy=remedy
        ) from error


def write_json_once(path: Path, value: Any) -> None:
    """Write a JSON file that is not there. Raises `ChangedMeanwhile` if another machine has."""
    if not isinstance(path, Mirrored):
        write_json(path, value)
        return
    about_to_write(path)
    text = json.dumps(value, ensure_ascii=False, indent=1).encode()
    try:
        create(path, text)
    except ChangedMeanwhile:
        # The answer to a write that was done may be lost, and the library asks again.
        if content(path) != text:
            raise


def _send_folder(folder: Path) -> None:
    """Send the files of a folder: the manifest last, so that all is there once it is."""
    if isinstance(folder, Mirrored):
        files = [path for path in folder.iterdir() if path.name != MANIFEST]
        about_to_write(folder)
        send_all(files)
        about_to_write(folder)
        send(folder / MANIFEST)


def _rename(draft: Path, final: Path) -> None:
    """Make the folder appear under its name; another process may have been quicker."""
    try:
        draft.rename(final)
    except OSError:
        if not final.exists():
            raise
