"""Closing months, and correcting them: through the commands, in an analyst's words."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline import compare, correct, money, request, run
from pipeline.cli import billing, closing, correcting, reading
from pipeline.period import Period
from pipeline.stages import rate
from tests.good_feeds import PERIOD, Feeds, good, rows_of, save
from tests.support import Row, bill, shown, tenantbill

AFTER = "2026-11"
CLOCK = "2026-11-10T08:00:00Z"
EVERYTHING = ["invoice_id", "tenant_id", "subscription_id", "kind", "meter", "quantity", "amount"]


class Books:
    """Feeds and a store, and the commands that finance uses on them."""

    def __init__(self, folder: Path, feeds: Feeds) -> None:
        self.folder, self.rows = folder, feeds
        self.feeds, self.store, self.plan_file = folder / "in", folder / "store", folder / "p.json"
        save(feeds, self.feeds)

    def run(self, period: str = PERIOD, *options: object) -> None:
        bill(self.feeds, self.store, period, *options)

    def close(self, period: str = PERIOD, *options: object, code: int = 0) -> str:
        result = tenantbill("close", period, "--store", self.store, *options)
        assert result.exit_code == code, result.output
        return result.stdout

    def plan(self, *words: object, code: int = 0) -> list[Row]:
        """What would change, as JSON has it."""
        options = ("--feeds", self.feeds, "--store", self.store, "--format", "json")
        result = tenantbill("plan", *words, *options, "--output", self.plan_file)
        assert result.exit_code == code, result.output
        rows: list[Row] = json.loads(result.stdout)
        return rows

    def apply(self, *options: object, code: int = 0) -> str:
        words = ("apply", self.plan_file, "--store", self.store, "--reason", "checked by hand")
        result = tenantbill(*words, *options)
        assert result.exit_code == code, result.output
        return result.output

    def correct(self) -> list[Row]:
        changes = self.plan()
        self.apply()
        return changes

    def change(self, feed: str, number: int = 0, **values: str) -> None:
        """Change a row of the feeds."""
        self.rows[feed][number].update(values)
        save(self.rows, self.feeds)

    def add(self, feed: str, **values: str) -> None:
        """Add a row like the first one of the feeds."""
        self.rows[feed].append({**self.rows[feed][0], **values})
        save(self.rows, self.feeds)

    def shown(self, dataset: str, period: str = PERIOD, *options: object) -> list[Row]:
        return shown(dataset, period, self.store, *options)

    def issued(self, *periods: str) -> list[Row]:
        rows = [row for period in periods for row in self.shown("invoices", period)]
        return [row for row in rows if row["status"] == "issued"]


def priced(*tenants: str) -> Feeds:
    """Good feeds in which agents are committed to at 10, and overage of them costs 7."""
    feeds = good(*tenants)
    overage = [{**row, "charge": "overage", "unit_price": "7"} for row in feeds["rates"]]
    return {**feeds, "rates": [*feeds["rates"], *overage]}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the time that commands see."""

    def set_to(words: str) -> None:
        instant = datetime.fromisoformat(words).astimezone(UTC)
        for room in (billing, closing, correcting, reading):
            monkeypatch.setattr(room, "now", lambda: instant)

    set_to(CLOCK)
    return set_to


@pytest.fixture
def books(tmp_path: Path, clock: Callable[[str], None]) -> Books:
    """Two tenants, billed for October; it is the tenth of November."""
    made = Books(tmp_path, priced("acme", "bolt"))
    made.run()
    return made


def test_closing_issues_the_drafts_as_they_are_and_numbers_them(books: Books) -> None:
    drafts, lines = books.shown("invoices"), books.shown("invoice_lines")
    told = books.close()
    assert told.startswith("2026-10: 2 invoices issued to 2 tenants (USD 20.00)")
    issued = books.shown("invoices")
    assert [row["number"] for row in issued] == ["1", "1"], "each tenant has numbers of its own"
    assert {row["status"] for row in issued} == {"issued"}
    assert {row["issued_at"] for row in issued} == {"2026-11-10T08:00:00Z"}
    changed = {"status": "draft", "number": "", "issued_at": ""}
    assert [{**row, **changed} for row in issued] == drafts
    assert books.shown("invoice_lines") == lines


