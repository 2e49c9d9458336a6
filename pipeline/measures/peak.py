"""R4 peak: the highest number of sessions open at one instant, by sweeping over sorted endpoints.

The idea: each session is a start (+1) and an end (-1). All endpoints of all groups become integers
`group | time | is_start`, so that ONE unstable sort of plain integers puts groups apart, times in
order, and ends before starts at a tie: half-open intervals. Every group's endpoints add up to 0, so
one running sum over everything is right within each group. The highest value of a stretch is the
running sum as the stretch begins, or a later one within it; running sum and position, packed into
one integer, give the highest and the earliest of it in one pass.

Invariants, asserted: the running sum never goes below 0 and returns to 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.measures.arrays import Flags, Ints


@dataclass(frozen=True, slots=True)
class Sessions:
    """Half-open sessions, clipped to the time that is measured: arrays of one length.

    `group` is any small code; `start` and `end` are counted from the beginning of that time, with
    0 <= start < end.
    """

    group: Ints
    start: Ints
    end: Ints

    def __post_init__(self) -> None:
        if len(self.group) and not (self.start.min() >= 0 and (self.start < self.end).all()):
            raise AssertionError("sessions are clipped and not empty")


def peaks(sessions: Sessions, group: Ints, since: Ints) -> tuple[Ints, Ints]:
    """The highest number of open sessions in each stretch, and the earliest instant of it.

    Stretches are (group, since), sorted; each lasts until the next one of its group, the last until
    the measured time ends, and a group's first begins at 0. Groups without sessions have a peak of
    0; sessions are of groups that have stretches.
    """
    bits = _time_bits(sessions, group, since)
    keys, running = _sweep(sessions, bits)
    # What starts at the boundary belongs to the stretch; what ends there is already over.
    first = np.searchsorted(keys, (group << bits) | (since << 1) | 1)
    highest = np.concatenate([[0], running])[first]
    at = since.copy()
    last = np.append(first[1:], len(keys))[: len(first)]
    filled = np.flatnonzero(last > first)
    if len(filled):
        position_bits = len(keys).bit_length()
        mask = (1 << position_bits) - 1
        running <<= position_bits
        running |= mask - np.arange(len(keys))
        best = np.maximum.reduceat(running, first[filled])
        is_higher = (best >> position_bits) > highest[filled]
        rising, best = filled[is_higher], best[is_higher]
        highest[rising] = best >> position_bits
        at[rising] = (keys[mask - (best & mask)] & ((1 << bits) - 1)) >> 1
    return highest, at


def _time_bits(sessions: Sessions, group: Ints, since: Ints) -> int:
    """How many bits a time takes, with one for start or end."""
    latest = max((int(times.max()) for times in (sessions.end, since) if len(times)), default=0)
    bits = latest.bit_length() + 1
    if len(group) and int(group.max()).bit_length() + bits > 63:
        raise AssertionError("too many groups for one sweep: their codes are small")
    return bits


def _sweep(sessions: Sessions, bits: int) -> tuple[Ints, Ints]:
    """The sorted endpoints of all groups, and the number open after each."""
    count = len(sessions.group)
    keys = np.empty(2 * count, np.int64)
    group = sessions.group << bits
    np.left_shift(sessions.start, 1, out=keys[:count])
    keys[:count] |= group
    keys[:count] |= 1
    np.left_shift(sessions.end, 1, out=keys[count:])
    keys[count:] |= group
    keys.sort()
    running = keys & 1
    running <<= 1
    running -= 1
    np.cumsum(running, out=running)
    if len(running) and (running[-1] != 0 or running.min() < 0):
        raise AssertionError("an end without its start: sessions were lost")
    return keys, running


def without_overlap(user: Ints, start: Ints, end: Ints) -> tuple[Ints, Flags]:
    """R4.2: what is left of each session once a user's earlier ones have ended.

    Sessions are in order of (user, started_at, event_id). Gives each one's new start and whether
    anything is left of it. A running maximum of `user | end` is the latest end so far: a new user's
    code is larger than anything before it, so nothing carries over. Users that are too many for one
    integer with an end are taken in halves.
    """
    if not len(user):
        return start, start < end
    bits = int(end.max()).bit_length()
    if int(user[-1] - user[0]).bit_length() + bits > 63:
        half = int(np.searchsorted(user, user[-1] // 2 + user[0] // 2 + 1))
        parts = [without_overlap(user[of], start[of], end[of]) for of in np.s_[:half, half:]]
        return np.concatenate([left for left, _ in parts]), np.concatenate(
            [is_ for _, is_ in parts]
        )
    user = user - user[0]
    latest = np.maximum.accumulate((user << bits) | end)
    before = np.concatenate([[-1], latest[:-1]])
    is_same_user = (before >> bits) == user
    covered_until = (before & ((1 << bits) - 1)) * is_same_user
    left = np.maximum(start, covered_until)
    return left, left < end
