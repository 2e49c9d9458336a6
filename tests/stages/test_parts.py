"""A day that is larger than what a worker may hold: taken in parts, with the same result.

Rows in a worker's hands are counted where they are read (`LandedUsage.read`) and where they are
measured (`Meters.measure`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import request
from pipeline.stages import events, keys, parts, seen
from pipeline.stages.bucket import Bucket, Piece, buckets
from pipeline.stages.meter import Meters
from pipeline.stages.parts import DayParts
from pipeline.stages.row import Reading, Rows
from pipeline.stages.rows import BucketRows
from pipeline.stages.vocabulary import vocabulary_of
from pipeline.store.landing import LandedStore
from pipeline.store.usage import DAY_US, SLOTS, LandedUsage, Stretch, slot_of
from schemas.datasets import DATASETS
from tests.good_feeds import PERIOD, Feeds, good, rows_of, save
from tests.store.landings import a_row, land, micros
from tests.support import Row, bill, shown, tenantbill
from tests.test_properties import some
from tests.worlds import COLUMNS, World, world, write, write_csv

DAY = datetime(2026, 10, 25, tzinfo=UTC)


@contextmanager
def held(most_rows: int) -> Iterator[None]:
    """A worker holds so many rows at once; blocks, keys and users are taken few at a time, too.

    All tenants are in one bucket, so that it is days that are cut.
    """

    def one_bucket(landed: LandedStore, pieces: tuple[Piece, ...], *_: int) -> list[Bucket]:
        return buckets(landed, pieces, 1 << 40, 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.run.buckets", one_bucket)
        patch.setattr(request, "SMALLEST_DAY", most_rows)
        patch.setattr(request, "LARGEST_DAY", most_rows)
        patch.setattr(parts, "BLOCK_ROWS", 4)
        patch.setattr(parts, "BINS", 8)
        patch.setattr(keys, "AT_ONCE", 16)
        patch.setattr(events, "RANGE_ROWS", 4)
        patch.setattr(events, "CANDIDATES", 3)
        patch.setattr(seen, "WAITING", 2)
        yield


def texts(store: Path, period: str) -> dict[str, str]:
    """Every dataset as it is shown."""
    words = ("--format", "csv", "--store", store)
    return {one.name: tenantbill("show", one.name, period, *words).stdout for one in DATASETS}


def billed(crowd: World) -> dict[str, str]:
    with TemporaryDirectory() as folder:
        write(crowd, Path(folder) / "feeds")
        bill(Path(folder) / "feeds", Path(folder) / "store", crowd.period)
        return texts(Path(folder) / "store", crowd.period)


@settings(some, max_examples=4)
@given(st.integers(1_000, 1_000_000), st.integers(1, 9))
def test_however_days_are_cut_every_dataset_is_the_same_to_the_byte(
    number: int, most_rows: int
) -> None:
    """Late and corrected rows, open sessions, midnights, users in two places, ties of the peak."""
    crowd = world(number)
    whole = billed(crowd)
    with held(most_rows):
        assert billed(crowd) == whole


def usage(number: int, at: datetime, hours: int, **said: str) -> Row:
    until = f"{at + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
    starts = {"started_at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", "ended_at": until}
    return rows_of("acme")["usage"] | {"event_id": f"e{number:03d}"} | starts | said


def giant_day(rows: int) -> Feeds:
    """Two tenants that use all they can on the day on which clocks change, in any order.

    acme's agents are counted at once, bolt's as different users. Each has two subscriptions, few
    users who are in two places at once, and peaks that tie.
    """
    feeds, draw = good("acme", "bolt"), Random(1)
    feeds["subscriptions"][1] |= {"license_model": "named"}
    feeds["subscriptions"] += [
        row | {"subscription_id": f"{row['tenant_id']}-T", "start_date": "2026-02-01"}
        for row in feeds["subscriptions"]
    ]
    for tenant in feeds["tenants"]:
        tenant["time_zone"] = "Europe/Berlin"
    feeds["usage"] = []
    for number in range(rows):
        name = draw.choice(["acme", "bolt"])
        feeds["usage"].append(
            usage(
                number,
                DAY + timedelta(minutes=draw.randrange(0, 1440, 5)),
                draw.choice([0, 1, 1, 2, 30]),
                tenant_id=name,
                subscription_id=f"{name}-{draw.choice('ST')}",
                meter=draw.choice(["standard_agent", "standard_agent", "ivr_port", "ai_agent"]),
                user_id=f"u{draw.randrange(1 + rows // 15)}",
                quantity=draw.choice(["1", "0.000001"]),
            )
        )
    return feeds


class Watched:
    """How many rows were read at once, and measured together: of which part of which day."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.read = 0
        self.measured: list[tuple[int, int, int]] = []
        read, measure = LandedUsage.read, Meters.measure

        def noted_read(landed: LandedUsage, column: str, stretches: list[Stretch]) -> object:
            if column != "key":
                self.read = max(self.read, sum(one.rows for one in stretches))
            return read(landed, column, stretches)

        def noted_measure(meters: Meters, rows: Rows, *more: object) -> object:
            *_, begin, end = more
            self.measured.append((int(str(begin)), int(str(end)), len(rows)))
            return measure(meters, rows, *more)  # type: ignore[arg-type]

        patch.setattr(LandedUsage, "read", noted_read)
        patch.setattr(Meters, "measure", noted_measure)

    @property
    def of_day(self) -> list[int]:
        """The rows of each part of the giant day."""
        begin = micros(f"{DAY:%Y-%m-%dT%H:%M:%SZ}")
        return [rows for since, _, rows in self.measured if begin <= since < begin + DAY_US]


