"""What would be on other terms, and which commitments would have cost least."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.period import Days
from pipeline.rules.advice import Advice, Prices, break_even, cheapest, cost
from pipeline.rules.terms import Rate
from tests.good_feeds import good, run, save
from tests.support import Row, bill, shown, tenantbill

SAMPLE = Path("sample_data/feeds").absolute()
PERIOD = "2026-10"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of two sample months."""
    made = tmp_path_factory.mktemp("asked") / "store"
    bill(SAMPLE, made, "2026-09..2026-10")
    return made


def asked(store: Path, *words: object) -> list[Row]:
    result = tenantbill(*words, "--store", store, "--format", "json")
    assert result.exit_code == 0, result.output
    rows: list[Row] = json.loads(result.stdout)
    return rows


def difference(store: Path, *assumptions: str) -> dict[str, str]:
    """By subscription, how much its invoice would differ."""
    words = [word for one in assumptions for word in ("--set", one)]
    return {
        row["subscription_id"]: row["difference"]
        for row in asked(store, "whatif", PERIOD, *words)
        if row["difference"] != "0"
    }


@pytest.mark.parametrize(
    ("assumption", "wanted"),
    [
        # One more agent: 95 more committed, the overage of 145 gone.
        ("entitlement:HC-CLINICS:standard_agent=11", {"HC-CLINICS": "-50"}),
        # One less: 95 less committed, one more overage.
        ("entitlement:HC-CLINICS:standard_agent=9", {"HC-CLINICS": "50"}),
        ("price:HC-CLINICS:standard_agent:overage=100", {"HC-CLINICS": "-45"}),
        # Connect usage and overage follow the primary.
        ("primary:harbor-city=HC-PERMITS", {"HC-CLINICS": "-235.68", "HC-PERMITS": "235.68"}),
        ("add:HC-NEW=HC-PERMITS", {}),
        # None of its days is left: its usage and overage are the next primary's, but for what the
        # one pays that had the meter first.
        (
            "end:HC-CLINICS=2010-01-01",
            {"HC-CLINICS": "-1283.68", "HC-PERMITS": "1795.64", "HC-DIGITAL": "27.5"},
        ),
    ],
)
def test_a_month_on_other_terms_and_what_it_would_differ_by(
    store: Path, assumption: str, wanted: dict[str, str]
) -> None:
    assert difference(store, assumption) == wanted


def test_a_subscription_that_had_ended_leaves_its_usage_to_the_primary(store: Path) -> None:
    lines = asked(store, "whatif", PERIOD, "--lines", "--set", "end:HC-PERMITS=2026-09-30")
    overage = [row for row in lines if (row["kind"], row["meter"]) == ("overage", "standard_agent")]
    assert [(row["old_quantity"], row["new_quantity"]) for row in overage] == [("1", "16")]
    assert "10 included" in overage[0]["because"]
    gone = asked(store, "whatif", PERIOD, "--set", "end:HC-PERMITS=2026-09-30")
    assert [row["status"] for row in gone if row["subscription_id"] == "HC-PERMITS"] == [
        "not there"
    ]


def test_nothing_that_is_assumed_is_published(store: Path) -> None:
    before = {
        name: shown(name, PERIOD, store) for name in ("invoices", "invoice_lines", "findings")
    }
    log = tenantbill("log", "--store", store).stdout
    difference(store, "entitlement:HC-CLINICS:standard_agent=100", "primary:harbor-city=HC-DIGITAL")
    assert {name: shown(name, PERIOD, store) for name in before} == before
    assert tenantbill("log", "--store", store).stdout == log
    assert (
        "nothing has changed"
        in tenantbill(*("run", PERIOD, "--feeds", SAMPLE, "--store", store)).stdout
    )


def test_assuming_what_is_changes_nothing(store: Path) -> None:
    assert difference(store, "entitlement:HC-CLINICS:standard_agent=10") == {}
    assert difference(store, "price:HC-CLINICS:standard_agent:overage=145") == {}


@pytest.mark.parametrize(
    ("assumption", "told"),
    [
        ("nonsense", "says nothing to assume"),
        ("entitlement:HC-CLINICS=3", "entitlement:SUBSCRIPTION:METER=QUANTITY"),
        ("entitlement:HC-CLINICS:standard_agent=many", "says nothing to assume"),
        ("entitlement:HC-CLINICS:standard_agent=-1", "says nothing to assume"),
        ("entitlement:HC-CLINICS:standard_agent=NaN", "says nothing to assume"),
        ("entitlement:HC-CLINIC:standard_agent=3", "did you mean 'HC-CLINICS'?"),
        ("end:HC-CLINICS=yesterday", "says nothing to assume"),
        ("end:=2026-10-01", "says nothing to assume"),
        ("price:HC-CLINICS:standard_agent:discount=3", "committed, overage, per_unit"),
        ("primary:northwind-energy=HC-CLINICS", "is no subscription of northwind-energy"),
        ("add:NEW=nobody", "there is no subscription 'nobody'"),
        ("add:HC-PERMITS=HC-CLINICS", "'HC-PERMITS' is a subscription already"),
        ("add:LU-CAMPUS=HC-CLINICS", "'LU-CAMPUS' is a subscription already"),
        ("entitlement:HC-CLINICS:standard_agnet=3", "did you mean 'standard_agent'?"),
        ("price:HC-CLINICS:nometer:overage=1", "there is no meter 'nometer'"),
    ],
)
def test_what_cannot_be_assumed_is_wrong_use_with_the_way_to_write_it(
    store: Path, assumption: str, told: str
) -> None:
    result = tenantbill("whatif", PERIOD, "--set", assumption, "--store", store)
    assert result.exit_code == 2, result.output
    assert told in result.stderr


