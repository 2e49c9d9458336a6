"""What users see when terms are broken: exactly the tenants that a row names are not invoiced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.feeds import TERMS
from tests.good_feeds import (
    PERIOD,
    assert_refused,
    assert_ties,
    good,
    rows_of,
    run,
    save,
    unreadable,
)
from tests.support import Row, bill, shown


@dataclass(frozen=True)
class Case:
    """What a feed says of one tenant instead of its good row, and the rules that this breaks."""

    feed: str
    rules: str
    rows: tuple[Row, ...]


def broken(feed: str, rules: str, *rows: Row) -> Case:
    return Case(feed, rules, rows)


ENDED, BACK = {"end_date": "2026-06-30", "status": "expired"}, {"start_date": "2026-06-30"}
LATER = {"start_date": "2026-07-01"}
TIERS = {"charge": "overage", "model": "graduated"}
BLOCKING = [
    *(
        broken(feed, f"{column}_missing", {column: ""})
        for feed, columns in {
            "subscriptions": "subscription_id offer license_model status start_date currency",
            "entitlements": "tenant_id subscription_id meter quantity",
            "rates": "subscription_id meter charge unit_price currency",
            "users": "tenant_id user_id role",
            "partners": "partner_id added_on",
        }.items()
        for column in columns.split()
    ),
    *(
        broken(feed, f"{column}_unknown", {column: "odd"})
        for feed, columns in {
            "subscriptions": "offer license_model deployment telephony status billing_frequency "
            "currency",
            "entitlements": "deployment meter",
            "rates": "charge currency",
            "users": "role license",
            "partners": "role",
            "tenants": "time_zone",
        }.items()
        for column in columns.split()
    ),
    *(
        broken(feed, f"{column}_unreadable", {column: "31.10.2026"})
        for feed, columns in {
            "subscriptions": "start_date end_date term_months",
            "entitlements": "quantity start_date end_date",
            "rates": "unit_price tier_from start_date end_date",
            "users": "start_date end_date",
            "partners": "added_on",
        }.items()
        for column in columns.split()
    ),
    *(
        broken(feed, "end_before_start", {"start_date": "2026-03-02", "end_date": "2026-03-01"})
        for feed in ("subscriptions", "entitlements", "rates", "users")
    ),
    broken("subscriptions", "end_date_missing", {"status": "cancelled"}),
    broken("subscriptions", "term_months_not_positive", {"term_months": "0"}),
    broken("subscriptions", "term_months_too_long", {"term_months": "1201"}),
    broken("subscriptions", "term_months_missing", {"billing_frequency": "prepaid"}),
    broken("subscriptions", "overlapping_service", ENDED, BACK),
    broken("subscriptions", "several_currencies", ENDED, {**LATER, "currency": "EUR"}),
    broken("subscriptions", "currency_unknown", {"currency": "XAU"}),
    broken("entitlements", "quantity_negative", {"quantity": "-1"}),
    broken("entitlements", "subscription_unknown", {"subscription_id": "good-S"}),
    broken("entitlements", "repeated_key", {}, {"quantity": "2"}),
    broken("rates", "model_unknown", {**TIERS, "model": "stairs"}),
    broken("rates", "unit_price_negative", {"unit_price": "-0.01"}),
    broken("rates", "tier_from_negative", {**TIERS, "tier_from": "-1"}),
    broken("rates", "tiers_not_allowed", {"tier_from": "5"}),
    broken("rates", "meter_unknown", {"meter": "fax_page"}),
    broken("rates", "subscription_unknown", {"subscription_id": "good-S"}),
    broken("rates", "repeated_price", {}, {"unit_price": "11"}),
    broken("rates", "mixed_models", TIERS, {**TIERS, "model": "volume", "tier_from": "5"}),
    broken("partners", "repeated_key", {}, {"added_on": "2026-02-01"}),
    broken("tenants", "repeated_key", {}, {"time_zone": "Europe/Madrid"}),
    broken("tenants", "subscription_unknown", {"primary_override": "good-S"}),
]  # fmt: skip


def tenant_of(number: int) -> str:
    return f"tenant-{number:02d}"


@pytest.fixture(scope="module")
def blocked_terms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, list[int]]]:
    """A month in which every case has a tenant of its own: the store, and each case's rows."""
    folder = tmp_path_factory.mktemp("terms") / "feeds"
    feeds = good("good", *(tenant_of(number) for number in range(len(BLOCKING))))
    places = {}
    for number, case in enumerate(BLOCKING):
        own = rows_of(tenant_of(number))[case.feed]
        rows = feeds[case.feed]
        rows.remove(own)
        places[number] = [len(rows) + 1 + index for index in range(len(case.rows))]
        rows += [{**own, **change} for change in case.rows]
        shift(places, case.feed, number)
    save(feeds, folder)
    bill(folder, folder.parent / "store", PERIOD)
    return folder.parent / "store", places


