"""Every line can be explained, and the usage rows behind it come to it."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.explain import Explainer
from tests.good_feeds import good, save
from tests.support import Row, bill, shown, tenantbill
from tests.test_histories import History
from tests.worlds import World, world, write

seeds = st.integers(1_000, 1_000_000)
some = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))


Place = tuple[str, int]
"""An export and a row in it."""


def exported(feeds: Path) -> dict[Place, Row]:
    """Every row of the usage exports, by export and row number, read by nothing of ours."""
    found = {}
    for file in (feeds / "usage").iterdir():
        with file.open(encoding="utf-8") as opened:
            for number, row in enumerate(csv.DictReader(opened), 1):
                found[f"usage/{file.name}", number] = row
    return found


def assert_explained(store: Path, feeds: Path, lines: list[Row]) -> dict[str, set[Place]]:
    """Each line's rows come to it, once each, and are what stands in the exports. Gives them."""
    explainer, rows = Explainer(store), exported(feeds)
    found: dict[str, set[Place]] = {}
    for line in lines:
        (explained,) = explainer.explain(line["line_id"])
        assert explained.adds_up, (line, explained.told.sentences)
        assert len(explained.told.sentences) > 1
        told = explained.told.rows
        assert (len(told) > 0) <= explained.told.rests_on_usage
        places = list(zip(told["file"], told["row"], strict=True))
        assert len(set(places)) == len(places), "no row counts twice"
        for place, event in zip(places, told["event_id"], strict=True):
            assert rows[place]["event_id"] == event
            assert rows[place]["tenant_id"] == line["tenant_id"]
        found[line["line_id"]] = set(places)
    return found


def assert_shared_out(shares: list[Row], over: list[Row], lines: list[Row]) -> None:
    """Every overage is shared out to the cent, by what each subscription used beyond its own."""
    wanted: dict[tuple[str, str], Decimal] = {}
    for line in lines:
        if line["kind"] == "overage":
            whose = line["tenant_id"], line["meter"]
            wanted[whose] = wanted.get(whose, Decimal(0)) + Decimal(line["amount"] or "0")
    for row in over:
        whose = row["tenant_id"], row["meter"]
        own = [one for one in shares if (one["tenant_id"], one["meter"]) == whose]
        assert bool(own) == (row["overage"] != "0")
        if own:
            assert sum(Decimal(one["amount"] or "0") for one in own) == wanted[whose]
            beyond = [Decimal(one["beyond"]) for one in own]
            used = [Decimal(one["used"]) - Decimal(one["included"]) for one in own]
            assert beyond == [max(one, Decimal(0)) for one in used]
            # Allowances are rounded each, the tenant's once.
            excess = sum(used) - Decimal(row["overage"])
            assert abs(excess) <= Decimal("0.00001")


@some
@given(seeds)
def test_the_usage_rows_behind_every_line_come_to_it(number: int) -> None:
    crowd = world(number)
    with TemporaryDirectory() as folder:
        feeds, store = Path(folder) / "feeds", Path(folder) / "store"
        write(crowd, feeds)
        bill(feeds, store, crowd.period)
        lines = shown("invoice_lines", crowd.period, store)
        behind = assert_explained(store, feeds, lines)
        shares, over = (
            shown("chargeback", crowd.period, store),
            shown("overage", crowd.period, store),
        )
    assert_shared_out(shares, over, lines)
    owners: dict[tuple[str, Place], set[str]] = {}
    for line in lines:
        if line["kind"] == "usage":
            for place in behind[line["line_id"]]:
                owners.setdefault((line["meter"], place), set()).add(line["subscription_id"])
    assert all(len(whose) == 1 for whose in owners.values()), "a row is one subscription's"