def test_a_subscription_that_is_assumed_can_be_given_terms(store: Path) -> None:
    # Five more agents are included, so none is beyond: 145 less; the new one pays for its five.
    extra = difference(
        store,
        "add:HC-NEW=HC-CLINICS",
        "entitlement:HC-NEW:standard_agent=5",
        "price:HC-NEW:standard_agent:committed=80",
    )
    assert extra == {"HC-CLINICS": "-145", "HC-NEW": "400"}


@pytest.mark.parametrize(
    ("assumption", "when"),
    [("add:NEW=LU-CAMPUS", "as it is"), ("end:LU-MEDICAL=2026-10-31", "as it is")],
)
def test_a_tenant_that_is_not_invoiced_is_told_with_the_exit_code_of_error_findings(
    store: Path, assumption: str, when: str
) -> None:
    result = tenantbill("whatif", PERIOD, "--set", assumption, "--store", store)
    assert result.exit_code == 3, result.output
    assert len(result.stdout.splitlines()) == 1, "the header alone"
    assert f"{PERIOD}, {when}: lakeside-university: " in result.stderr
    assert "[mixed_license_models]" in result.stderr


def test_what_only_the_assumption_breaks_is_told_as_such(store: Path) -> None:
    ends = [f"end:{name}=2026-10-15" for name in ("HC-CLINICS", "HC-PERMITS", "HC-DIGITAL")]
    words = [word for one in ends for word in ("--set", one)]
    result = tenantbill("whatif", PERIOD, *words, "--store", store)
    assert result.exit_code == 3, result.output
    assert f"{PERIOD}, as assumed: harbor-city: " in result.stderr
    assert "[no_active_subscription]" in result.stderr


