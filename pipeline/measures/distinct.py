"""R4 distinct: the number of different users with usage, over the period or a stretch of it."""

from __future__ import annotations

import numpy as np

from pipeline.measures.arrays import Ints

_USER_BITS = 32


def different_users(group: Ints, user: Ints, groups: int) -> Ints:
    """How many different users each of the groups 0 … groups-1 has. Codes are below 2^31."""
    pairs = np.unique((group << _USER_BITS) | user)
    return np.bincount(pairs >> _USER_BITS, minlength=groups).astype(np.int64)


def users_by_stretch(
    group: Ints, user: Ints, start: Ints, end: Ints, stretch_group: Ints, since: Ints
) -> Ints:
    """How many different users have usage in each stretch (R6.3).

    Stretches are (group, since), sorted; each lasts until the next one of its group, and a group's
    first begins at or before all its usage. A row [start, end) counts in every stretch it reaches
    into; where end <= start it counts at its start.
    """
    first = _stretch_at(group, start, stretch_group, since)
    last = _stretch_at(group, np.maximum(start, end - 1), stretch_group, since)
    reached = last - first + 1
    steps = np.arange(reached.sum()) - np.repeat(np.cumsum(reached) - reached, reached)
    return different_users(np.repeat(first, reached) + steps, np.repeat(user, reached), len(since))


def _stretch_at(group: Ints, at: Ints, stretch_group: Ints, since: Ints) -> Ints:
    """The index of the stretch that each (group, instant) falls in."""
    instants = np.unique(since)
    keys = (stretch_group << _USER_BITS) | np.searchsorted(instants, since)
    ranks = np.searchsorted(instants, at, side="right") - 1
    found: Ints = np.searchsorted(keys, (group << _USER_BITS) | ranks, side="right") - 1
    return found
