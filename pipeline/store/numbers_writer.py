"""Writing which record of its file each row of landed usage was made of, in order of arrival.

Belongs here: numbers that do not follow from the order of the rows; where they do, nothing is kept.
Does not belong here: reading them (`store.usage`).
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pipeline.exports import Batch


class NumbersWriter:
    """Writes the numbers of rows, if any export of the landing has its own."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        self._file = folder / "numbers.bin"
        self._files = files
        self._open: BinaryIO | None = None
        self._rows = 0

    def add(self, batch: Batch) -> None:
        """Write those of a batch. All batches of a landing have their own numbers, or none has."""
        if batch.numbers is not None and self._open is None and not self._rows:
            self._open = self._files.enter_context(self._file.open("wb", 1 << 20))
        self._rows += len(batch.rows)
        if self._open is not None:
            self._open.write(np.ascontiguousarray(batch.row_numbers().to_numpy()).data)
