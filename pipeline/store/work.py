"""What buckets came to: small frames under the name of everything they were made from.

Belongs here: keeping and finding them. Does not belong here: computing them. All of it can be
thrown away; the next run makes it anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import polars as pl

from pipeline.errors import writing
from pipeline.remote.objects import bring, is_kept
from pipeline.store.files import appearing_file, reading

_REMEDY = "delete this file, or all of work/, and run again: it is made anew"


class WorkStore:
    """The outcomes of buckets."""

    def __init__(self, store: Path) -> None:
        self._root = store / "work"
        self._scratch = store / "scratch"

    def has(self, name: str) -> bool:
        """Whether the outcome of that fingerprint is to be had here."""
        return bring(self._file(name))

    def is_kept(self, name: str) -> bool:
        """Whether the outcome of that fingerprint is there, for every machine."""
        return is_kept(self._file(name))

    def save(self, name: str, frames: Mapping[str, pl.DataFrame]) -> None:
        """Keep an outcome, all its frames together. Saving the same again changes nothing."""
        with (
            appearing_file(self._file(name), self._scratch) as file,
            writing(file),
            ZipFile(file, "w") as packed,
        ):
            for key, frame in frames.items():
                with packed.open(key, "w", force_zip64=True) as member:
                    frame.write_ipc_stream(member)

    def load(self, name: str, key: str) -> pl.DataFrame:
        """One frame of an outcome. Raises `StoreDamaged` where it is not as it was written."""
        with self._opened(name) as packed:
            return pl.read_ipc_stream(BytesIO(packed.read(key)))

    def load_all(self, name: str, but: str = "") -> dict[str, pl.DataFrame]:
        """All frames of an outcome, but one if that is named.

        Raises `StoreDamaged` where it is not as it was written.
        """
        with self._opened(name) as packed:
            return {
                key: pl.read_ipc_stream(BytesIO(packed.read(key)))
                for key in packed.namelist()
                if key != but
            }

    def clear_scratch(self) -> None:
        """Remove what runs that were killed left half-written. The caller holds the lock."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    @contextmanager
    def _opened(self, name: str) -> Iterator[ZipFile]:
        file = self._file(name)
        bring(file)
        with reading(file, _REMEDY), ZipFile(file) as packed:
            yield packed

    def _file(self, name: str) -> Path:
        return self._root / name[:2] / f"{name}.zip"
