"""Parquet files: which types are read exactly, which are refused, and the same rows as from CSV."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.exports import (
    DamagedParquet,
    ExportError,
    MissingColumn,
    UnusableColumn,
    read_export,
    unknown_columns,
)
from tests.exports.support import HEADER, PROBE, read, save

UTC = dt.UTC
HUGE = [2**62, -(2**62), 2**63 - 1]


def _save(folder: Path, **columns: pl.Series) -> Path:
    path = folder / "x.parquet"
    height = max(len(series) for series in columns.values())
    key = pl.Series([f"k{n}" for n in range(height)])
    pl.DataFrame({"key": key, **columns}).write_parquet(path)
    return path


def _moments(unit: Any, zone: str | None, counts: list[int | None]) -> pl.Series:
    return (
        pl.Series(counts, dtype=pl.Int64)
        .to_frame("m")
        .select(pl.col("m").cast(pl.Datetime(unit, zone)))["m"]
    )


NOON = dt.datetime(2026, 10, 1, 12, tzinfo=UTC)
NOON_MS = 1_790_856_000_000
GOOD: list[tuple[str, pl.Series, list[Any]]] = [
    ("text", pl.Series(["a", "", None]), ["a", None, None]),
    ("text", pl.Series(["a", "b", "", None], dtype=pl.Categorical()), ["a", "b", None, None]),
    ("text", pl.Series(["a", None], dtype=pl.Enum(["a"])), ["a", None]),
    ("text", pl.Series([7, -1, None], dtype=pl.Int8), ["7", "-1", None]),
    ("text", pl.Series([2**64 - 1], dtype=pl.UInt64), [str(2**64 - 1)]),
    ("text", pl.Series([None, None], dtype=pl.Null), [None, None]),
    ("quantity", pl.Series(["1.5", "", "1e2"]), [Decimal("1.5"), None, None]),
    ("quantity", pl.Series(["1.5"], dtype=pl.Categorical()), [Decimal("1.5")]),
    ("quantity", pl.Series([1, 10**12 - 1, 10**12, 2**62]), [1, 10**12 - 1, None, None]),
    ("quantity", pl.Series([2**64 - 1, 3], dtype=pl.UInt64), [None, 3]),
    ("quantity", pl.Series([2**100, -3], dtype=pl.Int128), [None, -3]),
    (
        "quantity",
        pl.Series([Decimal("1.5"), Decimal("1.00000050"), None], dtype=pl.Decimal(38, 8)),
        [Decimal("1.5"), None, None],
    ),
    (
        "quantity",
        pl.Series([Decimal("1.5"), Decimal("0." + "0" * 29 + "1")], dtype=pl.Decimal(38, 30)),
        [Decimal("1.5"), None],
    ),
    (
        "quantity",
        pl.Series([Decimal(10) ** 37, Decimal(-5)], dtype=pl.Decimal(38, 0)),
        [None, Decimal(-5)],
    ),
    ("quantity", pl.Series([Decimal("1.25")], dtype=pl.Decimal(9, 2)), [Decimal("1.25")]),
    ("whole", pl.Series([2**63 - 1, -(2**63), None]), [2**63 - 1, -(2**63), None]),
    ("whole", pl.Series([2**63, 1], dtype=pl.UInt64), [None, 1]),
    ("whole", pl.Series(["12", "x"]), [12, None]),
    ("day", pl.Series([dt.date(2026, 10, 1), None]), [dt.date(2026, 10, 1), None]),
    (
        "day",
        _moments("ms", None, [0, 86_400_000, 1, -86_400_000, *HUGE]),
        [dt.date(1970, 1, 1), dt.date(1970, 1, 2), None, dt.date(1969, 12, 31), *[None] * 3],
    ),
    ("day", _moments("ns", "UTC", [0, 1, *HUGE]), [dt.date(1970, 1, 1), *[None] * 4]),
    ("day", pl.Series(["2026-10-01", "2026-10-1"]), [dt.date(2026, 10, 1), None]),
    ("moment", _moments("ms", None, [NOON_MS, *HUGE]), [NOON, *[None] * 3]),
    ("moment", _moments("us", "UTC", [NOON_MS * 1000, *HUGE]), [NOON, *[None] * 3]),
    (
        "moment",
        _moments("ns", "UTC", [NOON_MS * 1_000_000 + 999, -1]),
        [NOON, dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)],
    ),
    ("moment", _moments("ms", "Europe/Amsterdam", [NOON_MS, None]), [NOON, None]),
    ("moment", pl.Series([NOON_MS, *HUGE, None]), [NOON, *[None] * 4]),
    (
        "moment",
        pl.Series([2**64 - 1, 0], dtype=pl.UInt64),
        [None, dt.datetime(1970, 1, 1, 0, 0, 0, 0, UTC)],
    ),
    ("moment", pl.Series(["2026-10-01T14:00+02:00", "2026-10-01"]), [NOON, None]),
]


@pytest.mark.parametrize(("column", "cells", "values"), GOOD)
def test_types_that_are_read_exactly(
    tmp_path: Path, column: str, cells: pl.Series, values: list[Any]
) -> None:
    frame = read(_save(tmp_path, **{column: cells}))
    assert frame[column].to_list() == values
    for cell, value, defects in zip(
        cells.cast(pl.String, strict=False)
        if not cells.dtype.is_temporal()
        else cells.to_physical(),
        values,
        frame["defects"],
        strict=True,
    ):
        unreadable = value is None and cell not in {None, ""}
        assert (f"{column}_unreadable" in (defects or "")) == unreadable, cell


@pytest.mark.parametrize(
    ("column", "cells", "word"),
    [
        ("quantity", pl.Series([1.5]), "DECIMAL(18,6) or as text"),
        ("quantity", pl.Series([1.5], dtype=pl.Float32), "DECIMAL(18,6) or as text"),
        ("quantity", pl.Series([None], dtype=pl.Float64), "DECIMAL(18,6) or as text"),
        ("floor", pl.Series([True]), "DECIMAL"),
        ("text", pl.Series([b"x"]), "text"),
        ("text", pl.Series([1.5]), "text"),
        ("text", pl.Series([["x"]]), "text"),
        ("text", pl.Series([True]), "text"),
        ("whole", pl.Series([1.0]), "whole number"),
        ("whole", pl.Series([Decimal(1)]), "whole number"),
        ("day", pl.Series([20_000]), "DATE"),
        ("day", _moments("us", "Europe/Amsterdam", [0]), "DATE"),
        ("moment", pl.Series([dt.date(2026, 10, 1)]), "TIMESTAMP"),
        ("moment", pl.Series([1.79e12]), "TIMESTAMP"),
        ("moment", pl.Series([dt.time(1)]), "TIMESTAMP"),
    ],
)
def test_types_that_are_refused(tmp_path: Path, column: str, cells: pl.Series, word: str) -> None:
    path = _save(tmp_path, **{column: cells})
    with pytest.raises(UnusableColumn) as caught:
        next(read_export(path, PROBE))
    assert caught.value.where == f"{path}, column {column}"
    assert word in caught.value.remedy


def test_the_same_rows_as_from_csv(tmp_path: Path) -> None:
    body = [
        "a,x,1.5,1,2026-10-01,2026-10-01T00:00:00Z,blue,3",
        ",x,-1,x,2026-02-30,never,green,1e2",
        'c,"q""\n",x,,,,,',
        "d,,,5,,1790856000000,,",
        ",,,,,,,",
    ]
    by_csv = save(tmp_path / "x.csv", "\n".join([HEADER, *body, ""]))
    cells = pl.read_csv(by_csv, infer_schema=False)
    by_parquet = tmp_path / "x.parquet"
    cells.write_parquet(by_parquet)
    assert read(by_parquet).equals(read(by_csv))
    cells.with_columns(pl.all().fill_null("")).write_parquet(by_parquet)
    assert read(by_parquet).equals(read(by_csv))


def test_raw_shows_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pl.DataFrame(
        {
            "text": pl.Series(["é"]),
            "key": pl.Series([None], dtype=pl.String),
            "quantity": pl.Series([Decimal("1.5000000")], dtype=pl.Decimal(20, 7)),
            "whole": [3],
            "day": [dt.date(2026, 10, 1)],
            "moment": _moments("ns", "Europe/Amsterdam", [NOON_MS * 1_000_000]),
            "odd": _moments("us", None, [2**62]),
            "list": [["a", "b"]],
            "yes": [True],
            "bytes": [b"x"],
            "nothing": pl.Series([None], dtype=pl.Null),
            "^k.*$": ["z"],
        }
    ).write_parquet(path)
    frame = read(path)
    assert frame["defects"].to_list() == ["key_missing"]
    raw = json.loads(frame["raw"][0])
    assert raw["text"] == "é" and raw["key"] is None and raw["nothing"] is None
    assert raw["quantity"] == "1.5000000" and raw["whole"] == "3" and raw["day"] == "2026-10-01"
    assert raw["moment"].startswith("2026-10-01T12:00:00") and raw["odd"] == str(2**62)
    assert raw["yes"] == "true" and "a" in raw["list"] and raw["^k.*$"] == "z"
    assert unknown_columns(path, PROBE) == ["odd", "list", "yes", "bytes", "nothing", "^k.*$"]


def test_rows_keep_their_order_over_batches_and_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    count = 200_003
    key = pl.Series("key", [str(n) for n in range(count)])
    key.to_frame().with_columns(quantity=pl.lit(None, pl.Null)).write_parquet(
        path, row_group_size=7_001
    )
    frame = read(path, batch_rows=10_000)
    assert frame["row"].to_list() == list(range(1, count + 1))
    assert frame["key"].equals(key)


def test_a_file_of_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    PROBE.empty().write_parquet(path)
    assert read(path).height == 0


def test_the_header_is_judged_as_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pl.DataFrame({"Key": ["a"]}).write_parquet(path)
    with pytest.raises(MissingColumn, match="'Key'"):
        read(path)


@pytest.mark.parametrize("name", ["a[1].parquet", "a*.parquet", "a?'.parquet", "ü {x}.PARQUET"])
def test_names_that_others_take_for_patterns(tmp_path: Path, name: str) -> None:
    _save(tmp_path, text=pl.Series(["t"])).rename(tmp_path / name)
    assert read(tmp_path / name)["text"].to_list() == ["t"]


def test_files_that_are_damaged(tmp_path: Path) -> None:
    path = _save(tmp_path, text=pl.Series([f"t{n * 7919 % 10_007}" for n in range(50_000)]))
    good = path.read_bytes()
    cases = {
        "empty": b"",
        "only its mark": b"PAR1",
        "both marks": b"PAR1PAR1",
        "cut in half": good[: len(good) // 2],
        "one byte short": good[:-1],
        "without its beginning": good[4:],
        "text": b"key,text\na,b\n",
        "pages overwritten": good[:100] + b"\xff" * 60_000 + good[60_100:],
        "footer overwritten": good[:-400] + b"\xff" * 392 + good[-8:],
    }
    for case, data in cases.items():
        path.write_bytes(data)
        with pytest.raises(ExportError) as caught:
            read(path)
        assert type(caught.value) is DamagedParquet, case
        assert caught.value.where == str(path)
