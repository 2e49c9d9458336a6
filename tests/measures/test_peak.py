"""R4 peak against counting the open sessions at every instant, one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.measures.arrays import Ints
from pipeline.measures.peak import Sessions, peaks, without_overlap

GROUPS = 3
END = 12

Row = tuple[int, int, int]


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """(group or user, start, end): times are few, so most of them tie."""
    start = draw(st.integers(0, END - 1))
    return draw(st.integers(0, GROUPS - 1)), start, draw(st.integers(start + 1, END))


edges = st.lists(st.sets(st.integers(1, END), max_size=5), min_size=GROUPS, max_size=GROUPS)


def _columns(of: list[Row]) -> tuple[Ints, Ints, Ints]:
    group, start, end = (np.array([row[n] for row in of], np.int64) for n in range(3))
    return group, start, end


def _slow(of: list[Row], stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found = []
    for position, (group, since) in enumerate(stretches):
        following = stretches[position + 1 :]
        until = next((at for other, at in following if other == group), END + 1)
        best, where = -1, since
        for at in range(since, until):
            is_open = sum(g == group and start <= at < end for g, start, end in of)
            if is_open > best:
                best, where = is_open, at
        found.append((best, where))
    return found


def _fast(of: list[Row], stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    group, since = (np.array([one[n] for one in stretches], np.int64) for n in range(2))
    highest, at = peaks(Sessions(*_columns(of)), group, since)
    return list(zip(highest.tolist(), at.tolist(), strict=True))


@given(st.lists(rows(), max_size=16), edges)
def test_a_peak_is_the_most_sessions_open_at_one_instant_of_each_stretch(
    of: list[Row], later: list[set[int]]
) -> None:
    """R4.1, R4.3, R6.2: and the earliest instant of it."""
    stretches = [(group, at) for group in range(GROUPS) for at in (0, *sorted(later[group]))]
    assert _fast(of, stretches) == _slow(of, stretches)


@pytest.mark.parametrize(
    ("of", "since", "expected"),
    [
        ("", "0", "0@0"),
        ("", "0 5", "0@0 0@5"),
        ("0-5", "0", "1@0"),
        ("3-5", "0", "1@3"),
        # Half-open: one ends when another starts.
        ("0-5 5-9", "0", "1@0"),
        ("0-5 4-9", "0", "2@4"),
        # Three at once, twice: the earliest.
        ("1-9 2-4 2-4 6-8 6-8", "0", "3@2"),
        # What is open at a boundary is open in the next stretch from its first instant on.
        ("0-9", "0 4 6", "1@0 1@4 1@6"),
        # What ends at the boundary is not.
        ("0-4", "0 4 6", "1@0 0@4 0@6"),
        # What starts at the boundary is, and not before.
        ("4-6", "0 4 6", "0@0 1@4 0@6"),
        # A later rise within the stretch is its peak; an equal one is not.
        ("0-9 5-6", "0 4", "1@0 2@5"),
        ("0-5 5-9", "0 4", "1@0 1@4"),
        # Stretches with no endpoint inside, between ones that have some.
        ("0-12 1-2 9-10", "0 3 4 5 8", "2@1 1@3 1@4 1@5 2@9"),
        # A stretch that begins after everything has ended.
        ("0-5", "0 12", "1@0 0@12"),
    ],
)
def test_peaks_by_hand(of: str, since: str, expected: str) -> None:
    """Sessions as start-end, peaks as number@instant."""
    sessions = [(0, *map(int, session.split("-"))) for session in of.split()]
    stretches = [(0, int(at)) for at in since.split()]
    found = _fast([(group, start, end) for group, start, end in sessions], stretches)
    assert " ".join(f"{highest}@{at}" for highest, at in found) == expected


def test_groups_do_not_see_each_other() -> None:
    """Group 1 has no sessions, and stands between two that have."""
    of = [(0, 0, 5), (0, 1, 5), (2, 0, 12), (2, 3, 4), (2, 3, 4)]
    assert _fast(of, [(0, 0), (1, 0), (1, 6), (2, 0)]) == [(2, 1), (0, 0), (0, 6), (3, 3)]


def test_no_groups_have_no_peaks() -> None:
    assert _fast([], []) == []


def test_a_whole_month_of_microseconds_and_the_largest_code_fit() -> None:
    month = 31 * 24 * 3600 * 10**6 + 3600 * 10**6
    group = 2**20 - 1
    of = [(group, 0, month), (group, month - 1, month)]
    assert _fast(of, [(0, 0), (group, 0)]) == [(0, 0), (2, month - 1)]


@pytest.mark.parametrize("row", [(0, -1, 5), (0, 5, 5), (0, 6, 5)])
def test_sessions_that_are_not_clipped_are_refused(row: Row) -> None:
    with pytest.raises(AssertionError, match="sessions are clipped and not empty"):
        Sessions(*_columns([(0, 0, 1), row]))


def test_more_groups_than_fit_one_integer_are_refused() -> None:
    sessions = Sessions(*_columns([(2**40, 0, 2**24)]))
    with pytest.raises(AssertionError, match="too many groups for one sweep"):
        peaks(sessions, np.array([2**40]), np.array([0]))


def test_an_end_without_its_start_is_noticed() -> None:
    """The running sum must stay at or above 0: here a session is turned round behind its back."""
    sessions = Sessions(*_columns([(0, 3, 5)]))
    sessions.end[0] = 1
    with pytest.raises(AssertionError, match="an end without its start"):
        peaks(sessions, np.array([0]), np.array([0]))


def _slow_without_overlap(of: list[Row]) -> list[tuple[int, int] | None]:
    """What is left of each session: the instants after all of its user's earlier ones."""
    left: list[tuple[int, int] | None] = []
    for position, (user, start, end) in enumerate(of):
        earlier = [until for who, _, until in of[:position] if who == user]
        free = [at for at in range(start, end) if all(at >= until for until in earlier)]
        left.append((free[0], free[-1] + 1) if free else None)
    return left


