"""R11.1: of an event that comes again the row of the latest export counts, whatever its hash."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from pipeline.exports import read_export
from pipeline.stages import events, ingest, keys
from pipeline.store import usage_writer
from tests.good_feeds import PERIOD, assert_ties, good, rows_of, save
from tests.support import Row, bill, shown
from tests.worlds import COLUMNS, write_csv

Exports = dict[str, list[Row]]
Replaced = list[tuple[str, str, str, int, str, int]]

Hash = Callable[[pl.Series, int], pl.Series]

whole: Hash = pl.Series.hash


def constant(texts: pl.Series, seed: int) -> pl.Series:
    """All events share one hash."""
    return whole(texts, seed) * 0


def tiny(texts: pl.Series, seed: int) -> pl.Series:
    """Many events share each of three hashes."""
    return whole(texts, seed) % 3


def a_row(event: str, tenant: str = "acme", **said: str) -> Row:
    return rows_of(tenant)["usage"] | {"event_id": event} | said


def billed(folder: Path, exports: Exports) -> Path:
    """Bill a month with these exports of usage; gives the store."""
    terms = {feed: rows for feed, rows in good("acme", "bolt").items() if feed != "usage"}
    feeds = save(terms, folder / "feeds")
    for name, rows in exports.items():
        write_csv(feeds / "usage" / name, COLUMNS["usage"].split(), rows)
    bill(feeds, folder / "store", PERIOD)
    return folder / "store"


def superseded(store: Path) -> Replaced:
    """Event, tenant, where the row stands that no longer counts, and the one that does."""
    return sorted(
        (
            row["event_id"],
            row["tenant_id"],
            row["file"].removeprefix("usage/"),
            int(row["row"]),
            row["by_file"].removeprefix("usage/"),
            int(row["by_row"]),
        )
        for row in shown("superseded", PERIOD, store)
    )


def one_by_one(exports: Exports) -> tuple[Replaced, int]:
    """What R11.1 says, row by row in order of exports: what is superseded; how often the same."""
    rows: dict[tuple[str, str], list[tuple[str, int, Row]]] = {}
    for name, of in sorted(exports.items()):
        for number, row in enumerate(of, 1):
            if "-" not in row.get("quantity", ""):  # else it is broken, and replaces nothing
                rows.setdefault((row["event_id"], row["tenant_id"]), []).append((name, number, row))
    found, same = [], 0
    for (event, tenant), of_event in rows.items():
        *before, (by_name, by_number, by) = of_event
        for name, number, row in before:
            if _content(row) == _content(by):
                same += 1
            else:
                found.append((event, tenant, name, number, by_name, by_number))
    return sorted(found), same


def _content(row: Row) -> tuple[object, ...]:
    """What a row says, however it writes it."""
    return (
        row["subscription_id"],
        row["user_id"],
        row["started_at"].replace("+00:00", "Z"),
        row["ended_at"],
        Decimal(row["quantity"]) if row.get("quantity") else None,
        row.get("deployment") or "cloud",
    )


def random_row(draw: Random) -> Row:
    """A row of few events, that often says the same as another in other words."""
    day = draw.choice(["05", "06"])
    return a_row(
        draw.choice(["e", "é", "e1", "e2", "电", "e11", "x" * 50]),
        draw.choice(["acme", "bolt"]),
        subscription_id="",
        user_id=draw.choice(["u1", "u1", "u1", ""]),
        started_at=f"2026-10-{day}T09:00:00" + draw.choice(["Z", "+00:00"]),
        ended_at="2026-10-07T09:00:00Z",
        quantity=draw.choice(["", "", "1", "1.000", "-1"]),
        deployment=draw.choice(["", "cloud", "cloud", "on_premises"]),
    )


def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, keys and candidates are taken a few at a time."""
    monkeypatch.setattr(ingest, "read_export", partial(read_export, batch_rows=11))
    monkeypatch.setattr(usage_writer, "CHUNK_ROWS", 5)
    monkeypatch.setattr(usage_writer, "RUN_ROWS", 20)
    monkeypatch.setattr(events, "RANGE_ROWS", 5)
    monkeypatch.setattr(events, "MOSTLY_OLD", 3)
    monkeypatch.setattr(events, "CANDIDATES", 7)
    monkeypatch.setattr(keys, "AT_ONCE", 13)


@pytest.mark.parametrize("hashed", [whole, tiny, constant])
@pytest.mark.parametrize("seed", range(2))
def test_the_row_of_the_latest_export_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: Hash, seed: int
) -> None:
    """Tenant and event id decide, not their hash: also where different events share it."""
    asked = []

    def counted(texts: pl.Series, seed: int = 0) -> pl.Series:
        asked.append(len(texts))
        return hashed(texts, seed)

    monkeypatch.setattr(pl.Series, "hash", counted)
    few_at_once(monkeypatch)
    draw = Random(seed)
    exports = {f"{n}.csv": [random_row(draw) for _ in range(draw.randrange(25))] for n in range(4)}
    store = billed(tmp_path, exports)
    fates = assert_ties(store, sum(map(len, exports.values())))
    expected, same = one_by_one(exports)
    assert superseded(store) == expected
    assert (fates["superseded"], fates["duplicate"]) == (len(expected), same)
    assert asked, "there is a hash to be told apart by"


