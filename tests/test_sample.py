"""The sample months: the figures that `sample_data` promises, as finance would check them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support import shown, tenantbill

FEEDS = Path(__file__).parents[1] / "sample_data" / "feeds"

OVERAGE = """
2026-09 harbor-city         standard_agent       25          25          0          HC-CLINICS
2026-10 harbor-city         standard_agent       26          25          1          HC-CLINICS
2026-10 harbor-city         toll_free_call       9           8           1          HC-CLINICS
2026-10 harbor-city         ivr_outbound_port    5           4           1          HC-DIGITAL
2026-10 harbor-city         ai_agent             1686.7      1500        186.7      HC-DIGITAL
2026-10 northwind-energy    standard_agent       26          22          2          NW-RETAIL
2026-10 northwind-energy    ai_agent             1096.609641 754.83871   341.770931 NW-GRID
2026-09 lakeside-university standard_agent       17          16          1          LU-CAMPUS
"""

TOTALS = """
2026-09 HC-CLINICS 1100.24 USD
2026-09 NW-FIELD   1130.15 EUR
2026-09 LU-CAMPUS  1469.82 USD
2026-10 HC-CLINICS 1283.68 USD
2026-10 HC-PERMITS 4135.5  USD
2026-10 HC-DIGITAL 10155.7 USD
2026-10 NW-RETAIL  3517.81 EUR
2026-10 NW-GRID    3641.87 EUR
"""


@pytest.fixture(scope="module")
def store() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        months = "2026-09..2026-10"
        result = tenantbill("run", months, "--feeds", FEEDS, "--store", folder)
        assert result.exit_code == 3, "Lakeside is blocked in October (R8.1)"
        yield Path(folder)


@pytest.mark.parametrize("row", OVERAGE.split("\n")[1:-1])
def test_the_overage_of_the_samples(store: Path, row: str) -> None:
    """R6, R7: tenant-wide, at one instant, to the payer of the meter."""
    period, tenant, meter, usage, entitlement, overage, payer = row.split()
    [found] = [
        one for one in shown("overage", period, store, "--tenant", tenant) if one["meter"] == meter
    ]
    columns = ("usage", "entitlement", "overage", "billed_subscription_id")
    assert [found[column] for column in columns] == [usage, entitlement, overage, payer]


@pytest.mark.parametrize("row", TOTALS.split("\n")[1:-1])
def test_the_invoices_of_the_samples(store: Path, row: str) -> None:
    """R10.5, R10.6: an invoice a subscription, the sum of its lines."""
    period, subscription, total, currency = row.split()
    [invoice] = [
        one for one in shown("invoices", period, store) if one["subscription_id"] == subscription
    ]
    assert (invoice["total"], invoice["currency"], invoice["status"]) == (total, currency, "draft")


def test_the_blocked_tenant_of_the_samples_has_no_invoice(store: Path) -> None:
    """R8.1: concurrent and named on the same day: neither measured nor invoiced."""
    for dataset in ("usage_split", "overage", "invoice_lines", "invoices"):
        assert shown(dataset, "2026-10", store, "--tenant", "lakeside-university") == []
    found = shown("findings", "2026-10", store, "--tenant", "lakeside-university")
    assert ("error", "mixed_license_models") in {(one["severity"], one["code"]) for one in found}
