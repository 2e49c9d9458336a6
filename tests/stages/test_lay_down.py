"""R4.2 by hand: a user is never in two places, and who came first decides where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.measures.arrays import Ints
from pipeline.stages.sessions import Stays, lay_down
from pipeline.store.usage import NO_USER
from tests.good_feeds import PERIOD, good, save
from tests.support import bill, shown

METERS = 2


def _sessions(text: str) -> tuple[Stays, list[bytes]]:
    """Sessions told as `user@subscription start-end event`, parted by commas; - is no user."""
    rows = [one.split() for one in text.split(",") if one.strip()]
    users = ["ann", "bob", "cyd"]
    who = [row[0].split("@") for row in rows]
    spans = [row[1].split("-") for row in rows]
    stays = Stays(
        np.array([int(subscription) * METERS for _, subscription in who], np.int64),
        np.array([NO_USER if u == "-" else users.index(u) for u, _ in who], np.int32),
        np.array([int(start) for start, _ in spans], np.int64),
        np.array([int(end) for _, end in spans], np.int64),
    )
    return stays, [row[2].encode() for row in rows if len(row) > 2]


@pytest.mark.parametrize(
    ("carried", "begun", "left"),
    [
        ("", "ann@0 3-5 a, ann@0 5-9 b", "ann@0 3-5, ann@0 5-9"),
        ("", "ann@0 3-6 a, ann@0 5-9 b", "ann@0 3-6, ann@0 6-9"),
        ("", "ann@0 3-9 a, ann@0 5-6 b", "ann@0 3-9"),
        ("", "ann@0 3-6 a, bob@0 5-9 b", "ann@0 3-6, bob@0 5-9"),
        # Nobody is in two places, also on two subscriptions.
        ("", "ann@0 3-6 a, ann@1 5-9 b", "ann@0 3-6, ann@1 6-9"),
        # The order of rows does not count: the start does, then the event id.
        ("", "ann@1 5-9 b, ann@0 3-6 a", "ann@0 3-6, ann@1 6-9"),
        ("", "ann@0 3-6 b, ann@1 3-9 a", "ann@1 3-9"),
        ("", "ann@0 3-6 b, ann@1 3-9 c", "ann@0 3-6, ann@1 6-9"),
        ("", "ann@0 3-6 b, ann@1 3-9 ba", "ann@0 3-6, ann@1 6-9"),
        ("", "ann@0 3-6 é, ann@1 3-9 z", "ann@1 3-9"),
        # Without a user, each on its own; an empty one counts nothing, and covers nothing.
        ("", "-@0 3-6 a, -@0 3-6 b", "-@0 3-6, -@0 3-6"),
        ("", "-@0 3-3 a, ann@0 4-4 b, ann@0 4-6 c", "ann@0 4-6"),
        # What began on an earlier day is before all that begins today.
        ("ann@0 1-4", "ann@1 3-5 a", "ann@1 4-5"),
        ("ann@0 1-9", "ann@1 3-5 a, ann@0 4-8 b", ""),
        ("ann@0 1-3, ann@1 3-5", "ann@0 3-9 a", "ann@0 5-9"),
        ("ann@0 1-9", "bob@0 3-5 a, -@0 3-5 b", "-@0 3-5, bob@0 3-5"),
        ("-@0 1-9", "ann@0 3-5 a, -@0 3-5 b", "-@0 3-5, ann@0 3-5"),
        ("bob@0 1-9", "ann@0 3-5 a, cyd@0 3-5 b", "ann@0 3-5, cyd@0 3-5"),
    ],
)
def test_what_is_left_of_sessions_by_hand(carried: str, begun: str, left: str) -> None:
    """R4.2: each keeps only the time after all earlier ones of its user have ended."""
    stays, events = _sessions(begun)
    numbers = np.arange(len(stays))[::-1].copy()
    found = lay_down(
        stays,
        numbers,
        _sessions(carried)[0],
        0,
        METERS,
        lambda asked: [events[len(events) - 1 - number] for number in asked.tolist()],
    )
    names = ["ann", "bob", "cyd", "-"]
    told = [
        f"{names[user]}@{own // METERS} {start}-{end}"
        for own, user, start, end in found.as_frame().iter_rows()
    ]
    assert sorted(told) == sorted(one.strip() for one in left.split(",") if one.strip())


def test_event_ids_are_asked_for_only_where_a_user_starts_twice_at_once() -> None:
    asked: list[int] = []

    def events(numbers: Ints) -> list[bytes]:
        asked.extend(numbers.tolist())
        return [b"x"] * len(numbers)

    stays, _ = _sessions("ann@0 3-5, ann@0 4-9, bob@0 3-5, bob@1 3-4, -@0 3-5, -@0 3-5")
    lay_down(stays, np.arange(6), Stays.none(), 0, METERS, events)
    assert sorted(asked) == [2, 3]


@pytest.mark.parametrize(
    ("since", "users"),
    [
        ("1900-01-01T00:00:00Z", 3_000),
        ("1970-01-01T00:00:00Z", 5_000),
        ("2015-01-01T00:00:00Z", 17_000),
    ],
)
def test_a_session_since_ever_does_not_stop_a_crowded_first_day(
    tmp_path: Path, since: str, users: int
) -> None:
    """R4.1: it is open, so it runs to the end of the period, beside everybody else."""
    rows = good("acme")
    rows["subscriptions"][0]["start_date"] = since[:10]
    one = rows["usage"][0]
    old = {**one, "event_id": "old", "user_id": "old", "started_at": since, "ended_at": ""}
    at = {"started_at": "2026-10-01T09:00:00Z", "ended_at": "2026-10-01T10:00:00Z"}
    crowd = [{**one, "event_id": f"e{n}", "user_id": f"u{n}", **at} for n in range(users)]
    rows["usage"] = [old, *crowd]
    bill(save(rows, tmp_path / "feeds"), tmp_path / "store", PERIOD)
    split = shown("usage_split", PERIOD, tmp_path / "store")
    assert split[0]["quantity"] == str(users + 1)
