"""The bundle: every dataset as published, and a manifest that can be checked."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

from schemas.datasets import DATASETS
from tests.documents.months import AFTER, OPEN, PERIOD, Months
from tests.support import shown, tenantbill

FORMS = ("csv", "parquet")


def manifest_of(folder: Path) -> dict[str, object]:
    manifest: dict[str, object] = json.loads((folder / "manifest.json").read_text())
    return manifest


def rows_in(folder: Path, dataset: str) -> list[dict[str, str]]:
    with (folder / f"{dataset}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("form", FORMS)
def test_the_manifest_names_every_file_with_its_rows_and_what_it_hashes_to(
    months: Months, tmp_path: Path, form: str
) -> None:
    folder = months.export(AFTER, form, tmp_path / "new" / "place")
    manifest = json.loads((folder / "manifest.json").read_text())
    names = {table.name: f"{table.name}.{form}" for table in DATASETS}
    assert {one["dataset"]: one["file"] for one in manifest["files"]} == names
    assert {path.name for path in folder.iterdir()} == {*names.values(), "manifest.json"}
    for one in manifest["files"]:
        path = folder / one["file"]
        assert sha256(path.read_bytes()).hexdigest() == one["sha256"]
        read = pl.read_csv(path, infer_schema=False) if form == "csv" else pl.read_parquet(path)
        assert len(read) == one["rows"], path.name
    assert {code: Decimal(total) for code, total in manifest["totals"].items()} == months.totals(
        AFTER
    )
    assert manifest["totals"]["JPY"].isdigit(), "as many digits as the currency has"


def test_documents_are_as_issued_and_the_ledger_says_by_what(
    months: Months, tmp_path: Path
) -> None:
    folder = months.export(AFTER, "csv", tmp_path)
    assert rows_in(folder, "invoices") == months.invoices(AFTER)
    lines = [row["line_id"] for row in rows_in(folder, "invoice_lines")]
    ids = {row["invoice_id"] for row in months.invoices(AFTER)}
    published = shown("invoice_lines", AFTER, months.store)
    assert lines == [row["line_id"] for row in published if row["invoice_id"] in ids]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [one["action"] for one in manifest["ledger"]] == ["apply", "close"]
    assert manifest["ledger"][0]["reason"] == "prices were wrong"
    assert manifest["run"] is None, "nothing in it is of an unissued run"
    closed = manifest["ledger"][1]["based_on"][AFTER]
    assert closed["run"] in tenantbill("log", AFTER, "--store", months.store).stdout


def test_a_blocked_invoice_is_in_no_export_and_is_named(months: Months, tmp_path: Path) -> None:
    words = ("export", PERIOD, "--as", "csv", "--store", months.store, "-o")
    issued = tenantbill(*words, tmp_path / "issued")
    assert issued.exit_code == 0
    with_drafts = tenantbill(*words, tmp_path / "drafts", "--draft")
    assert with_drafts.exit_code == 3
    assert with_drafts.stderr == "  2026-10/stuck/stuck-S is left out: it is blocked\n"
    for folder in ("issued", "drafts"):
        assert "stuck" not in (tmp_path / folder / "invoices.csv").read_text()
    assert "stuck" not in (tmp_path / "issued" / "findings.csv").read_text()


def test_drafts_are_exported_only_with_draft(months: Months, tmp_path: Path) -> None:
    words = ("export", OPEN, "--as", "csv", "--store", months.store, "-o")
    refused = tenantbill(*words, tmp_path / "none")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "error: there is no issued document of 2026-12 [NothingToExport]\n"
        "  close the month with `tenantbill close 2026-12`, or add --draft\n"
    )
    assert not (tmp_path / "none").exists()
    assert tenantbill(*words, tmp_path / "d", "--draft", "--tenant", "acme").exit_code == 0
    [row] = rows_in(tmp_path / "d", "invoices")
    assert (row["status"], row["tenant_id"], row["number"]) == ("draft", "acme", "")
    manifest = manifest_of(tmp_path / "d")
    assert manifest["documents"] == {"issued": 0, "draft": 1}
    assert manifest["run"]


def test_what_was_never_run_says_so(months: Months, tmp_path: Path) -> None:
    words = ("--as", "csv", "-o", tmp_path / "x", "--store")
    for store in (months.store, tmp_path / "no store"):
        result = tenantbill("export", "2025-01", *words, store)
        assert result.exit_code == 1
        assert "run `tenantbill run 2025-01 --feeds DIR` first" in result.stderr
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "no store").exists()


def test_one_tenant_can_be_exported_alone(months: Months, tmp_path: Path) -> None:
    folder = months.export(PERIOD, "csv", tmp_path, "--tenant", "bolt")
    for dataset in ("invoices", "usage_split", "access"):
        assert {row["tenant_id"] for row in rows_in(folder, dataset)} == {"bolt"}, dataset


def test_a_range_of_months_goes_to_a_directory_each(months: Months, tmp_path: Path) -> None:
    months.export(f"{PERIOD}..{AFTER}", "csv", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [PERIOD, AFTER]
    assert rows_in(tmp_path / AFTER, "invoices") == months.invoices(AFTER)


@pytest.mark.parametrize("form", ("csv", "parquet", "journal", "xlsx"))
def test_the_same_export_is_the_same_bytes_and_replaces_what_was_there(
    months: Months, tmp_path: Path, form: str
) -> None:
    folder = months.export(PERIOD, form, tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    mine = folder / "mine.txt"
    mine.write_text("not an export")
    next(iter(folder.iterdir())).touch()
    months.export(PERIOD, form, tmp_path)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after == {**before, "mine.txt": b"not an export"}


def test_an_export_that_fails_leaves_everything_as_it_was(
    months: Months, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.documents import bundle  # noqa: PLC0415

    folder = months.export(PERIOD, "csv", tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle, "totals_of", full)
    words = ("export", AFTER, "--as", "csv", "-o", tmp_path, "--store", months.store)
    result = tenantbill(*words)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_name_of_a_format_that_is_none_is_wrong_use(months: Months, tmp_path: Path) -> None:
    result = tenantbill("export", PERIOD, "--as", "pdf", "-o", tmp_path, "--store", months.store)
    assert result.exit_code == 2