def test_numbers_run_on_from_month_to_month_without_a_gap(books: Books) -> None:
    books.run("2026-09")
    books.close("2026-10")
    books.close("2026-09")
    numbers = {row["invoice_id"]: row["number"] for row in books.issued("2026-09", "2026-10")}
    assert numbers["2026-10/acme/acme-S"] == "1", "in order of issue, not of months"
    assert numbers["2026-09/acme/acme-S"] == "2"


def test_closing_again_issues_nothing(books: Books) -> None:
    books.close()
    before = books.shown("invoices")
    assert books.close() == "2026-10: nothing to issue\n"
    assert books.shown("invoices") == before
    assert len(tenantbill("log", "--store", books.store, "--format", "csv").stdout.split("\n")) == 4


def test_a_blocked_tenant_stays_open_and_is_named(tmp_path: Path, clock: object) -> None:
    feeds = priced("acme", "bolt")
    feeds["usage"].append({**feeds["usage"][0], "event_id": "e2", "user_id": "u2"})
    feeds["rates"] = [row for row in feeds["rates"] if row["charge"] == "committed"]
    books = Books(tmp_path, feeds)
    books.run()
    told = books.close(code=3)
    assert "acme stays open: missing_rate" in told
    statuses = {row["tenant_id"]: row["status"] for row in books.shown("invoices")}
    assert statuses == {"acme": "blocked", "bolt": "issued"}
    assert _status(books)["state"] == "closed but for 1"
    books.rows["rates"] = priced("acme", "bolt")["rates"]
    save(books.rows, books.feeds)
    books.run()
    books.close()
    assert {row["status"] for row in books.shown("invoices")} == {"issued"}


def test_a_tenant_that_only_a_broken_row_names_is_named_too(tmp_path: Path, clock: object) -> None:
    feeds = priced("acme")
    feeds["entitlements"].append({**feeds["entitlements"][0], "tenant_id": "ghost"})
    books = Books(tmp_path, feeds)
    books.run()
    assert "ghost stays open: broken_terms" in books.close(code=3)
    assert {row["tenant_id"] for row in books.issued(PERIOD)} == {"acme"}


def test_no_name_can_steer_the_terminal_that_words_and_tables_are_read_on(
    tmp_path: Path, clock: object
) -> None:
    hostile, spelled = "a\x1b]0;b\x07\u202e", r"a\x1b]0;b\x07\u202e"
    feeds = priced("acme")
    feeds["entitlements"].append({**feeds["entitlements"][0], "tenant_id": hostile})
    books = Books(tmp_path, feeds)
    books.run()
    assert f"{spelled} stays open: broken_terms" in books.close(code=3)
    words = ("show", "findings", PERIOD, "--store", books.store, "--format")
    assert spelled in tenantbill(*words, "table").stdout
    assert hostile in tenantbill(*words, "csv").stdout, "programs read it as it is"
    nobodys = {"tenant_id": "", "subscription_id": "", "meter": hostile}
    books.rows["rates"].append(books.rows["rates"][0] | nobodys)
    save(books.rows, books.feeds)
    (books.feeds / "rates.csv").rename(books.feeds / "tmp")
    (books.feeds / "rates").mkdir()
    (books.feeds / "tmp").rename(books.feeds / "rates" / f"{hostile}.csv")
    refused = tenantbill("run", PERIOD, "--feeds", books.feeds, "--store", books.store)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: rates/{spelled}.csv")


