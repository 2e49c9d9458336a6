"""convert: exports of other systems as files of a feed, and what cannot be read beside them."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from pipeline.exports import read_export
from schemas.feeds import USAGE
from tests.support import tenantbill

SESSIONS = """\
{"agentSessionId":"s1","agentId":"u1","startTime":1790000000123,"endTime":1790000060000}
{"agentSessionId":"s2","agentId":"u1","startTime":"soon"}
{"agentSessionId":"s3","agentId":"u2","startTime":1790000000000,"isActive":true}
"""

KIND = "search-api-agent-sessions"


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    path = tmp_path / "sessions.jsonl"
    path.write_text(SESSIONS)
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_written_is_read_as_a_feed(sessions: Path, tmp_path: Path, ending: str) -> None:
    into = tmp_path / "feeds" / f"usage.{ending}"
    result = tenantbill("convert", KIND, sessions, "-o", into, "--tenant", "acme")
    assert result.exit_code == 3, result.output
    rows = pl.concat(batch.whole() for batch in read_export(into, USAGE))
    assert rows["event_id"].to_list() == ["s1", "s3"]
    assert rows["started_at"].dt.epoch("ms").to_list() == [1790000000123, 1790000000000]
    assert rows["ended_at"].is_null().to_list() == [False, True]
    assert rows["defects"].null_count() == 2


def test_rows_that_cannot_be_read_are_written_beside_it(sessions: Path, tmp_path: Path) -> None:
    """R11.2: with their file, record, rules and what they said; a sound export takes it away."""
    into = tmp_path / "usage.csv"
    result = tenantbill("convert", KIND, sessions, "-o", into, "--tenant", "acme")
    assert "1 row cannot be read: see" in result.stderr
    text = (tmp_path / "usage.quarantine.csv").read_text(encoding="utf-8")
    [refused] = csv.DictReader(text.splitlines())
    assert (refused["feed"], refused["row"], refused["tenant_id"]) == ("usage", "2", "acme")
    assert refused["rules"] == "started_at_unreadable" and '"soon"' in refused["raw"]
    sessions.write_text(SESSIONS.replace('"soon"', "1790000000000"))
    assert tenantbill("convert", KIND, sessions, "-o", into, "--tenant", "acme").exit_code == 0
    assert not (tmp_path / "usage.quarantine.csv").exists()


def test_a_damaged_export_leaves_the_file_as_it_was(sessions: Path, tmp_path: Path) -> None:
    into = tmp_path / "usage.csv"
    tenantbill("convert", KIND, sessions, "-o", into, "--tenant", "acme")
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    sessions.write_text(SESSIONS[:-10])
    result = tenantbill("convert", KIND, sessions, "-o", into, "--tenant", "acme")
    assert result.exit_code == 1 and "[TruncatedExport]" in result.stderr
    sessions.write_text(SESSIONS)
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


def tenants_in(path: Path) -> set[str]:
    with path.open(encoding="utf-8") as file:
        return {row["tenant_id"] for row in csv.DictReader(file)}


def test_the_tenant_comes_from_the_words_then_the_environment_then_the_settings(
    sessions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sessions.parent)
    words = ("convert", KIND, sessions.name, "-o", "usage.csv")
    settings, into = Path("tenantbill.toml"), Path("usage.csv")
    settings.write_text('tenant = ["acme"]')
    assert tenantbill(*words).exit_code == 3 and tenants_in(into) == {"acme"}
    assert tenantbill(*words, "--set", "tenant=own").exit_code == 3
    assert tenants_in(into) == {"own"}
    monkeypatch.setenv("TENANTBILL_TENANT", "bolt")
    assert tenantbill(*words).exit_code == 3 and tenants_in(into) == {"bolt"}
    assert tenantbill(*words, "--tenant", "coil").exit_code == 3 and tenants_in(into) == {"coil"}
    Path("t.csv").write_text("tenant_id\nacme\n")
    table = ("convert", "csv", "t.csv", "-o", "tenants.csv", "--set", "feed=tenants")
    assert tenantbill(*table).exit_code == 0, "a table says itself whose its rows are"
    assert tenantbill(*table, "--tenant", "acme").exit_code == 2


def test_several_tenants_are_refused(sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sessions.parent)
    Path("tenantbill.toml").write_text('tenant = ["acme", "bolt"]')
    words = ("convert", KIND, sessions.name, "-o", "usage.csv")
    refused = tenantbill(*words)
    assert refused.exit_code == 2
    assert "exports are of one tenant, and here are 2: acme, bolt [UsageError]" in refused.stderr
    assert "--tenant ID" in refused.stderr and not Path("usage.csv").exists()
    assert tenantbill(*words, "--tenant", "bolt").exit_code == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-o", "usage.xlsx"), "neither CSV nor Parquet"),
        (("-o", "u.csv", "--set", "usr=agentId"), "did you mean 'user'?"),
        (("-o", "u.csv", "--set", "user"), "write KEY=VALUE"),
        (("-o", "u.csv", "--set", "tenants=a"), "tenants is 'a'"),
        (("-o", "u.csv", "--set", "user.a=b"), "user is {'a': 'b'}"),
        (("-o", "u.csv", "--set", "tenants.o=a", "--set", "tenants=b"), "tenants is 'b'"),
        (("-o", "u.csv", "--set", "tenants=b", "--set", "tenants.o=a"), "tenants is said twice"),
    ],
)
def test_what_is_wrong_with_the_words_is_told(
    sessions: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(sessions.parent)
    result = tenantbill("convert", KIND, sessions.name, *words)
    assert result.exit_code == 2 and told in result.stderr
    assert [path.name for path in sessions.parent.iterdir()] == [sessions.name]


def test_a_truth_value_is_true_or_false(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("tenant_id\nacme\n")
    words: tuple[object, ...] = ("csv", tmp_path / "t.csv", "-o", tmp_path / "tenants.csv")
    words += ("--set", "feed=tenants")
    words += ("--set", "separator=;")
    assert tenantbill("convert", *words, "--set", "decimal_comma=true").exit_code == 0
    result = tenantbill("convert", *words, "--set", "decimal_comma=yes")
    assert result.exit_code == 2 and "decimal_comma=true" in result.stderr


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "users.pdf").write_text("x")
    words = (KIND, tmp_path / "users.pdf", "-o", tmp_path / "u.csv")
    result = tenantbill("convert", *words)
    assert result.exit_code == 1 and "does not come in such a file" in result.stderr
