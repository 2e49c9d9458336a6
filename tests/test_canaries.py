"""What the libraries do that the pipeline relies on.

Each of these is a measured behaviour. Where one changes with an upgrade, the test fails, and the
code it names must be looked at again. Those of reading files stand in `tests/exports`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import numpy as np
import pandera.polars as pa
import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pandera.errors import SchemaError, SchemaErrors

from schemas.columns import INSTANT, MONEY, QUANTITY

MICRO = Decimal("0.000001")


def test_a_text_outside_an_enum_casts_to_null_and_others_to_their_position() -> None:
    """lookup.code_of."""
    cast = pl.Series(["b", "a", "?", None, ""]).cast(pl.Enum(["a", "b"]), strict=False)
    assert cast.to_physical().to_list() == [1, 0, None, None, None]


def test_an_instant_is_microseconds_since_1970() -> None:
    """usage_writer, lookup.rules_broken; and back, in rows.in_words and month."""
    when = pl.Series([datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)], dtype=pl.Datetime("us", "UTC"))
    assert when.to_physical().to_list() == [1_000_001]
    assert pl.Series([1_000_001]).cast(pl.Datetime("us", "UTC")).to_list() == when.to_list()


def test_a_sum_of_decimals_is_exact_and_widens() -> None:
    """usage_writer._sum, invoice: neither floats nor the 18 digits of one quantity."""
    cells = pl.Series([Decimal("999999999999.999999")] * 1000 + [MICRO], dtype=QUANTITY)
    assert cells.sum() == Decimal("999999999999999.999001")
    summed = pl.DataFrame({"k": [1] * 1001, "q": cells}).group_by("k").agg(pl.col("q").sum())
    assert summed["q"].to_list() == [Decimal("999999999999999.999001")]
    assert summed.schema["q"] == MONEY


def test_a_sum_of_a_million_small_decimals_loses_nothing() -> None:
    assert pl.repeat(MICRO, 1_000_000, dtype=QUANTITY, eager=True).sum() == 1


def test_a_sum_of_no_decimals_is_0_and_nulls_are_skipped() -> None:
    """usage_writer._sum and controls.total."""
    assert pl.Series([], dtype=QUANTITY).sum() == 0
    assert pl.Series([None, Decimal(2)], dtype=MONEY).sum() == 2


def test_structs_are_equal_where_their_nulls_are() -> None:
    """events.replaced compares what rows say in one go."""
    frame = pl.DataFrame(
        {"k": [1, 1, 1], "a": [None, "x", None], "b": [Decimal("1.5")] * 3},
        schema_overrides={"b": QUANTITY},
    )
    content = pl.struct("a", "b")
    same = frame.select(content == content.last().over("k")).to_series()
    assert same.to_list() == [True, False, True]


def test_over_takes_the_last_row_in_the_order_of_the_frame() -> None:
    """events.replaced, after its sort."""
    frame = pl.DataFrame({"k": [2, 1, 2, 1], "at": [0, 1, 2, 3]})
    assert frame.select(pl.col("at").last().over("k")).to_series().to_list() == [2, 3, 2, 3]


def test_every_one_of_equal_values_is_duplicated() -> None:
    """terms_rules, the repeated keys of terms: nulls are equal there."""
    assert pl.Series(["a", "b", "a", None]).is_duplicated().to_list() == [True, False, True, False]
    keys = pl.DataFrame({"a": [1, 1, None, None], "b": [None, None, 2, 3]})
    found = keys.select(pl.struct("a", "b").is_duplicated()).to_series()
    assert found.to_list() == [True, True, False, False]


def test_equal_texts_hash_equally_within_a_process() -> None:
    """usage_writer and dictionary: whatever chunk, slice or batch a text came in."""
    one, other = pl.Series(["x", "same", "a longer text than 12 bytes"]), pl.Series(["same"])
    joined = pl.concat([other, one], rechunk=False)
    assert joined.n_chunks() == 2
    hashes = joined.to_frame("v").select(pl.col("v").hash(seed=1)).to_series()
    assert hashes[0] == hashes[2] == other.hash(seed=1)[0]
    assert hashes.n_unique() == 3
    assert hashes[3] == pl.Series(["a longer text than 12 bytes"]).hash(seed=1)[0]
    assert joined[1:3].hash(seed=1).to_list() == hashes[1:3].to_list()
    assert joined.rechunk().hash(seed=1).to_list() == hashes.to_list()


def test_equal_texts_hash_equally_in_every_process() -> None:
    """usage_writer: the exports of one night are looked for among those of others."""
    words = "import polars as pl; print(pl.Series(['e1', 'é' * 30]).hash(seed=1).to_list())"
    other = subprocess.run([sys.executable, "-c", words], capture_output=True, check=True).stdout
    assert json.loads(other) == pl.Series(["e1", "é" * 30]).hash(seed=1).to_list()


@pytest.mark.parametrize("texts", [["abc", "def"], ["é", "ab", "ü"], ["x" * 99] * 3, ["a"]])
def test_texts_of_equal_length_are_their_bytes_in_order(texts: list[str]) -> None:
    """usage_writer.EventsWriter; also of several chunks, and of a slice."""
    wanted = [list(text.encode()) for text in texts]
    width = len(wanted[0])

    def as_bytes(series: pl.Series) -> list[list[int]]:
        cells = series.cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt8, width))
        found: list[list[int]] = cells.to_numpy().tolist()
        return found

    series = pl.Series(texts)
    assert as_bytes(series) == wanted
    assert as_bytes(pl.concat([series, series], rechunk=False)) == wanted * 2
    assert as_bytes(pl.concat([series, series])[1:-1]) == (wanted * 2)[1:-1]


def test_rows_of_bytes_are_texts_with_the_zeros_at_their_end() -> None:
    """usage.LandedUsage.event_ids."""
    rows = np.frombuffer(b"ab\0c\0\0", np.uint8).reshape(-1, 3)
    assert rows[np.array([1, 0])].view("V3")[:, 0].tolist() == [b"c\0\0", b"ab\0"]


def test_rows_of_bytes_are_the_same_where_all_their_bytes_are() -> None:
    """events._events, also where some are objects, as those of different lengths are."""
    rows = np.frombuffer(b"ab\0abcab\0", np.uint8).reshape(-1, 3).view("V3")[:, 0]
    assert (rows == rows[[0, 0, 0]]).tolist() == [True, False, True]
    objects = np.array([b"ab", b"abc", b"ab"], object)
    assert (objects == objects[[0, 0, 0]]).tolist() == [True, False, True]


def test_a_stream_of_arrow_is_the_frame_it_was() -> None:
    """WorkStore keeps frames so, since files of Arrow take forty times as long to open."""
    frame = pl.DataFrame(
        {
            "money": pl.Series([None, "1.000001"]).cast(MONEY),
            "at": pl.Series([0, None]).cast(INSTANT),
            "text": ["é", None],
            "days": pl.Series([1, 1 << 31], dtype=pl.UInt32),
        }
    )
    for rows in (frame, frame.clear()):
        stream = BytesIO()
        rows.write_ipc_stream(stream)
        read = pl.read_ipc_stream(BytesIO(stream.getvalue()))
        assert read.equals(rows)
        assert read.schema == rows.schema


def test_a_decimal_is_a_whole_number_of_millionths() -> None:
    """usage_writer: quantities are landed as such."""
    cells = pl.Series(["999999999999.999999", "-0.000001", None]).cast(QUANTITY)
    millionths = cells.to_physical().cast(pl.Int64)
    assert millionths.to_list() == [999_999_999_999_999_999, -1, None]


def test_replace_strict_takes_a_default_and_raises_without_one() -> None:
    """conclude._file, rows.BucketRows, usage.slots_of."""
    codes = pl.Series([0, 1])
    named = codes.to_frame("c").select(
        pl.col("c").replace_strict(range(2), ["a", "b"], return_dtype=pl.String)
    )
    assert named["c"].to_list() == ["a", "b"]
    with pytest.raises(pl.exceptions.InvalidOperationError, match="incomplete mapping"):
        codes.replace_strict([0], ["a"], return_dtype=pl.String)
    slots = pl.Series(["x", None]).replace_strict(["x"], [7], default=0, return_dtype=pl.UInt8)
    assert slots.to_list() == [7, 0]
    assert slots.dtype == pl.UInt8


def test_a_left_join_keeps_the_order_of_the_left_if_told() -> None:
    """kinds._book_users takes the answers by position."""
    left = pl.DataFrame({"k": [f"{n % 7}" for n in range(1000)]})
    right = pl.DataFrame({"k": [f"{n}" for n in range(6)]}).with_row_index("v")
    found = left.join(right, on="k", how="left", maintain_order="left")["v"]
    assert found.to_list() == [n % 7 if n % 7 < 6 else None for n in range(1000)]


def test_the_first_of_each_key_is_kept_in_order() -> None:
    """month.Month: where each user was seen first, after a sort."""
    frame = pl.DataFrame({"k": [1, 2, 1, 2], "v": ["a", "b", "c", "d"]})
    kept = frame.unique("k", keep="first", maintain_order=True)
    assert kept.rows() == [(1, "a"), (2, "b")]


def test_days_as_bits_are_joined_by_or_and_the_first_is_the_lowest() -> None:
    """seen.together, month.Month."""
    frame = pl.DataFrame({"k": [1, 1, 2], "v": [1 << 31, 6, 8]}, schema_overrides={"v": pl.UInt32})
    joined = frame.group_by("k").agg(pl.col("v").bitwise_or()).sort("k")["v"]
    assert joined.to_list() == [(1 << 31) | 6, 8]
    assert joined.bitwise_trailing_zeros().to_list() == [1, 3]


def test_texts_are_joined_without_the_nulls() -> None:
    """lookup.rules_broken."""
    frame = pl.DataFrame({"a": ["x", None, None], "b": ["y", "y", None]})
    joined = frame.select(pl.concat_str("a", "b", separator=";", ignore_nulls=True)).to_series()
    assert joined.to_list() == ["x;y", "y", ""]


def test_a_comparison_with_null_is_neither_true_nor_false() -> None:
    """Rule.broken: what cannot be judged is not broken."""
    frame = pl.DataFrame({"a": [None, "x", "?"]})
    assert frame.select(~pl.col("a").is_in(["x"])).to_series().to_list() == [None, False, True]


def test_a_delta_overwrite_replaces_what_its_predicate_names_and_nothing_else(
    tmp_path: Path,
) -> None:
    """results.ResultStore.write."""

    def rows(*of: tuple[str, str, int]) -> pl.DataFrame:
        return pl.DataFrame(of, schema=["billing_period", "part", "v"], orient="row")

    path = str(tmp_path / "t")
    by = {"partition_by": ["billing_period", "part"]}
    rows(("2026-10", "a", 1), ("2026-10", "b", 2), ("2026-11", "a", 3)).write_delta(
        path, delta_write_options=by
    )
    predicate = "billing_period = '2026-10' AND part IN ('a', 'c')"
    rows(("2026-10", "a", 4)).write_delta(
        path, mode="overwrite", delta_write_options={**by, "predicate": predicate}
    )
    assert sorted(pl.read_delta(path).rows()) == [
        ("2026-10", "a", 4),
        ("2026-10", "b", 2),
        ("2026-11", "a", 3),
    ]
    with pytest.raises(DeltaError, match="failed validation check"):
        rows(("2026-11", "a", 5)).write_delta(
            path, mode="overwrite", delta_write_options={**by, "predicate": predicate}
        )
    assert ("2026-11", "a", 3) in pl.read_delta(path).rows()


def test_the_log_of_a_delta_table_names_the_files_that_count_by_partition(tmp_path: Path) -> None:
    """results.ResultStore reads these files, whose names are quoted as in a web address."""
    path = tmp_path / "a b"
    by = {"partition_by": ["part"]}
    for value in (1, 2):
        frame = pl.DataFrame({"part": ["x y", "z"], "v": [value, value]})
        frame.write_delta(str(path), mode="overwrite", delta_write_options=by)
    log = pl.DataFrame(DeltaTable(str(path)).get_add_actions(flatten=True))
    assert sorted(log["partition.part"]) == ["x y", "z"]
    for part, name in log.select("partition.part", "path").iter_rows():
        frame = pl.read_parquet(path / unquote(name), glob=False, columns=["v"])
        assert frame.rows() == [(2,)], part


def test_delta_keeps_decimals_instants_and_dates_as_they_are(tmp_path: Path) -> None:
    """results.ResultStore: what is read is what was written."""
    frame = pl.DataFrame(
        {
            "m": [Decimal("12345678901234567890123456789012.000001"), None],
            "at": [datetime(2026, 10, 1, 0, 0, 0, 1, tzinfo=UTC), None],
            "day": [date(1, 1, 1), date(9999, 12, 31)],
        },
        schema={"m": MONEY, "at": pl.Datetime("us", "UTC"), "day": pl.Date},
    )
    frame.write_delta(str(tmp_path / "t"))
    read = pl.read_delta(str(tmp_path / "t"))
    assert read.equals(frame)
    assert read.schema == frame.schema


@pytest.mark.parametrize("dtype", [pl.Decimal(38, 2), pl.Decimal(18, 6), pl.Float64(), pl.Int64()])
def test_pandera_refuses_other_decimals_and_floats(dtype: pl.DataType) -> None:
    """checks.assert_dataset: nothing is coerced."""
    schema = pa.DataFrameSchema({"m": pa.Column(MONEY)}, coerce=False)
    schema.validate(pl.DataFrame({"m": [Decimal("1.5")]}, schema={"m": MONEY}))
    with pytest.raises(SchemaError):
        schema.validate(pl.DataFrame({"m": pl.Series([1], dtype=dtype)}))


def test_pandera_does_not_look_at_the_data_of_a_lazy_frame() -> None:
    """Why checks.py takes collected frames."""
    schema = pa.DataFrameSchema({"a": pa.Column(pl.String, pa.Check.isin(["x"]))})
    wrong = pl.DataFrame({"a": ["?"]})
    schema.validate(wrong.lazy()).collect()
    with pytest.raises(SchemaError):
        schema.validate(wrong)


def test_pandera_tells_every_failing_row_of_every_check_with_its_position() -> None:
    """checks.broken_rows."""
    checks = [
        pa.Check(lambda data: data.lazyframe.select(pl.col("a") > 0), name="up", error="up"),
        pa.Check(lambda data: data.lazyframe.select(pl.col("a") < 9), name="low", error="low"),
    ]
    schema = pa.DataFrameSchema({"a": pa.Column(pl.Int64, nullable=True)}, checks=checks)
    with pytest.raises(SchemaErrors) as failures:
        schema.validate(pl.DataFrame({"a": [5, 0, 9, -1]}), lazy=True)
    cases = failures.value.failure_cases
    assert sorted(cases.select("check", "index").rows()) == [("low", 2), ("up", 1), ("up", 3)]


def test_searchsorted_left_is_before_equals_and_right_behind_them() -> None:
    """peak.peaks, codes and timeline."""
    keys = np.array([1, 3, 3, 5])
    assert np.searchsorted(keys, [3, 4]).tolist() == [1, 3]
    assert np.searchsorted(keys, [3, 4, 0], side="right").tolist() == [3, 3, 0]


def test_reduceat_does_not_know_empty_slices() -> None:
    """Why peak.peaks leaves out stretches without endpoints: they would take another's value."""
    values = np.array([5, 1, 7, 2])
    assert np.maximum.reduceat(values, [0, 1, 1, 3]).tolist() == [5, 1, 7, 2]
    assert np.maximum.reduceat(values, [0, 2]).tolist() == [5, 7]
    with pytest.raises(IndexError):
        np.maximum.reduceat(values, [0, 4])