def test_one_tenant_can_be_closed_alone(books: Books) -> None:
    books.close(PERIOD, "--tenant", "bolt")
    assert {row["tenant_id"] for row in books.issued(PERIOD)} == {"bolt"}
    result = tenantbill("close", PERIOD, "--tenant", "bold", "--store", books.store)
    assert result.exit_code == 2
    assert "did you mean 'bolt'?" in result.stderr


def test_what_was_never_run_cannot_be_closed(books: Books) -> None:
    result = tenantbill("close", "2026-08", "--store", books.store)
    assert result.exit_code == 1
    assert "tenantbill run 2026-08 --feeds DIR" in result.stderr


@pytest.mark.parametrize(
    ("at", "options", "closes", "told"),
    [
        ("2026-11-04T00:00:00Z", (), True, ""),
        ("2026-11-03T23:59:59Z", (), False, "Connect usage settles until 2026-11-04T00:00:00Z"),
        ("2026-11-03T23:59:59Z", ("--provisional",), True, ""),
        ("2026-10-31T23:59:59Z", (), False, "the month is not over before 2026-11-01T00:00:00Z"),
        ("2026-10-31T12:00:00Z", ("--provisional",), True, ""),
    ],
)
def test_a_month_with_connect_usage_is_provisional_until_the_fourth(
    tmp_path: Path,
    clock: Callable[[str], None],
    at: str,
    options: tuple[str, ...],
    closes: bool,
    told: str,
) -> None:
    feeds = priced("acme")
    feeds["rates"].append(
        {**feeds["rates"][0], "meter": "connect_sms", "charge": "per_unit", "unit_price": "0.01"}
    )
    feeds["usage"].append(
        {**feeds["usage"][0], "event_id": "sms", "meter": "connect_sms", "quantity": "100"}
    )
    books = Books(tmp_path, feeds)
    clock(at)
    books.run()
    until = _status(books)["provisional_until"]
    assert until == ("" if at.startswith("2026-11-04") else "2026-11-04T00:00:00Z")
    assert told in books.close(PERIOD, *options, code=0 if closes else 3)
    assert bool(books.issued(PERIOD)) == closes


def test_a_month_without_connect_usage_settles_when_it_is_over(
    books: Books, clock: Callable[[str], None]
) -> None:
    clock("2026-11-01T00:00:00Z")
    assert _status(books)["provisional_until"] == "2026-11-01T12:00:00Z", "over everywhere"
    books.close()
    assert _status(books)["provisional_until"] == ""


def _status(books: Books) -> Row:
    result = tenantbill("status", PERIOD, "--store", books.store)
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    return row


def test_a_month_is_over_when_it_is_over_where_the_tenant_lives(
    tmp_path: Path, clock: Callable[[str], None]
) -> None:
    feeds = priced("acme", "bolt")
    feeds["tenants"][0]["time_zone"] = "America/New_York"
    books = Books(tmp_path, feeds)
    books.run()
    clock("2026-11-01T03:59:59Z")
    assert "acme stays open: provisional: the month is not over before 2026-11-01T04:00:00Z" in (
        books.close(code=3)
    )
    clock("2026-11-01T04:00:00Z")
    books.close()
    assert len(books.issued(PERIOD)) == 2


@pytest.mark.parametrize(("at", "closes"), [("2026-11-04", True), ("2026-11-03T23:59", False)])
def test_days_of_grace_are_waited_for_without_a_complaint(
    books: Books, clock: Callable[[str], None], at: str, closes: bool
) -> None:
    clock(f"{at}+00:00" if "T" in at else f"{at}T00:00+00:00")
    told = books.close(PERIOD, "--after", 3)
    assert ("not due: not before 2026-11-04T00:00:00Z" in told) == (not closes)
    assert bool(books.issued(PERIOD)) == closes


