"""FOCUS 1.4: columns, values, and costs that add up; and what a validator says of it."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.documents.focus_columns import BILLING_PERIOD, COST_AND_USAGE, INVOICE_DETAIL
from pipeline.rules.catalogue import SHIPPED
from tests.documents.einvoices import settings
from tests.documents.months import AFTER, OPEN, PERIOD, Months
from tests.support import Row, tenantbill

__all__ = ["settings"]

COLUMNS = {
    "cost_and_usage": COST_AND_USAGE,
    "invoice_detail": INVOICE_DETAIL,
    "billing_period": BILLING_PERIOD,
}

pytestmark = pytest.mark.usefixtures("settings")


def focus_of(
    months: Months, folder: Path, period: str, *options: object
) -> tuple[list[Row], list[Row], list[Row]]:
    """The rows of the three datasets."""
    months.export(period, "focus", folder, *options)
    found = []
    for name, columns in COLUMNS.items():
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            assert tuple(reader.fieldnames or ()) == columns
            found.append(list(reader))
    return found[0], found[1], found[2]


def number(row: Row, column: str) -> Decimal:
    return Decimal(row[column])


@pytest.mark.parametrize(("period", "status"), [(PERIOD, "issued"), (AFTER, "issued"), (OPEN, "")])
def test_costs_are_those_of_the_documents(
    months: Months, tmp_path: Path, period: str, status: str
) -> None:
    usage, details, _ = focus_of(months, tmp_path, period, *([] if status else ["--draft"]))
    for rows, column in ((usage, "BilledCost"), (usage, "EffectiveCost"), (details, "BilledCost")):
        sums: dict[str, Decimal] = {}
        for row in rows:
            money = row["BillingCurrency"]
            sums[money] = sums.get(money, Decimal(0)) + number(row, column)
        assert sums == months.totals(period, status or "draft"), column
    owed = {
        f"{row['tenant_id']}-{row['number']}" if status else f"draft-{row['invoice_id']}": Decimal(
            row["total"]
        )
        for row in months.invoices(period, status or "draft")
    }
    billed: dict[str, Decimal] = dict.fromkeys(owed, Decimal(0))
    for row in usage:
        billed[row["InvoiceId"]] += number(row, "BilledCost")
    assert billed == owed


@pytest.mark.parametrize("period", [PERIOD, AFTER])
def test_every_row_keeps_the_rules_of_the_specification(
    months: Months, tmp_path: Path, period: str
) -> None:
    usage, details, [month] = focus_of(months, tmp_path, period)
    assert [row["InvoiceDetailId"] for row in usage] == [row["InvoiceDetailId"] for row in details]
    assert len({row["InvoiceDetailId"] for row in usage}) == len(usage)
    for row in usage:
        quantity = number(row, "PricingQuantity")
        for cost, price in (
            ("ListCost", "ListUnitPrice"),
            ("ContractedCost", "ContractedUnitPrice"),
        ):
            assert number(row, price) >= 0
            assert number(row, cost) == quantity * number(row, price)
        assert abs(number(row, "ListCost") - number(row, "BilledCost")) < 1
        assert row["ChargeCategory"] in ("Usage", "Purchase")
        assert row["ChargeFrequency"] != "Usage-Based" or row["ChargeCategory"] == "Usage"
        assert bool(row["ConsumedQuantity"]) == bool(row["ConsumedUnit"])
        assert not row["ConsumedQuantity"] or row["ChargeCategory"] == "Usage"
        assert row["ServiceProviderName"] == row["InvoiceIssuerName"], "so costs may be billed"
        assert row["BillingPeriodStart"] == f"{period}-01T00:00:00Z" == month["BillingPeriodStart"]
        assert row["ChargeClass"] in ("", "Correction")
    assert month["BillingPeriodStatus"] == "Open", "stuck is still to be invoiced"


def test_a_commitment_takes_effect_with_the_usage_it_covers(months: Months, tmp_path: Path) -> None:
    usage, *_ = focus_of(months, tmp_path, PERIOD, "--tenant", "acme")
    columns = "x_UnitPrice ChargeCategory BilledCost EffectiveCost PricingCategory ConsumedQuantity"
    told = [
        tuple(row[name] for name in columns.split())
        for row in usage
        if row["SkuId"] == "standard_agent"
    ]
    assert told == [
        ("10", "Purchase", "10", "0", "Standard", ""),
        ("7.125", "Usage", "7.13", "7.13", "Standard", ""),
        ("0", "Usage", "0", "10", "Committed", "2"),
    ]
    [shares] = [row["x_TenantUsageBySubAccount"] for row in usage if row["x_UnitPrice"] == "7.125"]
    assert json.loads(shares) == {"acme-S": "2"}


def test_corrections_are_billed_now_and_charged_then(months: Months, tmp_path: Path) -> None:
    usage, details, _ = focus_of(months, tmp_path, AFTER, "--tenant", "bolt")
    corrections = [row for row in usage if row["ChargeClass"] == "Correction"]
    told = [(row["x_Adjustment"], row["BilledCost"], row["PricingQuantity"]) for row in corrections]
    assert told == [("reversal", "-10", "-1"), ("statement", "8.4", "1")]
    for row in corrections:
        assert row["ChargePeriodStart"] == "2026-10-01T00:00:00Z"
        assert row["ChargePeriodEnd"] == "2026-11-01T00:00:00Z"
        assert row["BillingPeriodStart"] == "2026-11-01T00:00:00Z"
        assert row["x_CorrectsInvoiceDetailId"] == "2026-10/bolt/bolt-S/committed/standard_agent/1"
    refers = {row["InvoiceId"]: row["ReferenceInvoiceId"] for row in details}
    assert refers == {"bolt-2": "bolt-1", "bolt-3": "bolt-3"}
    assert {row["PurchaseOrderNumber"] for row in details} == {"PO 4711"}
    assert {row["InvoiceIssueStatus"] for row in details} == {"Issued"}


def test_a_part_of_a_month_is_one_charge_with_its_own_quantity_beside_it(
    months: Months, tmp_path: Path
) -> None:
    usage, *_ = focus_of(months, tmp_path, PERIOD, "--tenant", "kyoto")
    [row] = [row for row in usage if row["ChargeCategory"] == "Purchase"]
    assert (row["PricingQuantity"], row["PricingUnit"], row["ListUnitPrice"]) == (
        "1",
        "Charges",
        "9",
    )
    assert (row["x_Quantity"], row["x_UnitPrice"], row["BilledCost"]) == ("1", "10", "9")


def test_every_unit_of_the_catalogue_has_a_word(months: Months) -> None:
    from pipeline.documents.focus_columns import UNITS  # noqa: PLC0415

    assert {meter.unit for meter in SHIPPED.values()} <= set(UNITS)


def test_a_draft_is_open(months: Months, tmp_path: Path) -> None:
    _, details, [month] = focus_of(months, tmp_path, OPEN, "--draft")
    assert {row["InvoiceIssueStatus"] for row in details} == {"Open"}
    assert {row["InvoiceIssueDate"] for row in details} == {""}
    assert month["BillingPeriodStatus"] == "Open"


def test_the_seller_must_be_named(months: Months, tmp_path: Path, settings: Path) -> None:
    (settings / "tenantbill.toml").write_text('[seller]\nname = "Metered Voice"\n')
    words = ("export", PERIOD, "--as", "focus", "-o", tmp_path / "out", "--store", months.store)
    result = tenantbill(*words)
    assert result.exit_code == 2
    assert "FOCUS needs seller.payment_terms [SettingMissing]" in result.stderr
    assert "`payment_terms = …` below `[seller]`" in result.stderr


TOOL = (sys.executable, "-m", "focus_data_toolkit")
TOOLKIT = importlib.util.find_spec("focus_data_toolkit") is not None


def judged(folder: Path, *, is_whole: bool = True) -> str:
    """What the toolkit says of the three files, each for itself and all together."""
    files = {name.replace("_", "-"): str(folder / f"{name}.csv") for name in COLUMNS}
    whole = [word for name, file in files.items() for word in (f"--{name}", file)]
    runs = [["validate", file, "--dataset", name] for name, file in files.items()]
    done = [
        subprocess.run([*TOOL, *words], capture_output=True, text=True, check=False)
        for words in (["validate-bundle", *whole], *runs)
    ]
    assert is_whole == all(one.returncode == 0 for one in done), [one.stdout for one in done]
    return "".join(one.stdout + one.stderr for one in done)


@pytest.mark.skipif(not TOOLKIT, reason="needs pip install 'tenantbill[focus-check]'")
@pytest.mark.parametrize(("period", "options"), [(PERIOD, ()), (AFTER, ()), (OPEN, ("--draft",))])
def test_the_toolkit_finds_no_fault(
    months: Months, tmp_path: Path, period: str, options: tuple[str, ...]
) -> None:
    focus_of(months, tmp_path, period, *options)
    assert judged(tmp_path).count("lint OK") == 3


@pytest.mark.skipif(not TOOLKIT, reason="needs pip install 'tenantbill[focus-check]'")
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (",Purchase,", ",Rent,", "not_in_allowed_values"),
        (",USD,", ",USX,", "bad_currency"),
        ("T00:00:00Z", "", "bad_datetime"),
    ],
)
def test_the_toolkit_sees_what_is_wrong(
    months: Months, tmp_path: Path, old: str, new: str, told: str
) -> None:
    focus_of(months, tmp_path, PERIOD, "--tenant", "acme")
    path = tmp_path / "cost_and_usage.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert told in judged(tmp_path, is_whole=False)
