"""The sample month as Webex exports it: billed from the exports as it is from feeds."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import shown, tenantbill

PERIOD = "2026-10"
SAMPLES = Path(__file__).parents[1] / "sample_data"

BILLED = """
line                                            quantity amount
CH-BILLING/committed/premium_agent/1            3        408
CH-HOSPITAL/committed/standard_agent/1          8        356.13
CH-HOSPITAL/committed/standard_agent/2          9        427.35
CH-HOSPITAL/overage/standard_agent/1            2        277
CH-HOSPITAL/overage/premium_agent/1             2        408
CH-HOSPITAL/overage/toll_free_call/1            2        34.8
CH-HOSPITAL/overage/ai_agent/1                  93       38.13
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script writes: the exports again, and the same month as feeds."""
    folder = tmp_path_factory.mktemp("made")
    program: list[str | Path] = [sys.executable, SAMPLES / "make_exports.py", "--out", folder]
    subprocess.run(program, check=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def from_exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the month was billed from the exports, as the settings beside them say."""
    folder = tmp_path_factory.mktemp("exports")
    shutil.copytree(SAMPLES / "exports", folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as there:
        there.chdir(folder)
        result = tenantbill("run", PERIOD, "--store", folder / "store")
    assert result.exit_code == 0, result.output
    return folder / "store"


def test_the_exports_are_what_the_script_writes(made: Path) -> None:
    written = sorted(path.relative_to(made / "exports") for path in (made / "exports").rglob("*"))
    assert len(written) > 12
    for name in written:
        if (made / "exports" / name).is_file():
            assert filecmp.cmp(made / "exports" / name, SAMPLES / "exports" / name, False), name


@pytest.mark.parametrize(
    "dataset", ["invoices", "invoice_lines", "overage", "usage_split", "daily"]
)
def test_exports_are_billed_as_the_same_month_in_feeds(
    made: Path, from_exports: Path, dataset: str
) -> None:
    store = made / "store"
    if not store.exists():
        result = tenantbill("run", PERIOD, "--feeds", made / "cedar-feeds", "--store", store)
        assert result.exit_code == 0, result.output
    expected = shown(dataset, PERIOD, store)
    assert expected and shown(dataset, PERIOD, from_exports) == expected


def test_the_lines_of_the_exports(from_exports: Path) -> None:
    """Two over at the hospital's peak, two in the billing office's, all on the older contract."""
    lines = {one["line_id"]: one for one in shown("invoice_lines", PERIOD, from_exports)}
    for row in BILLED.split("\n")[2:-1]:
        name, quantity, amount = row.split()
        line = lines[f"{PERIOD}/cedar-health/{name}"]
        assert (line["quantity"], line["amount"]) == (quantity, amount), name


def test_a_line_is_explained_down_to_the_record_of_the_export(from_exports: Path) -> None:
    line = f"{PERIOD}/cedar-health/CH-HOSPITAL/overage/standard_agent/1"
    result = tenantbill("explain", line, "--store", from_exports, "--rows", "99")
    assert result.exit_code == 0, result.output
    assert "prices.xlsx, row 3" in result.output
    assert "agent-sessions/agent-sessions-2026-09-29..2026-10-07.json" in result.output


def test_nothing_of_the_exports_is_refused(from_exports: Path) -> None:
    assert shown("quarantine", PERIOD, from_exports) == []


def test_ten_lines_of_settings_bill_a_control_hub_export(made: Path, tmp_path: Path) -> None:
    """The ten lines of the README, beside the contracts, entitlements and prices as feeds."""
    readme = (SAMPLES.parent / "README.md").read_text(encoding="utf-8")
    lines = readme.split("```toml\n")[1].split("```")[0]
    assert len(lines.splitlines()) == 10
    shutil.copytree(SAMPLES / "exports", tmp_path, dirs_exist_ok=True)
    (tmp_path / "tenantbill.toml").write_text(lines)
    feeds = shutil.copytree(made / "cedar-feeds", tmp_path / "contracts")
    for name in ("users", "usage"):
        (feeds / f"{name}.csv").unlink()
    with pytest.MonkeyPatch.context() as there:
        there.chdir(tmp_path)
        result = tenantbill("run", PERIOD, "--feeds", "contracts", "--store", "store")
    assert result.exit_code == 0, result.output
    found = {one["meter"]: one["usage"] for one in shown("overage", PERIOD, tmp_path / "store")}
    assert found == {"standard_agent": "10", "premium_agent": "5"}


ORGANISATION = "5f0c1f6e-31c7-4c39-8f5d-6b1b7b0c2d11"
IS_CEDAR = f"tenants.{ORGANISATION}=cedar-health"

CONVERSIONS = f"""
search-api-agent-sessions agent-sessions/*          usage/sessions.parquet {IS_CEDAR} user=userLoginId
search-api-tasks          tasks/*                   usage/tasks.csv        tenant=cedar-health toll_free=ep-0800
search-api-tasks          ai-agent-*                usage/ai.csv           tenant=cedar-health
connect-usage             connect-usage-*           usage/connect.csv      {IS_CEDAR}
control-hub-users         users-*                   users.csv              tenant=cedar-health subscription_by=Department subscriptions.Hospital=CH-HOSPITAL subscriptions.Billing_office=CH-BILLING
licenses-api              licenses-*                entitlements.parquet   tenant=cedar-health
csv                       contracts.csv             subscriptions.csv      feed=subscriptions {IS_CEDAR} columns.tenant_id=Organisation columns.subscription_id=Contract columns.offer=Product columns.license_model=Licensing columns.status=State columns.start_date=From columns.currency=Currency
csv                       organisation.csv          tenants.csv            feed=tenants {IS_CEDAR} columns.tenant_id=Organisation columns.time_zone=Zone
xlsx                      prices.xlsx               rates.parquet          feed=rates columns.meter=Item columns.charge=Charge columns.unit_price=Price constants.subscription_id=* constants.currency=GBP meters.Standard_agent=standard_agent meters.Premium_agent=premium_agent meters.Toll_free_call=toll_free_call meters.Ai_agent=ai_agent meters.Connect_sms=connect_sms meters.Connect_whatsapp=connect_whatsapp meters.Connect_interaction=connect_interaction
"""  # noqa: E501
"""Kind, files, the feed to write, and what is set; `_` in the name within a table is a blank."""


def test_converted_one_by_one_they_are_feeds_that_are_billed_the_same(
    from_exports: Path, tmp_path: Path
) -> None:
    for conversion in CONVERSIONS.split("\n")[1:-1]:
        kind, files, into, *said = conversion.split()
        found = sorted((SAMPLES / "exports").glob(files))
        options = [word for one in said for word in ("--set", _with_blanks(one))]
        result = tenantbill("convert", kind, *found, "-o", tmp_path / "feeds" / into, *options)
        assert result.exit_code == 0, (conversion, result.output)
    store = tmp_path / "store"
    result = tenantbill("run", PERIOD, "--feeds", tmp_path / "feeds", "--store", store)
    assert result.exit_code == 0, result.output
    for dataset in ("invoices", "invoice_lines", "overage", "daily"):
        assert shown(dataset, PERIOD, store) == shown(dataset, PERIOD, from_exports), dataset


def _with_blanks(said: str) -> str:
    """`meters.Standard_agent=standard_agent` with a blank in the name, as the sheet has it."""
    name, _, value = said.partition("=")
    table, dot, inner = name.partition(".")
    is_word = table in ("meters", "subscriptions")
    return f"{table}{dot}{inner.replace('_', ' ') if is_word else inner}={value}"
