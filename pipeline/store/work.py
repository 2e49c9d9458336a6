"""What buckets came to: small frames under the name of everything they were made from.

Belongs here: keeping and finding them. Does not belong here: computing them. All of it can be
thrown away; the next run makes it anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipeline.store.files import appearing


class WorkStore:
    """The outcomes of buckets."""

    def __init__(self, store: Path) -> None:
        self._root = store / "work"
        self._scratch = store / "scratch"

    def has(self, name: str) -> bool:
        """Whether the outcome of that fingerprint is there."""
        return self._folder(name).exists()

    def save(self, name: str, frames: Mapping[str, pl.DataFrame]) -> None:
        """Keep an outcome, all its frames together. Saving the same again changes nothing."""
        with appearing(self._folder(name), self._scratch) as folder:
            for key, frame in frames.items():
                frame.write_parquet(folder / f"{key}.parquet")

    def load(self, name: str, key: str) -> pl.DataFrame:
        """One frame of an outcome."""
        return pl.read_parquet(self._folder(name) / f"{key}.parquet", glob=False)

    def clear_scratch(self) -> None:
        """Remove what runs that were killed left half-written. The caller holds the lock."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        return self._root / name[:2] / name
