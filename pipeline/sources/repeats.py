"""Telling rows apart that an export does not tell apart: the second, the third of one name.

Belongs here: counting names, in eight bytes a row. Does not belong here: what names are made of.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]


class Repeats:
    """The names that went by, as hashes in sorted runs, each more than twice as long as the next.

    Two names of one hash are taken for one: the second is then numbered without need.
    """

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def numbered(self, names: pl.Series) -> pl.Series:
        """How often each name went by before."""
        hashes: Hashes = names.hash().to_numpy()
        before = np.zeros(len(hashes), np.int64)
        for run in self._runs:
            before += np.searchsorted(run, hashes, "right") - np.searchsorted(run, hashes, "left")
        self._add(np.sort(hashes))
        within = names.to_frame("name").select(pl.int_range(pl.len()).over("name")).to_series()
        return within + pl.Series(before)

    def _add(self, run: Hashes) -> None:
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        self._runs.append(run)
