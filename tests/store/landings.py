"""Landing small exports of usage, and what must hold of any landing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.exports import read_export
from pipeline.store.landing import LandedStore, Landing
from pipeline.store.usage import (
    DAY_US,
    NO_QUANTITY,
    NO_USER,
    OPEN,
    POSITION_BITS,
    SLOT_BITS,
    SLOTS,
    LandedUsage,
    Stretch,
    runs_of_keys,
    slot_of,
)
from schemas.feeds import USAGE
from tests.support import Row
from tests.worlds import COLUMNS, write_csv

NAMES = COLUMNS["usage"].split()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def a_row(event: str, **said: str) -> Row:
    """A sound row, with what is said of it."""
    usual = {"tenant_id": "acme", "meter": "ivr_port", "started_at": "2026-10-05T09:00:00Z"}
    return dict.fromkeys(NAMES, "") | {"event_id": event} | usual | said


def land(folder: Path, exports: Sequence[list[Row]], batch_rows: int = 5) -> LandedUsage:
    """Write exports, every other one as Parquet, and land them together."""
    paths = []
    for number, rows in enumerate(exports):
        path = folder / f"{number}.csv"
        write_csv(path, NAMES, rows)
        if number % 2:
            texts = pl.DataFrame(rows, schema=dict.fromkeys(NAMES, pl.String))
            path = path.with_suffix(".parquet")
            texts.select(pl.when(pl.all() != "").then(pl.all())).write_parquet(path)
        paths.append(path)
    store = LandedStore(folder / "store")
    batches = [read_export(path, USAGE, batch_rows=batch_rows) for path in paths]
    landing = store.land_usage("landing", batches, [None] * len(paths))
    assert landing == store.landing("landing") == _expected_landing(exports)
    return store.usage("landing")


def _expected_landing(exports: Sequence[list[Row]]) -> Landing:
    sums = [sum((Decimal(row["quantity"] or 0) for row in rows), Decimal(0)) for rows in exports]
    return Landing(
        "landing",
        tuple(map(len, exports)),
        tuple(sums),
        (None,) * len(exports),
        ({},) * len(exports),
    )


def micros(text: str) -> int:
    """Microseconds since 1970."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def in_numbers(row: Row) -> tuple[object, ...]:
    """What a row says: kind, user, started, ended, quantity, event."""
    return (
        (
            row["tenant_id"],
            row["subscription_id"] or None,
            row["meter"] or None,
            row["deployment"] or "cloud",
        ),
        row["user_id"] and (row["tenant_id"], row["user_id"]),
        micros(row["started_at"]),
        micros(row["ended_at"]) if row["ended_at"] else OPEN,
        int(Decimal(row["quantity"]) * 10**6) if row["quantity"] else NO_QUANTITY,
        row["event_id"].encode(),
    )


def is_sound(row: Row) -> bool:
    return bool(row["event_id"] and row["tenant_id"]) and row["deployment"] != "moon"


def read_back(landed: LandedUsage) -> dict[tuple[int, int], tuple[object, ...]]:
    """Every sound row by its export and its number there, read from end to start."""
    count = landed.stored_rows() - len(landed.broken(range(SLOTS)))
    if not count:
        return {}
    positions = np.arange(count)[::-1].copy()
    columns = {
        name: landed.take(name, positions)
        for name in ("kind", "user", "started", "ended", "quantity")
    }
    for name, values in columns.items():
        halves = [Stretch(0, count // 2), Stretch(count // 2, count - count // 2)]
        assert landed.read(name, halves).tolist() == values[::-1].tolist()
    kinds, users = (
        words(range(SLOTS)).sort("code").drop("code").rows()
        for words in (landed.kinds, landed.users)
    )
    export, row = landed.whence(positions)
    texts = zip(
        [kinds[code] for code in columns["kind"].tolist()],
        ["" if code == NO_USER else users[code] for code in columns["user"].tolist()],
        *(columns[name].tolist() for name in ("started", "ended", "quantity")),
        landed.event_ids(positions).tolist(),
        strict=True,
    )
    found = dict(zip(zip(export.tolist(), row.tolist(), strict=True), texts, strict=True))
    assert len(found) == count, "each row once"
    return found


def assert_said(landed: LandedUsage, exports: Sequence[list[Row]]) -> None:
    """The landing says what the exports say: sound rows in numbers, broken ones in words."""
    numbered = {
        (export, number): row
        for export, rows in enumerate(exports)
        for number, row in enumerate(rows, 1)
    }
    assert landed.stored_rows() == len(numbered)
    sound = {at: in_numbers(row) for at, row in numbered.items() if is_sound(row)}
    assert read_back(landed) == sound
    broken = {
        (row["export"], row["row"]): {
            name: text or "" for name, text in json.loads(row["raw"]).items()
        }
        for row in landed.broken(range(SLOTS)).iter_rows(named=True)
    }
    assert broken == {at: row for at, row in numbered.items() if not is_sound(row)}


def assert_in_order(landed: LandedUsage) -> None:
    """Cells lie one after the other and add up; keys are sorted and name every row once."""
    cells = landed.cells()
    count = landed.stored_rows() - len(landed.broken(range(SLOTS)))
    assert cells["rows"].sum() == count
    tenants = landed.kinds(range(SLOTS)).sort("code")["tenant_id"].to_list()
    slots_of_kinds = np.array([slot_of(tenant) if tenant else 0 for tenant in tenants])
    slot_of_row = slots_of_kinds[landed.read("kind", [Stretch(0, count)])]
    day_of_row = landed.read("started", [Stretch(0, count)]) // DAY_US
    first = 0
    for day, slot, rows in cells.select("day", "slot", "rows").iter_rows():
        inside = slice(first, first + rows)
        assert set(slot_of_row[inside].tolist()) == {slot}
        assert set(day_of_row[inside].tolist()) == {day}
        first += rows
    places = cells.select("chunk", "day", "slot").rows()
    assert places == sorted(set(places))
    for slots in (range(SLOTS), range(18), range(18, 238), range(238, SLOTS)):
        wanted = np.isin(slot_of_row, slots).nonzero()[0]
        assert sorted(_keyed(landed, cells, slots)) == wanted.tolist()


def _keyed(landed: LandedUsage, cells: pl.DataFrame, slots: range) -> Iterator[int]:
    """The rows that the keys of some slots stand for; keys are sorted, run by run."""
    for where, first in runs_of_keys(cells, slots):
        keys = landed.read("key", [where])
        positions = first + (keys % (1 << POSITION_BITS)).astype(np.int64)
        assert (keys[1:] > keys[:-1]).all()
        hashed = (keys << SLOT_BITS) >> (SLOT_BITS + POSITION_BITS)
        events = landed.event_ids(positions).tolist()
        assert len(set(zip(events, hashed.tolist(), strict=True))) == len(set(events))
        yield from positions.tolist()
