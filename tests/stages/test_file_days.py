"""What names of exports say of days."""

from __future__ import annotations

from datetime import date

import pytest

from pipeline.stages.file_days import named_days, series_of


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("2026-10-01.json", "2026-10-01"),
        ("20261001.json", "2026-10-01"),
        ("agents-2026-10-01.csv.gz", "2026-10-01"),
        ("2026-10-01..2026-10-07.json", "2026-10-01 2026-10-07"),
        ("2026-10-01_2026-10-07.json", "2026-10-01 2026-10-07"),
        ("2026-10-01-2026-10-07.json", "2026-10-01 2026-10-07"),
        ("agents_20261001_20261007_v2.json", "2026-10-01 2026-10-07"),
        ("2026-10-01_to_2026-10-07.json", "2026-10-01 2026-10-07"),
        ("2026-10-01T00-00-00.json", "2026-10-01"),
        ("2026-10-01/agents.json", None),
        ("exports/2026-09/2026-10-01.json", "2026-10-01"),
        # The same date twice is one date; other dates without a span could mean anything.
        ("2026-10-01/2026-10-01 20261001.json", "2026-10-01"),
        ("2026-10-01 made 2026-10-08.json", None),
        # No dates: what is no day, what is a longer number, a span that goes back, a month.
        ("2026-13-01.json", None),
        ("2026-02-30..2026-03-02.json", None),
        ("120261001.json", None),
        ("12345678.json", None),
        ("2026-10-07..2026-10-01.json", None),
        ("2026-10.json", None),
        ("agents.json", None),
    ],
)
def test_a_name_says_days(name: str, days: str | None) -> None:
    found = named_days(name)
    if days is None:
        assert found is None
    else:
        first, *last = [date.fromisoformat(one).toordinal() for one in days.split()]
        assert found is not None
        assert (found.first, found.after - 1) == (first, last[0] if last else first)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("acme-2026-10-01.csv", "acme-2026-10-02.parquet", True),
        ("acme-2026-10-01.csv", "acme-2026-10-02..2026-10-09.csv", True),
        ("usage/2026-09/acme-2026-09-30.csv", "usage/2026-10/acme-2026-10-01.csv.gz", True),
        ("2026/09/30/acme.csv", "2026/10/01/acme.csv", True),
        ("acme-2026-10-01.csv", "bolt-2026-10-01.csv", False),
        ("acme/2026-10-01.csv", "bolt/2026-10-01.csv", False),
        ("part1.csv", "part2.csv", False),
    ],
)
def test_exports_whose_names_differ_in_dates_alone_are_a_series(
    one: str, other: str, is_same: bool
) -> None:
    assert (series_of(one) == series_of(other)) == is_same
