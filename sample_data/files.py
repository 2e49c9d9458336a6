"""Writing sample files: always the same bytes for the same content.

Belongs here: CSV and plain bytes. Does not belong here: what stands in them.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path


def write_csv(path: Path, header: list[str], rows: Iterable[list[str]]) -> None:
    """Write CSV, gzipped where the name says so."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    content = text.getvalue().encode()
    write(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def write(path: Path, content: bytes) -> None:
    """Write a file, and the folder that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