@pytest.mark.parametrize("most_rows", [8, 60])
def test_a_giant_day_is_never_held_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_rows: int
) -> None:
    save(giant_day(200), tmp_path / "feeds")
    bill(tmp_path / "feeds", tmp_path / "whole", PERIOD)
    watched = Watched(monkeypatch)
    with held(most_rows):
        bill(tmp_path / "feeds", tmp_path / "parts", PERIOD, "--workers", 1)
    assert watched.read <= most_rows
    assert max(watched.of_day) <= most_rows
    assert sum(watched.of_day) == 200
    assert all(until == begin for (_, until, _), (begin, _, _) in pairwise(watched.measured))
    assert texts(tmp_path / "parts", PERIOD) == texts(tmp_path / "whole", PERIOD)


@pytest.mark.parametrize(("giant", "is_alone"), [(90, True), (10, False)])
def test_a_giant_has_a_bucket_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, giant: int, is_alone: bool
) -> None:
    """So that no worker has more to do than the giant itself; every row is in one bucket."""
    monkeypatch.setattr("pipeline.stages.bucket.SMALL_DAY", 1)
    names = [*(f"t{n}" for n in range(20)), *["acme"] * giant]
    land(tmp_path, [[a_row(f"e{n}", tenant_id=name) for n, name in enumerate(names)]])
    cut = buckets(LandedStore(tmp_path / "store"), (Piece("landing", (0,)),), 1 << 20, 2)
    [of_acme] = [one for one in cut if slot_of("acme") in one.slots]
    assert (of_acme.rows == giant) == is_alone
    assert cut == sorted(cut, key=lambda one: -one.rows)
    assert sum(one.rows for one in cut) == len(names)
    assert sorted(slot for one in cut for slot in one.slots) == [*range(SLOTS)]