def test_a_clock_that_jumps_spoils_nothing(books: Books, clock: Callable[[str], None]) -> None:
    clock("2019-01-01T00:00:00Z")
    books.change("rates", unit_price="12")
    books.run()
    assert {row["total"] for row in books.shown("invoices")} == {"12", "10"}, "the newest counts"
    assert "the month is not over" in books.close(code=3)
    clock("2031-01-01T00:00:00Z")
    books.close()
    issued = books.issued(PERIOD)
    clock(CLOCK)
    books.change("rates", unit_price="13")
    books.correct()
    assert books.issued(PERIOD) == issued
    assert [row["number"] for row in books.issued(AFTER)] == ["2"]
    assert books.plan() == []


def test_a_run_beside_issued_invoices_changes_none_of_them(books: Books) -> None:
    books.close()
    datasets = ("invoices", "invoice_lines", "usage_split", "overage", "occupancy", "access")
    before = {dataset: books.shown(dataset) for dataset in datasets}
    books.add("usage", event_id="e2", user_id="u2")
    result = tenantbill("run", PERIOD, "--feeds", books.feeds, "--store", books.store)
    assert "a candidate beside what was issued to 2 tenants" in result.stdout
    assert {dataset: books.shown(dataset) for dataset in datasets} == before
    candidate = books.shown("overage", PERIOD, "--candidate")
    assert [row["overage"] for row in candidate] == ["1", "0"]
    assert books.shown("overage", PERIOD) != candidate


def test_open_tenants_go_on_being_billed_beside_closed_ones(books: Books) -> None:
    books.close(PERIOD, "--tenant", "acme")
    for number in (0, 1):
        books.change("rates", number, unit_price="12")
    books.run()
    totals = {row["tenant_id"]: (row["status"], row["total"]) for row in books.shown("invoices")}
    assert totals == {"acme": ("issued", "10"), "bolt": ("draft", "12")}


REASONS = {
    "a late row": ("usage", "add", {"event_id": "e2", "user_id": "u2"}, "1 late row", "usage.csv"),
    "a price": ("rates", "change", {"unit_price": "12"}, "10 → 12", "rates.csv"),
    "an entitlement": (
        "entitlements",
        "change",
        {"quantity": "3"},
        "the entitlement: 1 standard_agent of acme-S always → 3 standard_agent of acme-S always",
        "entitlements.csv",
    ),
    "an end": (
        "subscriptions",
        "change",
        {"end_date": "2026-10-20"},
        "subscription acme-S is in service 2026-01-01…2026-10-20",
        "subscriptions.csv",
    ),
}


@pytest.mark.parametrize("what", REASONS)
def test_a_plan_says_what_brought_each_change_and_in_which_export(books: Books, what: str) -> None:
    feed, how, values, words, export = REASONS[what]
    books.close()
    assert books.plan() == []
    getattr(books, how)(feed, **values)
    changes = books.plan(code=0)
    assert changes, "something would change"
    assert {row["tenant_id"] for row in changes} == {"acme"}
    assert all(words in row["reason"] for row in changes), changes
    assert all(row["exports"] == export for row in changes), changes


def test_a_corrected_row_another_primary_a_zone_and_users_are_reasons(books: Books) -> None:
    books.add("usage", event_id="e2", user_id="u2")
    books.add("subscriptions", subscription_id="acme-T", start_date="2026-02-01")
    books.add("rates", subscription_id="acme-T", charge="overage")
    books.run()
    books.close()
    longer = {"event_id": "e2", "user_id": "u2", "started_at": "2026-10-05T11:00:00Z"}
    books.add("usage", **longer, ended_at="2026-10-05T12:00:00Z")
    overage = [row for row in books.plan() if row["kind"] == "overage"]
    assert "1 corrected row" in overage[0]["reason"]
    books.add("usage", event_id="e3", user_id="u3")
    books.change("tenants", primary_override="acme-T", time_zone="Europe/Madrid")
    reasons = "; ".join(row["reason"] for row in books.plan())
    assert "the primary subscription: acme-S → acme-T" in reasons
    assert "the time zone: UTC → Europe/Madrid" in reasons
    assert "primary_override: none → acme-T" in reasons


