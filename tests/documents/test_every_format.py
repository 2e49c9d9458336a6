"""What holds of every format: the same totals, drafts only on demand, no harm from any name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import duckdb
import pytest
from python_calamine import CalamineWorkbook

from pipeline.cli.exporting import FORMATS
from pipeline.documents.naming import file_stem
from tests.documents.beans import faults, postings
from tests.documents.einvoices import SPACES, settings
from tests.documents.months import AFTER, HOSTILE, OPEN, PERIOD, Months
from tests.support import tenantbill

__all__ = ["settings"]

pytestmark = pytest.mark.usefixtures("settings")

Totals = dict[str, Decimal]
Sold = list[tuple[str, str, Decimal]]
"""Whom, in which currency, how much."""


def of_csv(folder: Path) -> Sold:
    with (folder / "invoices.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [(row["tenant_id"], row["currency"], Decimal(row["total"])) for row in rows]


def of_parquet(folder: Path) -> Sold:
    lines = duckdb.read_parquet(str(folder / "invoice_lines.parquet"))
    sums = lines.aggregate("tenant_id, currency, sum(amount)", "tenant_id, currency")
    return sums.fetchall()


def of_xlsx(folder: Path) -> Sold:
    [path] = folder.glob("*.xlsx")
    header, *rows = CalamineWorkbook.from_path(path).get_sheet_by_name("Lines").to_python()
    places = [header.index(name) for name in ("tenant_id", "currency", "amount")]
    cells = [[row[place] for place in places] for row in rows]
    return [(str(who), str(code), round(Decimal(repr(sum_)), 3)) for who, code, sum_ in cells]


def of_journal(folder: Path) -> Sold:
    path = folder / "journal.beancount"
    assert faults(path) == ""
    return [
        (row["payee"].removesuffix(" Ltd"), row["currency"], Decimal(row["number"]))
        for row in postings(path)
        if row["account"].startswith("Assets:")
    ]


def of_ubl(folder: Path) -> Sold:
    found: Sold = []
    buyer = "cac:AccountingCustomerParty/cac:Party/cac:PartyName/cbc:Name"
    net = "cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount"
    for path in folder.glob("*.xml"):
        root = ET.parse(path).getroot()
        sign = -1 if root.tag.endswith("}CreditNote") else 1
        texts = [root.findtext(one, "", SPACES) for one in (buyer, "cbc:DocumentCurrencyCode", net)]
        found.append((texts[0].removesuffix(" Ltd"), texts[1], sign * Decimal(texts[2])))
    return found


def of_focus(folder: Path) -> Sold:
    text = (folder / "cost_and_usage.csv").read_text(encoding="utf-8")
    return [
        (row["BillingAccountId"], row["BillingCurrency"], Decimal(row["BilledCost"]))
        for row in csv.DictReader(io.StringIO(text))
    ]


READERS: dict[str, Callable[[Path], Sold]] = {
    "csv": of_csv,
    "parquet": of_parquet,
    "xlsx": of_xlsx,
    "journal": of_journal,
    "ubl": of_ubl,
    "focus": of_focus,
}


def totals(sold: Sold) -> Totals:
    sums: Totals = {}
    for _, code, amount in sold:
        sums[code] = sums.get(code, Decimal(0)) + amount
    return sums


def test_every_format_is_read_back() -> None:
    assert set(READERS) == set(FORMATS)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("period", "status"), [(PERIOD, "issued"), (AFTER, "issued"), (OPEN, "")])
def test_the_same_totals_are_in_every_format(
    months: Months, tmp_path: Path, form: str, period: str, status: str
) -> None:
    options = () if status else ("--draft",)
    sold = READERS[form](months.export(period, form, tmp_path / "out", *options))
    assert totals(sold) == months.totals(period, status or "draft")
    assert {code for _, code, _ in sold} >= {"USD", "EUR", "JPY", "BHD"}


@pytest.mark.parametrize("form", FORMATS)
def test_drafts_and_blocked_invoices_are_never_exported_as_issued(
    months: Months, tmp_path: Path, form: str
) -> None:
    words = ("export", OPEN, "--as", form, "-o", tmp_path / "out", "--store", months.store)
    result = tenantbill(*words)
    assert result.exit_code == 1
    assert "[NothingToExport]" in result.stderr
    assert "--draft" in result.stderr
    assert not (tmp_path / "out").exists()
    sold = READERS[form](months.export(PERIOD, form, tmp_path / "out", "--draft"))
    assert "stuck" not in {who for who, _, _ in sold}


@pytest.mark.parametrize("form", FORMATS)
def test_no_name_does_any_harm(months: Months, tmp_path: Path, form: str) -> None:
    """What a name holds is data: it comes back as it was, and makes no file, row or account."""
    folder = months.export(PERIOD, form, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "work"}
    assert not any(path.is_dir() for path in folder.iterdir())
    names = {who for who, _, amount in READERS[form](folder) if amount}
    visible = {
        name.replace("\u202e", "<U+202E>").replace("\u200f", "<U+200F>").replace("\t", "<U+0009>")
        for name in HOSTILE
    }
    assert (visible if form == "journal" else set(HOSTILE)) <= names


@pytest.mark.parametrize("form", FORMATS)
def test_each_says_what_it_wrote(months: Months, tmp_path: Path, form: str) -> None:
    words = ("export", PERIOD, "--as", form, "-o", tmp_path / "out", "--store", months.store)
    told = tenantbill(*words).stdout
    files = len(list((tmp_path / "out").iterdir()))
    issued = len(months.invoices(PERIOD))
    assert told.startswith(f"2026-10: {issued} documents ({issued} issued; BHD 10.000; EUR 10.00; ")
    assert told.endswith(f" as {form}, {files} file{'s' * (files > 1)} in {tmp_path / 'out'}\n")


@pytest.mark.parametrize(
    ("words", "stem"),
    [
        ("acme-7", "acme-7"),
        ("../x-1", "%2E.%2Fx-1"),
        (".hidden-1", "%2Ehidden-1"),
        ("-rf-1", "%2Drf-1"),
        ("~-1", "%7E-1"),
        ("a b\0-1", "a%20b%00-1"),
        ("C:\\x-1", "C%3A%5Cx-1"),
    ],
)
def test_a_file_is_named_by_one_plain_word(words: str, stem: str) -> None:
    assert file_stem(words) == stem


def test_names_that_are_too_long_for_a_file_stay_apart() -> None:
    stems = {file_stem("é" * 5_000 + end) for end in ("-1", "-2")}
    assert len(stems) == 2
    assert all(len(stem) <= 200 for stem in stems)


def test_names_stay_what_they_were_when_a_closed_month_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.good_feeds import good, save  # noqa: PLC0415
    from tests.support import bill  # noqa: PLC0415

    feeds, store, out = good("acme"), tmp_path / "store", tmp_path / "out"
    for name in ("Old Ltd", "New Ltd"):
        feeds["tenants"][0]["name"] = name
        bill(save(feeds, tmp_path / "in"), store, PERIOD)
        tenantbill("close", PERIOD, "--store", store, "--provisional")
    words = ("export", PERIOD, "--as", "focus", "-o", out, "--store", store)
    assert tenantbill(*words).exit_code == 0
    with (out / "cost_and_usage.csv").open(encoding="utf-8") as file:
        assert {row["BillingAccountName"] for row in csv.DictReader(file)} == {"Old Ltd"}
    with (out / "billing_period.csv").open(encoding="utf-8") as file:
        [month] = csv.DictReader(file)
    assert month["BillingPeriodStatus"] == "Closed", "nobody is left to be invoiced"


def test_a_manifest_can_be_read_whatever_it_names(months: Months, tmp_path: Path) -> None:
    folder = months.export(PERIOD, "csv", tmp_path / "out")
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["period"] == PERIOD
