"""The bytes of a CSV file, plain or gzipped, block by block, in bounded memory.

Belongs here: opening, unpacking and the errors of both. Does not belong here: rows.

gzip is unpacked by Python, since it checks the length and checksum at the end; an engine that
unpacks for itself may not (DuckDB 2.0 does not look at the checksum).
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipeline.exports.faults import DamagedGzip, UnreadableExport

GZIP_MAGIC = b"\x1f\x8b"


HEAD_BYTES = 2**14
"""How much of a first line is read at first."""

_NEAR = 2**16
"""How far before the end of a block a line is expected to end."""


def byte_blocks(path: Path, size: int, *, packed: bool) -> Generator[bytes, None, None]:
    """The unpacked bytes of the file: its first line, then blocks of about `size` bytes.

    Where lines are not too long they end together with the blocks: then nothing of a block is left
    over to be put in front of the next one, and large blocks are never copied.
    """
    with _named_faults(path), path.open("rb") as file:
        if not packed:
            yield file.readline(min(HEAD_BYTES, size))
            yield from iter(lambda: file.read(_to_line_end(file, size)), b"")
            return
        with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
            yield unpacked.readline(min(HEAD_BYTES, size))
            yield from iter(lambda: unpacked.read(size) + unpacked.readline(_NEAR), b"")


def _to_line_end(file: BinaryIO, size: int) -> int:
    """How many bytes to read next, at most `size`, so that the last of them ends a line."""
    near = min(size, _NEAR)
    end = os.pread(file.fileno(), near, file.tell() + size - near).rfind(b"\n")
    return size - near + end + 1 if end >= 0 else size


@contextmanager
def _named_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise _damaged(path, "the gzip stream ends too early: the file is cut") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, f"the gzip stream is damaged: {error}") from error
    except OSError as error:
        raise UnreadableExport.of(path, error.strerror or type(error).__name__) from error


def _damaged(path: Path, what: str) -> DamagedGzip:
    return DamagedGzip(what, where=path, remedy="export or copy the file again")
