"""What holds for every world: the pipeline and a naive reading of the rule book agree.

The oracle (`tests.oracle`) evaluates the rules row by row and day by day and shares no code with
the pipeline. The worlds are small and crowded, so that ties, overlaps and midnights happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline import request
from schemas.datasets import DATASETS
from tests import oracle
from tests.support import Row, bill, by_value, shown, tenantbill
from tests.worlds import World, world, write

COMPARED = {
    "usage_split": "tenant_id subscription_id meter quantity own_quantity",
    "overage": "tenant_id meter usage entitlement overage billed_subscription_id overage_at",
    "invoice_lines": "tenant_id subscription_id kind meter quantity unit_price amount currency",
    "invoices": "tenant_id subscription_id status currency total",
    "unbilled": "event_id tenant_id meter started_at reason",
    "access": "tenant_id kind id access",
    "daily": "tenant_id meter day usage so_far entitlement at",
    "curve": "tenant_id meter day at open",
}
RESULTS = ("usage_split", "overage", "invoice_lines", "invoices", "unbilled", "findings")

seeds = st.integers(1_000, 1_000_000)
some = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(some, max_examples=6)
"""Each example of these bills a world many times over."""


@contextmanager
def billed(crowd: World, *options: object) -> Iterator[Callable[[str], list[Row]]]:
    """Bill a world through the command line; gives the reader of its published datasets."""
    with TemporaryDirectory() as folder:
        feeds, store = Path(folder) / "feeds", Path(folder) / "store"
        write(crowd, feeds)
        bill(feeds, store, crowd.period, *options)
        yield lambda dataset: shown(dataset, crowd.period, store)


def results(crowd: World, *options: object) -> dict[str, list[Row]]:
    """Every result of a world that must not depend on how its rows came."""
    with billed(crowd, *options) as published:
        return {dataset: published(dataset) for dataset in RESULTS}


@pytest.mark.parametrize("seed", range(40))
def test_every_figure_is_what_a_naive_reading_of_the_rules_gives(seed: int) -> None:
    crowd = world(seed)
    expected = oracle.bill(crowd.feeds, crowd.usage_files, crowd.period)
    with billed(crowd) as published:
        for dataset, columns in COMPARED.items():
            wanted = by_value(_as_published(expected[dataset]), columns.split())
            assert by_value(published(dataset), columns.split()) == wanted, dataset
        refused = [
            (row["file"], int(row["row"]), set(row["rules"].split(";")))
            for row in published("quarantine")
        ]
        wanted_rows = [
            (f"usage/{row['file']}", row["row"], set(_rules(row))) for row in expected["quarantine"]
        ]
        assert _sorted(refused) == _sorted(wanted_rows)
        found = {(row["tenant_id"], row["code"], row["severity"]) for row in published("findings")}
        assert found == {
            (row["tenant_id"] or "", row["code"], row["severity"]) for row in expected["findings"]
        }


@some
@given(seeds)
def test_no_row_is_lost_and_none_counts_twice(number: int) -> None:
    crowd = world(number)
    rows = sum(len(rows) for _, rows in crowd.usage_files)
    with billed(crowd) as published:
        controls = published("controls")
    fates = [
        int(row["value_out"])
        for row in controls
        if row["measure"].startswith("rows ") and row["stage"] == "split"
    ]
    assert {row["difference"] for row in controls} == {"0"}
    assert sum(fates) == rows


@some
@given(seeds)
def test_the_parts_of_every_meter_add_up_to_the_tenants_usage(number: int) -> None:
    crowd = world(number)
    with billed(crowd) as published:
        split, totals = published("usage_split"), published("occupancy")
    parts = (
        pl.DataFrame(split, schema_overrides={"quantity": pl.String})
        if split
        else pl.DataFrame(
            schema={"tenant_id": pl.String, "meter": pl.String, "quantity": pl.String}
        )
    )
    summed = parts.group_by("tenant_id", "meter").agg(
        pl.col("quantity").cast(pl.Decimal(38, 6)).sum()
    )
    wanted = {(row["tenant_id"], row["meter"], row["tenant_usage"]) for row in totals}
    assert by_value(summed.rows(named=True), ["tenant_id", "meter", "quantity"]) == by_value(
        [dict(zip(("tenant_id", "meter", "quantity"), key, strict=True)) for key in wanted],
        ["tenant_id", "meter", "quantity"],
    )


@some
@given(seeds, st.integers(1, 6), st.integers(0, 1 << 30))
def test_order_of_rows_and_cut_of_files_change_nothing(number: int, files: int, seed: int) -> None:
    crowd = world(number)
    # The latest row of an event counts, so only rows of different events change places.
    rows = [row for _, rows in crowd.usage_files for row in rows]
    random = Random(seed)
    places = {(row["tenant_id"], row["event_id"]): random.random() for row in rows}
    shuffled = sorted(rows, key=lambda row: places[row["tenant_id"], row["event_id"]])
    size = -(-len(shuffled) // files)
    cut = [
        (f"part-{number:03d}.csv", shuffled[number * size : (number + 1) * size])
        for number in range(files)
    ]
    assert results(World(crowd.period, crowd.feeds, cut)) == results(crowd)


@few
@given(seeds)
def test_the_number_of_buckets_changes_nothing(number: int) -> None:
    crowd = world(number)
    whole = results(crowd)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "SMALLEST_DAY", 1)
        patch.setattr(request, "LARGEST_DAY", 1)
        assert results(crowd) == whole


@pytest.mark.parametrize("seed", [3, 11])
def test_the_number_of_workers_changes_nothing(seed: int) -> None:
    assert results(world(seed), "--workers", 2) == results(world(seed))


@few
@given(seeds, st.integers(2, 5), st.integers(0, 1 << 30))
def test_nights_come_to_the_same_as_a_cold_run_to_the_byte(
    number: int, nights: int, seed: int
) -> None:
    """Exports that come one by one, late ones and corrections of earlier days among them."""
    crowd = world(number)
    random = Random(seed)
    rows = [row for _, rows in crowd.usage_files for row in rows]
    arriving: list[list[Row]] = [[] for _ in range(nights)]
    for row in rows:
        arriving[random.randrange(nights)].append(row)
    exports = [(f"part-{night:03d}.csv", of) for night, of in enumerate(arriving)]
    random.shuffle(exports)
    with TemporaryDirectory() as folder:
        feeds, store = Path(folder) / "feeds", Path(folder) / "store"
        for night in range(nights):
            write(World(crowd.period, crowd.feeds, exports[: night + 1]), feeds)
            bill(feeds, store, crowd.period)
        bill(feeds, Path(folder) / "cold", crowd.period)
        for table in DATASETS:
            words = ("show", table.name, crowd.period, "--format", "csv", "--store")
            night_text = tenantbill(*words, store).stdout
            assert night_text == tenantbill(*words, Path(folder) / "cold").stdout, table.name


@some
@given(seeds)
def test_there_is_no_overage_where_usage_never_exceeds_entitlement(number: int) -> None:
    crowd = world(number)
    meters = [row["meter"] for row in crowd.feeds.get("meters", [])] or METERS
    plenty = [
        {
            **row,
            "quantity": "99999999",
            "start_date": "",
            "end_date": "",
            "meter": meter,
            "deployment": "",
        }
        for row in crowd.feeds["subscriptions"]
        for meter in meters
    ]
    keys = (
        "tenant_id",
        "subscription_id",
        "meter",
        "quantity",
        "start_date",
        "end_date",
        "deployment",
    )
    unique = {tuple(row[key] for key in keys): {key: row[key] for key in keys} for row in plenty}
    feeds = {**crowd.feeds, "entitlements": list(unique.values())}
    served = _tenants_served_throughout(crowd)
    with billed(World(crowd.period, feeds, crowd.usage_files)) as published:
        beyond = [row for row in published("overage") if row["tenant_id"] in served]
    assert all(row["overage"] == "0" for row in beyond)


@few
@given(seeds)
def test_a_subscription_without_usage_changes_nobody_elses_split(number: int) -> None:
    crowd = world(number)
    served = _tenants_served_throughout(crowd)
    assume(served)
    added = [
        {
            **row,
            "subscription_id": "zz-new",
            "name": "",
            "status": "active",
            "start_date": f"{crowd.period}-10",
            "end_date": "",
        }
        for row in {row["tenant_id"]: row for row in crowd.feeds["subscriptions"]}.values()
        if row["tenant_id"] in served
    ]
    more = {**crowd.feeds, "subscriptions": [*crowd.feeds["subscriptions"], *added]}
    with billed(crowd) as before, billed(World(crowd.period, more, crowd.usage_files)) as after:
        assert after("usage_split") == before("usage_split")


METERS = (
    "standard_agent",
    "premium_agent",
    "ivr_port",
    "toll_free_call",
    "ivr_outbound_port",
    "ai_agent",
    "ai_assistant",
    "recording_storage",
    "connect_sms",
    "connect_whatsapp",
    "connect_email",
)


def _tenants_served_throughout(crowd: World) -> set[str]:
    """Tenants of one licence model that have a subscription which never began or ends near by."""
    models: dict[str, set[str]] = {}
    lasting = set()
    for row in crowd.feeds["subscriptions"]:
        models.setdefault(row["tenant_id"], set()).add(row["license_model"])
        is_serving = row["status"] == "active" and not row["end_date"]
        if is_serving and row["start_date"] < "2026-01":
            lasting.add(row["tenant_id"])
    return {tenant for tenant in lasting if len(models[tenant]) == 1}


def _rules(row: dict[str, object]) -> frozenset[str]:
    rules = row["rules"]
    assert isinstance(rules, frozenset)
    return rules


def _sorted(rows: Sequence[tuple[str, object, set[str]]]) -> list[tuple[str, object, list[str]]]:
    return sorted((file, row, sorted(rules)) for file, row, rules in rows)


def _as_published(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The oracle's instants as the CSV writes them."""
    return [
        {
            key: f"{value:%Y-%m-%dT%H:%M:%S}{_fraction(value)}Z"
            if isinstance(value, datetime)
            else value
            for key, value in row.items()
        }
        for row in rows
    ]


def _fraction(value: datetime) -> str:
    return f".{value.microsecond:06d}".rstrip("0") if value.microsecond else ""
