"""R4 peak: the highest number of sessions open at one instant, by sweeping over sorted endpoints.

The idea: each session is a start (+1) and an end (-1). All endpoints of all groups become integers
`group | time | is_start`, so that ONE unstable sort of plain integers puts groups apart, times in
order, and ends before starts at a tie: half-open intervals. Every group's endpoints add up to 0, so
one running sum over everything is right within each group. The highest value of a stretch is the
running sum as the stretch begins, or a later one within it.

Invariants, asserted: the running sum never goes below 0 and returns to 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_TIME_BITS = 43
"""Microseconds of a month and a bit for start or end: 2^42 µs are 50 days."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Half-open sessions, clipped to the period: arrays of one length.

    `group` is any code below 2^20; `start` and `end` are microseconds since the period began, with
    0 <= start < end.
    """

    group: Ints
    start: Ints
    end: Ints

    def __post_init__(self) -> None:
        if len(self.group) and not (
            self.start.min() >= 0
            and (self.start < self.end).all()
            and self.end.max() < 1 << (_TIME_BITS - 1)
            and self.group.max() < 1 << (63 - _TIME_BITS)
        ):
            raise AssertionError(
                "sessions are clipped, not empty, and their groups are small codes"
            )


def peaks(sessions: Sessions, group: Ints, since: Ints) -> tuple[Ints, Ints]:
    """The highest number of open sessions in each stretch, and the earliest instant of it.

    Stretches are (group, since), sorted; each lasts until the next one of its group, the last until
    the period ends, and a group's first begins at 0. Groups without sessions have a peak of 0.
    """
    keys, running = _sweep(sessions)
    boundary = (group << _TIME_BITS) | (since << 1)
    # What starts at the boundary belongs to the stretch; what ends there is already over.
    first = np.searchsorted(keys, boundary | 1)
    entering = np.concatenate([[0], running])[first]
    last = np.append(first[1:], len(keys))[: len(first)]
    highest = entering.copy()
    at = since.copy()
    filled = np.flatnonzero(last > first)
    if len(filled):
        inside = np.maximum.reduceat(running, first[filled])
        is_higher = inside > entering[filled]
        rising = filled[is_higher]
        highest[rising] = inside[is_higher]
        at[rising] = _earliest(keys, running, first[rising], last[rising], highest[rising])
    return highest, at


def _sweep(sessions: Sessions) -> tuple[Ints, Ints]:
    """The sorted endpoints of all groups, and the number open after each."""
    keys = np.concatenate(
        [
            (sessions.group << _TIME_BITS) | (sessions.start << 1) | 1,
            (sessions.group << _TIME_BITS) | (sessions.end << 1),
        ]
    )
    keys.sort()
    running = np.cumsum(((keys & 1) << 1) - 1)
    if len(running) and (running[-1] != 0 or running.min() < 0):
        raise AssertionError("an end without its start: sessions were lost")
    return keys, running


def _earliest(keys: Ints, running: Ints, first: Ints, last: Ints, highest: Ints) -> Ints:
    """The instant at which each slice of the running sum first reaches its highest value."""
    stretch = np.repeat(np.arange(len(first)), last - first)
    position = np.arange(len(stretch)) + np.repeat(first - _offsets(last - first), last - first)
    hits = running[position] == highest[stretch]
    _, where = np.unique(stretch[hits], return_index=True)
    key: Ints = keys[position[hits][where]]
    return (key & ((1 << _TIME_BITS) - 1)) >> 1


def _offsets(lengths: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)[:-1]])


def without_overlap(user: Ints, start: Ints, end: Ints) -> tuple[Ints, Flags]:
    """R4.2: what is left of each session once a user's earlier ones have ended.

    Sessions are in order of (user, started_at, event_id). Gives each one's new start and whether
    anything is left of it. A running maximum of `user | end` is the latest end so far: a new user's
    code is larger than anything before it, so nothing carries over.
    """
    bits = int(end.max()).bit_length() if len(end) else 1
    if len(user) and int(user[-1]).bit_length() + bits > 63:
        raise AssertionError("too many users for one bucket")
    latest = np.maximum.accumulate((user << bits) | end)
    before = np.concatenate([[-1], latest[:-1]])
    is_same_user = (before >> bits) == user
    covered_until = np.where(is_same_user, before & ((1 << bits) - 1), 0)
    left = np.maximum(start, covered_until)
    return left, left < end
