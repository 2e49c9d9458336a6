"""The keys of many runs, range by range: all that share a range lie together, and in cache.

Belongs here: cutting sorted keys by their highest bits, slot and hash. Does not belong here: what
keys are (`store.usage`), and what is done with those that are equal (`stages.events`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.measures.arrays import Ints
from pipeline.store.usage import SLOT_BITS, Words


def keys_by_range(
    runs: Sequence[tuple[Words, int]], slots: range, most_rows: int
) -> Iterator[tuple[Words, Words]]:
    """The keys of all runs, about so many at a time; with each, the number of its run's first row.

    Takes the sorted keys of each run and the number of its first row.
    """
    if not runs:
        return
    of_slots = np.sum([np.diff(_cuts(keys, slots, 1)) for keys, _ in runs], axis=0)
    parts = 1 << max(0, (int(of_slots.max()) // most_rows).bit_length())
    cuts = [_cuts(keys, slots, parts) for keys, _ in runs]
    firsts = np.array([first for _, first in runs], np.uint64)
    for n in range(len(slots) * parts):
        inside = [keys[cut[n] : cut[n + 1]] for (keys, _), cut in zip(runs, cuts, strict=True)]
        yield np.concatenate(inside), np.repeat(firsts, [len(keys) for keys in inside])


def _beginnings(slots: range, parts: int) -> Words:
    """The smallest key of each part of each slot."""
    slot = np.repeat(np.arange(slots.start, slots.stop, dtype=np.uint64), parts)
    part = np.tile(np.arange(parts, dtype=np.uint64), len(slots))
    shift = np.uint64(64 - SLOT_BITS)
    return (slot << shift) | (part << (shift - np.uint64(parts.bit_length() - 1)))


def _cuts(keys: Words, slots: range, parts: int) -> Ints:
    """Where in some sorted keys each part of each slot begins, and where the last ends."""
    return np.append(np.searchsorted(keys, _beginnings(slots, parts)), len(keys))
