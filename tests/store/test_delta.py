"""Delta tables from one version of the program to the next: what is there stays readable."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Barrier

import polars as pl
import pytest

from pipeline.errors import StoreDamaged
from pipeline.remote.faults import ChangedMeanwhile
from pipeline.store.delta import DeltaTables, StoreNameUnusable

OLD = pl.Schema({"period": pl.String(), "total": pl.Decimal(38, 6)})
NEW = pl.Schema({"period": pl.String(), "number": pl.Int64(), "total": pl.Decimal(38, 6)})


def put(tables: DeltaTables, of: pl.DataFrame) -> None:
    """Put rows under their period; a partition's column is not in its files."""
    (period,) = of["period"].unique()
    tables.put("invoices", of.with_columns(part="period"), ["part"], f"part = '{period}'")


def rows(schema: pl.Schema, *values: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(values), schema=schema, orient="row")


def test_a_table_that_gains_a_column_reads_as_empty_where_it_was_not_written(
    tmp_path: Path,
) -> None:
    tables = DeltaTables(tmp_path)
    before = rows(OLD, ("2026-09", Decimal("1.005")))
    put(tables, before)
    put(tables, rows(NEW, ("2026-10", 7, Decimal(2))))
    found = tables.read("invoices", NEW).sort("period")
    assert found.rows() == [("2026-09", None, Decimal("1.005")), ("2026-10", 7, Decimal(2))]
    assert tables.read("invoices", OLD).schema == OLD, "an older reader passes over what is new"


def test_an_appended_table_gains_columns_too(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    tables.append("runs", rows(OLD, ("2026-09", Decimal(1))), "one", None)
    tables.append("runs", rows(NEW, ("2026-10", 7, Decimal(2))), "two", 0)
    assert tables.read("runs", NEW).sort("period")["number"].to_list() == [None, 7]


def test_putting_the_same_again_leaves_one_of_it_and_what_is_beside(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    for period in ("2026-09", "2026-10", "2026-10"):
        put(tables, rows(OLD, (period, Decimal(1))))
    assert sorted(tables.read("invoices", OLD)["period"]) == ["2026-09", "2026-10"]


def test_only_the_partitions_that_are_wanted_are_read(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    for period in ("2026-09", "2026-10"):
        put(tables, rows(OLD, (period, Decimal(1))))
    found = tables.read("invoices", OLD, pl.col("partition.part") == "2026-10")
    assert found["period"].to_list() == ["2026-10"]
    assert tables.read("invoices", OLD, pl.col("partition.part") == "2026-11").is_empty()


def test_a_table_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert DeltaTables(tmp_path).read("invoices", NEW).schema == NEW
    assert not DeltaTables(tmp_path).has("invoices")


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    tables.append("runs", rows(OLD, ("2026-09", Decimal(1))), "one", None)
    (file,) = (tmp_path / "results" / "runs").glob("*.parquet")
    file.unlink()
    with pytest.raises(StoreDamaged, match=file.name):
        tables.read("runs", OLD)


def test_a_folder_that_its_files_cannot_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreNameUnusable):
        DeltaTables(tmp_path / "100%")


def test_of_rows_that_are_added_to_one_version_the_first_count(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    for after in (None, 0, 1):
        assert tables.version("runs") == after
        tables.append("runs", rows(OLD, (f"after {after}", Decimal(1))), "first", after)
        with pytest.raises(ChangedMeanwhile):
            tables.append("runs", rows(OLD, ("too late", Decimal(1))), "second", after)
    found = tables.read("runs", OLD)["period"].to_list()
    assert sorted(found) == ["after 0", "after 1", "after None"]


@pytest.mark.parametrize("after", [None, 0])
def test_of_many_that_add_at_once_one_does(tmp_path: Path, after: int | None) -> None:
    tables = DeltaTables(tmp_path)
    if after is not None:
        tables.append("runs", rows(OLD, ("before", Decimal(1))), "before", None)
    together = Barrier(8)

    def add(number: int) -> int:
        together.wait()
        try:
            tables.append("runs", rows(OLD, (str(number), Decimal(1))), str(number), after)
        except ChangedMeanwhile:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(8))) == 1
    assert len(tables.read("runs", OLD)) == (1 if after is None else 2)