def test_another_version_of_the_program_is_a_reason_where_no_export_is(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.close()
    _other_rules(monkeypatch)
    (change,) = [row for row in books.plan() if row["tenant_id"] == "acme"]
    assert "the version of the program and its engines" in change["reason"]


def _other_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of the program in which everybody pays one more cent a month."""
    dearer = lambda *of: money.amount(*of) + Decimal("0.01")  # noqa: E731
    monkeypatch.setattr(rate, "amount", dearer)
    for room in (request, run, correct, compare):
        monkeypatch.setattr(room, "billing_code", lambda: "another")


def test_a_correction_reverses_the_old_line_and_states_the_new_one(books: Books) -> None:
    books.close()
    books.change("rates", unit_price="12")
    books.correct()
    before = books.shown("invoices")
    (document,) = books.issued(AFTER)
    assert document["invoice_id"] == "2026-10/acme/acme-S/2"
    assert (document["document"], document["total"]) == ("supplementary_invoice", "2")
    assert (document["period"], document["usage_period"]) == (AFTER, PERIOD)
    assert (document["revision"], document["number"]) == ("2", "2")
    lines = {row["adjustment"]: row for row in books.shown("invoice_lines", AFTER)}
    line = "2026-10/acme/acme-S/committed/standard_agent/1"
    for row in lines.values():
        assert row["kind"] == "adjustment"
        assert (row["corrected_kind"], row["usage_period"]) == ("committed", PERIOD)
        assert row["corrects_invoice_id"] == "2026-10/acme/acme-S"
        assert row["corrects_line_id"] == line
    old, new = lines["reversal"], lines["statement"]
    assert (old["quantity"], old["unit_price"], old["amount"]) == ("-1", "10", "-10")
    assert (new["quantity"], new["unit_price"], new["amount"]) == ("1", "12", "12")
    assert books.shown("invoices") == before


def test_a_sum_below_zero_is_a_credit_note(books: Books) -> None:
    books.close()
    books.change("rates", unit_price="4.5")
    books.correct()
    (document,) = books.issued(AFTER)
    assert (document["document"], document["total"]) == ("credit_note", "-5.5")


def test_a_correction_can_be_corrected_and_stands_on_the_last_one(books: Books) -> None:
    books.close()
    for price in ("12", "9", "10"):
        books.change("rates", unit_price=price)
        books.correct()
    documents = books.issued(AFTER)
    assert [row["total"] for row in documents] == ["2", "-3", "1"]
    assert [row["revision"] for row in documents] == ["2", "3", "4"]
    last = [row for row in books.shown("invoice_lines", AFTER) if row["amount"] == "-9"]
    assert last[0]["corrects_invoice_id"] == "2026-10/acme/acme-S/3"
    assert last[0]["corrects_line_id"].startswith("2026-10/acme/acme-S/3/")


def test_a_subscription_that_comes_late_gets_its_first_invoice_as_a_correction(
    books: Books,
) -> None:
    books.close()
    books.add("subscriptions", subscription_id="acme-T", start_date="2026-10-01")
    books.add("entitlements", subscription_id="acme-T", quantity="2")
    books.change("rates", 0, subscription_id="*", tenant_id="acme")
    books.correct()
    (document,) = books.issued(AFTER)
    assert document["invoice_id"] == "2026-10/acme/acme-T/1"
    assert (document["document"], document["total"]) == ("supplementary_invoice", "20")
    (line,) = books.shown("invoice_lines", AFTER)
    assert (line["adjustment"], line["corrects_line_id"]) == ("statement", "")


def test_corrections_are_dated_in_the_first_month_that_is_open(books: Books) -> None:
    books.run("2026-09")
    books.close("2026-09")
    books.close("2026-10")
    books.change("rates", unit_price="12")
    books.plan("2026-09..2026-10")
    assert "2 documents dated 2026-11 (USD 4.00)" in books.apply()
    assert {row["usage_period"] for row in books.issued(AFTER)} == {"2026-09", "2026-10"}
    assert [row["number"] for row in books.issued(AFTER)] == ["3", "4"]


def test_a_month_that_is_corrected_into_before_it_runs_is_billed_all_the_same(
    books: Books, clock: Callable[[str], None]
) -> None:
    books.close()
    books.change("rates", unit_price="12")
    books.correct()
    books.run(AFTER)
    statuses = [(row["usage_period"], row["status"]) for row in books.shown("invoices", AFTER)]
    assert sorted(statuses) == [
        ("2026-10", "issued"),
        ("2026-11", "draft"),
        ("2026-11", "draft"),
    ]
    clock("2026-12-04T00:00:00Z")
    books.close(AFTER)
    acme = [row for row in books.issued(PERIOD, AFTER) if row["tenant_id"] == "acme"]
    assert [row["number"] for row in acme] == ["1", "2", "3"]


def test_applying_twice_does_nothing_the_second_time(books: Books) -> None:
    books.close()
    books.change("rates", unit_price="12")
    books.plan()
    assert "issued 1 document dated 2026-11 (USD 2.00)" in books.apply()
    before = books.shown("invoices", AFTER)
    assert "applied already" in books.apply()
    assert books.shown("invoices", AFTER) == before


def test_a_plan_is_applied_to_the_exports_it_was_made_from(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the settings say: only --feeds, given with `apply`, names another directory."""
    books.close()
    books.change("rates", unit_price="12")
    books.plan()
    elsewhere = save(priced("acme", "bolt"), books.folder / "elsewhere")
    assert "[PlanOutdated]" in books.apply("--feeds", elsewhere, code=1)
    monkeypatch.setenv("TENANTBILL_FEEDS", str(elsewhere))
    assert "issued 1 document" in books.apply()


CHANGED_SINCE: dict[str, tuple[Callable[[Books], object], str]] = {
    "another export": (lambda books: books.add("usage", event_id="e9"), "usage.csv"),
    "another price": (lambda books: books.change("rates", unit_price="13"), "rates.csv"),
    "a closing": (lambda books: books.close(PERIOD, "--tenant", "bolt"), "other documents"),
}


@pytest.mark.parametrize("what", CHANGED_SINCE)
def test_a_plan_is_refused_once_what_it_was_made_from_has_changed(books: Books, what: str) -> None:
    do, told = CHANGED_SINCE[what]
    books.close(PERIOD, "--tenant", "acme")
    books.change("rates", unit_price="12")
    books.plan()
    do(books)
    issued = len(books.issued(PERIOD))
    refused = books.apply(code=1)
    assert "[PlanOutdated]" in refused
    assert told in refused
    assert len(books.issued(PERIOD)) == issued
    assert tenantbill("show", "invoices", AFTER, "--store", books.store).exit_code == 1


def test_a_plan_of_another_version_is_refused(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.close()
    books.change("rates", unit_price="12")
    books.plan()
    _other_rules(monkeypatch)
    assert "another version" in books.apply(code=1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"12"', '"11"'),
        lambda text: text[:-20],
        lambda _: "[]",
        lambda _: "{}",
        lambda _: "[" * 100_000,
        lambda text: text.replace('"tenantbill_plan": 1', '"tenantbill_plan": 2'),
    ],
)
def test_a_plan_that_was_changed_by_hand_is_refused(
    books: Books, spoil: Callable[[str], str]
) -> None:
    books.close()
    books.change("rates", unit_price="12")
    books.plan()
    books.plan_file.write_text(spoil(books.plan_file.read_text()))
    assert "[PlanUnreadable]" in books.apply(code=2)


def test_a_plan_needs_a_reason_to_be_applied(books: Books) -> None:
    books.close()
    books.plan()
    result = tenantbill("apply", books.plan_file, "--store", books.store, "--reason", "  ")
    assert result.exit_code == 2
    assert "--reason" in result.stderr


def test_a_plan_can_tell_by_its_exit_code_whether_something_would_change(books: Books) -> None:
    words = ("plan", PERIOD, "--feeds", books.feeds, "--store", books.store, "--exit-code")
    books.close()
    assert tenantbill(*words).exit_code == 0
    books.change("rates", unit_price="12")
    assert tenantbill(*words).exit_code == 10
    assert tenantbill(*words, "--tenant", "bolt").exit_code == 0


def test_tenants_that_cannot_be_billed_now_are_named_and_left_alone(books: Books) -> None:
    books.close()
    books.change("rates", 0, currency="EUR")
    books.change("rates", 1, unit_price="12")
    books.add("usage", event_id="e2", user_id="u2")
    books.rows["rates"] = [row for row in books.rows["rates"] if row["charge"] == "committed"]
    save(books.rows, books.feeds)
    changes = books.plan(code=3)
    assert {row["tenant_id"] for row in changes} == {"bolt"}
    books.apply(code=3)
    assert {row["tenant_id"] for row in books.issued(AFTER)} == {"bolt"}


def test_a_tenant_that_the_exports_name_no_more_is_not_credited_by_itself(books: Books) -> None:
    books.close()
    save({feed: rows[1:] for feed, rows in books.rows.items()}, books.feeds)
    (books.feeds / "rates.csv").unlink()
    save({"rates": [books.rows["rates"][1]]}, books.feeds)
    result = tenantbill(*("plan", "--feeds", books.feeds, "--store", books.store, "--allow-shrink"))
    assert result.exit_code == 3
    assert "acme cannot be compared: the exports name it no more" in result.stderr


def test_a_plan_as_of_an_instant_knows_nothing_that_came_later(
    books: Books, clock: Callable[[str], None]
) -> None:
    books.close()
    books.change("rates", unit_price="12")
    clock("2026-11-11T08:00:00Z")
    assert len(books.plan()) == 1
    assert books.plan(PERIOD, "--as-of", "2026-11-10T08:00:00Z") == []


def test_a_price_that_reaches_back_shows_every_closed_month_it_would_change(books: Books) -> None:
    for period in ("2026-08", "2026-09"):
        books.run(period)
        books.close(period)
    books.close()
    books.change("rates", unit_price="12", start_date="2026-09-01")
    books.add("rates", unit_price="10", start_date="", end_date="2026-08-31")
    assert [row["usage_period"] for row in books.plan()] == ["2026-09", "2026-10"]


def test_what_another_version_read_is_not_taken_for_ours(
    books: Books, clock: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock("2026-11-11T08:00:00Z")
    monkeypatch.setattr(run, "reading_code", lambda: "another")
    words = ("run", PERIOD, "--feeds", books.feeds, "--store", books.store)
    result = tenantbill(*words, "--as-of", "2026-11-10T08:00:00Z")
    assert result.exit_code == 1
    assert "[ReadByAnotherVersion]" in result.stderr


def test_what_a_closed_month_was_made_from_must_be_there_to_say_why(books: Books) -> None:
    books.close()
    books.change("rates", unit_price="12")
    books.run()
    shutil.rmtree(books.store / "landed")
    result = tenantbill("plan", "--feeds", books.feeds, "--store", books.store)
    assert result.exit_code == 1
    assert "[StoreDamaged]" in result.stderr
    assert "restore landed/ from a backup" in result.stderr


def test_without_any_closed_month_there_is_nothing_to_plan(books: Books) -> None:
    result = tenantbill("plan", "--store", books.store)
    assert (result.exit_code, result.stdout) == (0, "no month is closed: nothing to correct\n")


def test_a_plan_of_an_open_month_says_that_it_is_open(books: Books) -> None:
    books.close()
    result = tenantbill("plan", "2026-09..2026-10", "--store", books.store)
    assert result.exit_code == 0
    assert result.stderr == "2026-09 is open: nothing of it is issued that could change\n"


def test_diff_compares_drafts_too_and_publishes_nothing(books: Books) -> None:
    books.close(PERIOD, "--tenant", "acme")
    for number in (0, 1):
        books.change("rates", number, unit_price="12")
    words = ("diff", PERIOD, "--feeds", books.feeds, "--store", books.store, "--format", "json")
    result = tenantbill(*words, "--exit-code")
    assert result.exit_code == 10
    changes = json.loads(result.stdout)
    assert {(row["tenant_id"], row["old_amount"], row["new_amount"]) for row in changes} == {
        ("acme", "10", "12"),
        ("bolt", "10", "12"),
    }
    assert {row["total"] for row in books.shown("invoices")} == {"10"}


def test_the_log_says_who_did_what_why_and_from_what(books: Books) -> None:
    books.close()
    books.change("rates", unit_price="12")
    books.correct()
    result = tenantbill("log", PERIOD, "--store", books.store, "--format", "json")
    rows = json.loads(result.stdout)
    assert [row["command"].split()[0] for row in rows] == ["run", "close", "plan", "apply"]
    assert all("@" in row["actor"] and row["code"] and row["exports"] for row in rows)
    assert rows[-1]["reason"] == "checked by hand"
    assert rows[-1]["plan"] == rows[-2]["plan"] is not None
    assert [row["documents"] for row in rows] == [None, 2, 0, 1]
    nothing = tenantbill("log", "2026-01..2026-02", "--store", books.store, "--format", "json")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert "nothing is in the log of 2026-01..2026-02 [InputMissing]" in nothing.stderr


def test_what_a_name_holds_stays_one_word_of_an_id(tmp_path: Path, clock: object) -> None:
    nasty = "a/../b '; DROP TABLE x; --"
    feeds = priced("acme")
    for rows in feeds.values():
        for row in rows:
            row["tenant_id"] = nasty
    books = Books(tmp_path, feeds)
    books.run()
    books.close()
    books.change("rates", unit_price="12")
    books.correct()
    (document,) = books.issued(AFTER)
    assert document["tenant_id"] == nasty
    assert document["invoice_id"].count("/") == 3


@pytest.mark.parametrize("period", ["2028-02", "2026-03", "2026-10"])
def test_leap_years_and_changes_of_the_clock_are_corrected_to_the_cent(
    tmp_path: Path, clock: Callable[[str], None], period: str
) -> None:
    """A subscription that ends in mid-month is charged by days, in a zone with summer time."""
    feeds = priced("acme")
    feeds["tenants"][0]["time_zone"] = "Europe/Berlin"
    feeds["usage"][0] |= {"started_at": f"{period}-05T09:00Z", "ended_at": f"{period}-05T10:00Z"}
    books = Books(tmp_path, feeds)
    clock("2028-04-10T00:00:00Z")
    books.run(period)
    books.close(period)
    books.change("subscriptions", end_date=f"{period}-15")
    books.correct()
    bill(books.feeds, tmp_path / "fresh", period)
    (fresh,) = shown("invoices", period, tmp_path / "fresh")
    after = str(Period.parse(period).following)
    issued = [row for month in (period, after) for row in books.shown("invoices", month)]
    assert sum(Decimal(row["total"]) for row in issued) == Decimal(fresh["total"]) != 10


def test_only_what_stands_on_usage_names_the_tenant_of_another(books: Books) -> None:
    """A late row of one tenant is no reason for another."""
    books.close()
    books.add("usage", **rows_of("bolt")["usage"] | {"event_id": "e2", "user_id": "u2"})
    changes = books.plan()
    assert {row["tenant_id"] for row in changes} == {"bolt"}
