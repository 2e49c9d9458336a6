"""Months billed from snapshots: the same invoices as from the feeds that say it day by day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result

from tests.sources.test_licenses_api import license_
from tests.support import Row, by_value, shown, tenantbill

FEEDS = {
    "subscriptions": """
tenant_id,subscription_id,offer,license_model,status,start_date,currency
acme,A,flex3,concurrent,active,2024-01-01,USD
acme,B,flex3,concurrent,active,2025-01-01,USD
""",
    "rates": """
subscription_id,meter,charge,unit_price,currency
*,standard_agent,committed,100,USD
*,premium_agent,committed,150,USD
*,standard_agent,overage,110,USD
*,premium_agent,overage,170,USD
""",
    "usage": """
event_id,tenant_id,user_id,started_at,ended_at
1,acme,ann@example.com,2026-10-05T09:00:00Z,2026-10-05T17:00:00Z
2,acme,bob@example.com,2026-10-05T10:00:00Z,2026-10-05T17:00:00Z
3,acme,ann@example.com,2026-10-20T09:00:00Z,2026-10-20T17:00:00Z
4,acme,bob@example.com,2026-10-20T09:00:00Z,2026-10-20T17:00:00Z
""",
}

SAID_DAY_BY_DAY = {
    "users": """
tenant_id,user_id,role,license,subscription_id,start_date,end_date
acme,ann@example.com,agent,standard,A,,2026-10-14
acme,ann@example.com,agent,premium,B,2026-10-15,
acme,bob@example.com,agent,standard,A,,
acme,cho@example.com,admin,none,A,,
""",
    "entitlements": """
tenant_id,subscription_id,meter,quantity,start_date,end_date
acme,A,standard_agent,1,,2026-10-15
acme,A,standard_agent,2,2026-10-16,
acme,B,premium_agent,0,,
""",
}

USERS = """
User ID/Email (Required),User Status,Webex Contact Center Standard Agent,{premium}
Ann@example.com,Active,{ann}
bob@example.com,Active,TRUE,FALSE
cho@example.com,Active,FALSE,FALSE
dan@example.com,Active,FALSE,FALSE
"""

SETTINGS = """
[[source]]
kind = "control-hub-users"
path = "exports/users"
tenant = "acme"
subscription = "A"
roles = { "cho@example.com" = "admin" }

[[source]]
kind = "licenses-api"
path = "exports/licenses"
tenant = "acme"
subscriptions = { "Sub-of-A" = "A", "Sub-of-B" = "B" }
"""

LINES = ["subscription_id", "kind", "meter", "quantity", "unit_price", "amount"]


def _users(ann: str) -> str:
    premium = "Webex Contact Center Premium Agent [B]"
    return USERS.lstrip().format(premium=premium, ann=ann)


def _licenses(standard: int) -> str:
    items = [
        license_("CJPSTD", standard, subscriptionId="Sub-of-A"),
        license_("CJPPRM", 0, subscriptionId="Sub-of-B"),
        license_("MS", 44, subscriptionId=None),
    ]
    return json.dumps({"items": items})


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with settings, feeds and two snapshots of each kind."""
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "feeds", FEEDS)
    Path("tenantbill.toml").write_text(SETTINGS)
    for folder in ("users", "licenses"):
        (tmp_path / "exports" / folder).mkdir(parents=True)
    Path("exports/users/users-2026-10-01.csv").write_text(_users("TRUE,FALSE"))
    Path("exports/users/users-2026-10-15.csv").write_text(_users("FALSE,TRUE"))
    Path("exports/licenses/20261001.json").write_text(_licenses(1))
    Path("exports/licenses/20261016.json").write_text(_licenses(2))
    return tmp_path


