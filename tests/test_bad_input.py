"""What users see when exports are broken: the row, the rule, the remedy, and all else billed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.feeds import USAGE, USAGE_IN_CONTEXT
from tests.good_feeds import PERIOD, assert_ties, good, run, save, unreadable
from tests.support import Row, bill, shown, tenantbill

USAGE_CASES: dict[str, tuple[Row, str]] = {
    "an event without an id": ({"event_id": ""}, "event_id_missing"),
    "no tenant": ({"tenant_id": ""}, "tenant_id_missing"),
    "no start": ({"started_at": ""}, "started_at_missing"),
    "a start in words": ({"started_at": "soon"}, "started_at_unreadable"),
    "the 30th of February": ({"started_at": "2026-02-30T09:00:00Z"}, "started_at_unreadable"),
    "an end in words": ({"ended_at": "later"}, "ended_at_unreadable"),
    "an end before the start": ({"ended_at": "2026-10-05T08:59:59Z"}, "ended_before_started"),
    "a comma for a point": ({"quantity": "1,5"}, "quantity_unreadable"),
    "seven decimals": ({"quantity": "1.2345678"}, "quantity_unreadable"),
    "not a number": ({"quantity": "NaN"}, "quantity_unreadable"),
    "an exponent": ({"quantity": "1e3"}, "quantity_unreadable"),
    "less than nothing": ({"quantity": "-1"}, "quantity_negative"),
    "no quantity to sum": ({"meter": "ai_agent"}, "quantity_missing"),
    "deployed on the moon": ({"deployment": "moon"}, "deployment_unknown"),
    "an unknown meter": ({"meter": "fax_page"}, "meter_unknown"),
    "no meter and no licence": ({"meter": "", "user_id": "nobody"}, "meter_unknown"),
    "an unknown tenant": ({"tenant_id": "ghost", "subscription_id": ""}, "tenant_unknown"),
    "another tenant's contract": ({"subscription_id": "other-S"}, "foreign_subscription"),
    "two faults": (
        {"quantity": "-1", "deployment": "moon"},
        "deployment_unknown;quantity_negative",
    ),
}
SHORT_ROW = "e-short,acme,acme-S"


@pytest.fixture(scope="module")
def refused_usage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a month in which every broken usage row stands between good ones."""
    folder = tmp_path_factory.mktemp("usage") / "feeds"
    feeds = good("acme", "other")
    first = feeds["usage"][0]
    for number, (change, _) in enumerate(USAGE_CASES.values()):
        feeds["usage"].append({**first, "event_id": f"bad-{number}", **change})
    save(feeds, folder)
    with (folder / "usage.csv").open("a", encoding="utf-8") as file:
        file.write(f"{SHORT_ROW}\n")
    bill(folder, folder.parent / "store", PERIOD)
    return folder.parent / "store"


@pytest.mark.parametrize("case", USAGE_CASES)
def test_a_broken_usage_row_is_set_aside_with_its_file_row_rules_and_raw_values(
    refused_usage: Path, case: str
) -> None:
    change, rules = USAGE_CASES[case]
    number = 3 + list(USAGE_CASES).index(case)
    rows = {int(row["row"]): row for row in shown("quarantine", PERIOD, refused_usage)}
    row = rows[number]
    assert (row["feed"], row["file"]) == ("usage", "usage.csv")
    assert sorted(row["rules"].split(";")) == rules.split(";")
    raw = json.loads(row["raw"])
    assert {name: raw[name] or "" for name in change} == change


def test_a_row_with_too_few_fields_is_set_aside_as_it_stands(refused_usage: Path) -> None:
    last = shown("quarantine", PERIOD, refused_usage)[-1]
    assert last["rules"] == "row_shape"
    assert json.loads(last["raw"]) == {"fields": SHORT_ROW.split(",")}


def test_the_rest_of_a_file_with_broken_rows_is_billed(refused_usage: Path) -> None:
    broken = len(USAGE_CASES) + 1
    fates = assert_ties(refused_usage, broken + 2)
    assert (fates["billed"], fates["quarantined"]) == (2, broken)
    assert {row["total"] for row in shown("invoices", PERIOD, refused_usage)} == {"10"}


def test_every_rule_of_a_usage_row_has_a_case_here() -> None:
    tested = {rule for _, rules in USAGE_CASES.values() for rule in rules.split(";")}
    assert {rule.name for rule in (*USAGE.row_rules(), *USAGE_IN_CONTEXT)} <= tested
    assert unreadable(USAGE) <= tested


@pytest.mark.parametrize("feed", ["usage", "users", "partners", "tenants", "meters", "rates"])
def test_an_export_of_no_rows_is_one_of_no_rows(tmp_path: Path, feed: str) -> None:
    folder = save({**good("good"), feed: []}, tmp_path / "feeds")
    bill(folder, tmp_path / "store", PERIOD)
    assert [row["tenant_id"] for row in shown("invoices", PERIOD, tmp_path / "store")] == ["good"]
    assert_ties(tmp_path / "store", feed != "usage")


