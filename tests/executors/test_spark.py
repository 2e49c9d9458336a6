"""Spark behind the same port: the same results to the byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.remote.place import CACHE
from schemas.datasets import DATASETS
from tests.executors.test_dask import PERIOD, SAMPLE, command, run, state
from tests.remote.service import environment, object_store, upload
from tests.support import shown

pytest.importorskip("pyspark", reason="needs the extra [spark]")
pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")


def test_the_sample_month_is_the_same_on_spark(tmp_path: Path) -> None:
    assert run(SAMPLE, tmp_path / "here").returncode == 3
    result = run(SAMPLE, tmp_path / "there", "--scheduler", "local[2]")
    assert result.returncode == 3, result.stderr
    assert state(tmp_path / "there") == state(tmp_path / "here")


def test_an_error_in_a_task_on_spark_is_told_by_its_name(tmp_path: Path) -> None:
    for path in SAMPLE.glob("*.csv"):
        (tmp_path / "feeds").mkdir(exist_ok=True)
        (tmp_path / "feeds" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "feeds" / "usage.parquet").write_bytes(b"PAR1 and then nothing")
    words = ("--store", tmp_path / "store", "--scheduler", "local[2]")
    result = command("run", "2026-10", "--feeds", tmp_path / "feeds", *words)
    assert result.returncode == 1
    assert "[DamagedParquet]" in result.stderr and "usage.parquet" in result.stderr


def test_exports_and_store_in_an_object_store_are_the_same_on_spark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a task is told travels as addresses, and comes from Spark's own processes."""
    pytest.importorskip("obstore", reason="object stores need the extra objects")
    pytest.importorskip("moto.server", reason="nothing here answers as an object store does")
    assert run(SAMPLE, tmp_path / "here").returncode == 3
    with object_store() as port:
        for name, value in (*environment(port).items(), (CACHE, str(tmp_path / "cache"))):
            monkeypatch.setenv(name, value)
        feeds, store = upload(SAMPLE, "feeds"), "s3://books/store"
        words = ("--feeds", feeds, "--store", store, "--scheduler", "local[2]")
        result = command("run", PERIOD, *words)
        assert result.returncode == 3, result.stderr
        monkeypatch.setenv(CACHE, str(tmp_path / "elsewhere"))
        there = {table.name: shown(table.name, PERIOD, store) for table in DATASETS}
    assert there == state(tmp_path / "here")
