"""Moments in the form that most exports write, `2026-10-01T12:34:56.789Z`, read by position.

Belongs here: that form; also with a space for the T, without the milliseconds, or with `+00:00` for
the Z, if the first text of a column is written so. Does not belong here: any other (`instants.py`),
to which whatever is not exactly of the form is left.

A text of 24 bytes is three words of eight, and what is to be done with a byte is done with all
eight of a word at once. Against the pattern of its word, a byte that should be a digit becomes that
digit, and one that should be a mark becomes 0, by an exclusive or: so everything else is something
else, and every byte is looked at.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.columns import INSTANT

Words = NDArray[np.uint64]

LENGTH = 24
_TO_SECONDS = len("2026-10-01T12:34:56")
_ROWS_AT_ONCE = 4_096
"""So that what is computed on the way stays in the cache."""


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_PATTERNS = (b"0000-00-", b"00T00:00", b":00.000Z")
_WITH_T = tuple(_word(pattern) for pattern in _PATTERNS)
_WITH_SPACE = tuple(_word(pattern.replace(b"T", b" ")) for pattern in _PATTERNS)
_TO_HIGH = tuple(
    _word(bytes(0x80 - (10 if byte == ord("0") else 1) for byte in pattern))
    for pattern in _PATTERNS
)
"""What lifts a byte to its highest bit, if it is more than a digit or a mark may be."""

_HIGH = _word(b"\x80" * 8)
_REST = _word(b"\x7f" * 8)

_FIRST_YEAR, _LAST_YEAR = 1900, 9999


def _calendar() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Days from 1970 to a month, and days of the month, by 16 * year + month; 0 for no month."""
    first, days = np.zeros((2, 16 * (_LAST_YEAR + 1)), np.int64)
    year = np.arange(_FIRST_YEAR, _LAST_YEAR + 1)
    for month in range(1, 13):
        at = (year - 1970) * 12 + month - 1
        start = at.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        end = (at + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        first[16 * year + month], days[16 * year + month] = start, end - start
    return first.view(np.uint64), days.view(np.uint64)


_FIRST_OF_MONTH, _DAYS_OF_MONTH = _calendar()


def fixed_instants(cells: pl.Series) -> pl.Series:
    """The moments that texts of the form name; null for any other text."""
    at = cells.is_not_null().arg_max()
    first = "" if at is None else cells[at] or ""
    separators = _WITH_SPACE if first[10:11] == " " else _WITH_T
    words = (
        _in_full(cells, first)
        .cast(pl.Binary)
        .bin.reinterpret(dtype=pl.Array(pl.UInt64, LENGTH // 8), endianness="little")
    )
    there = words.is_not_null().to_numpy()
    matrix = words.drop_nulls().to_numpy()
    counts = np.empty(len(matrix), np.int64)
    good = np.empty(len(matrix), np.bool_)
    for start in range(0, len(matrix), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        counts[part], good[part] = _micros(matrix[part], separators)
    return _series(cells.name, there, counts, good)


def _in_full(cells: pl.Series, first: str) -> pl.Series:
    """The texts with milliseconds and Z, if they are written as the first is.

    Where one has no zone to be replaced it is in UTC all the same; where it has another, or ends
    otherwise, it gets too long.
    """
    zone = "+00:00" if first.endswith("+00:00") else "Z"
    whole = len(first) - len(zone) == _TO_SECONDS
    if zone == "Z" and not whole:
        return cells
    return cells.str.strip_suffix(zone) + (".000Z" if whole else "Z")


def _series(
    name: str, there: NDArray[np.bool_], counts: NDArray[np.int64], good: NDArray[np.bool_]
) -> pl.Series:
    if not there.all():
        spread = np.zeros(len(there), np.int64)
        spread[there] = counts
        known = there.copy()
        known[there] = good
        counts, good = spread, known
    moments = pl.Series(name, counts).cast(INSTANT)
    return moments if good.all() else moments.set(pl.Series(~good), None)


def _micros(
    matrix: Words, separators: tuple[np.uint64, ...]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Microseconds since 1970 of texts as rows of words, and whether they are of the form."""
    words = [matrix[:, at] ^ separator for at, separator in enumerate(separators)]
    strange = np.zeros(len(matrix), np.uint64)
    for word, to_high in zip(words, _TO_HIGH, strict=True):
        strange |= word | ((word & _REST) + to_high)
    # Ten times a digit and the one behind it fit into a byte.
    date, clock, rest = (word * np.uint64(10) + (word >> np.uint64(8)) for word in words)
    year = _byte(date, 0) * np.uint64(100) + _byte(date, 2)
    month = _byte(date, 5)
    # Where bytes are strange the year and the month are any numbers.
    at = np.minimum(year * np.uint64(16) + month, np.uint64(_DAYS_OF_MONTH.size - 1)).view(np.int64)
    day = _byte(clock, 0) - np.uint64(1)  # day 0 becomes a number larger than any
    hour, minute, second = _byte(clock, 3), _byte(clock, 6), _byte(rest, 1)
    good = (strange & _HIGH) == 0
    good &= (month <= 12) & (day < _DAYS_OF_MONTH[at]) & (hour < 24) & (minute < 60) & (second < 60)
    seconds = (_FIRST_OF_MONTH[at] + day) * np.uint64(86_400)
    seconds += (hour * np.uint64(60) + minute) * np.uint64(60) + second
    millis = _byte(rest, 4) * np.uint64(10) + _byte(words[2], 6)
    micros = (seconds * np.uint64(1_000) + millis) * np.uint64(1_000)
    return micros.view(np.int64), good


def _byte(word: Words, at: int) -> Words:
    return (word >> np.uint64(8 * at)) & np.uint64(0xFF)
