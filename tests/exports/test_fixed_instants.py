"""Moments read by position: the same as the general reading says, byte by byte."""

from __future__ import annotations

import datetime as dt
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.exports.fixed_instants import fixed_instants
from pipeline.exports.instants import instants
from schemas.columns import INSTANT

SAMPLES = ["2026-10-25T12:34:56.789Z", "1999-12-31T23:59:59.999Z", "2024-02-29T00:00:00.000Z"]
DAY = 86_400_000


def _written(ms: pl.Expr, form: str = "%Y-%m-%dT%H:%M:%S%.3fZ") -> pl.DataFrame:
    moments = pl.select(moment=(ms * 1000).cast(INSTANT))
    return moments.with_columns(text=pl.col("moment").dt.to_string(form))


def _ms(moment: dt.datetime) -> int:
    return int(moment.replace(tzinfo=dt.UTC).timestamp()) * 1000


FIRST = _ms(dt.datetime(1900, 1, 1))
LAST = _ms(dt.datetime(9999, 12, 31))


@pytest.mark.parametrize(
    "ms",
    [
        pl.int_range(FIRST, LAST + 1, DAY),
        pl.int_range(FIRST + DAY - 1, LAST + DAY, DAY),
        pl.int_range(0, DAY, 997),
        pl.int_range(59_000, 61_000),
    ],
    ids=["every day", "every end of a day", "times of day", "every millisecond of some"],
)
def test_moments_that_were_written(ms: pl.Expr) -> None:
    frame = _written(ms)
    assert fixed_instants(frame["text"]).equals(frame["moment"])


FORMS = [
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S+00:00",
    "%Y-%m-%dT%H:%M:%S%.3f+00:00",
    "%Y-%m-%d %H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S%.3fZ",
    "%Y-%m-%d %H:%M:%S+00:00",
    "%Y-%m-%d %H:%M:%S%.3f+00:00",
]


@pytest.mark.parametrize("form", FORMS)
def test_other_ways_of_writing_the_form(form: str) -> None:
    step = 1 if "%.3f" in form else 1000
    frame = _written(pl.int_range(FIRST, FIRST + 90_000 * step, step), form)
    assert fixed_instants(frame["text"]).equals(frame["moment"])


@pytest.mark.parametrize("first", FORMS)
def test_ways_of_writing_beside_each_other(first: str) -> None:
    """The first text decides how the others are taken: they must come out right or not at all."""
    forms = [first, *FORMS, "%Y-%m-%dT%H:%M:%S%.3fZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S%.3f"]
    ends = ["", "Z", "ZZ", "+00:00", "+01:00", "-00:00", "+00:00Z", ".000Z", "0Z", " "]
    moment = pl.Series([1_792_931_696_789]).cast(pl.Datetime("ms", "UTC"))
    texts = [moment.dt.to_string(form).item() for form in forms]
    _agree(pl.Series([texts[0], *(text + end for text in texts for end in ends)]))


@pytest.mark.parametrize(
    "sample",
    [
        *SAMPLES,
        "2026-10-25T12:34:56Z",
        "2026-10-25 12:34:56.789+00:00",
        "2026-10-25T12:34:56+00:00",
    ],
)
def test_every_other_byte_in_every_place(sample: str) -> None:
    """One letter changed: read as a moment only where the general reading does, and as that one."""
    letters = [*map(chr, range(1, 128)), "é", "٣", "１", "−", "\U0001f600"]
    texts = [
        sample[:at] + letter + sample[at + 1 :] for at in range(len(sample)) for letter in letters
    ]
    _agree(pl.Series([sample, *texts]))


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_number_in_every_part(sample: str) -> None:
    pairs = [f"{number:02}" for number in range(100)]
    texts = [sample[:at] + pair + sample[at + 2 :] for at in range(23) for pair in pairs]
    texts += [f"{year:04}-02-29T00:00:00.000Z" for year in range(10_000)]
    texts += [f"2026-{pair}-{day}T00:00:00.000Z" for pair in pairs for day in pairs]
    _agree(pl.Series(texts))


def test_bytes_that_are_wrong_by_the_same_bit_or_carry_into_the_next() -> None:
    chance = random.Random(7)
    wrong = "/:?0@pP °²µ¹Z\x00\x01\x10\x7f"
    texts = []
    for _ in range(20_000):
        text = list(chance.choice(SAMPLES))
        for _ in range(chance.randint(1, 4)):
            text[chance.randrange(24)] = chance.choice(wrong)
        cut = "".join(text).encode()[:24].decode(errors="ignore")
        texts.append(cut)
    _agree(pl.Series(texts))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.sampled_from([*SAMPLES, "", "x" * 24])), max_size=20))
def test_nulls_and_other_texts_keep_their_places(texts: list[str | None]) -> None:
    _agree(pl.Series(texts, dtype=pl.String))


def test_more_rows_than_are_read_at_once() -> None:
    texts = [SAMPLES[n % 3] if n % 5 else None for n in range(20_011)]
    assert fixed_instants(pl.Series(texts)).equals(instants(pl.Series(texts)))


def _agree(texts: pl.Series) -> None:
    """Whatever is read is read as the general reading does; it reads more forms."""
    fixed, general = fixed_instants(texts), instants(texts)
    assert fixed.dtype == INSTANT and len(fixed) == len(texts)
    read = fixed.is_not_null()
    assert fixed.filter(read).equals(general.filter(read))
    form = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
    of_the_form = texts.str.contains(form).fill_null(False)
    if of_the_form.filter(texts.is_not_null()).head(1).any():
        assert fixed.filter(of_the_form).equals(general.filter(of_the_form))
