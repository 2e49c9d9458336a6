"""The oracle itself is judged by the worked cases: every figure, as sets of rows by value."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest

from tests.oracle import bill
from tests.oracle_terms import Row
from tests.worlds import world, write

PROJECT = Path(__file__).resolve().parent.parent
PERIOD = "2026-10"
FEEDS = ("subscriptions", "entitlements", "rates", "users", "partners", "tenants", "meters")


def cases_directory() -> Path | None:
    """Take the variable TENANTBILL_CASES, else the project's own cases, else the shared ones."""
    named = os.environ.get("TENANTBILL_CASES")
    candidates = (
        [Path(named)]
        if named
        else [PROJECT / "tests" / "cases", PROJECT.parent / "shared" / "cases"]
    )
    return next((path for path in candidates if path.is_dir()), None)


def cases() -> list[Path]:
    """Every folder that holds feeds and what is expected of them."""
    directory = cases_directory()
    if directory is None:
        return []
    return sorted(path.parent for path in directory.glob("*/expected"))


def read_csv(path: Path) -> list[Row]:
    """One CSV file, every value a string."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_feeds(directory: Path) -> tuple[dict[str, list[Row]], list[tuple[str, list[Row]]]]:
    """All feeds of a case, and its usage files in the order of their names."""
    feeds = {
        name: read_csv(directory / f"{name}.csv")
        for name in FEEDS
        if (directory / f"{name}.csv").exists()
    }
    usage = [(path.name, read_csv(path)) for path in sorted((directory / "usage").glob("*.csv"))]
    return feeds, usage


def by_value(value: object) -> str:
    """Write a value so that 1 and 1.000000 are the same."""
    if value is None:
        return ""
    try:
        return format(Decimal(str(value)).normalize(), "f")
    except InvalidOperation:
        return str(value)


def as_set(rows: list[Mapping[str, object]], columns: list[str]) -> Counter[tuple[str, ...]]:
    """Rows without their order, on the given columns."""
    return Counter(tuple(by_value(row[column]) for column in columns) for row in rows)


@pytest.mark.skipif(not cases(), reason="no worked cases: set TENANTBILL_CASES to their folder")
@pytest.mark.parametrize("case", cases(), ids=lambda path: path.name)
def test_oracle_bills_the_worked_case(case: Path) -> None:
    feeds, usage = read_feeds(case / "feeds")
    books = bill(feeds, usage, PERIOD)
    for dataset in ("usage_split", "overage", "invoice_lines"):
        path = case / "expected" / f"{dataset}.csv"
        columns = path.read_text(encoding="utf-8").splitlines()[0].split(",")
        expected = as_set([dict(row) for row in read_csv(path)], columns)
        billed = as_set([dict(row) for row in books[dataset]], columns)
        missing, unexpected = expected - billed, billed - expected
        assert (dataset, missing, unexpected) == (dataset, Counter(), Counter())


@pytest.mark.parametrize("seed", range(40))
def test_oracle_ties_on_a_random_world(seed: int, tmp_path: Path) -> None:
    made = world(seed)
    write(made, tmp_path)
    feeds, usage = read_feeds(tmp_path)
    books = bill(feeds, usage, made.period)
    tally = dict(books["tally"][0])
    assert tally.pop("rows_in") == sum(len(rows) for _, rows in made.usage_files)
    assert sum(int(str(count)) for count in tally.values()) == sum(
        len(rows) for _, rows in made.usage_files
    )
    for row in books["overage"]:
        parts = [
            Decimal(str(part["quantity"]))
            for part in books["usage_split"]
            if (part["tenant_id"], part["meter"]) == (row["tenant_id"], row["meter"])
        ]
        assert sum(parts) == row["usage"]
