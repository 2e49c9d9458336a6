"""Small codes for large keys: the same key the same code, 0, 1, 2 … in order of first appearance.

The idea: keys are few, rows are many. A table indexed by a multiplicative hash of the key holds one
code a place; a row looks at one place and checks that the key there is its own. A key whose place
was taken has one in a second, smaller table, by another hash; the few that found neither free are
in a sorted list. Exact whatever the hashes do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.measures.arrays import Codes32, Flags, Ints

_FACTORS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_FREE = -1
_ROOM = 4
"""Places a key in the first table, at least: few keys find theirs taken."""

_SMALLER = 4
"""So much smaller is the second table."""

_AT_ONCE = 1 << 14


class _Table:
    """Places, each free or with a code, for keys by their hash."""

    def __init__(self, factor: np.uint64, places: int) -> None:
        self._factor = factor
        self._bits = np.uint64(64 - (places.bit_length() - 1))
        self._codes: Codes32 = np.full(places, _FREE, np.int32)

    def __len__(self) -> int:
        return len(self._codes)

    def of(self, keys: Ints) -> Codes32:
        """The code at the place of each key, whosever it is."""
        return self._codes.take(self._places(keys))

    def settle(self, keys: Ints, codes: Codes32) -> Flags:
        """Give keys their places, as far as they are free; whether each has it."""
        places = self._places(keys)
        is_free = self._codes[places] == _FREE
        self._codes[places[is_free]] = codes[is_free]
        has_it: Flags = self._codes[places] == codes
        return has_it

    def _places(self, keys: Ints) -> Ints:
        places: npt.NDArray[np.uint64] = keys.view(np.uint64) * self._factor
        places >>= self._bits
        return places.view(np.int64)


def _tables(places: int) -> tuple[_Table, _Table]:
    first, second = _FACTORS
    return _Table(first, places), _Table(second, places // _SMALLER)


class Codes:
    """The codes given so far; keys are any 64-bit integers that are not negative."""

    def __init__(self) -> None:
        self._keys: Ints = np.full(1, -1, np.int64)
        self._first, self._second = _tables(1 << 12)
        self._displaced: Ints = np.empty(0, np.int64)
        self._displaced_codes: Codes32 = np.empty(0, np.int32)

    def __len__(self) -> int:
        return len(self._keys) - 1

    def of(self, keys: Ints) -> tuple[Codes32, Ints]:
        """The code of each key, and the positions at which keys come for the first time ever."""
        codes = self._first.of(keys)
        missed = np.flatnonzero(self._keys.take(codes) != keys)
        new = [missed[:0]]
        while len(missed := self._find_displaced(keys, codes, missed)):
            # New keys mostly come again soon: few rows at a time teach the tables most of them.
            now, missed = missed[:_AT_ONCE], missed[_AT_ONCE:]
            new.append(self._give(keys, codes, now))
            missed = self._find(self._first, keys, codes, missed)
        return codes, np.concatenate(new)

    def _give(self, keys: Ints, codes: Codes32, positions: Ints) -> Ints:
        """Give unknown keys codes, in order of appearance; the positions at which they appear."""
        first, which = _firsts(keys[positions])
        order = np.argsort(first)
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(self), len(self) + len(order), dtype=np.int32)
        codes[positions] = rank[which]
        new: Ints = positions[first[order]]
        self._add(keys[new])
        return new

    def _find(self, table: _Table, keys: Ints, codes: Codes32, missed: Ints) -> Ints:
        """Look keys up in a table; the positions that still miss."""
        asked = keys.take(missed)
        found = table.of(asked)
        codes[missed] = found
        still: Ints = missed[self._keys.take(found) != asked]
        return still

    def _find_displaced(self, keys: Ints, codes: Codes32, missed: Ints) -> Ints:
        """Give known keys their codes whose place another has; the positions that still miss."""
        if not len(missed):
            return missed
        missed = self._find(self._second, keys, codes, missed)
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
        if len(self._keys) * _ROOM > len(self._first):
            self._first, self._second = _tables(1 << (len(self._keys) * _ROOM * 2).bit_length())
            self._displaced, self._displaced_codes = self._displaced[:0], self._displaced_codes[:0]
            known, keys = 0, self._keys[:-1]
        codes = np.arange(known, known + len(keys), dtype=np.int32)
        for table in (self._first, self._second):
            is_settled = table.settle(keys, codes)
            keys, codes = keys[~is_settled], codes[~is_settled]
        if len(keys):
            displaced = np.concatenate([self._displaced, keys])
            order = np.argsort(displaced)
            self._displaced = displaced[order]
            self._displaced_codes = np.concatenate([self._displaced_codes, codes])[order]


def _firsts(keys: Ints) -> tuple[Ints, Ints]:
    """Where each different key comes first, in order of keys, and which of them each key is.

    As `np.unique` says, which sorts with a slower method to find that out.
    """
    order = np.argsort(keys)
    ordered = keys[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])
    which = np.empty(len(keys), np.int64)
    which[order] = np.cumsum(is_first) - 1
    return np.minimum.reduceat(order, np.flatnonzero(is_first)), which
