"""The bytes of a CSV file, plain or gzipped, block by block, in bounded memory.

Belongs here: opening, unpacking and the errors of both. Does not belong here: rows.

gzip is unpacked by Python, since it checks the length and checksum at the end; an engine that
unpacks for itself may not (DuckDB 2.0 does not look at the checksum).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import chain, repeat, takewhile
from pathlib import Path

from pipeline.sources.faults import DamagedGzip, UnreadableExport

GZIP_MAGIC = b"\x1f\x8b"


HEAD_BYTES = 2**14
"""What is read at first: enough for the header, so that little is carried on behind it."""


def byte_blocks(path: Path, size: int, *, packed: bool) -> Generator[bytes, None, None]:
    """The unpacked bytes of the file: its head, the rest of `size` bytes, then `size` at a time."""
    head = min(HEAD_BYTES, size - 1)
    sizes = chain((size,) if head < 1 else (head, size - head), repeat(size))
    with _named_faults(path), path.open("rb") as file:
        if not packed:
            yield from takewhile(bool, map(file.read, sizes))
            return
        with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
            yield from takewhile(bool, map(unpacked.read, sizes))


@contextmanager
def _named_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise _damaged(path, "the gzip stream ends too early: the file is cut") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, f"the gzip stream is damaged: {error}") from error
    except OSError as error:
        raise UnreadableExport(
            f"it cannot be read: {error.strerror or type(error).__name__}",
            where=path,
            remedy="correct the place or its permissions, and run again",
        ) from error


def _damaged(path: Path, what: str) -> DamagedGzip:
    return DamagedGzip(what, where=path, remedy="export or copy the file again")