def test_numpy_finds_the_first_of_equals_and_selects_the_first_that_holds() -> None:
    """codes.Codes and split.owners."""
    values, where = np.unique(np.array([3, 1, 3, 1]), return_index=True)
    assert (values.tolist(), where.tolist()) == ([1, 3], [1, 0])
    yes, no = np.array([True]), np.array([False])
    assert np.select([no, yes, yes], [1, 2, 3], 4).tolist() == [2]
    assert np.select([no], [1], 4).tolist() == [4]


def test_numpy_looks_up_minus_one_from_the_end() -> None:
    """book: arrays by tenant or meter end with what holds for an unknown one."""
    assert np.array([10, 20, 30])[np.array([-1, 0])].tolist() == [30, 10]
    assert np.bincount(np.array([1, 1]), minlength=4).tolist() == [0, 2, 0, 0]
    at = np.full(2, 9)
    np.minimum.at(at, np.array([0, 0]), np.array([5, 3]))
    assert at.tolist() == [3, 9]


def test_numpy_sorts_sixteen_bits_stably() -> None:
    """usage_writer._in_cells: rows of one day and slot stay in the order in which they came."""
    cells = np.random.default_rng(1).integers(0, 50, 20_000).astype(np.uint16)
    order = np.argsort(cells, kind="stable").tolist()
    assert order == sorted(range(len(cells)), key=cells.tolist().__getitem__)


