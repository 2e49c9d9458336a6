"""Stages one by one, again, for some tenants, for many months: what is done anew, what is not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest

from pipeline.stages.order import STAGES
from schemas.datasets import DATASETS
from tests.good_feeds import PERIOD, good, save
from tests.support import Row, bill, shown, tenantbill
from tests.worlds import COLUMNS, World, world, write, write_csv

ALL = [stage.name for stage in STAGES]
Published = dict[str, list[Row]]


def published(store: Path, period: str, *options: object) -> Published:
    """Every dataset of a period."""
    return {table.name: shown(table.name, period, store, *options) for table in DATASETS}


def redone(command: str, period: str, *options: object) -> list[str]:
    """Give a command and say which stages it did anew."""
    result = tenantbill(command, period, *options, "--log-format", "json")
    assert result.exit_code in (0, 3), result.output
    last = json.loads(result.stderr.splitlines()[-1])
    assert last["event"] == "done"
    return list(last["redone"])


def files_of(store: Path) -> dict[str, tuple[int, int]]:
    """Every file of a store with when it was written, but for the lock."""
    return {
        str(path.relative_to(store)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in store.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def alone(feeds: Path, store: Path, period: str) -> None:
    """Give the command of every stage, in order."""
    for name in ALL:
        place = ("--feeds", feeds) if name == "ingest" else ()
        result = tenantbill(name, period, "--store", store, *place)
        assert result.exit_code in (0, 3), (name, result.output)


@pytest.mark.parametrize("seed", [0, 5, 11])
def test_stages_one_by_one_give_what_a_run_gives(tmp_path: Path, seed: int) -> None:
    crowd, feeds = world(seed), tmp_path / "feeds"
    write(crowd, feeds)
    bill(feeds, tmp_path / "whole", crowd.period)
    alone(feeds, tmp_path / "parts", crowd.period)
    assert published(tmp_path / "parts", crowd.period) == published(
        tmp_path / "whole", crowd.period
    )


@pytest.mark.parametrize(
    ("before", "command", "remedy"),
    [
        *(([], name, "ingest") for name in ALL[1:]),
        *((ALL[: place - 1], ALL[place], ALL[place - 1]) for place in range(2, 6)),
        (["ingest"], "invoice", "rate"),
    ],
)
def test_a_stage_without_its_input_names_the_command_to_run(
    tmp_path: Path, before: list[str], command: str, remedy: str
) -> None:
    feeds, store = save(good("good"), tmp_path / "feeds"), tmp_path / "store"
    for name in before:
        place = ("--feeds", feeds) if name == "ingest" else ()
        assert tenantbill(name, PERIOD, "--store", store, *place).exit_code == 0
    result = tenantbill(command, PERIOD, "--store", store)
    assert result.exit_code == 1
    assert "[InputMissing]" in result.stderr
    assert f"`tenantbill {remedy} {PERIOD}" in result.stderr


def test_running_again_with_nothing_changed_writes_nothing_and_says_so(tmp_path: Path) -> None:
    crowd, feeds, store = world(3), tmp_path / "feeds", tmp_path / "store"
    write(crowd, feeds)
    first = bill(feeds, store, crowd.period)
    before = files_of(store)
    for name in ("run", *ALL):
        place = ("--feeds", feeds) if name in ("run", "ingest") else ()
        again = tenantbill(name, crowd.period, "--store", store, *place)
        assert again.exit_code == first.exit_code
        assert f"{crowd.period}: nothing has changed" in again.stdout
    assert files_of(store) == before


def test_earlier_results_that_are_published_again_are_no_run_in_which_nothing_changed(
    tmp_path: Path,
) -> None:
    feeds, store = save(good("good", "acme"), tmp_path / "feeds"), tmp_path / "store"
    summary = tmp_path / "summary.json"
    bill(feeds, store, PERIOD)
    bill(feeds, store, PERIOD, "--tenant", "acme")
    again = bill(feeds, store, PERIOD, "--summary", summary)
    [told] = json.loads(summary.read_text())["periods"]
    assert (told["changed"], told["redone"]) == (True, [])
    assert again.stdout == (f"{PERIOD}: earlier results published again as run {told['run_id']}\n")
    assert told["run_id"] in tenantbill("log", "--store", store).stdout.splitlines()[-1]
    still = bill(feeds, store, PERIOD, "--summary", summary)
    assert f"nothing has changed since run {told['run_id']}" in still.stdout
    assert json.loads(summary.read_text())["periods"][0]["changed"] is False


def test_a_file_that_was_only_touched_or_moved_away_and_back_changes_nothing(
    tmp_path: Path,
) -> None:
    feeds, store = save(good("good"), tmp_path / "feeds"), tmp_path / "store"
    bill(feeds, store, PERIOD)
    before = files_of(store)
    for path in feeds.iterdir():
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        os.utime(path, (1, 1))
    assert redone("run", PERIOD, "--feeds", feeds, "--store", store) == []
    assert files_of(store) == before


@pytest.mark.parametrize(
    ("feed", "change", "expected"),
    [
        ("rates", {"unit_price": "11"}, ["rate", "invoice"]),
        ("entitlements", {"quantity": "7"}, ALL[1:-1]),
        ("usage", {"ended_at": ""}, ["ingest", "validate", "split", "meter", "rate", "invoice"]),
        ("partners", {"role": "full_admin"}, ["access"]),
        ("users", {"license": "premium"}, ALL[1:]),
        ("subscriptions", {"telephony": "vpop"}, ALL[1:]),
    ],
)
def test_what_changed_and_what_rests_on_it_is_done_anew_and_nothing_else(
    tmp_path: Path, feed: str, change: Row, expected: list[str]
) -> None:
    rows = good("good", "acme")
    feeds, store = save(rows, tmp_path / "feeds"), tmp_path / "store"
    bill(feeds, store, PERIOD)
    rows[feed][1] |= change
    save(rows, feeds)
    assert redone("run", PERIOD, "--feeds", feeds, "--store", store) == expected
    bill(feeds, tmp_path / "fresh", PERIOD)
    assert published(store, PERIOD) == published(tmp_path / "fresh", PERIOD)


def repriced(seed: int, tmp_path: Path) -> tuple[World, Path, Path]:
    """A world of several tenants that was billed; since then, every price has doubled."""
    crowd, feeds, store = world(seed), tmp_path / "feeds", tmp_path / "store"
    write(crowd, feeds)
    for path in sorted((feeds / "usage").iterdir())[:1]:
        lines = path.read_text(encoding="utf-8").splitlines()
        text = "".join(f"{line},{'queue' if not row else ''}\n" for row, line in enumerate(lines))
        path.write_text(text, encoding="utf-8")
    bill(feeds, store, crowd.period)
    doubled = [
        {**row, "unit_price": f"{2 * pl.Series([row['unit_price']]).cast(pl.Decimal(18, 6))[0]}"}
        for row in crowd.feeds["rates"]
    ]
    write_csv(feeds / "rates.csv", COLUMNS["rates"].split(), doubled)
    return crowd, feeds, store


def of_tenant(rows: Published, tenant: str, *, others: bool = False) -> Published:
    """The rows of every dataset that are about a tenant, or those that are not."""
    return {
        name: [row for row in dataset if (row["tenant_id"] == tenant) is not others]
        for name, dataset in rows.items()
        if name != "controls"
    }


@pytest.mark.parametrize("seed", [1, 8])
def test_a_run_for_one_tenant_leaves_the_others_as_they_were(tmp_path: Path, seed: int) -> None:
    crowd, feeds, store = repriced(seed, tmp_path)
    before = published(store, crowd.period)
    bill(feeds, store, crowd.period, "--tenant", "T1")
    after = published(store, crowd.period)
    bill(feeds, tmp_path / "fresh", crowd.period)
    fresh = published(tmp_path / "fresh", crowd.period)
    assert of_tenant(after, "T1") == of_tenant(fresh, "T1") != of_tenant(before, "T1")
    assert of_tenant(after, "T1", others=True) == of_tenant(before, "T1", others=True)
    assert {row["difference"] for row in after["controls"]} == {"0"}
    bill(feeds, store, crowd.period)
    assert published(store, crowd.period) == fresh


def test_a_run_for_one_tenant_leaves_the_invoices_of_the_others(tmp_path: Path) -> None:
    rows = good("acme", "good")
    feeds, store = save(rows, tmp_path / "feeds"), tmp_path / "store"
    bill(feeds, store, PERIOD)
    save({**rows, "rates": [{**row, "unit_price": "20"} for row in rows["rates"]]}, feeds)
    bill(feeds, store, PERIOD, "--tenant", "acme")
    totals = [(row["tenant_id"], row["total"]) for row in shown("invoices", PERIOD, store)]
    assert totals == [("acme", "20"), ("good", "10")]
    lines = [(row["tenant_id"], row["amount"]) for row in shown("invoice_lines", PERIOD, store)]
    assert lines == [("acme", "20"), ("acme", "0"), ("good", "10"), ("good", "0")]


def test_a_run_for_one_tenant_refuses_usage_of_anothers_contract_too(tmp_path: Path) -> None:
    rows = good("acme", "good")
    rows["usage"].append({**rows["usage"][0], "event_id": "e2", "subscription_id": "good-S"})
    feeds = save(rows, tmp_path / "feeds")
    for store, options in ((tmp_path / "whole", ()), (tmp_path / "one", ("--tenant", "acme"))):
        bill(feeds, store, PERIOD, *options)
        refused = shown("quarantine", PERIOD, store)
        assert [(row["row"], row["rules"]) for row in refused] == [("3", "foreign_subscription")]


@pytest.mark.parametrize("period", ["1900-02", "1969-12", "1970-01", "9999-11"])
def test_months_far_away_are_billed_as_any_other(tmp_path: Path, period: str) -> None:
    """R4: nothing begins with the year from which instants are counted."""
    rows = good("acme")
    rows["subscriptions"][0]["start_date"] = "0001-01-01"
    session = {**rows["usage"][0], "started_at": f"{period}-05T09:00:00Z"}
    session["ended_at"] = f"{period}-05T10:00:00Z"
    call = {**session, "event_id": "e3", "meter": "toll_free_call"}
    rows["usage"] = [session, {**session, "event_id": "e2", "user_id": "u2"}, call]
    bill(save(rows, tmp_path / "feeds"), tmp_path / "store", period)
    used = shown("usage_split", period, tmp_path / "store")
    assert [(row["meter"], row["quantity"]) for row in used] == [
        ("standard_agent", "2"),
        ("toll_free_call", "1"),
    ]
    over = shown("overage", period, tmp_path / "store")
    assert [(row["meter"], row["overage"]) for row in over if row["overage"] != "0"] == [
        ("standard_agent", "1"),
        ("toll_free_call", "1"),
    ]


def test_a_tenant_that_nobody_knows_is_not_billed_in_silence(tmp_path: Path) -> None:
    feeds, store = save(good("acme"), tmp_path / "feeds"), tmp_path / "store"
    result = tenantbill("run", PERIOD, "--feeds", feeds, "--store", store, "--tenant", "acne")
    assert result.exit_code in (1, 2), result.output
    assert "acne" in result.stderr


def test_a_range_of_months_is_billed_in_order_and_as_each_alone(tmp_path: Path) -> None:
    rows = good("good")
    rows["usage"].append({**rows["usage"][0], "event_id": "e2"})
    rows["usage"][1] |= {"started_at": "2026-09-30T23:00:00Z", "ended_at": "2026-10-01T01:00:00Z"}
    feeds, store = save(rows, tmp_path / "feeds"), tmp_path / "store"
    result = bill(feeds, store, "2026-08..2026-10")
    months = ["2026-08", "2026-09", "2026-10"]
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == months
    for month in months:
        bill(feeds, tmp_path / month, month)
        assert published(store, month) == published(tmp_path / month, month)
    shared = shown("usage_split", "2026-08..2026-10", store)
    assert [row["period"] for row in shared] == ["2026-09", "2026-10"]


@pytest.mark.parametrize("kind", ["csv.gz", "parquet", "mixed"])
def test_the_kind_and_place_of_files_change_nothing(tmp_path: Path, kind: str) -> None:
    crowd, feeds = world(4), tmp_path / "feeds"
    write(crowd, feeds)
    bill(feeds, tmp_path / "plain", crowd.period)
    for number, path in enumerate(sorted(feeds.rglob("*.csv"))):
        ending = ("csv.gz", "parquet")[number % 2] if kind == "mixed" else kind
        place = path.parent / "deep" / "er" if path.parent != feeds else feeds
        place.mkdir(parents=True, exist_ok=True)
        rows = pl.read_csv(path, infer_schema=False)
        target = place / f"{path.stem}.{ending}"
        if ending == "parquet":
            rows.write_parquet(target)
        else:
            rows.write_csv(target, compression="gzip")
        path.unlink()
    bill(feeds, tmp_path / "packed", crowd.period)
    expected, found = (published(tmp_path / one, crowd.period) for one in ("plain", "packed"))
    for rows_of in (expected, found):
        for row in (*rows_of["quarantine"], *rows_of["superseded"]):
            row.pop("raw", None)
            row |= {name: Path(row[name]).name.split(".")[0] for name in row if "file" in name}
    assert found == expected
