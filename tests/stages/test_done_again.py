"""What a run does again after something changed, and what it takes up as it was.

Two tenants, acme and bolt, each in a bucket of its own; both have sessions on the 5th and the 20th.
What is done is kept in the store's `work`: a file a bucket, and one for each of its days.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline import request
from pipeline.stages.bucket import BucketTask, run_bucket
from pipeline.stages.meter import Meters
from pipeline.store.usage import DAY_US
from schemas.datasets import DATASETS
from tests.good_feeds import PERIOD, Feeds, good, rows_of, save
from tests.support import Row, bill, shown
from tests.worlds import COLUMNS, write_csv

FIRST_DAY = datetime(2026, 9, 30, tzinfo=UTC)
MONTH = list(range(1, 32))


def session(tenant: str, event: str, span: str, **said: str) -> Row:
    """A session from `5T09` to `6T10`, days and hours of October; none after a trailing dash."""
    start, end = (one and _instant(one) for one in span.split("-"))
    row = rows_of(tenant)["usage"] | {"event_id": event, "user_id": f"user of {event}"}
    return row | {"started_at": start, "ended_at": end} | said


def _instant(told: str) -> str:
    day, hour = map(int, told.split("T"))
    return f"{FIRST_DAY + timedelta(days=day, hours=hour):%Y-%m-%dT%H:%M:%SZ}"


def feeds_of_both() -> Feeds:
    rows = good("acme", "bolt")
    rows["usage"] = [
        session(tenant, event, span)
        for tenant in ("acme", "bolt")
        for event, span in (("e1", "5T09-5T12"), ("e2", "5T10-5T11"), ("e3", "20T09-20T10"))
    ]
    rows["usage"].append(session("acme", "e4", "12T09-12T10", subscription_id="LATER"))
    return rows


@dataclass
class Done:
    """What runs measured: the days of October of each tenant's bucket."""

    days: dict[str, list[int]] = field(default_factory=dict)
    bucket: str = ""


BY_TERMS = 2
"""Files of a bucket beside one a day: what it comes to, and which of its rows are replaced."""

BY_ROWS = 1
"""And, for each landing, one that no terms change: what the codes of its rows stand for."""


@pytest.fixture(scope="module")
def _done() -> Iterator[Done]:
    """Buckets of one tenant each; and whatever is measured is noted."""
    done, measure = Done(), Meters.measure

    def noted_bucket(task: BucketTask) -> str:
        done.bucket = " and ".join(task.terms.tenants)
        return run_bucket(task)

    def noted_day(*arguments: object) -> object:
        day = int(str(arguments[-2])) // DAY_US - int(FIRST_DAY.timestamp()) // 86_400
        done.days.setdefault(done.bucket, []).append(day)
        return measure(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "SMALLEST_DAY", 3)
        patch.setattr(request, "LARGEST_DAY", 3)
        patch.setattr("pipeline.run.run_bucket", noted_bucket)
        patch.setattr(Meters, "measure", noted_day)
        yield done


@pytest.fixture(scope="module")
def _billed(tmp_path_factory: pytest.TempPathFactory, _done: Done) -> Path:
    place = tmp_path_factory.mktemp("billed")
    save(feeds_of_both(), place / "feeds")
    (place / "feeds" / "usage.csv").unlink()
    add(place, "a", feeds_of_both()["usage"])
    assert again(place, _done) == {"acme": MONTH, "bolt": MONTH}
    assert len(work(place)) == 2 * (31 + BY_TERMS + BY_ROWS)
    return place


@pytest.fixture
def place(_billed: Path, tmp_path: Path) -> Path:
    """A folder with feeds, and the store of a month that was billed from them."""
    shutil.copytree(_billed, tmp_path / "place")
    return tmp_path / "place"


def add(place: Path, name: str, rows: list[Row]) -> None:
    """One more export of usage."""
    write_csv(place / "feeds" / "usage" / f"{name}.csv", COLUMNS["usage"].split(), rows)


def again(place: Path, done: Done, *options: object) -> dict[str, list[int]]:
    """Bill once more: the days that were measured, of each bucket."""
    done.days.clear()
    bill(place / "feeds", place / "store", PERIOD, "--workers", 1, *options)
    return dict(done.days)


def work(place: Path) -> set[str]:
    return {path.name for path in (place / "store" / "work").rglob("*.zip")}


def published(store: Path) -> dict[str, list[Row]]:
    return {table.name: shown(table.name, PERIOD, store) for table in DATASETS}