def test_usage_of_which_nobody_is_known_is_all_set_aside(tmp_path: Path) -> None:
    nothing: dict[str, list[Row]] = {feed: [] for feed in good()}
    folder = save({**nothing, "usage": good("good")["usage"]}, tmp_path / "feeds")
    bill(folder, tmp_path / "store", PERIOD)
    assert assert_ties(tmp_path / "store", 1)["quarantined"] == 1


LONG = "x" * 10_000
ODD_IDS = {
    "quote": "O'Neill \"& sons\"", "comma": "a,b;c", "lines": "two\nlines",
    "up": "../../etc", "sql": "'; DROP TABLE invoices; --", "formula": "=cmd()|'/c calc'!A1",
    "unicode": "Zürich 東京 \U0001f4de e\u0301", "percent": "a%2Fb", "slash": "a/b", "star": "*",
    "long": LONG, "blank": "  ", "null": "null", "braces": "{0} {row} %s", "rtl": "\u202eabc",
    "markup": "[red]<b>x</b>[/red]", "sign": "-1", "glob": "[a]*?", "number": "007",
}  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a month in which every id is of the kind that breaks things."""
    folder = tmp_path_factory.mktemp("odd") / "feeds"
    feeds = good(*ODD_IDS.values())
    for row in feeds["usage"]:
        row["event_id"] = row["user_id"] = row["tenant_id"]
    for row in feeds["users"]:
        row["user_id"] = row["tenant_id"]
    save(feeds, folder)
    bill(folder, folder.parent / "store", PERIOD)
    return folder.parent / "store"


def test_ids_of_any_kind_are_billed_and_kept_apart(odd: Path) -> None:
    assert assert_ties(odd, len(ODD_IDS))["billed"] == len(ODD_IDS)
    invoices = shown("invoices", PERIOD, odd)
    assert {row["tenant_id"]: row["total"] for row in invoices} == dict.fromkeys(
        ODD_IDS.values(), "10"
    )
    assert len({row["invoice_id"] for row in invoices}) == len(ODD_IDS)
    assert sorted(path.name for path in odd.parent.iterdir()) == ["feeds", "store"]


@pytest.mark.parametrize("kind", ODD_IDS)
def test_a_tenant_of_any_id_can_be_asked_for(odd: Path, kind: str) -> None:
    name = ODD_IDS[kind]
    words = ("show", "access", PERIOD, "--store", odd, "--tenant", name, "--format")
    rows = json.loads(tenantbill(*words, "json").stdout)
    assert [(row["tenant_id"], row["id"]) for row in rows] == [(name, "p1"), (name, name)]
    assert tenantbill(*words, "table").exit_code == 0


def test_a_cell_of_ten_megabytes_is_read_and_billed(tmp_path: Path) -> None:
    feeds = good("good")
    feeds["usage"].append({**feeds["usage"][0], "event_id": "x" * 10_000_000})
    bill(save(feeds, tmp_path / "feeds"), tmp_path / "store", PERIOD)
    assert assert_ties(tmp_path / "store", 2)["billed"] == 2


BIGGEST = "9" * 12 + ".999999"


@pytest.mark.parametrize(
    ("feed", "extreme"),
    [
        ("usage", {"started_at": "0001-01-01T00:00:00Z"}),
        ("usage", {"started_at": "9999-12-31T23:59:59Z", "ended_at": ""}),
        ("usage", {"ended_at": "9999-12-31T23:59:59.999999Z"}),
        ("usage", {"meter": "ai_agent", "quantity": BIGGEST}),
        ("subscriptions", {"start_date": "0001-01-01", "end_date": "9999-12-31"}),
        ("subscriptions", {"billing_frequency": "prepaid", "term_months": "9" * 18}),
        ("subscriptions", {"billing_frequency": "annual", "start_date": "9999-12-31"}),
        ("entitlements", {"start_date": "0001-01-01", "end_date": "9999-12-31"}),
        ("entitlements", {"quantity": BIGGEST}),
        ("rates", {"unit_price": BIGGEST, "start_date": "0001-01-01"}),
        ("users", {"start_date": "9999-12-31", "end_date": "9999-12-31"}),
        ("partners", {"added_on": "9999-12-31"}),
    ],
)
def test_the_largest_values_that_a_feed_allows_are_billed(
    tmp_path: Path, feed: str, extreme: Row
) -> None:
    feeds = good("good")
    if feed in ("entitlements", "rates"):
        feeds["entitlements"][0]["quantity"] = feeds["rates"][0]["unit_price"] = BIGGEST
    feeds[feed][0] |= extreme
    bill(save(feeds, tmp_path / "feeds"), tmp_path / "store", PERIOD)
    assert_ties(tmp_path / "store", 1)


def test_a_term_so_long_that_its_price_cannot_be_written_is_refused(tmp_path: Path) -> None:
    feeds = good("good", "acme")
    feeds["subscriptions"][1] |= {"billing_frequency": "prepaid", "term_months": "9" * 18}
    feeds["subscriptions"][1] |= {"start_date": "2026-10-01"}
    feeds["entitlements"][1]["quantity"] = feeds["rates"][1]["unit_price"] = BIGGEST
    result = run(save(feeds, tmp_path / "feeds"))
    assert result.exit_code in (1, 3), result.output
