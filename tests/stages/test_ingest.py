"""Which exports are read again when they come, go and change their names (R11.1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np
import pytest

from pipeline.executors.embedded import InProcess
from pipeline.exports import Batch, read_export
from pipeline.stages import ingest as stage
from pipeline.stages.ingest import ingest
from pipeline.store.landing import LandedStore, Listing
from schemas.columns import Table
from schemas.feeds import USAGE
from tests.good_feeds import PERIOD, assert_ties, good, rows_of, save
from tests.support import bill, shown
from tests.worlds import COLUMNS, write_csv

Folder = dict[str, str]
"""Names of exports to what is in them: a letter an event, in capitals where it is corrected."""


def put(feeds: Path, exports: Folder) -> None:
    """Make these the exports of usage."""
    for old in (feeds / "usage").glob("*"):
        old.unlink()
    usual = rows_of("acme")["usage"]
    for name, events in exports.items():
        rows = [
            usual | {"event_id": event.lower(), "quantity": "1" if event.islower() else "2"}
            for event in events
        ]
        write_csv(feeds / "usage" / f"{name}.csv", COLUMNS["usage"].split(), rows)


def folder_of(told: str) -> Folder:
    """`a:xy b:z` as names and what is in them."""
    return dict(one.split(":") for one in told.split())


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    """Feeds of one tenant, but for usage."""
    return save({name: of for name, of in good("acme").items() if name != "usage"}, tmp_path / "in")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the exports of usage that are read, as they are."""
    names: list[str] = []

    def noted(path: Path, table: Table) -> Iterator[Batch]:
        if table is USAGE:
            names.append(path.stem)
        return read_export(path, table)

    monkeypatch.setattr(stage, "read_export", noted)
    return names


def take_in(feeds: Path, night: int = 1) -> tuple[Listing, bool]:
    """Take in what lies there, whatever is gone."""
    store = feeds.parent / "store"
    now = datetime(2026, 10, night, tzinfo=UTC)
    return ingest(feeds, (), store, InProcess(), now, lambda _: None, allow_shrink=True)


def assert_listed(listing: Listing, store: Path, exports: Folder) -> None:
    """The listed exports are those in the folder, in order, and their rows are what is in them."""
    landed, listed = LandedStore(store), listing.of("usage")
    assert [one.name for one in listed] == [f"usage/{name}.csv" for name in sorted(exports)]
    assert len({(one.landing, one.index) for one in listed}) == len(listed)
    by_landing: dict[str, set[int]] = {}
    for one in listed:
        by_landing.setdefault(one.landing, set()).add(one.index)
        usage = landed.usage(one.landing)
        positions = np.arange(usage.stored_rows())
        export, row = (of.tolist() for of in usage.whence(positions))
        ids = [event.decode() for event in usage.event_ids(positions).tolist()]
        rows = zip(export, row, ids, strict=True)
        found = {number: event for index, number, event in rows if index == one.index}
        events = exports[Path(one.name).stem].lower()
        assert found == dict(enumerate(events, 1))
        assert one.rows == len(events)
    for landing, indexes in by_landing.items():
        assert indexes == set(range(len(landed.landing(landing).rows))), "whole, or not at all"


@pytest.mark.parametrize(
    ("then", "read_again"),
    [
        ("a:x b:yz c:X", ""),
        # One that is gone takes its landing with it: the others are read again.
        ("b:yz c:X", "b c"),
        ("a:x", "a"),
        # A name is no reason to read, whatever it was before.
        ("d:x b:yz c:X", ""),
        ("b:x a:yz c:X", ""),
        ("b:x c:yz d:X", ""),
        ("d:x e:yz f:X", ""),
        # A new export is, and no other.
        ("a:x b:yz c:X d:w", "d"),
        ("a:w b:yz c:X d:x", "a"),
        # The same content under a second name is a second export.
        ("a:x b:yz c:X d:x", "d"),
        ("a:x aa:x b:yz c:X d:x", "aa d"),
        # Other content under a name is another export.
        ("a:w b:yz c:X", "a b c"),
        ("a:x b:yz c:XX", "a b c"),
    ],
)
def test_what_is_read_again_when_a_folder_of_exports_changes(
    feeds: Path, read: list[str], then: str, read_again: str
) -> None:
    """It was `a:x b:yz c:X`, landed together."""
    put(feeds, folder_of("a:x b:yz c:X"))
    assert take_in(feeds)[1]
    assert read == ["a", "b", "c"]
    read.clear()
    put(feeds, folder_of(then))
    listing, is_new = take_in(feeds, 2)
    assert sorted(read) == read_again.split()
    assert is_new == (then != "a:x b:yz c:X")
    assert_listed(listing, feeds.parent / "store", folder_of(then))


def test_exports_that_were_landed_alone_go_alone(
    feeds: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SMALLEST_GROUP", "LARGEST_GROUP"):
        monkeypatch.setattr(stage, name, 1)
    put(feeds, folder_of("a:x b:yz c:X"))
    take_in(feeds)
    read.clear()
    put(feeds, folder_of("b:yz c:X d:w"))
    listing, _ = take_in(feeds, 2)
    assert read == ["d"]
    assert_listed(listing, feeds.parent / "store", folder_of("b:yz c:X d:w"))


@pytest.mark.parametrize("seed", range(5))
def test_after_any_nights_the_listing_is_what_lies_in_the_folder(
    feeds: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Exports come, go, are renamed and repeat one another; some are landed together."""
    draw, exports = Random(seed), folder_of("a:x b:y")
    for night in range(1, 8):
        monkeypatch.setattr(stage, "SMALLEST_GROUP", draw.choice([1, 300, 4 << 20]))
        put(feeds, exports)
        listing, _ = take_in(feeds, night)
        assert_listed(listing, feeds.parent / "store", exports)
        for name in [name for name in exports if draw.random() < 0.2]:
            del exports[name]
        for name in draw.sample("abcdef", 2):
            exports[name] = draw.choice(["x", "y", "X", "xyz", "zz"])


@pytest.mark.parametrize(
    "nights",
    [
        # Renaming an export changes which row is the latest.
        ["a:x b:X", "c:x b:X"],
        ["a:xy b:X", "a:xy b:X c:xy", "c:xy b:X"],
    ],
)
def test_results_are_those_of_the_exports_that_are_there_now(
    feeds: Path, tmp_path: Path, nights: list[str]
) -> None:
    """R11.1: the latest export in order of names counts, however they came."""
    for night in nights:
        put(feeds, folder_of(night))
        bill(feeds, tmp_path / "store", PERIOD)
    bill(feeds, tmp_path / "fresh", PERIOD)
    for dataset in ("superseded", "invoice_lines", "controls"):
        found, fresh = (shown(dataset, PERIOD, tmp_path / one) for one in ("store", "fresh"))
        assert found == fresh, dataset
    rows = sum(map(len, folder_of(nights[-1]).values()))
    assert_ties(tmp_path / "store", rows)


def test_the_same_content_under_two_names_is_two_exports(feeds: Path, tmp_path: Path) -> None:
    """R11.1: every row of the first is a duplicate of one of the second."""
    put(feeds, folder_of("a:xyz b:xyz"))
    bill(feeds, tmp_path / "store", PERIOD)
    fates = assert_ties(tmp_path / "store", 6)
    assert (fates["billed"], fates["duplicate"]) == (3, 3)