@pytest.mark.parametrize("quantity", [0, 1, -1, 2**32 - 1, 2**32, -(2**32), 10**18 - 1, 1 - 10**18])
def test_the_halves_of_a_quantity_put_together_are_the_quantity(quantity: int) -> None:
    """meter._sums, and month._quantities: also of a negative one, and of many of them."""
    many = np.full(1_000, quantity)
    high, low = int((many >> 32).sum()), int((many & (2**32 - 1)).sum())
    assert (high << 32) + low == 1_000 * quantity


def test_numpy_adds_where_positions_repeat_and_exactly() -> None:
    """meter._sums, fates._summed, bucket.buckets: beyond what a float can tell apart."""
    sums = np.zeros(3, np.int64)
    np.add.at(sums, np.array([0, 2, 0, 2, 0]), np.array([2**53, -1, 1, -(2**60), 1]))
    assert sums.tolist() == [2**53 + 2, 0, -(2**60) - 1]
    table = np.zeros((2, 2), np.int64)
    np.add.at(table, (np.array([0, 0, 1]), np.array([1, 1, 0])), np.array([2**53, 1, 5]))
    assert table.tolist() == [[0, 2**53 + 1], [5, 0]]


def test_numpy_integers_wrap_without_a_word() -> None:
    """Why the measures assert how large their codes and times may be."""
    assert (np.array([2**20 - 1, 2**20]) << 43 > 0).tolist() == [True, False]