@pytest.mark.parametrize("hashed", [whole, tiny])
@pytest.mark.parametrize("seed", range(2))
def test_nights_find_what_all_at_once_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: Hash, seed: int
) -> None:
    """Exports come one or two at a time, in any order of their names."""
    monkeypatch.setattr(pl.Series, "hash", lambda texts, seed=0: hashed(texts, seed))
    few_at_once(monkeypatch)
    draw = Random(seed)
    every = {f"{n}.csv": [random_row(draw) for _ in range(draw.randrange(25))] for n in range(6)}
    arriving = draw.sample(sorted(every), len(every))
    for here in (1, 2, 4, 5, 6):
        exports = {name: every[name] for name in arriving[:here]}
        store = billed(tmp_path, exports)
        expected, same = one_by_one(exports)
        fates = assert_ties(store, sum(map(len, exports.values())))
        assert superseded(store) == expected
        assert (fates["superseded"], fates["duplicate"]) == (len(expected), same)


def test_a_night_looks_at_events_of_which_rows_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its exports are not the last by name, and where several came."""
    looked_at: list[int] = []
    replaced_among = events._replaced

    def noted(*given: Any) -> pl.DataFrame:
        looked_at.append(len(given[-1].number))
        return replaced_among(*given)

    monkeypatch.setattr(events, "_replaced", noted)
    exports = {
        "d.csv": [a_row("e"), a_row("f"), a_row("g")],
        "b.csv": [a_row("e", user_id="u2"), a_row("f"), a_row("h")],
    }

    def night(name: str, *rows: Row) -> tuple[int, Replaced]:
        """How many rows were looked at, and what is superseded then."""
        exports[name] = list(rows)
        looked_at.clear()
        store = billed(tmp_path, exports)
        assert superseded(store) == one_by_one(exports)[0]
        return sum(looked_at), superseded(store)

    assert night("a.csv") == (4, [("e", "acme", "b.csv", 1, "d.csv", 1)])
    assert night("e.csv", a_row("new"))[0] == 0
    assert night("c.csv", a_row("g"), a_row("newer")) == (
        2,
        [("e", "acme", "b.csv", 1, "d.csv", 1)],
    )
    assert night("f.csv", a_row("e", user_id="u3")) == (
        3,
        [("e", "acme", "b.csv", 1, "f.csv", 1), ("e", "acme", "d.csv", 1, "f.csv", 1)],
    )


def test_exports_that_change_places_are_compared_anew(tmp_path: Path) -> None:
    """What counts is the order of names, also where nothing else changed."""
    exports = {"a.csv": [a_row("e")], "b.csv": [a_row("e", user_id="u2")]}
    assert superseded(billed(tmp_path, exports)) == [("e", "acme", "a.csv", 1, "b.csv", 1)]
    (tmp_path / "feeds" / "usage" / "a.csv").unlink()
    exports["c.csv"] = exports.pop("a.csv")
    assert superseded(billed(tmp_path, exports)) == [("e", "acme", "b.csv", 1, "c.csv", 1)]


@pytest.mark.parametrize(
    ("exports", "expected", "duplicates"),
    [
        # The last export wins, by the names of files, not by when they were made.
        ({"b": "e u1", "a": "e u2"}, "e acme a 1 < b 1", 0),
        # Within an export, the last row; it is compared with each: the first says the same.
        ({"a": "e u1, e u2, e u1, x u1"}, "e acme a 2 < a 3", 1),
        ({"a": "e u1", "b": "e u1", "c": "e u1"}, "", 2),
        # Another tenant's event is another event; so is another id, however alike.
        ({"a": "e u1, e/bolt u2, E u2, ee u2, e\u0301 u2, é u2"}, "", 0),
        # A broken row replaces nothing, and is not replaced.
        ({"a": "e u1, x u1", "b": "e !, x !", "c": "x u2"}, "x acme a 2 < c 1", 0),
        ({"a": "e !", "b": "e u1"}, "", 0),
        # One that the terms refuse neither: it names another tenant's subscription.
        ({"a": "e u1", "b": "e bolt-S"}, "", 0),
    ],
)
def test_replaced_rows_by_hand(
    tmp_path: Path, exports: dict[str, str], expected: str, duplicates: int
) -> None:
    """Rows as event and user (! is broken); what is superseded as place < place that counts."""
    files = {f"{name}.csv": [_told(one) for one in of.split(",")] for name, of in exports.items()}
    store = billed(tmp_path, files)
    found = [
        f"{event} {tenant} {file[:-4]} {row} < {by[:-4]} {by_row}"
        for event, tenant, file, row, by, by_row in superseded(store)
    ]
    assert ", ".join(found) == expected
    assert assert_ties(store, sum(map(len, files.values())))["duplicate"] == duplicates


def _told(text: str) -> Row:
    event, who = text.split()
    event, _, tenant = event.partition("/")
    row = a_row(event, tenant or "acme", user_id=who)
    if who == "!":
        return row | {"quantity": "-1"}
    return row | {"subscription_id": who, "user_id": ""} if who.endswith("-S") else row