def test_of_peaks_that_tie_the_earliest_counts_whatever_its_part(tmp_path: Path) -> None:
    """R4.4: acme has one call at nine and one at three; the split is that of nine o'clock."""
    feeds = giant_day(0)
    calls = [(9, "S"), (15, "T"), (18, "S"), (20, "T")]
    feeds["usage"] = [
        usage(at, DAY + timedelta(hours=at), 1, meter="ivr_port", subscription_id=f"acme-{one}")
        for at, one in calls
    ]
    save(feeds, tmp_path / "feeds")
    with held(1):
        bill(tmp_path / "feeds", tmp_path / "store", PERIOD)
    split = shown("usage_split", PERIOD, tmp_path / "store")
    assert {row["subscription_id"]: row["quantity"] for row in split} == {
        "acme-S": "1",
        "acme-T": "0",
    }


@pytest.mark.parametrize(("overlap_us", "peak"), [(1, "2"), (0, "1"), (-1, "1")])
def test_a_session_goes_on_to_its_very_end_in_a_later_part(
    tmp_path: Path, overlap_us: int, peak: str
) -> None:
    """R4: a call is open until just before its end; bolt's makes a part end as the next begins."""
    feeds = giant_day(0)
    first, then = DAY + timedelta(hours=9), DAY + timedelta(hours=9, seconds=30)
    until = then + timedelta(microseconds=overlap_us)
    feeds["usage"] = [
        usage(1, first, 0, meter="ivr_port", ended_at=f"{until:%Y-%m-%dT%H:%M:%S.%fZ}"),
        usage(2, then, 1, meter="ivr_port"),
        usage(3, then - timedelta(microseconds=1), 1, tenant_id="bolt", subscription_id="bolt-S"),
    ]
    save(feeds, tmp_path / "feeds")
    with held(1):
        bill(tmp_path / "feeds", tmp_path / "store", PERIOD)
    metered = shown("usage_split", PERIOD, tmp_path / "store")
    assert [row["quantity"] for row in metered if row["subscription_id"] == "acme-S"] == [peak]


