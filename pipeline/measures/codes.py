"""Small codes for large keys: the same key the same code, 0, 1, 2 … in order of first appearance.

The idea: keys are few, rows are many. A table indexed by a multiplicative hash of the key holds one
code a place; a row looks at one place and checks that the key there is its own. Rows that find
another key, or none, are looked up in a sorted list: the first of each key, and the few keys whose
place was taken. Exact whatever the hash does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.measures.arrays import Codes32, Ints

_ODD = np.uint64(0x9E3779B97F4A7C15)
_FREE = -1
_ROOM = 8
"""Places a key, at least: few keys find theirs taken."""

_AT_ONCE = 1 << 14


class Codes:
    """The codes given so far; keys are any 64-bit integers that are not negative."""

    def __init__(self) -> None:
        self._keys: Ints = np.full(1, -1, np.int64)
        self._table: Codes32 = np.full(1 << 12, _FREE, np.int32)
        self._displaced: Ints = np.empty(0, np.int64)
        self._displaced_codes: Codes32 = np.empty(0, np.int32)

    def __len__(self) -> int:
        return len(self._keys) - 1

    def of(self, keys: Ints) -> tuple[Codes32, Ints]:
        """The code of each key, and the positions at which keys come for the first time ever."""
        codes = self._table.take(self._places(keys))
        missed = np.flatnonzero(self._keys.take(codes) != keys)
        new = [missed[:0]]
        while len(missed := self._find_displaced(keys, codes, missed)):
            # New keys mostly come again soon: few rows at a time teach the table most of them.
            now, missed = missed[:_AT_ONCE], missed[_AT_ONCE:]
            new.append(self._give(keys, codes, now))
            later = self._table.take(self._places(keys[missed]))
            codes[missed] = later
            missed = missed[self._keys.take(later) != keys[missed]]
        return codes, np.concatenate(new)

    def _give(self, keys: Ints, codes: Codes32, positions: Ints) -> Ints:
        """Give unknown keys codes, in order of appearance; the positions at which they appear."""
        _, first, which = np.unique(keys[positions], return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(self), len(self) + len(order), dtype=np.int32)
        codes[positions] = rank[which]
        new: Ints = positions[first[order]]
        self._add(keys[new])
        return new

    def _find_displaced(self, keys: Ints, codes: Codes32, missed: Ints) -> Ints:
        """Give known keys their codes whose place another has; the positions that still miss."""
        if not len(missed) or not len(self._displaced):
            return missed
        asked = keys[missed]
        found = np.minimum(np.searchsorted(self._displaced, asked), len(self._displaced) - 1)
        is_known = self._displaced[found] == asked
        codes[missed[is_known]] = self._displaced_codes[found[is_known]]
        unknown: Ints = missed[~is_known]
        return unknown

    def _add(self, keys: Ints) -> None:
        """Give new keys their places; what is taken stays taken. The last key, -1, is nobody's."""
        known = len(self)
        self._keys = np.concatenate([self._keys[:-1], keys, [-1]])
        if len(self._keys) * _ROOM > len(self._table):
            self._table = np.full(1 << (len(self._keys) * _ROOM * 4).bit_length(), _FREE, np.int32)
            self._displaced, self._displaced_codes = self._displaced[:0], self._displaced_codes[:0]
            known, keys = 0, self._keys[:-1]
        places = self._places(keys)
        codes = np.arange(known, known + len(keys), dtype=np.int32)
        is_free = self._table[places] == _FREE
        self._table[places[is_free]] = codes[is_free]
        lost = self._table[places] != codes
        displaced = np.concatenate([self._displaced, keys[lost]])
        order = np.argsort(displaced)
        self._displaced = displaced[order]
        self._displaced_codes = np.concatenate([self._displaced_codes, codes[lost]])[order]

    def _places(self, keys: Ints) -> npt.NDArray[np.uint64]:
        bits = np.uint64(64 - (len(self._table).bit_length() - 1))
        places: npt.NDArray[np.uint64] = (keys.view(np.uint64) * _ODD) >> bits
        return places
