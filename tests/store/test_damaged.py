"""Files of the store that are not what was written: named, with a remedy that works as typed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.good_feeds import PERIOD, good, save
from tests.support import bill, shown, tenantbill

GARBAGE = b"\x00garbage" * 40

Damage = Callable[[Path], object]


def cut(file: Path) -> object:
    return file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


DAMAGES: list[Damage] = [
    lambda file: file.write_bytes(b""),
    lambda file: file.write_bytes(GARBAGE),
    cut,
]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `feeds` and `store` of a month that was billed."""
    folder = tmp_path_factory.mktemp("month")
    bill(save(good("acme"), folder / "feeds"), folder / "store", PERIOD)
    return folder


@pytest.fixture
def place(month: Path, tmp_path: Path) -> Path:
    return shutil.copytree(month, tmp_path / "place")


def refused(place: Path, *words: object) -> str:
    """What a command says that cannot go on because of what is damaged."""
    result = tenantbill(*words, "--store", place / "store")
    assert result.exit_code == 1, result.output
    assert "[StoreDamaged]" in result.stderr
    assert "\n  " in result.stderr, "with a remedy"
    assert "\x1b" not in result.stderr
    assert "<unknown>" not in result.stderr
    return result.stderr


def run(place: Path) -> tuple[object, ...]:
    return "run", PERIOD, "--feeds", place / "feeds"


def forget(place: Path, *folders: str) -> None:
    """Leave nothing in some folders of the store, so that a run needs what is in the others."""
    for folder in folders:
        shutil.rmtree(place / "store" / folder)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_log_of_results_that_is_no_log_is_named(place: Path, damage: Damage) -> None:
    logs = place / "store" / "results" / "runs" / "_delta_log"
    damage(next(logs.glob("*.json")))
    for words in (("show", "invoices", PERIOD), ("status",), run(place)):
        assert f"error: {logs.parent}: " in refused(place, *words)


@pytest.mark.parametrize("damage", DAMAGES)
def test_rows_of_results_that_are_no_rows_are_named(place: Path, damage: Damage) -> None:
    [file] = (place / "store" / "results" / "invoices").rglob("*.parquet")
    damage(file)
    for words in (("show", "invoices", PERIOD), ("close", PERIOD, "--provisional")):
        assert f"error: {file}: " in refused(place, *words)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name", ["manifest.json", "rows.parquet", "cells.parquet", "kinds.parquet", "started.bin"]
)
def test_a_landed_export_that_is_damaged_is_read_again_once_its_folder_is_removed(
    place: Path, name: str, damage: Damage
) -> None:
    before = shown("invoice_lines", PERIOD, place / "store")
    forget(place, "work", "results")
    file = next((place / "store" / "landed").rglob(name))
    damage(file)
    if name == "started.bin":
        os.truncate(file, 4)  # Only that numbers are missing can be seen.
    assert f"error: {file}" in refused(place, *run(place))
    shutil.rmtree(file.parent)
    ingest = ("ingest", PERIOD, "--feeds", place / "feeds", "--store", place / "store")
    assert tenantbill(*ingest).exit_code == 0
    bill(place / "feeds", place / "store", PERIOD)
    assert shown("invoice_lines", PERIOD, place / "store") == before


def test_a_manifest_that_says_nothing_is_named(place: Path) -> None:
    forget(place, "work", "results")
    for file in (place / "store" / "landed").rglob("manifest.json"):
        file.write_text("{}")
    assert "manifest.json" in refused(place, *run(place))


@pytest.mark.parametrize("damage", DAMAGES)
def test_work_that_is_damaged_may_be_deleted(place: Path, damage: Damage) -> None:
    forget(place, "results")
    for file in (place / "store" / "work").rglob("*.zip"):
        damage(file)
    said = refused(place, *run(place))
    assert f"error: {place / 'store' / 'work'}" in said
    forget(place, "work")
    bill(place / "feeds", place / "store", PERIOD)