@pytest.mark.parametrize(
    ("feed", "change", "measured"),
    [
        ("rates", {"unit_price": "11"}, {}),
        ("entitlements", {"quantity": "7"}, {"acme": MONTH}),
        ("subscriptions", {"end_date": "2026-10-19"}, {"acme": MONTH}),
        ("tenants", {"time_zone": "Asia/Kolkata"}, {"acme": [0, *MONTH]}),
    ],
)
def test_a_change_of_one_tenants_terms_is_its_own_buckets_business(
    place: Path, _done: Done, feed: str, change: Row, measured: dict[str, list[int]]
) -> None:
    """And a price is nobody's: it comes after measuring."""
    rows, before = feeds_of_both(), work(place)
    rows[feed][0] |= change
    save({feed: rows[feed]}, place / "feeds")
    assert again(place, _done) == measured
    assert len(work(place) - before) == sum(len(days) + BY_TERMS for days in measured.values())
    assert before <= work(place)


@pytest.mark.parametrize(("name", "measured"), [("OTHER", "bolt"), ("LATER", "acme bolt")])
def test_anothers_new_subscription_counts_where_usage_names_it(
    place: Path, _done: Done, name: str, measured: str
) -> None:
    """R3.4: acme's usage names LATER, which was nobody's; as bolt's, it is refused."""
    rows = feeds_of_both()
    new = rows["subscriptions"][1] | {"subscription_id": name, "start_date": "2026-09-01"}
    save({"subscriptions": [*rows["subscriptions"], new]}, place / "feeds")
    assert again(place, _done) == dict.fromkeys(measured.split(), MONTH)
    refused = [row["rules"] for row in shown("quarantine", PERIOD, place / "store")]
    assert refused == ["foreign_subscription"] * (name == "LATER")
    bill(place / "feeds", place / "fresh", PERIOD)
    assert published(place / "store") == published(place / "fresh")


@pytest.mark.parametrize(
    ("acme", "bolt", "measured"),
    [
        # It reaches into the days after; until midnight is not into the next day.
        ({"span": "20T09-20T10"}, {}, {"acme": [20]}),
        ({"span": "20T23-21T00"}, {"span": "20T23-22T01"}, {"acme": [20], "bolt": [20, 21, 22]}),
        # Into the first day, from before the month; on to the end of the month.
        ({"span": "0T23-2T01"}, {"span": "29T09-"}, {"acme": [1, 2], "bolt": [29, 30, 31]}),
        # A correction takes the row of the 5th away. A row without a start is not measured,
        ({"span": "20T09-20T10", "event": "e2"}, {"span": "-20T10"}, {"acme": [5, 20]}),
        # nor is what comes after the month, or is less than nothing.
        ({"span": "32T09-32T10"}, {"span": "20T09-20T10", "quantity": "-1"}, {}),
    ],
)
def test_one_more_export_is_measured_on_the_days_that_it_touches(
    place: Path, _done: Done, acme: Row, bolt: Row, measured: dict[str, list[int]]
) -> None:
    """Of the tenants that it has sessions of."""
    added = [
        session(tenant, **{"event": "new", **said})
        for tenant, said in (("acme", acme), ("bolt", bolt))
        if said
    ]
    before = work(place)
    add(place, "b", added)
    assert again(place, _done) == measured
    days = sum(map(len, measured.values()))
    assert len(work(place) - before) == days + 2 * (BY_TERMS + BY_ROWS)


def test_an_export_that_is_removed_again_leaves_everything_as_it_was(
    place: Path, _done: Done
) -> None:
    old = published(place / "store")
    add(place, "b", [session("acme", "e2", "20T09-25T10"), session("bolt", "n1", "1T09-")])
    again(place, _done)
    new, kept = published(place / "store"), work(place)
    assert new != old
    (place / "feeds" / "usage" / "b.csv").unlink()
    assert again(place, _done, "--allow-shrink") == {}
    assert (published(place / "store"), work(place)) == (old, kept)


def test_work_that_was_thrown_away_is_done_again(place: Path, _done: Done) -> None:
    kept = work(place)
    shutil.rmtree(place / "store" / "work")
    add(place, "b", [])
    assert again(place, _done) == {"acme": MONTH, "bolt": MONTH}
    assert len(work(place)) == len(kept) + 2 * BY_ROWS, "there is one landing more"


def test_another_version_takes_up_nothing(
    place: Path, _done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = work(place)
    for room in ("pipeline.request", "pipeline.stages.earlier"):
        monkeypatch.setattr(f"{room}.billing_code", lambda: "another")
    assert again(place, _done) == {"acme": MONTH, "bolt": MONTH}
    assert len(work(place) - before) == 2 * (31 + BY_TERMS + BY_ROWS)
