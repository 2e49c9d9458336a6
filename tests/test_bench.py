"""The benchmark measures what it says: its months, its competitors, its memory, its table."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipeline.sources import Source
from tests.bench import core_polars, core_sql, scan, sources
from tests.bench.agree import (
    Disagreement,
    Figures,
    check_figures,
    comparable,
    our_figures,
    read_figures,
)
from tests.bench.generate import DAYS, PERIOD, Shape, generate
from tests.bench.table import Measured, render
from tests.bench.take import CommandFailed, Taken, take
from tests.bench.terms import TENANTS
from tests.support import bill

ROWS = 20_000
EVENT = ["tenant_id", "event_id"]


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small month of daily exports."""
    folder = tmp_path_factory.mktemp("months") / "daily"
    generate(folder, ROWS, Shape())
    return folder


@pytest.fixture(scope="module")
def by_sql(feeds: Path, tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """What plain SQL makes of the month."""
    figures = tmp_path_factory.mktemp("figures") / "sql.csv"
    core_sql.core(feeds, figures)
    return read_figures(figures)


def _usage(feeds: Path) -> pl.DataFrame:
    return pl.read_parquet(feeds / "usage" / "*.parquet")


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_same_month_comes_out_every_time(feeds: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", ROWS, Shape())
    assert _contents(tmp_path / "again") == _contents(feeds)


def test_a_month_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    generate(tmp_path, ROWS, Shape())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_other_shapes_hold_the_same_rows(feeds: Path, tmp_path: Path, kind: str) -> None:
    by_tenant = kind == "parquet"
    generate(tmp_path / "month", ROWS, Shape(kind=kind, by_tenant=by_tenant))
    usage = tmp_path / "month" / "usage"
    files = sorted(usage.iterdir())
    assert len(files) == (1 if by_tenant else DAYS)
    if by_tenant:
        rows = pl.read_parquet(files)
        assert rows["tenant_id"].is_sorted(nulls_last=False)
    else:
        rows = pl.read_csv(files, schema_overrides=_usage(feeds).schema)
    columns = rows.columns
    expected = _usage(feeds).sort(columns)
    assert rows.sort(columns).equals(expected)


def test_repeats_corrections_and_broken_rows_have_their_shares(feeds: Path) -> None:
    rows = _usage(feeds)
    broken = pl.any_horizontal(
        pl.col("tenant_id").is_null(),
        pl.col("ended_at") < pl.col("started_at"),
        pl.col("quantity") < 0,
    )
    assert len(rows) == pytest.approx(1.012 * ROWS, rel=0.01)
    assert rows.filter(broken.fill_null(False)).height == pytest.approx(0.001 * ROWS, rel=0.5)
    events = (
        rows.filter(~broken.fill_null(False))
        .group_by(EVENT)
        .agg(pl.len(), starts=pl.col("started_at").n_unique())
    )
    corrected = events.filter(pl.col("starts") > 1).height
    repeated = events.filter(pl.col("len") > 1).height - corrected
    assert repeated == pytest.approx(0.01 * ROWS, rel=0.2)
    assert corrected == pytest.approx(0.002 * ROWS, rel=0.4)


def test_tenants_are_of_unequal_size_and_users_belong_to_one(feeds: Path) -> None:
    rows = _usage(feeds).drop_nulls("tenant_id")
    largest = rows.group_by("tenant_id").len()["len"].max()
    assert largest == pytest.approx(0.14 * ROWS, rel=0.2)
    whose = rows.drop_nulls("user_id").group_by("user_id").agg(pl.col("tenant_id").n_unique())
    assert whose["tenant_id"].max() == 1


def test_one_tenant_may_be_most_of_a_month(tmp_path: Path) -> None:
    generate(tmp_path / "month", ROWS, Shape(), largest=0.6)
    tenants = _usage(tmp_path / "month")["tenant_id"].drop_nulls().value_counts(sort=True)
    assert tenants["count"][0] == pytest.approx(0.6 * 1.012 * ROWS, rel=0.02)
    assert tenants["count"][1] < 0.1 * ROWS


def test_sql_and_polars_come_to_the_same_figures(
    feeds: Path, by_sql: Figures, tmp_path: Path
) -> None:
    core_polars.core(feeds, tmp_path / "polars.csv")
    by_polars = read_figures(tmp_path / "polars.csv")
    assert check_figures(by_sql, by_polars, "SQL and polars") > 5_000
    assert {key[0] for key in by_sql} == {"sum", "users", "peak", "excess"}


def test_we_come_to_the_same_figures(feeds: Path, by_sql: Figures, tmp_path: Path) -> None:
    some = {f"tenant-{number:04d}" for number in range(0, TENANTS, 20)}
    words = [word for tenant in sorted(some) for word in ("--tenant", tenant)]
    bill(feeds, tmp_path / "store", PERIOD, *words)
    ours = our_figures(tmp_path / "store", feeds)
    core = {key: value for key, value in comparable(by_sql, feeds).items() if key[1] in some}
    assert check_figures(core, ours, "SQL and ours") > 200


def test_a_figure_that_differs_is_named() -> None:
    key = ("peak", "acme", "ivr_port", "")
    with pytest.raises(Disagreement, match=r"1 of 1 differ\n.*peak acme ivr_port : 3 and 4"):
        check_figures({key: Decimal(3)}, {key: Decimal(4)}, "one and other")


def test_comparing_nothing_is_no_agreement() -> None:
    with pytest.raises(Disagreement):
        check_figures({}, {}, "one and other")


def test_a_scan_reads_parquet_and_csv(feeds: Path, tmp_path: Path) -> None:
    generate(tmp_path / "csv", 1_000, Shape(files=2, kind="csv"))
    scan.scan(feeds)
    scan.scan(tmp_path / "csv")


PARENT = """
import subprocess, sys, time
held = bytearray(60 << 20)
child = "import time; held = bytearray(60 << 20); time.sleep(0.5)"
subprocess.run([sys.executable, "-c", child], check=True)
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="tells no children")
def test_memory_and_time_are_those_of_a_process_with_its_children() -> None:
    taken = take([sys.executable, "-c", PARENT])
    assert taken.peak_mib > 120
    assert taken.wall > 0.5
    assert taken.cpu > 0


def test_a_command_that_fails_is_told_with_its_words() -> None:
    with pytest.raises(CommandFailed, match=r"exit code 5\n.*no luck"):
        take([sys.executable, "-c", "print('no luck'); raise SystemExit(5)"])


def test_the_table_has_medians_ratios_in_pairs_and_growth() -> None:
    scans = [Taken(1, 1, 100), Taken(2, 1, 100), Taken(4, 1, 100)]
    ours = [Taken(3, 4, 500), Taken(5, 6, 700), Taken(8, 5, 600)]
    table = render(
        [
            Measured("ours", 1_000_000, ours[:1], scans[:1]),
            Measured("ours", 10_000_000, ours, scans, "as said"),
        ],
        ["something"],
    )
    heading, _, titles, _, small, large, *_, failed = table.splitlines()
    assert "polars" in heading
    assert "cores" in heading
    assert [cell.strip() for cell in titles.split("|")[1:3]] == ["what", "rows"]
    assert "3.00" in small
    cells = [cell.strip() for cell in large.split("|")[1:-1]]
    assert cells == [
        *("ours", "10,000,000", "5.00", "5.00", "600", "2,000,000"),
        *("2.50", "5.00", "×1.7 for ×10", "as said"),
    ]
    assert failed == "**Failed:** something"


@pytest.mark.parametrize("kind", sources.MADE)
def test_files_of_every_kind_of_source_are_read_without_a_broken_row(
    tmp_path: Path, kind: str
) -> None:
    path = sources.made(tmp_path, kind, 600)
    one = sources.MADE[kind]
    source = Source.of(one.kind, str(path), one.options, "a test")
    batches = list(source.read(path))
    assert sum(len(batch.rows) for batch in batches) == sources.read(kind, path) > 10
    assert not any(len(batch.broken) for batch in batches)
