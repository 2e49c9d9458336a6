"""Landed usage: what an export says is what is read back, in numbers and in words."""

from __future__ import annotations

from itertools import combinations_with_replacement
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest

from pipeline.store import usage_writer
from pipeline.store.landing import LandedStore
from pipeline.store.usage import SLOTS, slot_of
from tests.store.landings import a_row, assert_in_order, assert_said, land
from tests.support import Row

IDS = ("a", "bb", "é", "電話", "\U0001f4de", "x" * 300, 'quote " and, comma', " spaces ")
INSTANTS = (
    "1900-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00Z",
    "2026-10-05T09:00:00Z",
    "2026-10-06T00:00:00.000001Z",
    "9999-12-31T23:59:59.999999Z",
)


def random_row(draw: Random, number: int) -> Row:
    """A row of few tenants, users and days, now and then a broken one."""
    started, ended = sorted(draw.choices(INSTANTS, k=2))
    return {
        "event_id": f"{draw.choice(IDS)}{number}" if draw.random() < 0.9 else "",
        "tenant_id": draw.choice(["acme", "bolt", "Zoë", ""]),
        "subscription_id": draw.choice(["S1", "S2", ""]),
        "meter": draw.choice(["ivr_port", "ai_agent", ""]),
        "user_id": draw.choice(["u1", "u2", "ü", ""]),
        "started_at": started,
        "ended_at": draw.choice([ended, ""]),
        "quantity": draw.choice(["", "0", "1.5", "0.000001", "999999999999.999999"]),
        "deployment": draw.choice(["", "cloud", "on_premises", "on_premises", "moon"]),
    }


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
@pytest.mark.parametrize("seed", range(4))
def test_rows_of_several_exports_come_back_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, batch_rows: int
) -> None:
    """Whatever is in them, and in however many chunks they are written."""
    monkeypatch.setattr(usage_writer, "CHUNK_ROWS", 3)
    monkeypatch.setattr(usage_writer, "RUN_ROWS", 10)
    draw = Random(seed)
    counts = (draw.randrange(40), 0, 23, 17)
    exports = [[random_row(draw, at) for at in range(count)] for count in counts]
    landed = land(tmp_path, exports, batch_rows)
    assert_said(landed, exports)
    assert_in_order(landed)
    assert batch_rows == 1000 or landed.cells()["chunk"].n_unique() > 4


@pytest.mark.parametrize(
    "ids",
    [
        "a",
        "a b c",  # all of one length
        "a bb ccc",
        "aa bb c dd",  # of one length in the first batches
        "é ü",  # one letter, two bytes
        "é aa ü",
        "電話 abcdef \U0001f4dexx",  # of six bytes, each of them
        "a - b",  # - stands for none
        "- a b",
        "- - aa bb -",
        "a b - - -",
        "- -",
        "aa bb - ccc - dd",
        f"{'x' * 5000} y",
    ],
)
@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_event_ids_come_back_as_they_were(tmp_path: Path, ids: str, batch_rows: int) -> None:
    """Of equal lengths and of different ones; a row without one is broken."""
    rows = [a_row("" if one == "-" else one) for one in ids.split()]
    landed = land(tmp_path, [rows, rows[::-1]], batch_rows)
    assert_said(landed, [rows, rows[::-1]])
    assert landed.event_ids(np.empty(0, np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("started", "ended"),
    [*combinations_with_replacement(INSTANTS, 2), *((one, "") for one in INSTANTS)],
)
def test_instants_come_back_however_far_they_are(tmp_path: Path, started: str, ended: str) -> None:
    """Also before 1970, and on days that are too many apart for sixteen bits."""
    rows = [a_row("e1"), a_row("e2", started_at=started, ended_at=ended), a_row("e3")]
    landed = land(tmp_path, [rows])
    assert_said(landed, [rows])
    assert_in_order(landed)


@pytest.mark.parametrize(
    "quantity", ["", "0", "0.000001", "12.5", "999999999999.999999", "1000000", "4294.967296"]
)
def test_quantities_come_back_to_the_millionth(tmp_path: Path, quantity: str) -> None:
    rows = [a_row("e1", quantity=quantity), a_row("e2", quantity="1")]
    assert_said(land(tmp_path, [rows, rows]), [rows, rows])


@pytest.mark.parametrize("exports", [[[]], [[], []], [[a_row("")]], [[], [a_row("")], []]])
def test_exports_without_a_sound_row_land_too(tmp_path: Path, exports: list[list[Row]]) -> None:
    landed = land(tmp_path, exports)
    assert_said(landed, exports)
    assert_in_order(landed)


def test_a_landing_names_the_subscriptions_of_each_slot(tmp_path: Path) -> None:
    """Those of broken rows too; not what rows name that belong to no tenant."""
    rows = [
        a_row("e1", subscription_id="S1"),
        a_row("e2", subscription_id="S1"),
        a_row("e3", tenant_id="bolt", subscription_id="S2"),
        a_row("", tenant_id="bolt", subscription_id="S3"),
        a_row("e5", tenant_id="", subscription_id="S4"),
        a_row("e6", tenant_id="bolt"),
    ]
    landed = land(tmp_path, [rows])
    acme, bolt = slot_of("acme"), slot_of("bolt")
    named = sorted(landed.named_subscriptions().rows())
    assert named == sorted([(acme, "S1"), (bolt, "S2"), (bolt, "S3")])
    assert LandedStore(tmp_path / "store").named_subscriptions(["landing"]) == {
        acme: {"S1"},
        bolt: {"S2", "S3"},
    }


def test_a_bucket_reads_the_words_of_its_own_slots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever slots, of however many: together they are all that there is, each with its code."""
    monkeypatch.setattr(usage_writer, "WORDS_AT_ONCE", 3)
    tenants = [f"tenant {number % 9}" for number in range(40)]
    rows = [
        a_row(f"e{n}" if n % 4 else "", tenant_id=tenant, meter=f"m{n % 3}", user_id=f"u{n % 7}")
        for n, tenant in enumerate(tenants)
    ]
    landed = land(tmp_path, [rows])
    for words in (landed.kinds, landed.users, landed.broken):
        everything = words(range(SLOTS))
        for tenant in set(tenants):
            slot = slot_of(tenant)
            own = everything.filter(pl.col("tenant_id") == tenant)
            assert words(range(slot, slot + 1)).equals(own)
            assert len(own)
            cut = [words(slots) for slots in (range(slot), range(slot, SLOTS))]
            assert sorted(map(repr, pl.concat(cut).rows())) == sorted(map(repr, everything.rows()))


def test_the_slot_of_a_tenant_is_the_same_for_ever() -> None:
    """Landings of years ago are found by it."""
    assert [slot_of(name) for name in ("acme", "bolt", "Zoë", "")] == [237, 80, 17, 46]
