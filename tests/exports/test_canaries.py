"""What the libraries do that this package relies on, or guards against.

Each of these is a measured behaviour. Where one changes with an upgrade, the test fails, and the
code it names must be looked at again.
"""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal

import polars as pl
import pytest

from schemas.columns import QUANTITY


def _csv(block: bytes) -> list[tuple[str | None, ...]]:
    schema = {"a": pl.String, "b": pl.String}
    return pl.read_csv(block, has_header=False, schema=schema, infer_schema=False).rows()


def test_polars_rounds_decimals_and_takes_exponents_silently() -> None:
    """Why cells.EXACT comes before the cast."""
    cells = pl.Series(["1.0000005", "1e2", "1.", ".5", "1000000000000"])
    assert cells.cast(QUANTITY, strict=False).to_list() == [
        Decimal(1),
        Decimal(100),
        Decimal(1),
        Decimal("0.5"),
        None,
    ]


def test_polars_rounds_a_decimal_to_a_smaller_scale_silently() -> None:
    """Why physical.py compares afterwards; the comparison itself is exact."""
    cells = pl.Series([Decimal("1.1234565"), Decimal("1.5")], dtype=pl.Decimal(38, 10))
    cast = cells.cast(QUANTITY, strict=False)
    assert cast.to_list() == [Decimal("1.123456"), Decimal("1.5")]
    assert (cast == cells).to_list() == [False, True]


def test_polars_reads_dates_leniently() -> None:
    """Why cells.DAY comes before the date, and FIRST_DAY behind it."""
    cells = pl.Series(["2026-1-1", " 2026-01-01", "0000-01-01", "2026-02-30"])
    days = cells.str.to_date("%Y-%m-%d", strict=False)
    assert days.is_not_null().to_list() == [True, True, True, False]


def test_polars_takes_a_second_60() -> None:
    """Why instants.USUAL and FORMS count seconds to 59; the rest of the clock is judged."""
    cells = pl.Series(
        [
            "2026-02-28T23:59:60",
            "2026-02-28T24:00:00",
            "2026-02-28T23:60:00",
            "2026-02-30T00:00:00",
            "2026-13-01T00:00:00",
        ]
    )
    moments = cells.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    assert moments.is_not_null().to_list() == [True, False, False, False, False]


def test_polars_multiplication_wraps_around() -> None:
    """Why epoch milliseconds are judged before they are multiplied."""
    assert (pl.Series([2**62]) * 1000)[0] != 2**62 * 1000


def test_polars_drops_carriage_returns_and_byte_order_marks() -> None:
    """Why fast_block.py counts every byte."""
    assert _csv(b"1\r,2\n") == [("1", "2")]
    assert _csv(b"\xef\xbb\xbf1,2\n") == [("1", "2")]


def test_polars_drops_the_carriage_return_before_a_line_feed_and_no_other() -> None:
    """Why fast_block.py takes those from the sum of bytes."""
    assert _csv(b"1,2\r\n3,\r\n,\r\n4,5\n") == [("1", "2"), ("3", None), (None, None), ("4", "5")]
    assert _csv(b'"1","2"\r\n"3","4"\r\n') == [("1", "2"), ("3", "4")]
    assert _csv(b"1,2\r\r\n3,\r4\n") == [("1", "2\r"), ("3", "\r4")]


def test_polars_reinterprets_only_bytes_of_the_right_number() -> None:
    """What fixed_instants.py leaves to the general reading."""
    cells = pl.Series(["x" * 23, "x" * 24, "x" * 25, "x" * 22 + "é", "", None])
    words = cells.cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt64, 3), endianness="little")
    assert words.is_not_null().to_list() == [False, True, False, True, False, False]
    assert words[1].to_list() == [0x7878787878787878] * 3


def test_polars_makes_rows_of_blank_lines() -> None:
    """Why commas are counted."""
    assert _csv(b"1,2\n\n3,4\n") == [("1", "2"), (None, None), ("3", "4")]


def test_polars_keeps_texts_that_others_take_for_null_or_comment() -> None:
    assert _csv(b"NULL,NA\n#1, 2 \n") == [("NULL", "NA"), ("#1", " 2 ")]


@pytest.mark.parametrize("block", [b"1,\xff\n", b"1,\xed\xa0\x80\n", b"1,2\n3,4,5\n"])
def test_polars_refuses_wrong_bytes_and_long_rows(block: bytes) -> None:
    """Why fast_block.py need not look at them."""
    with pytest.raises(pl.exceptions.PolarsError):
        _csv(block)


def test_polars_fills_short_rows_silently() -> None:
    """Why commas are counted."""
    assert _csv(b"1,2\n3\n") == [("1", "2"), ("3", None)]


def test_polars_writes_null_and_empty_apart() -> None:
    """Why a block that is written back the same has no other reading."""
    frame = pl.DataFrame({"a": [None, "", 'x"', "\r"], "b": ["1", "2", "3", ","]})
    assert frame.write_csv(include_header=False) == ',1\n"",2\n"x""",3\n"\r",","\n'


def test_python_csv_raises_on_stray_quotes_and_open_ends() -> None:
    """What slow_rows.py takes for broken."""
    for text in ['"a"b,c\n', '"a,b\n', "a\rb,c\n"]:
        with pytest.raises(csv.Error):
            list(csv.reader([text], strict=True))
    assert list(csv.reader(['a"b,c\n', "\r\n"], strict=True)) == [['a"b', "c"], []]


def test_a_gzip_engine_that_does_not_check_would_be_noticed() -> None:
    """streams.py leaves unpacking to Python, since DuckDB does not look at the checksum."""
    data = bytearray(gzip.compress(b"key\na\n", mtime=0))
    data[-6] ^= 1
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(bytes(data))


def test_polars_makes_a_row_of_every_line_where_there_are_no_quotes() -> None:
    """Why fast_block.py need not count line feeds then."""
    schema = {"a": pl.String, "b": pl.String}
    block = b"1,'2\n3,4'\n5,\\\n6,7\n"
    frame = pl.read_csv(block, has_header=False, schema=schema, infer_schema=False, quote_char=None)
    assert frame.height == block.count(b"\n")
