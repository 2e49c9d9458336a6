"""Runs that take usage from a source: what they say of the days its exports cover, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from pipeline.cli import billing
from pipeline.exports.csv_files import csv_cells
from pipeline.sources.kind import Kind
from pipeline.sources.kinds import KINDS
from schemas.feeds import USAGE
from tests.good_feeds import PERIOD, Feeds, good, save
from tests.support import Row, bill, shown, tenantbill
from tests.worlds import COLUMNS, write_csv

SESSIONS = Kind(
    "sessions",
    "sessions, as a file has them",
    lambda _: USAGE,
    (".csv",),
    lambda path, _: csv_cells(path, packed=False),
    selects_by_start=True,
)


class Place:
    """A directory with terms, a source of sessions, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.feeds, self.store, self.sessions = Path("feeds"), Path("store"), Path("sessions")
        self.terms: Feeds = {
            feed: rows for feed, rows in good("acme", "bolt").items() if feed != "usage"
        }
        save(self.terms, self.feeds)
        Path("tenantbill.toml").write_text('[[source]]\nkind = "sessions"\npath = "sessions"\n')
        self.turns("2026-11-05")

    def turns(self, day: str) -> None:
        """Let it be four o'clock of a day."""
        instant = datetime.fromisoformat(f"{day}T04:00:00Z").astimezone(UTC)
        self._monkeypatch.setattr(billing, "now", lambda: instant)

    def export(
        self,
        name: str,
        *starts: str,
        tenants: tuple[str, ...] = ("acme", "bolt"),
        meter: str = "standard_agent",
    ) -> None:
        """Export a row of each tenant at each start."""
        first: Row = good("acme")["usage"][0]
        sessions = [
            {**first, "tenant_id": tenant, "subscription_id": f"{tenant}-S"}
            | {"event_id": f"{tenant} {start}", "started_at": start, "ended_at": ""}
            | {"meter": meter, "quantity": "1" if meter else ""}
            for tenant in tenants
            for start in starts
        ]
        write_csv(self.sessions / name, COLUMNS["usage"].split(), sessions)

    def told(self, *words: object) -> str:
        """What a run of October says of itself."""
        result = bill(self.feeds, self.store, PERIOD, *words)
        return result.stdout.splitlines()[-1]

    def found(self, code: str) -> dict[str, str]:
        """The messages of a finding of October by tenant."""
        rows = shown("findings", PERIOD, self.store)
        return {row["tenant_id"]: row["message"] for row in rows if row["code"] == code}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(cast(dict[str, Kind], KINDS), "sessions", SESSIONS)
    return Place(monkeypatch)


def test_a_run_says_what_exports_lack(place: Place) -> None:
    place.export("2026-10-01..2026-10-20.csv", "2026-10-05T09:00:00Z")
    place.told()
    assert "covers 2026-10-21..2026-10-31:" in place.found("no_export_of_days")["acme"]
    assert set(place.found("extract_starts_late")) == {"acme", "bolt"}
    assert place.told().startswith(f"{PERIOD}: nothing has changed")
    place.export("2026-09-28..2026-09-30.csv", "2026-09-29T09:00:00Z")
    place.export("2026-10-21..2026-10-31.csv", "2026-10-29T09:00:00Z")
    place.told()
    assert place.found("no_export_of_days") == place.found("extract_starts_late") == {}


def test_only_what_lasts_can_start_too_late(place: Place) -> None:
    """A row without a meter is an agent's session; what is summed counts when it starts."""
    for name, meter, late in (("a", "ai_agent", set()), ("b", "", {"acme"})):
        start = f"2026-10-05T09:00:0{len(late)}Z"
        place.export(f"{name}-2026-10-01..2026-10-31.csv", start, tenants=("acme",), meter=meter)
        place.told()
        assert set(place.found("extract_starts_late")) == late
    meters = [{"meter": "ai_agent", "measure": "peak", "routing": "subscription"}]
    meters[0] |= {"charge": "overage"}
    (place.sessions / "b-2026-10-01..2026-10-31.csv").unlink()
    place.told("--allow-shrink")
    assert place.found("extract_starts_late") == {}
    write_csv(place.feeds / "meters.csv", COLUMNS["meters"].split(), meters)
    write_csv(place.feeds / "entitlements.csv", COLUMNS["entitlements"].split(), [])
    write_csv(place.feeds / "rates.csv", COLUMNS["rates"].split(), [])
    place.told()
    assert set(place.found("extract_starts_late")) == {"acme"}


def test_time_alone_makes_a_month_anew_once_when_it_is_over(place: Place) -> None:
    place.turns("2026-10-11")
    place.export("2026-10-01..2026-10-08.csv", "2026-10-05T09:00:00Z")
    assert "ingest, validate" in place.told()
    assert "covers 2026-10-09..2026-10-10:" in place.found("no_export_of_days")["acme"]
    for day in ("2026-10-12", "2026-10-31", "2026-11-01"):
        place.turns(day)
        assert "nothing has changed" in place.told(), day
    place.turns("2026-11-02")
    assert place.told().startswith(f"{PERIOD}: ingest done")
    assert "covers 2026-10-09..2026-10-31:" in place.found("no_export_of_days")["acme"]
    place.turns("2027-01-15")
    assert "nothing has changed" in place.told()
    before = tenantbill("show", "findings", PERIOD, "--store", place.store).stdout
    place.told("--as-of", "2026-10-20T00:00:00Z")
    assert "covers 2026-10-09..2026-10-10:" in place.found("no_export_of_days")["acme"]
    place.told("--as-of", "2026-12-01T00:00:00Z")
    assert tenantbill("show", "findings", PERIOD, "--store", place.store).stdout == before


def test_findings_follow_the_terms_that_they_depend_on(place: Place) -> None:
    place.export("a.csv", "2026-09-30T12:00:00Z", "2026-10-31T06:00:00Z")
    place.told()
    assert place.found("no_export_of_days") == {}
    place.terms["tenants"][0]["time_zone"] = "America/Los_Angeles"
    save(place.terms, place.feeds)
    place.told()
    assert list(place.found("no_export_of_days")) == ["acme"], "it is still the 30th there"
    place.terms["subscriptions"][0]["end_date"] = "2026-10-30"
    save(place.terms, place.feeds)
    place.told()
    assert place.found("no_export_of_days") == {}


def test_a_run_of_some_tenants_keeps_what_is_found_of_all(place: Place) -> None:
    place.export("2026-10-01..2026-10-20.csv", "2026-10-05T09:00:00Z")
    place.told("--tenant", "acme")
    assert set(place.found("no_export_of_days")) == {"acme", "bolt"}


def test_rows_of_a_wrong_year_are_told(place: Place) -> None:
    place.export("2026-10-05.csv", "2026-10-05T09:00:00Z", "2029-10-05T09:00:00Z")
    place.told()
    [message] = place.found("export_older_than_data").values()
    assert "has rows up to 2029-10-05T09:00:00Z, and it was first taken in at 2026-11-05" in message


def test_exports_of_the_feeds_directory_are_of_no_source(place: Place) -> None:
    Path("tenantbill.toml").unlink()
    save(good("acme"), place.feeds)
    place.told()
    assert shown("findings", PERIOD, place.store) == []