def test_rows_of_one_instant_stay_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R4.2: who of them was first is decided by their event ids."""
    feeds = good("acme")
    feeds["usage"] = [usage(n, DAY + timedelta(microseconds=n // 20), 1) for n in range(40)]
    save(feeds, tmp_path / "feeds")
    watched = Watched(monkeypatch)
    with held(3):
        bill(tmp_path / "feeds", tmp_path / "store", PERIOD, "--workers", 1)
    assert watched.of_day == [20, 20]


def test_a_night_takes_up_the_parts_that_are_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where that night may hold more or fewer rows at once."""
    feeds, store = giant_day(30), tmp_path / "store"
    first_rows = feeds.pop("usage")
    save(feeds, tmp_path / "feeds")

    def export(name: str, rows: list[Row]) -> None:
        write_csv(tmp_path / "feeds" / "usage" / f"{name}.csv", COLUMNS["usage"].split(), rows)

    def night(most_rows: int) -> dict[int, int]:
        """How many parts were measured of each day of October."""
        watched.measured.clear()
        with held(most_rows):
            bill(tmp_path / "feeds", store, PERIOD, "--workers", 1)
        zero = micros("2026-09-30T00:00:00Z") // DAY_US
        return dict(Counter(begin // DAY_US - zero for begin, _, _ in watched.measured))

    watched = Watched(monkeypatch)
    export("a", first_rows)
    first = night(4)
    assert first[25] >= 8
    assert set(first) >= set(range(1, 32))
    earlier = DAY - timedelta(days=15)
    for number, most_rows in ((100, 4), (110, 9), (120, 2)):
        export(f"b{number}", [usage(number, earlier, 1)])
        assert set(night(most_rows)) == {10}
    export("late", [usage(130, DAY + timedelta(hours=12), 0)])
    assert set(night(4)) == {25}
    bill(tmp_path / "feeds", tmp_path / "cold", PERIOD)
    assert texts(store, PERIOD) == texts(tmp_path / "cold", PERIOD)


def landed_rows(folder: Path, starts: list[int]) -> BucketRows:
    """Rows that start at these microseconds of the day, in that order."""
    exports = [
        [
            a_row(f"e{n}", started_at=f"{DAY + timedelta(microseconds=at):%Y-%m-%dT%H:%M:%S.%fZ}")
            for n, at in enumerate(starts)
        ]
    ]
    landed = land(folder, exports)
    readings = [Reading("landing", landed, (0,))]
    return BucketRows(readings, vocabulary_of(readings, range(SLOTS), None), range(SLOTS), None)


@some
@given(
    st.lists(st.one_of(st.integers(0, 40), st.integers(0, DAY_US - 1)), min_size=15, max_size=40)
)
def test_parts_make_up_the_day(starts: list[int]) -> None:
    """Each has as many rows as may be, or those of one instant; and every row is in one of them."""
    with TemporaryDirectory() as folder, held(5):
        rows = landed_rows(Path(folder), starts)
        zero = micros(f"{DAY:%Y-%m-%dT%H:%M:%SZ}")
        of_day = DayParts(rows, zero // DAY_US, 5)
        begin, found = zero, []
        while begin < zero + DAY_US:
            until = of_day.until(begin)
            part = (of_day.rows(begin, until).started - zero).tolist()
            assert all(begin <= zero + at < until for at in part)
            assert len(part) <= 5 or len(set(part)) == 1
            found += part
            begin = until
        assert begin == zero + DAY_US
        assert sorted(found) == sorted(starts)


def test_blocks_of_other_times_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exports mostly come in order of time: so no block is read for each part."""
    rows = landed_rows(tmp_path, [number * 1_000_000 for number in range(40)])
    read = Counter[str]()
    old = LandedUsage.read

    def noted(landed: LandedUsage, column: str, stretches: list[Stretch]) -> object:
        read[column] += sum(one.rows for one in stretches)
        return old(landed, column, stretches)

    monkeypatch.setattr(LandedUsage, "read", noted)
    monkeypatch.setattr(parts, "BLOCK_ROWS", 4)
    zero = micros(f"{DAY:%Y-%m-%dT%H:%M:%SZ}")
    of_day = DayParts(rows, zero // DAY_US, 8)
    ends = [zero]
    while ends[-1] < zero + DAY_US:
        ends.append(of_day.until(ends[-1]))
        of_day.rows(ends[-2], ends[-1])
    assert len(ends) > 5
    assert read["kind"] <= 40 + 4 * len(ends), "a block in which a part ends, twice"
    # Once by bins of 21 seconds, once more for the bin that has too many, once as rows.
    assert read["started"] <= 40 * 4


@some
@given(
    st.lists(st.lists(st.integers(0, (1 << 20) - 1), max_size=30, unique=True), max_size=4),
    st.integers(1, 8),
    st.integers(0, 1 << 30),
)
def test_keys_of_one_hash_come_together(runs: list[list[int]], most: int, seed: int) -> None:
    """Ranges have no more keys than they may, but for those of one slot and hash."""
    draw = Random(seed)
    sorted_runs = []
    for number, positions in enumerate(runs):
        hashes = [draw.choice([0, 1, 1 << 35, draw.getrandbits(36)]) for _ in positions]
        slots = [draw.choice([7, 9]) for _ in positions]
        words = [
            (slot << 56) | (code << 20) | position
            for slot, code, position in zip(slots, hashes, positions, strict=True)
        ]
        sorted_runs.append(keys.ReadRun(np.array(sorted(words), np.uint64), number << 20))
    ranges = list(keys.keys_by_range(sorted_runs, range(7, 10), most))
    found = [(int(key), run.first) for one in ranges for run in one for key in run.keys]
    assert sorted(found) == sorted((int(key), run.first) for run in sorted_runs for key in run.keys)
    hashes_of = [{int(key) >> 20 for run in one for key in run.keys} for one in ranges]
    assert all(
        sum(map(len, one)) <= most or len(of) == 1
        for one, of in zip(ranges, hashes_of, strict=True)
    )
    assert sum(map(len, hashes_of)) == len(set().union(*hashes_of)), "no hash is in two ranges"
