"""Writing the event ids of landed usage, in order of arrival.

Belongs here: ids of one length as they are, others with where each ends. Does not belong here:
reading them (`store.usage`).
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from pipeline.measures.arrays import Ints


class EventsWriter:
    """Writes event ids in order of arrival; where each ends is only kept if lengths differ."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        self._bytes = files.enter_context((folder / "events.bin").open("wb", 1 << 20))
        self._ends = folder / "event_ends.bin"
        self._files = files
        self._ends_file: BinaryIO | None = None
        self._width = 0
        self._rows = self._end = 0

    def add(self, ids: pl.Series) -> None:
        """Write some more; one that is null is written as anything."""
        if ids.null_count():
            ids = ids.fill_null("" if ids.null_count() == len(ids) else ids.drop_nulls()[0])
        lengths = ids.str.len_bytes()
        shortest, longest = int(str(lengths.min())), int(str(lengths.max()))
        is_even = shortest == longest and shortest == (self._width or shortest) and shortest > 0
        if is_even and self._ends_file is None:
            self._width = shortest
            texts = ids.cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt8, shortest))
            self._bytes.write(np.ascontiguousarray(texts.to_numpy()).data)
        else:
            self._bytes.write(ids.str.join("")[0].encode())
            self._write_ends(lengths.cast(pl.Int64).to_numpy())
        self._rows += len(ids)
        self._end += int(str(lengths.sum()))

    def _write_ends(self, lengths: Ints) -> None:
        if self._ends_file is None:
            self._ends_file = self._files.enter_context(self._ends.open("wb"))
            even = np.arange(1, self._rows + 1, dtype=np.int64) * self._width
            self._ends_file.write(even.data)
        ends: Ints = np.cumsum(lengths) + self._end
        self._ends_file.write(ends.data)