def test_what_an_assumption_mends_differs_by_what_nobody_knows(store: Path) -> None:
    words = ("whatif", PERIOD, "--set", "end:LU-MEDICAL=2026-10-01", "--store", store)
    result = tenantbill(*words, "--format", "json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert {row["subscription_id"] for row in rows} == {"LU-CAMPUS", "LU-LIBRARY"}
    assert all(row["now"] is row["difference"] is None for row in rows)


def test_an_invoice_that_is_blocked_as_it_is_differs_by_what_nobody_knows(tmp_path: Path) -> None:
    feeds = good("acme")
    feeds["entitlements"][0]["quantity"] = "0"
    store = tmp_path / "store"
    assert run(save(feeds, tmp_path / "in")).exit_code == 3
    price = "price:acme-S:standard_agent:overage=7"
    (row,) = asked(store, "whatif", PERIOD, "--set", price)
    assert (row["then"], row["status"]) == ("7", "draft")
    assert row["now"] is row["difference"] is None


def test_advice_names_the_commitment_that_would_have_cost_least(store: Path) -> None:
    rows = {
        (row["tenant_id"], row["meter"]): row for row in asked(store, "advise", "2026-09..2026-10")
    }
    agents = rows["harbor-city", "standard_agent"]
    # 25 and 26 were used, 15 are included elsewhere: 10 and 11 at 95, or 145 beyond.
    assert (agents["subscription_id"], str(agents["months"])) == ("HC-CLINICS", "2")
    assert (agents["commitment_now"], agents["cost_now"]) == ("10", "2045")
    assert (agents["best_commitment"], agents["best_cost"]) == ("10", "2045")
    assert agents["break_even_months"] == "1.31", "95 × 2 ÷ 145"
    (october,) = asked(store, "advise", "2026-10", "--tenant", "harbor-city")[5:6]
    assert (october["best_commitment"], october["saving"]) == ("11", "50")


@pytest.mark.parametrize("meter", ["standard_agent", "ivr_port", "toll_free_call"])
def test_advice_is_what_whatif_says_it_would_have_cost(store: Path, meter: str) -> None:
    (row,) = [
        row
        for row in asked(store, "advise", PERIOD, "--tenant", "harbor-city")
        if row["meter"] == meter
    ]
    assumption = f"entitlement:HC-CLINICS:{meter}={row['best_commitment']}"
    saved = {} if row["saving"] == "0" else {"HC-CLINICS": f"-{row['saving']}"}
    assert difference(store, assumption) == saved


def test_what_comes_with_another_meter_is_no_commitment_of_its_own(store: Path) -> None:
    rows = asked(store, "advise", PERIOD)
    ports = {row["subscription_id"]: row for row in rows if row["meter"] == "ivr_port"}
    # Their agents bring 20 and 30 ports along (R5.2), and no row of theirs commits to any.
    for whose in ("HC-CLINICS", "NW-RETAIL"):
        assert (ports[whose]["commitment_now"], ports[whose]["cost_now"]) == ("0", "0")
        assert (ports[whose]["best_commitment"], ports[whose]["saving"]) == ("0", "0")


def test_a_month_of_which_nothing_is_published_is_missing_and_not_silence(store: Path) -> None:
    result = tenantbill("advise", "2026-10..2026-11", "--store", store)
    assert result.exit_code == 1, result.output
    assert f"{store}: there is no usage of 2026-11 that is up to date" in result.stderr
    assert "tenantbill run 2026-11 --feeds DIR" in result.stderr


@pytest.mark.parametrize(
    ("tenant", "told"),
    [("harbour-city", "did you mean 'harbor-city'?"), ("nobody", "see the exports for its id")],
)
def test_advice_for_a_tenant_that_nobody_knows_is_wrong_use(
    store: Path, tenant: str, told: str
) -> None:
    result = tenantbill("advise", PERIOD, "--tenant", tenant, "--store", store)
    assert result.exit_code == 2, result.output
    assert f"there is no tenant {tenant!r}" in result.stderr
    assert told in result.stderr


def test_a_tenant_that_used_nothing_needs_no_advice(store: Path) -> None:
    assert asked(store, "advise", PERIOD, "--tenant", "lakeside-university") == []


prices = st.builds(
    lambda committed, tiers, first, model: Prices(
        committed,
        [
            Rate(None, None, "m", "overage", price, "USD", model, start, Days(0, 1))
            for start, price in zip([first, Decimal(3), Decimal(9)], tiers, strict=False)
        ],
        "USD",
    ),
    st.decimals(0, 20, places=2),
    st.lists(st.decimals(0, 20, places=2), min_size=1, max_size=3),
    st.decimals(0, 2, places=1),
    st.sampled_from(["flat", "graduated", "volume"]),
)
needs = st.lists(st.decimals(0, 20, places=1), min_size=1, max_size=4)


@given(needs, prices)
def test_no_other_whole_commitment_would_have_cost_less(of: list[Decimal], by: Prices) -> None:
    best = cheapest(of, by)
    assert best is not None
    costs = [cost(Decimal(one), of, by) for one in range(25)]
    assert best.cost == min(one for one in costs if one is not None)
    assert costs.index(best.cost) == best.commitment, "the smallest on ties"


def test_where_the_first_units_beyond_have_no_price_the_best_may_be_to_have_none() -> None:
    from_three = Rate(
        None, None, "m", "overage", Decimal(145), "USD", "volume", Decimal(3), Days(0, 1)
    )
    by = Prices(Decimal(95), [from_three], "USD")
    need = [Decimal(10)]
    assert cost(Decimal(7), need, by) is None, "3 beyond, and prices begin above 3"
    assert cost(Decimal(6), need, by) == 6 * 95 + 4 * 145, "the tier that is reached prices all"
    assert cheapest(need, by) == Advice(Decimal(10), Decimal(950))


def test_a_volume_price_that_begins_above_0_is_advised_on_and_explained(tmp_path: Path) -> None:
    feeds = good("acme")
    feeds["entitlements"][0]["quantity"] = "0"
    volume = {"charge": "overage", "model": "volume", "unit_price": "12", "tier_from": "0.5"}
    feeds["rates"].append({**feeds["rates"][0], **volume})
    store = tmp_path / "store"
    assert run(save(feeds, tmp_path / "in")).exit_code == 0
    (row,) = asked(store, "advise", PERIOD)
    assert (row["overage_price"], row["cost_now"]) == ("12 from 0.5", "12")
    assert (row["best_commitment"], row["best_cost"]) == ("1", "10")
    line = f"{PERIOD}/acme/acme-S/overage/standard_agent/1"
    (told,) = asked(store, "explain", line)
    said = " ".join(told["sentences"])
    assert "12 from 0.5 in rates.csv, row 2, a volume price (R10.4)" in said
    assert "1 × 12 = 12 = 12.00 USD." in said


def test_without_a_price_of_overage_nothing_breaks_even() -> None:
    assert break_even(12, Prices(Decimal(1), [], "USD")) is None


def test_costs_fall_and_rise_again() -> None:
    flat = Rate(None, None, "m", "overage", Decimal(145), "USD", "flat", Decimal(0), Days(0, 1))
    by = Prices(Decimal(95), [flat], "USD")
    costs = [cost(Decimal(one), [Decimal(10), Decimal(11)], by) for one in range(8, 14)]
    steps = [b - a for a, b in pairwise(one for one in costs if one is not None)]
    assert steps == [-100, -100, 45, 190, 190]
