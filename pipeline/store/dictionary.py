"""Texts as codes: each different row of some text columns is kept once, in order of appearance.

Belongs here: giving codes to texts, exactly. Does not belong here: what the texts mean.

The idea: a row's texts are hashed to one key, keys get codes, and then every row's texts are
compared with the texts that its code stands for. Where they differ, two texts shared a hash; such
rows are told apart by the texts themselves. So a hash saves time and never decides.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from pipeline.measures.arrays import Codes32, Flags, Ints
from pipeline.measures.codes import Codes

_POSITIVE = np.uint64((1 << 63) - 1)
_FACTOR = np.uint64(0x9DDFEA08EB382D69)


class Dictionary:
    """The different rows of some text columns seen so far; `rows` has them in order of codes.

    Rows may lie within something that has a code already, as users lie within a tenant: then equal
    texts within different ones are different rows, and `within` has the code of each.
    """

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        self._codes = Codes()
        self._row_of_key: Ints = np.empty(0, np.int64)
        self._shared: dict[tuple[int, tuple[str | None, ...]], int] = {}
        self.rows = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
        self.within: Codes32 = np.empty(0, np.int32)

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Dictionary:
        """The dictionary whose `rows` these are, as another one gave them codes."""
        known = cls(rows.columns)
        known._keep(rows, np.zeros(len(rows), np.int32))
        _, known._row_of_key = known._codes.of(known._keys(rows, rows.columns, known.within))
        shared = np.setdiff1d(np.arange(len(rows)), known._row_of_key).tolist()
        known._shared = {(0, rows.row(position)): position for position in shared}
        return known

    def codes_of(self, rows: pl.DataFrame, within: Codes32 | None = None) -> Codes32:
        """The code of each row's texts; a null is a text of its own."""
        if within is None:
            within = np.zeros(len(rows), np.int32)
        texts = rows[self._columns]
        varying = [name for name in self._columns if not _is_constant(texts[name])]
        codes, new = self._codes.of(self._keys(texts, varying, within))
        if len(new):
            added = np.arange(len(self.rows), len(self.rows) + len(new))
            self._row_of_key = np.concatenate([self._row_of_key, added])
            self._keep(texts[new], within[new])
        if len(self._row_of_key) != len(self.rows):
            codes = self._row_of_key[codes].astype(np.int32)
        return self._told_apart(texts, varying, within, codes)

    def _keep(self, texts: pl.DataFrame, within: Codes32) -> None:
        self.rows = pl.concat([self.rows, texts]).rechunk()
        self.within = np.concatenate([self.within, within])

    def _keys(self, texts: pl.DataFrame, varying: list[str], within: Codes32) -> Ints:
        key = within.astype(np.uint64)
        for name in self._columns:
            hashed = texts[name] if name in varying else texts[name].head(1)
            key *= _FACTOR
            key ^= hashed.hash(seed=1).to_numpy()
        key &= _POSITIVE
        return key.view(np.int64)

    def _told_apart(
        self, texts: pl.DataFrame, varying: list[str], within: Codes32, codes: Codes32
    ) -> Codes32:
        """The codes, with those corrected whose texts are not the row's own."""
        is_own = list(self._compared(texts, varying, within, codes))
        if all(same.all() for same in is_own):
            return codes
        codes = codes.copy()
        strangers = np.flatnonzero(~np.logical_and.reduce([np.asarray(same) for same in is_own]))
        rows = zip(within[strangers].tolist(), texts[strangers].rows(), strict=True)
        for position, row in zip(strangers.tolist(), rows, strict=True):
            if row not in self._shared:
                self._shared[row] = len(self.rows)
                self._keep(texts[position], within[[position]])
            codes[position] = self._shared[row]
        return codes

    def _compared(
        self, texts: pl.DataFrame, varying: list[str], within: Codes32, codes: Codes32
    ) -> Iterator[Flags | pl.Series]:
        """Where the rows that codes stand for are the rows' own, part by part."""
        yield self.within.take(codes) == within
        # Unsigned, they are positions as they are; the engine copies others first.
        at = pl.Series(codes.view(np.uint32))
        for name in self._columns:
            known, text = self.rows[name], texts[name]
            if name in varying:
                yield known.gather(at).eq_missing(text)
            else:
                yield known.eq_missing(text.head(1)).gather(at)


def _is_constant(texts: pl.Series) -> bool:
    """Whether all texts are the same, as a column with a default mostly is."""
    if not len(texts) or texts[0] != texts[-1]:
        return False
    return bool(texts.eq_missing(texts.head(1)).all())
