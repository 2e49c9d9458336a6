"""Codes stand for texts, whatever the hash does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.measures.arrays import Codes32, Ints
from pipeline.store.dictionary import Dictionary

Text = str | None
Row = tuple[Text, Text]
Within = tuple[int, Row]
Hash = Callable[[Dictionary, pl.DataFrame, list[str], Codes32], Ints]

COLUMNS = ["one", "other"]

whole: Hash = Dictionary._keys


def constant(_: Dictionary, texts: pl.DataFrame, *__: object) -> Ints:
    """All texts share one hash."""
    return np.full(len(texts), 7, np.int64)


def tiny(of: Dictionary, texts: pl.DataFrame, varying: list[str], within: Codes32) -> Ints:
    """Many texts share each of three hashes."""
    return whole(of, texts, varying, within) % 3


def by_first_letter(_: Dictionary, texts: pl.DataFrame, *__: object) -> Ints:
    """Those share a hash that begin alike."""
    letters = texts["one"].fill_null("?").str.slice(0, 1).to_list()
    return np.array([ord(letter) if letter else 0 for letter in letters], np.int64)


HASHES = [whole, constant, tiny, by_first_letter]

texts_or_null = st.sampled_from([None, "", "a", "ab", "b", "é", "\U0001f4de", "a" * 40, "null"])
rows_of_texts = st.lists(st.tuples(texts_or_null, texts_or_null), max_size=12)


def _frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


def _assert_exact(batches: list[list[Row]]) -> Dictionary:
    """Every row maps back to its texts, codes are dense, and stay what they were."""
    dictionary = Dictionary(COLUMNS)
    given_before: dict[Row, int] = {}
    for rows in batches:
        codes = dictionary.codes_of(_frame(rows))
        assert codes.dtype == np.int32
        assert dictionary.rows[codes].rows() == rows
        for row, code in zip(rows, codes.tolist(), strict=True):
            assert given_before.setdefault(row, code) == code, "a text keeps its code"
    assert sorted(given_before.values()) == list(range(len(dictionary.rows)))
    assert len(set(given_before.values())) == len(given_before), "no two texts share a code"
    return dictionary


@pytest.mark.parametrize("hashed", HASHES)
@settings(max_examples=40, deadline=None)
@given(batches=st.lists(rows_of_texts, max_size=5))
def test_codes_map_back_to_the_texts_over_several_batches(
    hashed: Hash, batches: list[list[Row]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dictionary, "_keys", hashed)
        _assert_exact(batches)


@pytest.mark.parametrize("hashed", HASHES)
def test_nothing_and_an_empty_text_are_two_different_texts(
    monkeypatch: pytest.MonkeyPatch, hashed: Hash
) -> None:
    monkeypatch.setattr(Dictionary, "_keys", hashed)
    rows: list[Row] = [(None, ""), ("", None), ("", ""), (None, None), (None, "")]
    assert len(_assert_exact([rows]).rows) == 4
    assert len(_assert_exact([rows[:1], rows[1:2], rows[2:]]).rows) == 4


@pytest.mark.parametrize("hashed", HASHES)
@pytest.mark.parametrize("always", [None, "", "cloud"])
def test_a_column_that_never_varies_within_a_batch_is_told_from_another_batchs(
    monkeypatch: pytest.MonkeyPatch, hashed: Hash, always: Text
) -> None:
    """As the column of a default does: it is looked at once a batch."""
    monkeypatch.setattr(Dictionary, "_keys", hashed)
    batches: list[list[Row]] = [
        [("a", always), ("b", always), ("a", always)],
        [("a", "else"), ("b", "else")],
        [("b", always), ("c", always)],
        [("a", always), ("a", "else"), ("c", always)],
        [(always, always)] * 3,
        [("c", "else")],
    ]
    _assert_exact(batches)


def test_the_order_of_columns_tells_texts_apart() -> None:
    rows: list[Row] = [("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"), ("a", "a"), ("b", "b")]
    assert len(_assert_exact([rows]).rows) == 6


def test_a_sound_hash_numbers_texts_in_order_of_first_appearance() -> None:
    dictionary = Dictionary(COLUMNS)
    assert dictionary.codes_of(_frame([("b", "x"), ("a", "x"), ("b", "x")])).tolist() == [0, 1, 0]
    assert dictionary.codes_of(_frame([("c", "x"), ("a", "x")])).tolist() == [2, 1]
    assert dictionary.rows.rows() == [("b", "x"), ("a", "x"), ("c", "x")]


def test_other_columns_of_the_rows_do_not_count() -> None:
    dictionary = Dictionary(["one"])
    rows = pl.DataFrame({"more": [1, 2, 3], "one": ["a", "a", "b"]})
    assert dictionary.codes_of(rows).tolist() == [0, 0, 1]
    assert dictionary.rows.columns == ["one"]


def test_nothing_asked_is_nothing_kept() -> None:
    dictionary = Dictionary(COLUMNS)
    assert dictionary.codes_of(_frame([])).tolist() == []
    assert dictionary.rows.rows() == []


@pytest.mark.parametrize("hashed", [whole, tiny])
def test_thousands_of_texts_in_many_batches(monkeypatch: pytest.MonkeyPatch, hashed: Hash) -> None:
    monkeypatch.setattr(Dictionary, "_keys", hashed)
    count = 5_000 if hashed is whole else 200
    rows: list[Row] = [(f"tenant-{number % 50}", f"user-{number}") for number in range(count)]
    dictionary = _assert_exact([rows[start : start + 700] for start in range(0, count, 350)])
    assert len(dictionary.rows) == count


@pytest.mark.parametrize("hashed", HASHES)
@settings(max_examples=40, deadline=None)
@given(
    batches=st.lists(
        st.lists(
            st.tuples(st.integers(0, 3), st.tuples(texts_or_null, texts_or_null)), max_size=12
        ),
        max_size=5,
    )
)
def test_equal_texts_within_different_things_are_different_rows(
    hashed: Hash, batches: list[list[Within]]
) -> None:
    """As two tenants may each have a user of one name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dictionary, "_keys", hashed)
        dictionary, given_before = Dictionary(COLUMNS), dict[Within, int]()
        for rows in batches:
            within = np.array([outer for outer, _ in rows], np.int32)
            codes = dictionary.codes_of(_frame([row for _, row in rows]), within)
            there = zip(
                dictionary.within[codes].tolist(), dictionary.rows[codes].rows(), strict=True
            )
            assert list(there) == rows
            for row, code in zip(rows, codes.tolist(), strict=True):
                assert given_before.setdefault(row, code) == code, "a row keeps its code"
        assert sorted(given_before.values()) == list(range(len(dictionary.rows)))


@pytest.mark.parametrize("hashed", HASHES)
@settings(max_examples=40, deadline=None)
@given(first=rows_of_texts, second=rows_of_texts)
def test_a_dictionary_made_of_anothers_rows_gives_the_same_codes(
    hashed: Hash, first: list[Row], second: list[Row]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dictionary, "_keys", hashed)
        one = Dictionary(COLUMNS)
        codes = one.codes_of(_frame(first))
        other = Dictionary.of(one.rows)
        assert other.codes_of(_frame(first)).tolist() == codes.tolist()
        assert other.codes_of(_frame(second)).tolist() == one.codes_of(_frame(second)).tolist()
        assert other.rows.equals(one.rows)
