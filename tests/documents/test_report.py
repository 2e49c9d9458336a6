"""Reports: opened in a real browser, they show what `show` says."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.documents.naming import file_stem
from pipeline.documents.paper.pages import legible
from tests.documents.months import HOSTILE, PERIOD, Months
from tests.documents.paper import assert_complete, in_browser, in_dom, page, picture
from tests.support import Row, bill, shown, tenantbill

FEEDS = Path(__file__).resolve().parents[2] / "sample_data" / "feeds"
SEPTEMBER, OCTOBER = "2026-09", "2026-10"
CITY, LAKESIDE = "harbor-city", "lakeside-university"


class Sample:
    """The sample months, billed, and October's reports."""

    def __init__(self, folder: Path) -> None:
        self.store, self.reports = folder / "store", folder / "reports"
        for period in (SEPTEMBER, OCTOBER):
            bill(FEEDS, self.store, period)
        words = ("report", OCTOBER, "-o", self.reports, "--store", self.store)
        result = tenantbill(*words)
        assert result.exit_code == 0, result.output

    def report(self, tenant: str) -> Path:
        return self.reports / f"{tenant}-{OCTOBER}-report.html"

    def shown(self, dataset: str, tenant: str = CITY) -> list[Row]:
        return shown(dataset, OCTOBER, self.store, "--tenant", tenant)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    yield Sample(tmp_path_factory.mktemp("sample"))


def test_every_tenant_has_a_report_that_needs_nothing_else(sample: Sample) -> None:
    files = sorted(sample.reports.iterdir())
    tenants = (CITY, LAKESIDE, "northwind-energy")
    assert files == [sample.report(one) for one in tenants]
    for file in files:
        assert_complete(file)
        assert "DRAFT" in page(file).text, "nothing is issued yet"


@in_browser
def test_a_browser_shows_the_figures_that_show_prints(sample: Sample, tmp_path: Path) -> None:
    made = in_dom(sample.report(CITY))
    total = sum(Decimal(row["total"]) for row in sample.shown("invoices"))
    assert f"Charged {total:,.2f} USD" in made.text
    for row in sample.shown("invoices"):
        assert (
            f"{row['subscription_id']} October 2026 {Decimal(row['total']):,.2f} USD" in made.text
        )
    for row in sample.shown("overage"):
        if row["overage"] != "0":
            used, included = (Decimal(row[name]) for name in ("usage", "entitlement"))
            assert f"Used {used:,} · Included {included:,}" in made.text
    for row in sample.shown("usage_split"):
        quantity, own = (Decimal(row[name]) for name in ("quantity", "own_quantity"))
        assert f"{row['subscription_id']} {quantity:,} {own:,}" in made.text
    assert [name for name, _ in made.elements if name == "script"] == []
    painted = picture(sample.report(CITY), tmp_path / "report.png")
    assert len(painted) > 50_000, "a page of pictures, not an empty one"


def test_days_beyond_what_is_included_are_marked_and_no_others(sample: Sample) -> None:
    made = page(sample.report(CITY))
    drawn = {row["meter"] for row in sample.shown("overage")}
    peaks = {row["meter"] for row in sample.shown("occupancy") if row["measure"] == "peak"}
    over = {
        (row["meter"], row["day"])
        for row in sample.shown("daily")
        if row["meter"] in drawn
        and Decimal(row["usage" if row["meter"] in peaks else "so_far"])
        > Decimal(row["entitlement"])
    }
    assert {day for meter, day in over if meter == "standard_agent"} == {"2026-10-15"}
    assert len(made.of_class("over")) == len(over)


def test_the_day_of_the_largest_excess_is_drawn_with_its_instant(sample: Sample) -> None:
    made = page(sample.report(CITY))
    peaks = {row["meter"] for row in sample.shown("curve")}
    assert peaks == {"standard_agent", "toll_free_call", "ivr_outbound_port"}
    assert len(made.of_class("edge")) == len(made.of_class("instant")) == len(peaks)
    assert "15 October 2026, the day of the largest excess" in made.text
    assert "26 at once" in made.text
    assert "08:42" in made.text, "15:42 UTC, as they live it in Los Angeles"


def test_what_changed_what_was_found_and_who_lost_access_are_told(sample: Sample) -> None:
    city, lakeside = page(sample.report(CITY)).text, page(sample.report(LAKESIDE)).text
    assert "What changed since September 2026" in city
    assert "Standard agents: usage 25 26 +1" in city
    for tenant, text in ((CITY, city), (LAKESIDE, lakeside)):
        for row in sample.shown("findings", tenant):
            assert row["message"] in text
        for row in sample.shown("access", tenant):
            assert (f"{row['id']} {row['role']} lost" in text) == (row["access"] == "lost")
    count = len(shown("controls", OCTOBER, sample.store))
    assert f"{count} counts and sums" in city


@pytest.mark.parametrize("tenant", HOSTILE, ids=lambda name: name[:10])
def test_hostile_names_are_text_in_a_report(months: Months, tmp_path: Path, tenant: str) -> None:
    words = ("report", PERIOD, "-o", tmp_path, "--store", months.store, "--tenant", tenant)
    assert tenantbill(*words, "--locale", "es").exit_code == 0
    (file,) = tmp_path.iterdir()
    assert file.name == f"{file_stem(f'{tenant}-{PERIOD}-report')}.html"
    assert len(file.name.encode()) <= 255
    assert_complete(file)
    assert " ".join(legible(f"{tenant} Ltd").split()) in page(file).text


@in_browser
def test_hostile_names_run_nothing_in_a_browser(months: Months, tmp_path: Path) -> None:
    tenant = HOSTILE[1]
    words = ("report", PERIOD, "-o", tmp_path, "--store", months.store, "--tenant", tenant)
    assert tenantbill(*words).exit_code == 0
    (file,) = tmp_path.iterdir()
    made = in_dom(file)
    assert "script" not in {name for name, _ in made.elements}
    assert f"{tenant} Ltd" in made.text


def test_a_month_of_which_nothing_is_published_has_no_reports(
    months: Months, tmp_path: Path
) -> None:
    refused = tenantbill("report", "2020-01", "-o", tmp_path / "r", "--store", months.store)
    assert refused.exit_code == 1
    assert "nothing of 2020-01 is published [NothingToPrint]" in refused.stderr
    assert "run `tenantbill run 2020-01 --feeds DIR`" in refused.stderr
    assert not (tmp_path / "r").exists()


def test_a_tenant_that_nobody_knows_has_no_report(sample: Sample, tmp_path: Path) -> None:
    words = ("report", "2026-10", "-o", tmp_path / "r", "--store", sample.store)
    refused = tenantbill(*words, "--tenant", "harbour-city")
    assert refused.exit_code == 1
    assert "nothing of 2026-10 is published for harbour-city" in refused.stderr
    assert "did you mean 'harbor-city'?" in refused.stderr
    assert "--draft" not in tenantbill(*words, "--tenant", "nobody").stderr
