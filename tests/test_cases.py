"""The worked cases, through the command line."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from tests.support import bill, by_value, shown

PERIOD = "2026-10"
FOLDER = Path(os.environ.get("TENANTBILL_CASES", Path(__file__).parents[2] / "shared" / "cases"))
CASES = sorted(path.parent for path in FOLDER.glob("*/feeds")) if FOLDER.is_dir() else []


@pytest.mark.skipif(not CASES, reason="TENANTBILL_CASES names no folder of worked cases")
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_a_worked_case_comes_out_as_expected(case: Path, tmp_path: Path) -> None:
    bill(case / "feeds", tmp_path, PERIOD)
    for dataset in ("usage_split", "overage", "invoice_lines"):
        with (case / "expected" / f"{dataset}.csv").open(encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            expected = by_value(list(reader), columns)
        assert by_value(shown(dataset, PERIOD, tmp_path), columns) == expected, dataset
