"""R3: whose usage it is."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.rules.split import (
    NOBODY,
    REASONS,
    UNKNOWN_ID,
    assigned_on,
    licensed_meter_on,
    owners,
)
from tests.rules.build import assignments, day

CODES = {"-": NOBODY, "?": UNKNOWN_ID, "P": 0, "A": 1, "B": 2}
"""`-` is nobody, `?` a subscription the tenant does not have, P the primary of the day."""

ROWS = """
    routed named assigned active primary   owner reason
    no     A     -        yes    P         A     named
    no     A     B        yes    P         A     named
    no     P     -        yes    P         P     named
    no     -     B        yes    P         B     assigned
    no     -     P        yes    P         P     assigned
    no     -     -        no     P         P     unassigned_to_primary
    no     ?     -        no     P         P     unknown_to_primary
    no     ?     B        no     P         P     unknown_to_primary
    no     -     ?        no     P         P     unknown_to_primary
    no     A     -        no     P         P     inactive_to_primary
    no     A     B        no     P         P     inactive_to_primary
    no     -     B        no     P         P     inactive_to_primary
    yes    A     B        yes    P         P     routed_to_primary
    yes    P     -        yes    P         P     routed_to_primary
    yes    -     B        yes    P         P     routed_to_primary
    yes    -     -        no     P         P     routed_to_primary
    yes    ?     -        no     P         P     routed_to_primary
    yes    A     -        no     P         P     routed_to_primary
    no     A     -        no     -         -     inactive_to_primary
    no     -     -        no     -         -     unassigned_to_primary
    no     ?     -        no     -         -     unknown_to_primary
    yes    A     -        no     -         -     routed_to_primary
"""
"""`active` is of the row's own candidate: the named one, else the user's (R3.1, R3.3 to R3.5)."""

TABLE = [line.split() for line in ROWS.strip().splitlines()[1:]]


def _owners(table: list[list[str]]) -> list[tuple[str, str]]:
    routed, named, assigned, active, primary = zip(*(row[:5] for row in table), strict=True)
    owner, reason = owners(
        np.array([word == "yes" for word in routed]),
        np.array([CODES[word] for word in named]),
        np.array([CODES[word] for word in assigned]),
        np.array([word == "yes" for word in active]),
        np.array([CODES[word] for word in primary]),
    )
    name = {code: word for word, code in CODES.items()}
    return [
        (name[who], REASONS[why]) for who, why in zip(owner.tolist(), reason.tolist(), strict=True)
    ]


@pytest.mark.parametrize("row", TABLE, ids="-".join)
def test_a_row_belongs_to_whom_it_names_else_to_its_users_else_to_the_primary(
    row: list[str],
) -> None:
    assert _owners([row]) == [(row[5], row[6])]


def test_each_row_is_judged_by_itself() -> None:
    assert _owners(TABLE) == [(row[5], row[6]) for row in TABLE]


def test_no_rows_belong_to_nobody() -> None:
    none, never = np.empty(0, np.int64), np.empty(0, np.bool_)
    owner, reason = owners(never, none, none, never, none)
    assert (len(owner), len(reason)) == (0, 0)


ASSIGNMENTS = {
    "the only one": ("agent none A ..", "A"),
    "first and last day are covered": ("agent none A 2026-10-05..2026-10-05", "A"),
    "a row that is over does not count": ("agent none A ..2026-10-04", None),
    "a row to come does not count": ("agent none A 2026-10-06..", None),
    "the latest start goes first": (
        "agent none A 2026-10-01.. | agent none B 2026-10-05.. | agent none C 2026-09-01..",
        "B",
    ),
    "a row without a start began before all others": (
        "agent none A .. | agent none B 2020-01-01..",
        "B",
    ),
    "ties: the smaller id": (
        "agent none B 2026-10-01.. | agent none A 2026-10-01.. | agent none C 2026-10-01..",
        "A",
    ),
    "a row that names none gives way, though it starts later": (
        "agent none - 2026-10-05.. | agent none A 2026-10-01..",
        "A",
    ),
    "none that names one": ("agent none - ..", None),
    "no rows": ("", None),
}


@pytest.mark.parametrize("case", ASSIGNMENTS)
def test_the_subscription_a_user_is_assigned_to_on_2026_10_05(case: str) -> None:
    """R3.1."""
    rows, expected = ASSIGNMENTS[case]
    found = assignments(rows.replace("|", "\n"))
    assert assigned_on(found, day("2026-10-05")) == expected
    assert assigned_on(found[::-1], day("2026-10-05")) == expected


@pytest.mark.parametrize(
    ("rows", "meter"),
    [
        ("agent standard A ..", "standard_agent"),
        ("agent premium A ..", "premium_agent"),
        ("agent standard A .. | agent premium B ..", "premium_agent"),
        ("agent premium - .. | agent standard A ..", "premium_agent"),
        ("agent standard A .. | agent premium B ..2026-10-04", "standard_agent"),
        ("agent standard A 2026-10-06.. | agent premium B ..2026-10-04", None),
        ("agent none A ..", None),
        ("agent none A .. | agent standard B ..", "standard_agent"),
        ("", None),
    ],
)
def test_an_agent_session_counts_by_the_licence_of_the_day(rows: str, meter: str | None) -> None:
    """R3.2: with both it is premium, whichever subscription gives it."""
    found = assignments(rows.replace("|", "\n"))
    assert licensed_meter_on(found, day("2026-10-05")) == meter
