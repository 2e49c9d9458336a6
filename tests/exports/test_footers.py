"""The number of rows in the footers of Parquet files, by several writers, and in damaged ones."""

from __future__ import annotations

import io
import random
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipeline.exports import DamagedParquet
from pipeline.exports.footers import rows_counted
from tests.exports.support import read


def _written(frame: pl.DataFrame, row_group_size: int | None = None) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file, row_group_size=row_group_size, metadata={"made by": "a test"})
    return file.getvalue()


@pytest.mark.parametrize("count", [0, 1, 63, 64, 127, 128, 20_000, 2_100_000])
def test_the_rows_that_were_written(count: int) -> None:
    frame = pl.select(key=pl.int_range(count))
    assert rows_counted(io.BytesIO(_written(frame))) == count
    assert rows_counted(io.BytesIO(_written(frame, row_group_size=7_001))) == count


def test_many_columns_of_many_types(tmp_path: Path) -> None:
    wide = pl.DataFrame({f"c{n}": ["x"] * 5 for n in range(300)})
    assert rows_counted(io.BytesIO(_written(wide))) == 5
    path = tmp_path / "x.parquet"
    columns = "n, n::decimal(20, 7) d, [n] l, {'a': n, 'b': 'x'} s, n % 2 = 0 b, now() t, uuid() u"
    duckdb.execute(f"copy (select {columns} from range(70000) r(n)) to '{path}'")  # noqa: S608
    with path.open("rb") as file:
        assert rows_counted(file) == 70_000


def test_a_footer_that_counts_more_rows_than_there_are(tmp_path: Path) -> None:
    """The number is changed in the footer's own field, not in those of the row groups."""
    path = tmp_path / "x.parquet"
    good = _written(pl.DataFrame({"key": [f"k{n}" for n in range(5_000)]}), row_group_size=1_000)
    number = bytes([0x16, 0x90, 0x4E])  # field, then 5000 in zigzag and sevens of bits
    assert good.count(number) == 1
    path.write_bytes(good.replace(number, bytes([0x16, 0x92, 0x4E])))
    with pytest.raises(DamagedParquet, match="it holds 5000 rows, its footer says 5001"):
        read(path)


def test_whatever_the_bytes_it_ends() -> None:
    good = _written(pl.DataFrame({"key": ["a", "b"], "n": [1, 2]}))
    chance = random.Random(5)
    for _ in range(3_000):
        data = bytearray(good)
        for _ in range(chance.randint(1, 5)):
            data[chance.randrange(len(data) - 600, len(data))] = chance.randrange(256)
        try:
            rows_counted(io.BytesIO(data))
        except (ValueError, IndexError):
            continue
