"""Each kind of cell, by tables of examples and against Python's own decimal and datetime."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.exports.support import read_column

UTC = dt.UTC
FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

QUANTITIES: list[tuple[str, str | None]] = [
    ("", None),
    ("0", "0"),
    ("-0", "0"),
    ("1", "1"),
    ("+1.5", "1.5"),
    ("-0.000001", "-0.000001"),
    ("007.50", "7.5"),
    ("1.5000000", "1.5"),
    ("0000000000000000001.500000000000000", "1.5"),
    ("999999999999.999999", "999999999999.999999"),
    ("-999999999999.999999", "-999999999999.999999"),
    ("0999999999999.9999990", "999999999999.999999"),
    ("1000000000000", None),
    ("1.0000005", None),
    ("1.0000001", None),
    ("1e2", None),
    ("1E2", None),
    ("1.", None),
    (".5", None),
    ("1_0", None),
    (" 1", None),
    ("1 ", None),
    ("--1", None),
    ("+-1", None),
    ("0x1", None),
    ("NaN", None),
    ("inf", None),
    ("1.5.0", None),
    ("٣", None),
    ("１", None),
    ("−1", None),
    ("$1", None),
]

WHOLES: list[tuple[str, int | None]] = [
    ("", None),
    ("0", 0),
    ("+12", 12),
    ("-3", -3),
    ("007", 7),
    ("999999999999999999", 999999999999999999),
    ("9223372036854775808", None),
    ("18446744073709551617", None),
    ("1.0", None),
    ("1e3", None),
    ("٣", None),
    ("- 1", None),
]

DAYS: list[tuple[str, str | None]] = [
    ("", None),
    ("2026-10-25", "2026-10-25"),
    ("2024-02-29", "2024-02-29"),
    ("0001-01-01", "0001-01-01"),
    ("9999-12-31", "9999-12-31"),
    ("0000-01-01", None),
    ("2026-02-29", None),
    ("2026-1-1", None),
    ("2026-13-01", None),
    ("2026-00-10", None),
    ("2026-01-00", None),
    ("20261001", None),
    ("2026-10-01T00:00:00", None),
    (" 2026-10-01", None),
    ("26-10-01", None),
    ("01.10.2026", None),
    ("10/01/2026", None),
    ("٢٠٢٦-10-01", None),
]

MOMENTS: list[tuple[str, str | None]] = [
    ("", None),
    ("2026-10-01T12:34:56Z", "2026-10-01T12:34:56"),
    ("2026-10-01T12:34:56z", "2026-10-01T12:34:56"),
    ("2026-10-01T12:34:56", "2026-10-01T12:34:56"),
    ("2026-10-01 12:34:56", "2026-10-01T12:34:56"),
    ("2026-10-01T12:34", "2026-10-01T12:34:00"),
    ("2026-10-01 12:34Z", "2026-10-01T12:34:00"),
    ("2026-10-01T12:34:56.1Z", "2026-10-01T12:34:56.100000"),
    ("2026-10-01T12:34:56.123Z", "2026-10-01T12:34:56.123000"),
    ("20261001T123456Z", "2026-10-01T12:34:56"),
    ("20261001T1234", "2026-10-01T12:34:00"),
    ("20261001T123456.25+0200", "2026-10-01T10:34:56.250000"),
    ("20261001123456", "2612-01-18T07:52:03.456000"),
    ("2026-10-01T123456Z", None),
    ("20261001T12:34:56Z", None),
    ("202610-01T12:34:56Z", None),
    ("20261301T123456Z", None),
    ("2026-10-01T12:34:56.000001Z", "2026-10-01T12:34:56.000001"),
    ("2026-10-01T12:34:56.999999999Z", "2026-10-01T12:34:56.999999"),
    ("2026-10-01T12:34:56.999999999+00:00", "2026-10-01T12:34:56.999999"),
    ("1960-10-01T12:34:56.999999999Z", "1960-10-01T12:34:56.999999"),
    ("2026-10-01T12:34:56+02:00", "2026-10-01T10:34:56"),
    ("2026-10-01T12:34:56+0200", "2026-10-01T10:34:56"),
    ("2026-10-01T12:34:56+02", "2026-10-01T10:34:56"),
    ("2026-10-01T12:34+05:30", "2026-10-01T07:04:00"),
    ("2026-10-01T12:34:56.5-0330", "2026-10-01T16:04:56.500000"),
    ("2026-01-01T00:30+01:00", "2025-12-31T23:30:00"),
    ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00"),
    ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999"),
    ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00"),
    ("0", "1970-01-01T00:00:00"),
    ("1790851200000", "2026-10-01T10:40:00"),
    ("1790851200123", "2026-10-01T10:40:00.123000"),
    ("+1790851200123", "2026-10-01T10:40:00.123000"),
    ("-1", "1969-12-31T23:59:59.999000"),
    ("253402300799999", "9999-12-31T23:59:59.999000"),
    ("253402300800000", None),
    ("-2208988800001", None),
    ("9223372036854775", None),
    ("999999999999999999", None),
    ("9223372036854775807", None),
    ("99999999999999999999999", None),
    ("1790851200.5", None),
    ("1.79e12", None),
    ("2026-10-01", None),
    ("2026-10-01T", None),
    ("2026-10-01T12", None),
    ("2026-10-01T24:00:00Z", None),
    ("2026-10-01T24:00", None),
    ("2026-10-01T23:60:00Z", None),
    ("2026-10-01T23:59:60Z", None),
    ("2026-10-01T23:59:60", None),
    ("2026-02-29T00:00:00Z", None),
    ("2026-04-31T00:00:00", None),
    ("2026-13-01T00:00:00Z", None),
    ("2026-00-01T00:00:00Z", None),
    ("1899-12-31T23:59:59Z", None),
    ("0000-01-01T00:00:00Z", None),
    ("9999-12-31T23:59:59-01:00", None),
    ("2026-1-1T1:1:1Z", None),
    ("2026-10-01T12:34:56.Z", None),
    ("2026-10-01T12:34:56.1234567890Z", None),
    ("2026-10-01T12:34:56.5.5Z", None),
    ("2026-10-01T12:34.5Z", None),
    ("2026-10-01T12:34:56+24:00", None),
    ("2026-10-01T12:34:56+02:60", None),
    ("2026-10-01T12:34:56+2", None),
    ("2026-10-01T12:34:56ZZ", None),
    ("2026-10-01T12:34:56 Z", None),
    ("2026-10-01T12:34:56 UTC", None),
    ("2026-10-01T12:34:56 PM", None),
    ("2026-10-01_12:34:56Z", None),
    (" 2026-10-01T12:34:56Z", None),
    ("2026-10-01T12:34:56Z ", None),
    ("10000-01-01T00:00:00Z", None),
    ("2026-10-٠1T12:34:56Z", None),
    ("now", None),
]


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def test_quantities(tmp_path: Path) -> None:
    """Together in one column, so that the usual ones stand beside those that are not."""
    values = read_column(tmp_path, "quantity", [cell for cell, _ in QUANTITIES])
    assert values == [Decimal(value) if value else None for _, value in QUANTITIES]


def test_wholes(tmp_path: Path) -> None:
    """Whole numbers have no more than 18 digits, so that nothing can overflow."""
    values = read_column(tmp_path, "whole", [cell for cell, _ in WHOLES])
    assert values == [value for _, value in WHOLES]


def test_days(tmp_path: Path) -> None:
    """Days are written in full and are in the calendar."""
    values = read_column(tmp_path, "day", [cell for cell, _ in DAYS])
    assert values == [dt.date.fromisoformat(day) if day else None for _, day in DAYS]


def test_moments(tmp_path: Path) -> None:
    """All forms in one column."""
    values = read_column(tmp_path, "moment", [cell for cell, _ in MOMENTS])
    for (cell, expected), value in zip(MOMENTS, values, strict=True):
        assert value == _moment(expected), cell


@pytest.mark.parametrize(("cell", "expected"), MOMENTS)
def test_a_moment_alone(tmp_path: Path, cell: str, expected: str | None) -> None:
    """Each form in a file of its own: what stands beside a cell must not matter."""
    assert read_column(tmp_path, "moment", [cell]) == [_moment(expected)]


@pytest.mark.parametrize(("cell", "expected"), QUANTITIES)
def test_a_quantity_alone(tmp_path: Path, cell: str, expected: str | None) -> None:
    """Likewise."""
    assert read_column(tmp_path, "quantity", [cell]) == [Decimal(expected) if expected else None]


@FEW
@given(
    st.lists(
        st.one_of(
            st.decimals(min_value=-(10**12) + 1, max_value=10**12 - 1, places=6).map("{:f}".format),
            st.decimals(allow_nan=False, allow_infinity=False, places=9).map("{:f}".format),
            st.text("0123456789.+-eE_ ", max_size=24),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_quantities_as_decimal_reads_them(tmp_path: Path, cells: list[str]) -> None:
    """Read if it is a plain decimal that fits, and then exactly that number."""

    def expected(cell: str) -> Decimal | None:
        if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", cell):
            return None
        value = Decimal(cell)
        fits = abs(value) < 10**12 and value == round(value, 6)
        return value if fits else None

    assert read_column(tmp_path, "quantity", cells) == [expected(cell) for cell in cells]


@FEW
@given(
    st.lists(
        st.tuples(
            st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(9998, 1, 1)),
            st.integers(-23 * 60, 23 * 60),
            st.sampled_from(["T", " "]),
            st.sampled_from(["auto", "minutes", "seconds", "milliseconds", "microseconds"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_moments_as_datetime_reads_them(
    tmp_path: Path, moments: list[tuple[dt.datetime, int, str, str, bool]]
) -> None:
    """Whatever Python writes in ISO 8601 is read as the moment Python reads from it."""
    cells = []
    for moment, offset, mark, precision, utc in moments:
        zone = UTC if utc else dt.timezone(dt.timedelta(minutes=offset))
        text = moment.replace(tzinfo=zone).isoformat(mark, precision)
        cells.append(text.replace("+00:00", "Z"))
    expected = [dt.datetime.fromisoformat(cell).astimezone(UTC) for cell in cells]
    assert read_column(tmp_path, "moment", cells) == expected


@FEW
@given(st.lists(st.text("0123456789-", min_size=8, max_size=11), min_size=1, max_size=40))
def test_days_as_date_reads_them(tmp_path: Path, cells: list[str]) -> None:
    """A day is what Python takes for one, in the long form only."""

    def expected(cell: str) -> dt.date | None:
        try:
            return dt.datetime.strptime(cell, "%Y-%m-%d").date() if len(cell) == 10 else None
        except ValueError:
            return None

    assert read_column(tmp_path, "day", cells) == [expected(cell) for cell in cells]
