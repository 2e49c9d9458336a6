"""Texts as codes: each different row of some text columns is kept once, in order of appearance.

Belongs here: giving codes to texts, exactly. Does not belong here: what the texts mean.

The idea: a row's texts are hashed to one key, keys get codes, and then every row's texts are
compared with the texts that its code stands for. Where they differ, two texts shared a hash; such
rows are told apart by the texts themselves. So a hash saves time and never decides.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.measures.arrays import Codes32, Ints
from pipeline.measures.codes import Codes

_POSITIVE = np.uint64((1 << 63) - 1)
_FACTOR = np.uint64(0x9DDFEA08EB382D69)


class Dictionary:
    """The different rows of some text columns seen so far; `rows` has them in order of codes."""

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        self._codes = Codes()
        self._row_of_key: Ints = np.empty(0, np.int64)
        self._shared: dict[tuple[str | None, ...], int] = {}
        self.rows = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))

    def codes_of(self, rows: pl.DataFrame) -> Codes32:
        """The code of each row's texts; a null is a text of its own."""
        texts = rows.select(self._columns)
        varying = [name for name in self._columns if not _is_constant(texts[name])]
        codes, new = self._codes.of(self._keys(texts, varying))
        if len(new):
            added = np.arange(len(self.rows), len(self.rows) + len(new))
            self._row_of_key = np.concatenate([self._row_of_key, added])
            self.rows = pl.concat([self.rows, texts[new]]).rechunk()
        if len(self._row_of_key) != len(self.rows):
            codes = self._row_of_key[codes].astype(np.int32)
        return self._told_apart(texts, varying, codes)

    def _keys(self, texts: pl.DataFrame, varying: list[str]) -> Ints:
        key = np.zeros(len(texts), np.uint64)
        for name in self._columns:
            hashed = texts[name] if name in varying else texts[name].head(1)
            key *= _FACTOR
            key ^= hashed.hash(seed=1).to_numpy()
        return (key & _POSITIVE).view(np.int64)

    def _told_apart(self, texts: pl.DataFrame, varying: list[str], codes: Codes32) -> Codes32:
        """The codes, with those corrected whose texts are not the row's own."""
        is_own = [
            self.rows[name].gather(pl.Series(codes)).eq_missing(texts[name])
            if name in varying
            else pl.Series(self.rows[name].eq_missing(texts[name].head(1)).to_numpy()[codes])
            for name in self._columns
        ]
        if all(same.all() for same in is_own):
            return codes
        codes = codes.copy()
        named = pl.DataFrame({str(n): same for n, same in enumerate(is_own)})
        strangers = (~named.select(pl.all_horizontal(pl.all())).to_series()).arg_true()
        for position, row in zip(strangers.to_list(), texts[strangers].iter_rows(), strict=True):
            if row not in self._shared:
                self._shared[row] = len(self.rows)
                self.rows = pl.concat([self.rows, texts[position]]).rechunk()
            codes[position] = self._shared[row]
        return codes


def _is_constant(texts: pl.Series) -> bool:
    """Whether all texts are the same, as a column with a default mostly is."""
    if not len(texts) or texts[0] != texts[-1]:
        return False
    return bool(texts.eq_missing(texts.head(1)).all())
