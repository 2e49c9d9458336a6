"""Which files of the feeds directory are exports of a feed.

Belongs here: names and places of files. Does not belong here: what stands in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.exports.faults import FeedsNotADirectory, UnknownFileKind, UnreadableExport
from schemas.columns import Table

ENDINGS = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True, slots=True)
class Export:
    """One file of a feed: where it is, and its name, a POSIX path within the feeds directory."""

    path: Path
    name: str


def find_exports(feeds: Path, table: Table) -> list[Export]:
    """Every export of the feed, ordered by file name and then by place.

    That is `NAME.csv`, `NAME.csv.gz` and `NAME.parquet`, and all such files under `NAME/`, at any
    depth. Hidden files are passed over; anything else under `NAME/` is an error, since a file that
    is silently left out is usage that is never billed.
    """
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
    exports = [Export(path, path.relative_to(feeds).as_posix()) for path in found]
    return sorted(exports, key=lambda export: (export.path.name, export.name))


def kind_of(path: Path) -> str:
    """The ending that says how to read the file, in lower case; empty for an unknown one."""
    return next((end for end in reversed(ENDINGS) if path.name.lower().endswith(end)), "")


def _is_file_of(path: Path, name: str) -> bool:
    kind = kind_of(path)
    if not kind or path.name[: -len(kind)] != name:
        return False
    if not _is_file(path):
        raise UnknownFileKind(
            f"{path.name} is not a file",
            where=path,
            remedy=f"put the files of several exports into a directory named {name}",
        )
    return True


def _below(directory: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """The exports under a directory; `above` are the directories on the way, to see a loop."""
    if not _is_directory(directory):
        raise UnknownFileKind(
            f"{directory.name} has no ending that says what it is",
            where=directory,
            remedy=f"name it {directory.name} with {', '.join(ENDINGS)}, or move it away",
        )
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
            raise UnknownFileKind(
                f"{entry.name} is not an export",
                where=entry,
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
    return UnreadableExport(
        f"it cannot be read: {error.strerror or type(error).__name__}",
        where=path,
        remedy="correct the place or its permissions, and run again",
    )