def shift(places: dict[int, list[int]], feed: str, last: int) -> None:
    """A row was taken out before those of the earlier cases of the same feed."""
    for number, rows in places.items():
        if number != last and BLOCKING[number].feed == feed:
            places[number] = [row - 1 for row in rows]


@pytest.mark.parametrize(
    "number", range(len(BLOCKING)), ids=[f"{one.feed}-{one.rules}" for one in BLOCKING]
)
def test_a_broken_row_of_the_terms_blocks_the_tenant_that_it_names(
    blocked_terms: tuple[Path, dict[int, list[int]]], number: int
) -> None:
    store, places = blocked_terms
    case, tenant = BLOCKING[number], tenant_of(number)
    file = f"{case.feed}.csv"
    told = [row for row in shown("findings", PERIOD, store) if row["tenant_id"] == tenant]
    found = next(row for row in told if row["code"] == "broken_terms")
    assert (found["severity"], found["rule"]) == ("error", "R11.2")
    refused = {
        (row["file"], int(row["row"])): row["rules"].split(";")
        for row in shown("quarantine", PERIOD, store)
    }
    for row in places[number]:
        assert case.rules in refused[file, row]
        assert f"{file} row {row}: " in found["message"]
    assert found["remedy"]
    for dataset in ("invoices", "invoice_lines", "overage", "usage_split", "access"):
        assert not [row for row in shown(dataset, PERIOD, store) if row["tenant_id"] == tenant]


def test_everybody_else_is_invoiced(blocked_terms: tuple[Path, dict[int, list[int]]]) -> None:
    store, _ = blocked_terms
    invoices = shown("invoices", PERIOD, store)
    assert [(row["tenant_id"], row["total"]) for row in invoices] == [("good", "10")]
    assert_ties(store, len(BLOCKING) + 1)


@pytest.mark.parametrize("feed", ["tenants", "subscriptions", "entitlements", "rates"])
def test_usage_of_a_blocked_tenant_waits_unbilled(tmp_path: Path, feed: str) -> None:
    feeds = good("good", "acme")
    feeds["tenants"] = [feeds["tenants"][1]] if feed == "tenants" else []
    wrong = {"tenants": {"time_zone": "odd"}, "subscriptions": {"offer": "odd"}}
    feeds[feed][-1] |= wrong.get(feed, {"meter": "odd"})
    bill(save(feeds, tmp_path / "feeds"), tmp_path / "store", PERIOD)
    waiting = shown("unbilled", PERIOD, tmp_path / "store")
    assert [(row["tenant_id"], row["reason"]) for row in waiting] == [("acme", "broken_terms")]
    fates = assert_ties(tmp_path / "store", 2)
    assert (fates["billed"], fates["unbilled"]) == (1, 1)


def test_a_contract_whose_row_is_broken_is_still_its_tenants_own(tmp_path: Path) -> None:
    """R3.4, R11.2: bolt's typo changes nothing of acme's, nor makes its own rows foreign."""
    feeds = good("acme", "bolt")
    feeds["subscriptions"][1]["currency"] = "USX"
    feeds["usage"].append({**feeds["usage"][0], "event_id": "e2", "subscription_id": "bolt-S"})
    bill(save(feeds, tmp_path / "feeds"), tmp_path / "store", PERIOD)
    refused = [
        (row["row"], row["rules"])
        for row in shown("quarantine", PERIOD, tmp_path / "store")
        if row["file"] == "usage.csv"
    ]
    assert refused == [("3", "foreign_subscription")]
    waiting = shown("unbilled", PERIOD, tmp_path / "store")
    assert [(row["tenant_id"], row["reason"]) for row in waiting] == [("bolt", "broken_terms")]
    assert_ties(tmp_path / "store", 3)


def test_a_run_with_blocked_tenants_is_done_with_errors(tmp_path: Path) -> None:
    feeds = good("good", "acme")
    feeds["entitlements"][1]["quantity"] = "-1"
    assert run(save(feeds, tmp_path / "feeds")).exit_code == 3


def test_a_price_without_tenant_blocks_all_who_have_its_subscription(tmp_path: Path) -> None:
    feeds = good("good", "acme", "bolt")
    for row in (feeds["subscriptions"][1], feeds["entitlements"][1]):
        row["subscription_id"] = "bolt-S"
    feeds["rates"] += [{**feeds["rates"][2], "tenant_id": "", "unit_price": "-1"}]
    del feeds["rates"][1]
    bill(save(feeds, tmp_path / "feeds"), tmp_path / "store", PERIOD)
    found = shown("findings", PERIOD, tmp_path / "store")
    assert [row["tenant_id"] for row in found if row["code"] == "broken_terms"] == ["acme", "bolt"]