def test_a_path_with_brackets_is_itself_where_globbing_is_off(tmp_path: Path) -> None:
    """Landing and usage, results: whatever the store is called."""
    folder = tmp_path / "store [1]"
    folder.mkdir()
    pl.DataFrame({"a": [1]}).write_parquet(folder / "x*.parquet")
    path = folder / "x*.parquet"
    assert pl.scan_parquet(path, glob=False).collect().rows() == [(1,)]
    assert pl.read_parquet(path, glob=False).rows() == [(1,)]


def test_a_range_is_filtered_exactly_however_row_groups_fall(tmp_path: Path) -> None:
    """usage.LandedUsage: the words of a bucket's slots, in order."""
    frame = pl.DataFrame({"slot": [n // 10 for n in range(1000)]}, schema={"slot": pl.UInt8})
    frame.write_parquet(tmp_path / "c.parquet", row_group_size=64, statistics=True)
    found = pl.scan_parquet(tmp_path / "c.parquet", glob=False).filter(
        pl.col("slot").is_between(3, 5)
    )
    assert found.collect()["slot"].to_list() == [n // 10 for n in range(30, 60)]


@pytest.mark.parametrize(
    ("zone", "local", "begins"),
    [
        # In a gap: the offset before it, so the instant of the jump.
        ("Africa/Cairo", datetime(2026, 4, 24), datetime(2026, 4, 23, 22)),
        ("Pacific/Apia", datetime(2011, 12, 30), datetime(2011, 12, 30, 10)),
        # Twice: fold 0 is the first.
        ("America/Havana", datetime(2026, 11, 1), datetime(2026, 11, 1, 4)),
    ],
)
def test_zoneinfo_takes_the_offset_before_a_change(
    zone: str, local: datetime, begins: datetime
) -> None:
    """period.midnight."""
    aware = local.replace(tzinfo=ZoneInfo(zone))
    assert aware.astimezone(UTC).replace(tzinfo=None) == begins


def test_python_subtracts_clocks_within_a_zone_and_instants_across() -> None:
    """Why period.instant goes to UTC first: October 2026 in Amsterdam has 745 hours."""
    zone = ZoneInfo("Europe/Amsterdam")
    first, after = datetime(2026, 10, 1, tzinfo=zone), datetime(2026, 11, 1, tzinfo=zone)
    assert after - first == timedelta(hours=744)
    assert after.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=745)