@some
@given(seeds)
def test_so_do_those_behind_issued_lines_and_corrections_whatever_came_later(seed: int) -> None:
    with TemporaryDirectory() as folder:
        history = History.begin(Path(folder), seed)
        history.export_arrives()
        history.save()
        history.runs()
        history.closes()
        for deed in (history.terms_change, history.export_arrives, history.corrects):
            deed()
        history.export_arrives()
        history.runs()
        assert_explained(history.store, history.feeds, history.issued("invoice_lines"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of the sample month."""
    store = tmp_path_factory.mktemp("sample") / "store"
    bill(Path("sample_data/feeds").absolute(), store, "2026-10")
    return store


OVERAGE = "2026-10/harbor-city/HC-CLINICS/overage/standard_agent/1"


def explained(store: Path, name: str, *options: object) -> dict[str, Any]:
    result = tenantbill("explain", name, "--store", store, "--format", "json", *options)
    assert result.exit_code == 0, result.output
    (told,) = json.loads(result.stdout)
    assert isinstance(told, dict)
    return told


def test_an_overage_is_told_with_who_was_on_what_is_included_and_who_pays(sample: Path) -> None:
    told = explained(sample, OVERAGE)
    said = " ".join(told["sentences"])
    assert "26 Standard agents were used at 2026-10-15T15:42:00Z" in said
    assert "include 25 then (R5): 1 beyond, the most of the whole period (R6)" in said
    assert "HC-CLINICS pays: HC-CLINICS is the primary subscription" in said
    assert "145 in rates.csv, row 9 (R10.1)" in said
    assert "1 × 145 = 145 = 145.00 USD." in said
    used = {
        row["subscription_id"]: row for row in told["tables"]["used and included by subscription"]
    }
    assert (used["HC-PERMITS"]["used"], used["HC-PERMITS"]["included"]) == ("20", "15")
    assert (used["HC-CLINICS"]["used"], used["HC-CLINICS"]["beyond"]) == ("6", "0")
    ages = {row["subscription_id"]: row["since"] for row in told["tables"]["who could pay"]}
    assert ages["HC-CLINICS"] == "2023-03-01" < ages["HC-PERMITS"]
    assert (told["counted"], told["less"], told["rows_in_all"]) == ("26.000000", "25.000000", 26)
    assert len(told["rows"]) == 10
    assert len(told["rows"][0]["sha256"]) == 64


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("HC-CLINICS/usage/connect_whatsapp/1", "rounded half up, once, to 2 digits: 18.08 USD"),
        ("HC-CLINICS/committed/standard_agent/1", "entitlements.csv, row 1"),
        ("HC-CLINICS/usage/standard_agent/1", "only what is beyond all that is included (R10.3)"),
        ("HC-DIGITAL/committed/ai_agent/1", "(R10.2)"),
    ],
)
def test_other_lines_are_told_in_sentences_that_name_the_rule(
    sample: Path, line: str, words: str
) -> None:
    assert words in " ".join(explained(sample, f"2026-10/harbor-city/{line}")["sentences"])


def test_an_invoice_is_told_line_by_line(sample: Path) -> None:
    result = tenantbill("explain", "2026-10/harbor-city/HC-CLINICS", "--store", sample, "--rows", 0)
    assert result.exit_code == 0
    ids = [
        row["line_id"]
        for row in shown("invoice_lines", "2026-10", sample)
        if row["invoice_id"] == "2026-10/harbor-city/HC-CLINICS"
    ]
    told = result.stdout.splitlines()
    assert [line for line in told if line in ids] == sorted(ids)
    assert "sha256" not in result.stdout


def test_the_rows_of_a_line_can_be_had_as_csv(sample: Path) -> None:
    words = ("explain", OVERAGE, "--store", sample, "--rows", 1000, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(tenantbill(*words).stdout)))
    assert len(rows) == 26
    assert {row["line_id"] for row in rows} == {OVERAGE}
    assert sum(Decimal(row["counts"]) for row in rows) == 26


@pytest.mark.parametrize("name", ["2026-10/harbor-city/HC-CLINIC", "nothing", "2026-10/x", "", "/"])
def test_what_is_called_nothing_is_wrong_use_with_a_guess(sample: Path, name: str) -> None:
    result = tenantbill("explain", name, "--store", sample)
    assert result.exit_code == 2
    assert "there is no invoice and no line" in result.stderr
    if name.endswith("CLINIC"):
        assert "did you mean '2026-10/harbor-city/HC-CLINICS'?" in result.stderr


def without_lines(folder: Path) -> Path:
    """A store with a subscription that was active for two weeks, and has nothing to pay."""
    feeds = good("acme")
    idle = {**feeds["subscriptions"][0], "subscription_id": "B", "end_date": "2026-10-14"}
    feeds["subscriptions"].append(idle)
    save(feeds, folder / "in")
    bill(folder / "in", folder / "store", "2026-10")
    return folder / "store"


def test_an_invoice_without_lines_is_told_with_why_it_is_there(tmp_path: Path) -> None:
    store = without_lines(tmp_path)
    told = explained(store, "2026-10/acme/B")
    said = " ".join(told["sentences"])
    assert "B was active on 14 days of 2026-10, the first 2026-10-01" in said
    assert "(R10.6)" in said
    assert "its total is 0 USD (R10.5)" in said
    assert (told["invoice_id"], told["line_id"]) == ("2026-10/acme/B", None)
    assert told["adds_up"]
    text = tenantbill("explain", "2026-10/acme/B", "--store", store)
    assert text.exit_code == 0
    assert text.stdout.startswith("2026-10/acme/B\n")
    rows = tenantbill("explain", "2026-10/acme/B", "--store", store, "--format", "csv")
    assert (rows.exit_code, len(rows.stdout.splitlines())) == (0, 1)


def test_so_is_one_that_was_issued_whatever_came_later(tmp_path: Path) -> None:
    store = without_lines(tmp_path)
    assert tenantbill("close", "2026-10", "--store", store).exit_code == 0
    feeds = good("acme")
    bill(save(feeds, tmp_path / "later"), store, "2026-10", "--allow-shrink")
    said = " ".join(explained(store, "2026-10/acme/B")["sentences"])
    assert "B was active on 14 days of 2026-10" in said


def test_an_invoice_without_lines_may_have_been_meant(tmp_path: Path) -> None:
    result = tenantbill("explain", "2026-10/acme/BB", "--store", without_lines(tmp_path))
    assert result.exit_code == 2
    assert "did you mean '2026-10/acme/B'?" in result.stderr


def test_where_nothing_is_published_the_store_is_named(tmp_path: Path) -> None:
    result = tenantbill("explain", "2026-10/acme/B", "--store", tmp_path / "none")
    assert result.exit_code == 1
    assert f"{tmp_path / 'none'}: nothing is published" in result.stderr
    assert "tenantbill run 2026-10 --feeds DIR" in result.stderr


def test_lines_of_a_world_without_usage_can_be_told(tmp_path: Path) -> None:
    crowd = world(7)
    write(World(crowd.period, crowd.feeds, [("empty.csv", [])]), tmp_path / "feeds")
    bill(tmp_path / "feeds", tmp_path / "store", crowd.period)
    lines = shown("invoice_lines", crowd.period, tmp_path / "store")
    assert lines
    assert_explained(tmp_path / "store", tmp_path / "feeds", lines)


def test_names_cannot_steer_a_terminal(tmp_path: Path) -> None:
    feeds = good("acme")
    for rows in feeds.values():
        for row in rows:
            if "subscription_id" in row:
                row["subscription_id"] = "\x1b[31mred\u202e"
    save(feeds, tmp_path / "in")
    bill(tmp_path / "in", tmp_path / "store", "2026-10")
    (line, *_) = shown("invoice_lines", "2026-10", tmp_path / "store")
    told = tenantbill("explain", line["line_id"], "--store", tmp_path / "store").stdout
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert r"\x1b[31mred\u202e" in told
