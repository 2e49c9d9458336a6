"""Reading a file through a source, and what there is to say of it."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.sources import Source


def source_of(kind: str, path: Path, **options: Any) -> Source:
    """A source as settings would set it up."""
    return Source.of(kind, str(path), options, "tenantbill.toml")


def save(path: Path, content: str | bytes) -> Path:
    """Write a file, gzipped if its name says so."""
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def taken_in(kind: str, path: Path, **options: Any) -> tuple[pl.DataFrame, dict[str, int]]:
    """All rows of a file with `row`, `defects`, `raw`; and its remarks."""
    source = source_of(kind, path, **options)
    remarks, frames = Counter[str](), []
    for batch in source.read(path):
        assert batch.rows.schema == source.table.dtypes
        frames.append(batch.whole())
        remarks.update(batch.remarks)
    return pl.concat(frames), dict(remarks)
