"""What holds for a subject at an instant: many look-ups at once in piecewise-constant histories.

Everything in the rule book that depends on a day (who is primary, whether a subscription is active,
whom a user is assigned to) is constant between midnights. So each becomes a list of steps
(subject, since, value), and a million usage rows ask for their value in two binary searches.

The idea: all instants at which anything changes are put in order once and replaced by their rank,
which is small. Subject and rank then fit one integer key; steps sorted by it, the step in force is
the last one whose key is not above the row's. Exact for every 64-bit instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.measures.arrays import Ints

BEGINNING = np.iinfo(np.int64).min
"""The instant before all others; every subject's first step begins there."""

_RANK_BITS = 32


class Timeline:
    """Histories of the subjects 0 … n-1, each a complete sequence of steps from `BEGINNING` on."""

    def __init__(self, histories: Iterable[Sequence[tuple[int, int]]]) -> None:
        """Take one history a subject: (since, value) in order; the first is since `BEGINNING`."""
        steps = [
            (subject, since, value)
            for subject, history in enumerate(histories)
            for since, value in history
        ]
        subjects, since, values = (
            np.array(column, dtype=np.int64)
            for column in (zip(*steps, strict=True) if steps else ((), (), ()))
        )
        self._instants: Ints = np.unique(since)
        ranks = np.searchsorted(self._instants, since)
        self._keys: Ints = (subjects << _RANK_BITS) | ranks
        self._values: Ints = values
        if not np.all(self._keys[1:] > self._keys[:-1]):
            raise AssertionError("steps are in order of subject and instant, without repetition")

    def changing(self, after: int, before: int) -> Ints:
        """The subjects for which a step begins between two instants, both not included."""
        ranks = self._keys & ((1 << _RANK_BITS) - 1)
        low = np.searchsorted(self._instants, after, side="right")
        high = np.searchsorted(self._instants, before, side="left")
        return self._keys[(ranks >= low) & (ranks < high)] >> _RANK_BITS

    def at(self, subjects: Ints, instants: Ints) -> Ints:
        """The value in force for each (subject, instant); every subject has a history."""
        if not len(subjects):
            return np.empty(0, np.int64)
        ranks = np.searchsorted(self._instants, instants, side="right") - 1
        keys = (subjects.astype(np.int64) << _RANK_BITS) | ranks
        return self._values[np.searchsorted(self._keys, keys, side="right") - 1]
