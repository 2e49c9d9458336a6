"""Small codes for large keys: the same key the same code, 0, 1, 2 … in order of first appearance.

The idea: keys are few, rows are many. A table indexed by a multiplicative hash of the key holds one
code a place; a row looks at one place and checks that the key there is its own. Rows that find
another key, or none, are looked up one different key at a time: the first of each key, and the few
keys whose place was taken. Exact whatever the hash does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Codes32 = npt.NDArray[np.int32]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_FREE = -1
_ROOM = 8
"""Places a key: few keys find theirs taken."""


class Codes:
    """The codes given so far; `keys` may be any 64-bit integers that are not negative."""

    def __init__(self) -> None:
        self._codes: dict[int, int] = {}
        self._keys: Ints = np.full(1, -1, np.int64)
        self._table: Codes32 = np.full(1 << 12, _FREE, np.int32)

    def __len__(self) -> int:
        return len(self._codes)

    def of(self, keys: Ints) -> tuple[Codes32, Ints]:
        """The code of each key, and the positions at which keys come for the first time ever."""
        codes = self._table.take(self._places(keys))
        missed = np.flatnonzero(self._keys.take(codes) != keys)
        if not len(missed):
            return codes, missed
        different, first, which = np.unique(keys[missed], return_index=True, return_inverse=True)
        known = len(self._codes)
        in_order = np.argsort(first)
        for key in different[in_order].tolist():
            self._codes.setdefault(key, len(self._codes))
        found = np.array([self._codes[key] for key in different.tolist()], np.int32)
        codes[missed] = found[which]
        new = np.sort(missed[first[found >= known]])
        if len(new):
            self._add(keys[new])
        return codes, new

    def _add(self, keys: Ints) -> None:
        """Give new keys their places; what is taken stays taken. The last key, -1, is nobody's."""
        known = len(self._keys) - 1
        self._keys = np.concatenate([self._keys[:-1], keys, [-1]])
        if len(self._keys) * _ROOM > len(self._table):
            bits = (len(self._keys) * _ROOM * 4).bit_length()
            self._table = np.full(1 << bits, _FREE, np.int32)
            known, keys = 0, self._keys[:-1]
        places = self._places(keys)
        is_free = self._table[places] == _FREE
        self._table[places[is_free]] = (np.arange(known, known + len(keys)))[is_free]

    def _places(self, keys: Ints) -> npt.NDArray[np.uint64]:
        bits = np.uint64(64 - (len(self._table).bit_length() - 1))
        places: npt.NDArray[np.uint64] = (keys.view(np.uint64) * _ODD) >> bits
        return places
