"""When the rows of exports start: by export, tenant and local day, against a twin row by row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.period import Days, instant
from pipeline.stages import starts
from pipeline.stages.starts import starts_of
from pipeline.store.landing import LandedStore, ListedExport
from tests.store.landings import a_row, land
from tests.support import Row

ZONES = {"acme": "UTC", "bolt": "America/Havana", "cove": "Pacific/Auckland"}
"""Havana springs forward over midnight; `dune` has no zone and lives in UTC."""

TENANTS = (*ZONES, "dune")

EVER = [Days(1, date.max.toordinal())]

Export = list[tuple[str, datetime]]

instants = st.one_of(
    st.datetimes(datetime(2026, 3, 6), datetime(2026, 3, 10)),
    st.datetimes(datetime(2026, 9, 30), datetime(2026, 11, 2)),
)
exports = st.lists(
    st.lists(st.tuples(st.sampled_from(TENANTS), instants), max_size=12), min_size=1, max_size=4
)


def naive(given_exports: list[Export], within: list[Days]) -> list[tuple[object, ...]]:
    """Each export, tenant and local day: rows, first and last start; row by row."""
    found: dict[tuple[int, str, int], list[int]] = {}
    for export, rows in enumerate(given_exports):
        for tenant, started in rows:
            if any(started.toordinal() in days for days in within):
                aware = started.replace(tzinfo=UTC)
                local = aware.astimezone(ZoneInfo(ZONES.get(tenant, "UTC"))).toordinal()
                found.setdefault((export, tenant, local), []).append(instant(aware))
    return sorted((*key, len(of), min(of), max(of)) for key, of in found.items())


def counted(given_exports: list[Export], within: list[Days]) -> list[tuple[object, ...]]:
    rows: list[list[Row]] = [
        [
            a_row(f"{export}-{number}", tenant_id=tenant, started_at=f"{started.isoformat()}Z")
            for number, (tenant, started) in enumerate(of)
        ]
        for export, of in enumerate(given_exports)
    ]
    rows[0].append(a_row("broken", tenant_id=""))
    listed = [
        ListedExport("usage", str(number), "", 0, len(of), "", "landing", number, "")
        for number, of in enumerate(rows)
    ]
    with TemporaryDirectory() as folder:
        land(Path(folder), rows)
        landed = LandedStore(Path(folder) / "store")
        return sorted(starts_of(landed, listed, ZONES, within).rows())


@settings(max_examples=15, deadline=None)
@given(exports)
def test_rows_are_counted_by_export_tenant_and_local_day(given_exports: list[Export]) -> None:
    assert counted(given_exports, EVER) == naive(given_exports, EVER)


@settings(max_examples=15, deadline=None)
@given(exports)
def test_only_the_days_that_are_asked_about_are_looked_at(given_exports: list[Export]) -> None:
    first = date(2026, 3, 8).toordinal()
    within = [Days(first, first + 1), Days(first + 220, first + 230)]
    assert counted(given_exports, within) == naive(given_exports, within)


def test_rows_are_read_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "ROWS_AT_ONCE", 2)
    begin = datetime(2026, 10, 1)
    rows = [(TENANTS[hour % 4], begin + timedelta(hours=hour * 7 % 50)) for hour in range(40)]
    assert counted([rows, rows[:7]], EVER) == naive([rows, rows[:7]], EVER)