def _fast_without_overlap(of: list[Row]) -> list[tuple[int, int] | None]:
    user, start, end = _columns(of)
    since, is_left = without_overlap(user, start, end)
    return [
        (at, until) if stays else None
        for at, until, stays in zip(since.tolist(), end.tolist(), is_left.tolist(), strict=True)
    ]


@given(st.lists(rows(), max_size=16))
def test_a_user_is_never_in_two_places(of: list[Row]) -> None:
    """R4.2: each session keeps only the time after all earlier ones of its user have ended."""
    ordered = sorted(of, key=lambda row: row[:2])
    left = _fast_without_overlap(ordered)
    assert left == _slow_without_overlap(ordered)
    for user in range(GROUPS):
        kept = [one for one, row in zip(left, ordered, strict=True) if one and row[0] == user]
        assert all(before[1] <= after[0] for before, after in pairwise(kept))


@pytest.mark.parametrize(
    ("of", "left"),
    [
        ("", ""),
        ("0-5", "0-5"),
        ("0-5 5-9", "0-5 5-9"),  # one after the other
        ("0-5 3-9", "0-5 5-9"),  # overlapping
        ("0-9 3-5", "0-9 -"),  # contained
        ("0-9 3-9", "0-9 -"),  # contained, with the same end
        ("0-5 0-5", "0-5 -"),  # equal
        ("0-3 0-5", "0-3 3-5"),  # the first in order keeps its time
        ("0-12 3-5 4-12", "0-12 - -"),  # open until the end of the period
        ("0-9 2-4 3-12", "0-9 - 9-12"),  # the longest before counts, not the last before
    ],
)
def test_overlap_by_hand(of: str, left: str) -> None:
    """R4.2, the sessions of one user."""
    sessions = [tuple(map(int, session.split("-"))) for session in of.split()]
    found = _fast_without_overlap([(0, start, end) for start, end in sessions])
    assert " ".join("-" if one is None else f"{one[0]}-{one[1]}" for one in found) == left


def test_a_new_user_starts_afresh() -> None:
    assert _fast_without_overlap([(0, 0, 12), (1, 3, 5), (2, 3, 5), (2, 4, 6)]) == [
        (0, 12),
        (3, 5),
        (3, 5),
        (5, 6),
    ]


def test_more_users_than_fit_one_integer_are_taken_in_halves() -> None:
    """User and end share one integer of 63 bits."""
    user = np.array([0, 0, 2**20, 2**21, 2**21, 2**40, 2**40])
    start = np.array([0, 5, 0, 0, 9, 1, 1])
    end = np.array([2**42 - 1, 7, 3, 10, 12, 4, 2**42 - 1])
    left, is_left = without_overlap(user, start, end)
    assert left[is_left].tolist() == [0, 0, 0, 10, 1, 4]
    assert is_left.tolist() == [True, False, True, True, True, True, True]
