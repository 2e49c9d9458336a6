"""Codes of keys against a dictionary that is filled one key at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.measures import codes as kernel
from pipeline.measures.arrays import Ints
from pipeline.measures.codes import Codes

LAST = int(np.iinfo(np.int64).max)

SPREAD = kernel._FACTORS
ONLY_FIRST = kernel._FACTORS[0], np.uint64(0)
ONLY_SECOND = np.uint64(0), kernel._FACTORS[1]
BY_HIGH_BITS = np.uint64(1), np.uint64(3)
ALL_IN_ONE_PLACE = np.uint64(0), np.uint64(0)
"""What keys are multiplied by to find their places in the two tables: with 1, all small keys
collide; with 0, all."""

Factors = tuple[np.uint64, np.uint64]
every_factor = pytest.mark.parametrize(
    "factors",
    [SPREAD, ONLY_FIRST, ONLY_SECOND, BY_HIGH_BITS, ALL_IN_ONE_PLACE],
    ids=["spread", "only first", "only second", "by high bits", "all in one place"],
)

keys = st.one_of(st.integers(0, 40), st.sampled_from([LAST, LAST - 1, 1 << 62, 1 << 32]))
batches_of_keys = st.lists(st.lists(keys, max_size=30), max_size=6)


class Slow:
    """The codes of keys, in order of first appearance."""

    def __init__(self) -> None:
        self.known: dict[int, int] = {}

    def of(self, batch: list[int]) -> tuple[list[int], list[int]]:
        """The code of each key, and where keys come for the first time ever."""
        new = [at for at, key in enumerate(batch) if key not in {*self.known, *batch[:at]}]
        return [self.known.setdefault(key, len(self.known)) for key in batch], new


def _array(batch: list[int]) -> Ints:
    return np.array(batch, np.int64)


def _assert_same(batches: list[list[int]]) -> None:
    fast, slow = Codes(), Slow()
    for batch in batches:
        found, new = fast.of(_array(batch))
        assert (found.tolist(), new.tolist()) == slow.of(batch)
        assert found.dtype == np.int32
        assert len(fast) == len(slow.known)


@every_factor
@settings(max_examples=40, deadline=None)
@given(batches=batches_of_keys)
def test_keys_are_numbered_in_order_of_first_appearance(
    factors: Factors, batches: list[list[int]]
) -> None:
    """Over several batches, and whether or not keys have places of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "_FACTORS", factors)
        _assert_same(batches)


@every_factor
def test_the_table_grows_with_its_keys(monkeypatch: pytest.MonkeyPatch, factors: Factors) -> None:
    """Far more keys than the first table has places, known and new ones mixed in every batch."""
    monkeypatch.setattr(kernel, "_FACTORS", factors)
    draw = np.random.default_rng(1)
    fast, known = Codes(), dict[int, int]()
    for among in (10, 500, 5_000, 5_000, 60_000, 60_000):
        batch = (draw.integers(0, among, 4_000) * 7_919).tolist()
        before = len(known)
        expected = [known.setdefault(key, len(known)) for key in batch]
        found, new = fast.of(_array(batch))
        assert found.tolist() == expected
        assert found[new].tolist() == list(range(before, len(known)))
        assert new.tolist() == sorted(new.tolist())
    assert len(fast) == len(known) > 9_000
    again, new = fast.of(_array(list(known)))
    assert again.tolist() == list(known.values())
    assert not len(new)


@pytest.mark.parametrize(
    ("batches", "codes", "new"),
    [
        ("", "", ""),
        ("7", "0", "0"),
        ("7 7 7", "0 0 0", "0"),
        ("7 8 7 9", "0 1 0 2", "0 1 3"),
        ("9 8 7", "0 1 2", "0 1 2"),  # by appearance, not by size
        ("7 8 | 8 9 7 9", "0 1 | 1 2 0 2", "0 1 | 1"),
        ("7 8 | 8 7", "0 1 | 1 0", "0 1 | "),
        ("7 |  | 8 7", "0 |  | 1 0", "0 |  | 0"),  # a batch of nothing
    ],
)
@every_factor
def test_codes_by_hand(
    monkeypatch: pytest.MonkeyPatch, batches: str, codes: str, new: str, factors: Factors
) -> None:
    """Keys, their codes, and the positions of the new ones; batches are parted by a stroke."""
    monkeypatch.setattr(kernel, "_FACTORS", factors)
    fast = Codes()
    found = [fast.of(_array([int(key) for key in batch.split()])) for batch in batches.split("|")]
    assert [one.tolist() for one, _ in found] == _numbers(codes)
    assert [where.tolist() for _, where in found] == _numbers(new)


def _numbers(text: str) -> list[list[int]]:
    return [[int(one) for one in part.split()] for part in text.split("|")]


def test_keys_are_left_as_they_were() -> None:
    batch = _array([5, 3, 5])
    Codes().of(batch)
    assert batch.tolist() == [5, 3, 5]
