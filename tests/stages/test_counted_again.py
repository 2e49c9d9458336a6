"""Usage is counted again by another engine, which shares nothing with the reading (R11.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipeline.exports import Batch, read_export
from pipeline.exports.recount import recounted
from pipeline.stages import ingest
from schemas.columns import Table
from schemas.feeds import USAGE
from tests.good_feeds import PERIOD, good, save
from tests.support import shown, tenantbill

Fault = Callable[[Batch], Batch]


def as_parquet(folder: Path, rows: int) -> Path:
    """Feeds whose usage is one Parquet file of so many rows, of quantity 1."""
    feeds = good("acme")
    one = feeds["usage"][0] | {"quantity": "1"}
    feeds["usage"] = [one | {"event_id": f"e{number}"} for number in range(rows)]
    save(feeds, folder)
    batches = [batch.rows for batch in read_export(folder / "usage.csv", USAGE)]
    pl.concat(batches).write_parquet(folder / "usage.parquet")
    (folder / "usage.csv").unlink()
    return folder


def a_row_less(batch: Batch) -> Batch:
    return replace(batch, rows=batch.rows.head(-1))


def a_row_twice(batch: Batch) -> Batch:
    return replace(batch, rows=pl.concat([batch.rows, batch.rows.tail(1)]))


def a_millionth_more(batch: Batch) -> Batch:
    more = pl.col("quantity") + pl.lit(Decimal("0.000001"))
    return replace(batch, rows=batch.rows.with_columns(more.cast(USAGE.dtypes["quantity"])))


def as_it_is(batch: Batch) -> Batch:
    return batch


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (as_it_is, ""),
        (a_row_less, "usage rows of Parquet exports, counted again: 3 went in, 2 came out"),
        (a_row_twice, "usage rows of Parquet exports, counted again: 3 went in, 4 came out"),
        (a_millionth_more, "quantity of Parquet exports, summed again: 3 went in, 3.000003 came"),
    ],
)
def test_a_row_that_reading_loses_is_found_by_counting_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, told: str
) -> None:
    """R11.2: another engine counts Parquet exports, and a run that does not tie stops."""

    def faulty(path: Path, table: Table) -> Iterator[Batch]:
        for batch in read_export(path, table):
            yield fault(batch) if table is USAGE else batch

    feeds = as_parquet(tmp_path / "feeds", 3)
    monkeypatch.setattr(ingest, "read_export", faulty)
    result = tenantbill("run", PERIOD, "--feeds", feeds, "--store", tmp_path / "store")
    assert result.exit_code == (1 if told else 0), result.output
    assert told in result.stderr
    assert ("[ControlsDoNotTie]" in result.stderr) == bool(told)


def test_what_was_counted_again_stands_in_the_controls(tmp_path: Path) -> None:
    feeds = as_parquet(tmp_path / "feeds", 3)
    assert tenantbill("run", PERIOD, "--feeds", feeds, "--store", tmp_path / "store").exit_code == 0
    counted = {
        row["measure"]: (row["value_in"], row["value_out"])
        for row in shown("controls", PERIOD, tmp_path / "store")
        if row["stage"] == "ingest"
    }
    assert counted == {
        "usage rows": ("3", "3"),
        "usage rows of Parquet exports, counted again": ("3", "3"),
        "quantity of Parquet exports, summed again": ("3", "3"),
    }


@pytest.mark.parametrize(
    ("quantities", "dtype", "counted"),
    [
        (["1.5", "2.25", None], pl.Decimal(18, 6), (3, "3.75")),
        (["999999999999.999999"] * 3, pl.Decimal(18, 6), (3, "2999999999999.999997")),
        (["0.1"] * 10, pl.Decimal(4, 1), (10, "1")),
        (["-1", "1"], pl.Decimal(18, 6), (2, "0")),  # the feed refuses it, and it is a row
        ([], pl.Decimal(18, 6), (0, "0")),
        # What the feed cannot hold, every one, is not for another engine to sum.
        (["0.1"], pl.Decimal(18, 7), None),
        (["1"], pl.Decimal(20, 2), None),
        (["1"], pl.Int64(), None),
        (["1"], pl.Float64(), None),
        (["1"], pl.String(), None),
    ],
)
def test_only_decimals_that_the_feed_can_hold_are_summed_again(
    tmp_path: Path,
    quantities: list[str | None],
    dtype: pl.DataType,
    counted: tuple[int, str] | None,
) -> None:
    path = tmp_path / "usage [*]?.parquet"
    values = pl.Series("quantity", quantities, dtype=pl.String).cast(dtype)
    pl.DataFrame(
        {"event_id": pl.repeat("e", len(values), eager=True), "quantity": values}
    ).write_parquet(path)
    (tmp_path / "usage x.parquet").write_bytes(b"another file, which the name matches")
    csv = tmp_path / "usage.csv"
    csv.write_text("event_id,quantity\ne,1\n")
    expected = counted and (counted[0], Decimal(counted[1]))
    assert recounted([csv, path, csv]) == [None, expected, None]


def test_files_without_quantities_and_damaged_ones_are_not_counted_again(tmp_path: Path) -> None:
    """The reading itself says what is wrong with them."""
    bare, damaged = tmp_path / "bare.parquet", tmp_path / "damaged.parquet"
    pl.DataFrame({"event_id": ["e"]}).write_parquet(bare)
    damaged.write_bytes(b"PAR1 and nothing else")
    assert recounted([bare, damaged]) == [None, None]
    assert recounted([]) == []
