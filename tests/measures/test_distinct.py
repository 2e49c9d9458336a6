"""R4 distinct and R6.3 against plain sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.measures.arrays import Ints
from pipeline.measures.distinct import different_users, users_by_stretch

GROUPS = 3

rows = st.lists(
    st.tuples(
        st.integers(0, GROUPS - 1), st.integers(0, 3), st.integers(0, 9), st.integers(-2, 12)
    ),
    max_size=14,
)
"""(group, user, start, end): also empty ones, and ones that end before they start."""

edges = st.lists(st.sets(st.integers(1, 11), max_size=4), min_size=GROUPS, max_size=GROUPS)


def _columns(of: Sequence[tuple[int, ...]], width: int) -> list[Ints]:
    return [np.array([row[column] for row in of], np.int64) for column in range(width)]


def _slow(of: list[tuple[int, int, int, int]], stretches: list[tuple[int, int]]) -> list[int]:
    """Every row looked at in every stretch, instant by instant."""
    found = []
    for position, (group, since) in enumerate(stretches):
        following = stretches[position + 1 :]
        until = next((at for other, at in following if other == group), 99)
        seen = set()
        for of_group, user, start, end in of:
            instants = range(start, end) if end > start else range(start, start + 1)
            if of_group == group and any(since <= at < until for at in instants):
                seen.add(user)
        found.append(len(seen))
    return found


@given(rows, edges)
def test_a_user_counts_in_every_stretch_that_one_of_their_rows_reaches_into(
    of: list[tuple[int, int, int, int]], later: list[set[int]]
) -> None:
    stretches = [(group, at) for group in range(GROUPS) for at in (0, *sorted(later[group]))]
    group, user, start, end = _columns(of, 4)
    stretch_group, since = _columns(stretches, 2)
    counted = users_by_stretch(group, user, start, end, stretch_group, since)
    assert counted.tolist() == _slow(of, stretches)


@given(rows)
def test_different_users_are_the_size_of_each_groups_set(
    of: list[tuple[int, int, int, int]],
) -> None:
    group, user, _, _ = _columns(of, 4)
    expected = [len({who for g, who, _, _ in of if g == one}) for one in range(GROUPS)]
    assert different_users(group, user, GROUPS).tolist() == expected


@pytest.mark.parametrize(
    ("start", "end", "counted"),
    [
        (0, 10, [1, 0, 0]),  # ends where the next stretch begins
        (0, 11, [1, 1, 0]),
        (10, 20, [0, 1, 0]),
        (9, 21, [1, 1, 1]),
        (10, 10, [0, 1, 0]),  # empty: at its start
        (9, 9, [1, 0, 0]),
        (20, 3, [0, 0, 1]),  # the wrong way round: at its start
    ],
)
def test_one_row_in_three_stretches(start: int, end: int, counted: list[int]) -> None:
    """R6.3: [0, 10), [10, 20) and from 20 on."""
    zero = np.zeros(1, np.int64)
    found = users_by_stretch(
        zero, zero, np.array([start]), np.array([end]), np.zeros(3, np.int64), np.array([0, 10, 20])
    )
    assert found.tolist() == counted


def test_a_user_with_many_rows_counts_once_in_each_stretch() -> None:
    rows_of_one = np.zeros(5, np.int64)
    start = np.array([0, 1, 2, 3, 4])
    found = users_by_stretch(
        rows_of_one, rows_of_one, start, start + 8, np.zeros(2, np.int64), np.array([0, 5])
    )
    assert found.tolist() == [1, 1]


def test_no_rows_are_no_users_in_groups_and_stretches_that_are_still_told() -> None:
    nothing = np.empty(0, np.int64)
    assert different_users(nothing, nothing, 2).tolist() == [0, 0]
    assert different_users(nothing, nothing, 0).tolist() == []
    group, since = np.array([0, 0, 1]), np.array([0, 5, 0])
    no_rows = (nothing, nothing, nothing, nothing)
    assert users_by_stretch(*no_rows, group, since).tolist() == [0, 0, 0]
    assert users_by_stretch(*no_rows, nothing, nothing).tolist() == []


def test_codes_may_be_as_large_as_they_are_said_to_be() -> None:
    """Group and user share one integer."""
    large = 2**31 - 1
    assert different_users(np.array([0, 1, 1]), np.array([large, 0, large]), 2).tolist() == [1, 2]