def _write(folder: Path, feeds: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in feeds.items():
        (folder / f"{name}.csv").write_text(text.lstrip())


def _run(*options: object) -> Result:
    return tenantbill("run", "2026-10", "--feeds", "feeds", "--store", "store", *options)


def _shown(dataset: str, columns: Sequence[str]) -> list[tuple[str, ...]]:
    return by_value(shown(dataset, "2026-10", Path("store")), list(columns))


def test_the_invoices_are_those_of_the_feeds_that_say_it_day_by_day(place: Path) -> None:
    assert _run().exit_code == 0
    from_snapshots = {name: shown(name, "2026-10", Path("store")) for name in ("access", "overage")}
    lines = _shown("invoice_lines", LINES)
    (place / "tenantbill.toml").unlink()
    _write(place / "feeds", SAID_DAY_BY_DAY)
    result = tenantbill("run", "2026-10", "--feeds", "feeds", "--store", "other")
    assert result.exit_code == 0
    other = Path("other")
    assert by_value(shown("invoice_lines", "2026-10", other), LINES) == lines
    for name, rows in from_snapshots.items():
        assert shown(name, "2026-10", other) == rows


def test_what_holds_changes_on_the_day_of_the_snapshot_that_shows_it() -> None:
    """R10.2: 1 for 15 days and 2 for 16. R6.2: the 5th is 1 over; ann is premium on the 20th."""
    assert _run().exit_code == 0
    charged = [line for line in _shown("invoice_lines", LINES) if line[5] != "0"]
    assert charged == [
        ("A", "committed", "standard_agent", "1", "100", "48.39"),
        ("A", "committed", "standard_agent", "2", "100", "103.23"),
        ("A", "overage", "premium_agent", "1", "170", "170"),
        ("A", "overage", "standard_agent", "1", "110", "110"),
    ]
    assert _shown("usage_split", ["subscription_id", "meter", "quantity"]) == [
        ("A", "standard_agent", "2"),
        ("B", "premium_agent", "1"),
    ]


def test_records_that_are_no_rows_are_told() -> None:
    assert _run().exit_code == 0
    found = [row for row in shown("findings", "2026-10", Path("store")) if row["rule"] == "R11.2"]
    assert {(row["code"], Path(row["subject"]).name) for row in found} == {
        ("records_passed_over", "users-2026-10-01.csv"),
        ("records_passed_over", "users-2026-10-15.csv"),
        ("records_passed_over", "20261001.json"),
        ("records_passed_over", "20261016.json"),
    }
    assert all("1 record of" in row["message"] for row in found)


def test_running_again_reads_and_publishes_nothing(place: Path) -> None:
    assert _run().exit_code == 0
    before = sorted((place / "store").rglob("*.parquet"))
    assert _run().exit_code == 0
    assert sorted((place / "store").rglob("*.parquet")) == before


def test_a_snapshot_under_another_day_says_something_else() -> None:
    """Its content is the same, and what it says of which day is not."""
    assert _run().exit_code == 0
    before = _shown("invoice_lines", LINES)
    Path("exports/licenses/20261016.json").rename("exports/licenses/20261011.json")
    assert _run().exit_code == 0
    committed = [line for line in _shown("invoice_lines", LINES) if line[1] == "committed"]
    assert committed != [line for line in before if line[1] == "committed"]
    assert [line[5] for line in committed] == ["32.26", "135.48"]


def test_snapshots_of_the_same_content_are_of_their_own_days() -> None:
    Path("exports/users/users-2026-10-19.csv").write_text(_users("TRUE,FALSE"))
    assert _run().exit_code == 0
    [total] = [row[2] for row in _shown("usage_split", ["meter", "subscription_id", "quantity"])]
    assert total == "2", "ann is standard again on the 20th"


def test_a_snapshot_that_is_gone_is_missed() -> None:
    """What held before the next one rests on it, whatever comes in its place."""
    assert _run().exit_code == 0
    Path("exports/users/users-2026-10-01.csv").unlink()
    Path("exports/users/users-2026-11-01.csv").write_text(_users("FALSE,FALSE"))
    result = _run()
    assert result.exit_code == 1
    assert "users-2026-10-01.csv" in result.stderr
    assert "[DataMissing]" in result.stderr
    assert _run("--allow-shrink").exit_code in (0, 3)


def test_a_cell_that_nobody_can_read_blocks_the_tenant_and_is_shown() -> None:
    Path("exports/users/users-2026-10-15.csv").write_text(_users("perhaps,TRUE"))
    assert _run().exit_code == 3
    [row] = [row for row in _quarantine() if row["feed"] == "users"]
    assert (row["feed"], Path(row["file"]).name, row["row"]) == (
        "users",
        "users-2026-10-15.csv",
        "1",
    )
    assert row["rules"] == "license_unknown"
    assert json.loads(row["raw"])["Webex Contact Center Standard Agent"] == "perhaps"
    assert {one["status"] for one in shown("invoices", "2026-10", Path("store"))} <= {"blocked"}


def test_a_contract_that_the_terms_do_not_have_is_told_with_the_file() -> None:
    settings = Path("tenantbill.toml").read_text().replace('"Sub-of-B" = "B"', '"Sub-of-B" = "C"')
    Path("tenantbill.toml").write_text(settings)
    assert _run().exit_code == 3
    assert {(Path(row["file"]).name, row["rules"]) for row in _quarantine()} == {
        ("20261001.json", "subscription_unknown")
    }


def _quarantine() -> list[Row]:
    return shown("quarantine", "2026-10", Path("store"))
