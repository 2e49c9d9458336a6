"""Feeds in which nothing is wrong, to break one thing at a time; and what must hold of any run."""

from __future__ import annotations

from pathlib import Path

from click.testing import Result

from schemas.columns import Kind, Table
from tests.support import Row, shown, tenantbill
from tests.worlds import COLUMNS, write_csv

PERIOD = "2026-10"
Feeds = dict[str, list[Row]]


def rows_of(tenant: str) -> dict[str, Row]:
    """One good row a feed for a tenant; its subscription is `TENANT-S`."""
    own = {"tenant_id": tenant, "subscription_id": f"{tenant}-S"}
    since = {"start_date": "2026-01-01"}
    return {
        "subscriptions": {**own, **since, "offer": "flex3", "license_model": "concurrent"}
        | {"status": "active", "currency": "USD"},
        "entitlements": {**own, "meter": "standard_agent", "quantity": "1"},
        "rates": {**own, "meter": "standard_agent", "charge": "committed"}
        | {"unit_price": "10", "currency": "USD"},
        "users": {**own, "user_id": "u1", "role": "agent", "license": "standard"},
        "partners": {"tenant_id": tenant, "partner_id": "p1", "added_on": "2026-01-01"},
        "tenants": {"tenant_id": tenant, "time_zone": "UTC"},
        "usage": {**own, "event_id": "e1", "meter": "standard_agent", "user_id": "u1"}
        | {"started_at": "2026-10-05T09:00:00Z", "ended_at": "2026-10-05T10:00:00Z"},
    }


def good(*tenants: str) -> Feeds:
    """Feeds of some tenants in which nothing is wrong."""
    return {feed: [rows_of(one)[feed] for one in tenants] for feed in rows_of("")}


def save(feeds: Feeds, folder: Path) -> Path:
    """Write the feeds as CSV files, and give the folder."""
    for feed, rows in feeds.items():
        write_csv(folder / f"{feed}.csv", COLUMNS[feed].split(), rows)
    return folder


def run(folder: Path) -> Result:
    """Run the month into the store beside the feeds."""
    return tenantbill("run", PERIOD, "--feeds", folder, "--store", folder.parent / "store")


def assert_refused(result: Result, folder: Path, error: str, *where: str) -> None:
    """The command failed in words: what, where, its name, a remedy; nothing is published."""
    assert result.exit_code == 1, result.output
    first, *remedy = result.stderr.splitlines()
    assert first.startswith("error: "), result.stderr
    assert first.endswith(f"[{error}]"), first
    assert all(text in first for text in where), first
    assert "".join(remedy).strip(), "a remedy is told"
    assert result.stdout == ""
    store = folder.parent / "store"
    after = tenantbill("show", "invoices", PERIOD, "--store", store)
    assert after.exit_code == 1
    assert f"tenantbill run {PERIOD}" in after.stderr
    assert tenantbill("status", "--store", store).exit_code == 1


def assert_ties(store: Path, rows: int) -> dict[str, int]:
    """Every control ties and every row of the files has one fate; gives rows by fate."""
    controls = shown("controls", PERIOD, store)
    assert {row["difference"] for row in controls} == {"0"}
    fates = {
        row["measure"].removeprefix("rows "): int(row["value_out"])
        for row in controls
        if row["stage"] == "split" and row["measure"].startswith("rows ")
    }
    assert sum(fates.values()) == rows
    return fates


def unreadable(table: Table) -> set[str]:
    """The rules that cells break which cannot be read as their column's kind."""
    return {f"{column.name}_unreadable" for column in table if column.kind is not Kind.TEXT}