@pytest.mark.parametrize(
    ("feed", "change", "rule"),
    [
        ("subscriptions", {"tenant_id": ""}, "tenant_id_missing"),
        ("entitlements", {"tenant_id": "", "subscription_id": "x"}, "tenant_id_missing"),
        ("rates", {"tenant_id": "", "subscription_id": "*", "unit_price": "1,0"}, "unit_price"),
        ("rates", {"tenant_id": "", "subscription_id": "x", "unit_price": "-1"}, "unit_price"),
        ("users", {"tenant_id": "", "subscription_id": ""}, "tenant_id_missing"),
        ("partners", {"tenant_id": ""}, "tenant_id_missing"),
        ("tenants", {"tenant_id": ""}, "tenant_id_missing"),
    ],
)
def test_a_broken_row_that_names_nobody_stops_the_run(
    tmp_path: Path, feed: str, change: Row, rule: str
) -> None:
    feeds = good("good", "acme")
    feeds[feed][1] |= change
    folder = save(feeds, tmp_path / "feeds")
    assert_refused(run(folder), folder, "BrokenTerms", f"{feed}.csv, row 2", rule)


METER = {"meter": "desk", "measure": "peak", "routing": "subscription", "charge": "overage"}
METER_CASES: list[tuple[str, Row]] = [
    *((f"{name}_missing", {name: ""}) for name in METER),
    *((f"{name}_unknown", {name: "odd"}) for name in METER if name != "meter"),
    ("counts_unknown", {"counts": "odd"}),
    ("overage_to_unknown", {"overage_to": "odd"}),
    ("included_ratio_unreadable", {"included_ratio": "two"}),
    ("included_ratio_negative", {"included_ratio": "-2"}),
    ("included_ratio_missing", {"included_with": "standard_agent"}),
    ("included_with_unknown", {"included_with": "ghost;standard_agent", "included_ratio": "2"}),
    ("repeated_key", {"meter": "standard_agent"}),
]


@pytest.mark.parametrize(("rule", "change"), METER_CASES, ids=[rule for rule, _ in METER_CASES])
def test_a_broken_meter_stops_the_run(tmp_path: Path, rule: str, change: Row) -> None:
    feeds = good("good")
    feeds["meters"] = [{**METER, "meter": "standard_agent"}, {**METER, **change}]
    folder = save(feeds, tmp_path / "feeds")
    assert_refused(run(folder), folder, "BrokenTerms", "meters.csv, row ", rule)


def test_every_rule_of_the_terms_has_a_case_here() -> None:
    tested = {(one.feed, one.rules) for one in BLOCKING} | {
        ("meters", rule) for rule, _ in METER_CASES
    }
    tested |= {(feed, "tenant_id_missing") for feed in ("subscriptions", "partners", "tenants")}
    rules = {(table.name, rule.name) for table in TERMS for rule in table.row_rules()}
    assert rules | {(table.name, rule) for table in TERMS for rule in unreadable(table)} <= tested


@pytest.mark.parametrize(
    ("feed", "rows"),
    [
        ("subscriptions", [ENDED, {"start_date": "2026-07-01"}]),
        (
            "subscriptions",
            [{"status": "trial", "end_date": "2026-06-30"}, {"start_date": "2026-02-01"}],
        ),
        ("entitlements", [{"end_date": "2026-06-30"}, {"start_date": "2026-07-01"}]),
        ("rates", [{"end_date": "2026-06-30"}, {"start_date": "2026-07-01", "unit_price": "9"}]),
        ("rates", [{**TIERS}, {**TIERS, "tier_from": "5"}]),
        (
            "rates",
            [
                {"charge": "overage", "end_date": "2026-06-30"},
                {**TIERS, "start_date": "2026-07-01"},
                {**TIERS, "start_date": "2026-07-01", "tier_from": "5"},
            ],
        ),
        ("users", [{}, {"license": "premium"}]),
    ],
    ids=["renewed", "trial-first", "stepped", "repriced", "tiers", "tiers-after-flat", "two-roles"],
)
def test_what_changes_over_time_is_not_broken(tmp_path: Path, feed: str, rows: list[Row]) -> None:
    feeds = good("good")
    feeds[feed] = [{**feeds[feed][0], **change} for change in rows]
    result = run(save(feeds, tmp_path / "feeds"))
    assert shown("quarantine", PERIOD, tmp_path / "store") == []
    assert result.exit_code == 0, result.output
