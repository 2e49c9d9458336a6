"""Which files of the feeds directory, or below an address, are exports of a feed.

Belongs here: names and places of files. Does not belong here: what stands in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.exports.faults import FeedsNotADirectory, UnknownFileKind, UnreadableExport
from pipeline.remote.objects import below, entries
from pipeline.remote.place import Mirrored
from schemas.columns import Table

ENDINGS = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True, slots=True)
class Export:
    """One file of a feed: where it is, and its name, a POSIX path within the feeds directory.

    `stat` is what an object store says of it, its size first: while that is the same, it is.
    """

    path: Path
    name: str
    stat: tuple[int, ...] = ()

    @property
    def order(self) -> tuple[str, str]:
        """Where it comes among the exports of its feed: by file name, then by place (R11.1)."""
        return self.path.name, self.name


def find_exports(feeds: Path, table: Table) -> list[Export]:
    """Every export of the feed, ordered by file name and then by place.

    That is `NAME.csv`, `NAME.csv.gz` and `NAME.parquet`, and all such files under `NAME/`, at any
    depth. Hidden files are passed over; anything else under `NAME/` is an error, since a file that
    is silently left out is usage that is never billed.
    """
    if isinstance(feeds, Mirrored):
        return in_order(_away(feeds, table.name))
    if not _is_directory(feeds):
        raise FeedsNotADirectory(
            "the feeds directory is not a directory"
            if _exists(feeds)
            else "there is no such place",
            where=feeds,
            remedy="name the directory that holds the exports with --feeds",
        )
    found = [path for path in _entries(feeds) if _is_file_of(path, table.name)]
    for entry in _entries(feeds):
        if entry.name == table.name:
            found.extend(_below(entry, (_identity(feeds),)))
    return in_order(Export(path, path.relative_to(feeds).as_posix()) for path in found)


def in_order(exports: Iterable[Export]) -> list[Export]:
    """Exports in the order in which they count."""
    return sorted(exports, key=lambda export: export.order)


def _away(feeds: Mirrored, name: str) -> Iterator[Export]:
    """The exports of a feed in an object store, by the same rules as in a directory."""
    files, folders = entries(feeds)
    if not files and not folders:
        raise FeedsNotADirectory(
            "there is nothing at this address",
            where=feeds,
            remedy="name the address that holds the exports with --feeds",
        )
    for folder in folders:
        kind = kind_of(folder)
        if kind and folder.name[: -len(kind)] == name:
            raise _no_file(folder, name)
    for one in files:
        kind = kind_of(one.path)
        if kind and one.path.name[: -len(kind)] == name:
            yield Export(one.path, one.path.name, one.stat)
        elif one.path.name == name:
            raise _no_ending(one.path)
    for one in below(feeds / name) if feeds / name in folders else []:
        within = one.path.relative_to(feeds)
        if is_hidden(within):
            continue
        if not kind_of(one.path):
            raise _no_export(one.path)
        yield Export(one.path, within.as_posix(), one.stat)


def is_hidden(path: Path) -> bool:
    """Whether a path within a directory is passed over: any part of it is hidden."""
    return any(part.startswith(".") for part in path.parts)


def kind_of(path: Path) -> str:
    """The ending that says how to read the file, in lower case; empty for an unknown one."""
    return next((end for end in reversed(ENDINGS) if path.name.lower().endswith(end)), "")


def _is_file_of(path: Path, name: str) -> bool:
    kind = kind_of(path)
    if not kind or path.name[: -len(kind)] != name:
        return False
    if not _is_file(path):
        raise _no_file(path, name)
    return True


def _below(directory: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """The exports under a directory; `above` are the directories on the way, to see a loop."""
    if not _is_directory(directory):
        raise _no_ending(directory)
    here = _identity(directory)
    if here in above:
        raise UnreadableExport(
            "a link leads back to a directory that holds it",
            where=directory,
            remedy="remove the link: exports under it would be counted again and again",
        )
    for entry in _entries(directory):
        if entry.name.startswith("."):
            continue
        if _is_directory(entry):
            yield from _below(entry, (*above, here))
        elif kind_of(entry) and _is_file(entry):
            yield entry
        else:
            raise _no_export(entry)


def _no_file(path: Path, name: str) -> UnknownFileKind:
    return UnknownFileKind(
        f"{path.name} is not a file",
        where=path,
        remedy=f"put the files of several exports into a directory named {name}",
    )


def _no_ending(path: Path) -> UnknownFileKind:
    return UnknownFileKind(
        f"{path.name} has no ending that says what it is",
        where=path,
        remedy=f"name it {path.name} with {', '.join(ENDINGS)}, or move it away",
    )


def _no_export(path: Path) -> UnknownFileKind:
    return UnknownFileKind(
        f"{path.name} is not an export",
        where=path,
        remedy=f"exports end in {', '.join(ENDINGS)}: rename it, or move it away",
    )


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError as error:
        raise _unreadable(directory, error) from error


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return status.st_dev, status.st_ino


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:
        raise _unreadable(path, error) from error


def _is_file(path: Path) -> bool:
    _identity(path)
    return path.is_file()


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _unreadable(path: Path, error: OSError) -> UnreadableExport:
    return UnreadableExport.of(path, error.strerror or type(error).__name__)
