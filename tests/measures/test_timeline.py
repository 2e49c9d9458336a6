"""Histories looked up at once against a slow search through each subject's steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.measures.timeline import BEGINNING, Timeline

Steps = list[tuple[int, int]]

LAST = int(np.iinfo(np.int64).max)

instants = st.one_of(st.integers(-3, 3), st.sampled_from([BEGINNING, BEGINNING + 1, LAST]))


@st.composite
def histories(draw: st.DrawFn) -> Steps:
    """A complete history: from the beginning, in order, at instants that are often the same."""
    later = draw(st.sets(instants.filter(lambda at: at > BEGINNING), max_size=4))
    since = [BEGINNING, *sorted(later)]
    return [(at, draw(st.integers(-2, 9))) for at in since]


def _slow(history: Steps, at: int) -> int:
    value = None
    for since, then in history:
        if since <= at:
            value = then
    assert value is not None
    return value


@given(st.lists(histories(), min_size=1, max_size=4), st.data())
def test_each_subject_has_at_each_instant_the_value_of_its_last_step(
    of: list[Steps], data: st.DataObject
) -> None:
    asked = data.draw(st.lists(st.tuples(st.integers(0, len(of) - 1), instants), max_size=12))
    subjects = np.array([subject for subject, _ in asked], np.int64)
    when = np.array([at for _, at in asked], np.int64)
    assert Timeline(of).at(subjects, when).tolist() == [_slow(of[who], at) for who, at in asked]


@given(st.lists(histories(), max_size=4), instants, instants)
def test_a_subject_is_changing_where_a_step_of_its_own_begins_in_between(
    of: list[Steps], after: int, before: int
) -> None:
    """Neither instant is included."""
    changing = {
        subject
        for subject, history in enumerate(of)
        for since, _ in history
        if after < since < before
    }
    assert set(Timeline(of).changing(after, before).tolist()) == changing


@pytest.mark.parametrize(
    ("after", "before", "changing"),
    [
        (99, 101, [0]),
        (100, 101, []),
        (99, 100, []),
        (49, 101, [0, 1]),
        (50, 100, []),
        (101, 49, []),
        (BEGINNING, 60, [1]),  # the first step of each begins with the beginning, not after it
        (100, LAST, []),
    ],
)
def test_changing_by_hand(after: int, before: int, changing: list[int]) -> None:
    """The one changes at 100, the other at 50, the third never."""
    of = [[(BEGINNING, 1), (100, 2)], [(BEGINNING, 3), (50, 4)], [(BEGINNING, 5)]]
    assert sorted(Timeline(of).changing(after, before).tolist()) == changing


def test_a_step_holds_from_its_very_instant() -> None:
    one = Timeline([[(BEGINNING, 7), (100, 8)]])
    assert one.at(np.array([0, 0, 0]), np.array([99, 100, 101])).tolist() == [7, 8, 8]


def test_another_subjects_steps_do_not_count() -> None:
    two = Timeline([[(BEGINNING, 1), (100, 2)], [(BEGINNING, 3), (50, 4)]])
    assert two.at(np.array([0, 1, 0, 1]), np.array([60, 60, 40, 40])).tolist() == [1, 4, 1, 3]


def test_small_codes_may_be_asked_with() -> None:
    one = Timeline([[(BEGINNING, 1)], [(BEGINNING, 2)]])
    assert one.at(np.array([1, 0], dtype=np.uint8), np.array([5, 5])).tolist() == [2, 1]


def test_nothing_asked_is_nothing_answered() -> None:
    nothing = np.empty(0, np.int64)
    assert Timeline([]).at(nothing, nothing).tolist() == []
    assert Timeline([[(BEGINNING, 1)]]).at(nothing, nothing).dtype == np.int64


@pytest.mark.parametrize(
    "history",
    [
        [(BEGINNING, 1), (5, 2), (4, 3)],
        [(BEGINNING, 1), (5, 2), (5, 3)],
        [(BEGINNING, 1), (BEGINNING, 1)],
    ],
)
def test_steps_out_of_order_or_repeated_are_refused(history: Steps) -> None:
    with pytest.raises(AssertionError, match="in order of subject and instant"):
        Timeline([[(BEGINNING, 0)], history])
