"""R6: what the tenant used beyond what all its subscriptions together include."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from pipeline.measures.peak import Sessions, peaks
from pipeline.period import instant, moment
from pipeline.rules.catalogue import SHIPPED
from pipeline.rules.entitlement import stretches
from pipeline.rules.overage import overages
from pipeline.rules.terms import Tenant
from schemas.datasets import OCCUPANCY
from tests.rules.build import OCTOBER, october, quantity_on, rows, tenant

HOUR = 3_600_000_000
DAY = 24 * HOUR


class Stretch(NamedTuple):
    """Usage over some days of constant entitlement; `at` is an instant."""

    entitlement: Decimal
    usage: Decimal
    at: int


class Overage(NamedTuple):
    """The overage of a tenant's meter; without one it has no instant."""

    usage: Decimal
    entitlement: Decimal
    overage: Decimal
    at: int | None


def _stretches(table: str) -> list[Stretch]:
    """Stretches as `entitlement usage at`, divided by bars."""
    return [
        Stretch(Decimal(included), Decimal(used), int(at))
        for included, used, at in rows(table.replace("|", "\n"))
    ]


def _overage(text: str) -> Overage:
    """An overage as `usage entitlement overage at`; `-` is no instant."""
    usage, included, beyond, at = text.split()
    when = None if at == "-" else int(at)
    return Overage(Decimal(usage), Decimal(included), Decimal(beyond), when)


def _found(measure: str, total: Decimal, stretches: list[Stretch], tenant_id: str = "T") -> Overage:
    """What the stretches of one meter of a tenant come to."""
    ((*who, usage, included, beyond, at),) = overages(
        _occupancy(measure, total, stretches, tenant_id)
    ).iter_rows()
    assert who == [tenant_id, "meter"]
    return Overage(usage, included, beyond, at and instant(at))


def _occupancy(
    measure: str, total: Decimal, stretches: list[Stretch], tenant_id: str
) -> pl.DataFrame:
    """The rows of that dataset; of two stretches, the one that begins earlier has its day first."""
    first_days = {at: date(2026, 10, 1 + n) for n, at in enumerate(sorted(s.at for s in stretches))}
    return pl.DataFrame(
        [
            (tenant_id, "meter", first_days[at], included, used, moment(at), total, measure)
            for included, used, at in stretches
        ],
        schema=OCCUPANCY.dtypes,
        orient="row",
    )


def _peak(stretches: list[Stretch]) -> Overage:
    return _found("peak", max(one.usage for one in stretches), stretches)


def _measured(who: Tenant, sessions: list[tuple[int, int]]) -> Overage:
    """The peak overage of standard agents in October; instants count from its first midnight."""
    pieces = stretches(who, "standard_agent", SHIPPED, OCTOBER)
    since = np.array([(days.first - OCTOBER.days.first) * DAY for days, _ in pieces])
    start, end = (np.array(column, np.int64) for column in zip(*sessions, strict=True))
    nobody = np.zeros(len(sessions), np.int64)
    usage, at = peaks(Sessions(nobody, start, end), np.zeros(len(pieces), np.int64), since)
    return _peak(
        [
            Stretch(included, Decimal(used), when)
            for (_, included), used, when in zip(pieces, usage.tolist(), at.tolist(), strict=True)
        ]
    )


@pytest.mark.parametrize(("used", "overage"), [(0, 0), (24, 0), (25, 0), (26, 1), (40, 15)])
def test_ten_and_fifteen_agents_are_25_for_the_tenant(used: int, overage: int) -> None:
    """R6.1, the documents' own example; which department uses them plays no part in it."""
    who = tenant("A 2024-01-01..\nB 2025-01-01..", "A standard_agent 10 ..\nB standard_agent 15 ..")
    included = quantity_on(who, "standard_agent", SHIPPED, october(1))
    found = _peak([Stretch(included, Decimal(used), 7)])
    at = 7 if overage else None
    assert found == Overage(Decimal(used), Decimal(25), Decimal(overage), at)


PEAKS = [
    # entitlement usage at | …                  usage entitlement overage at
    ("10 8 100", "8 10 0 -"),
    ("10 11 100", "11 10 1 100"),
    ("0 0 0", "0 0 0 -"),
    # The largest excess is not where the peak is: 12 - 12 against 9 - 5.
    ("12 12 100 | 5 9 200", "12 5 4 200"),
    # The earliest of equal excesses, also where its usage is smaller.
    ("5 7 100 | 6 8 200", "8 5 2 100"),
    ("6 8 100 | 5 7 200", "8 6 2 100"),
    # Without overage: the entitlement at the peak instant, the earliest of equal peaks.
    ("20 8 100 | 10 9 200", "9 10 0 -"),
    ("20 9 100 | 10 9 200", "9 20 0 -"),
    ("10 9 100 | 20 9 200", "9 10 0 -"),
    # Exactly what is included is no overage, and no instant of one.
    ("10 10 100 | 5 5 200", "10 10 0 -"),
    ("0.5 1 100", "1 0.5 0.5 100"),
]


@pytest.mark.parametrize(("table", "expected"), PEAKS)
def test_the_overage_of_a_peak_is_the_largest_excess_at_one_instant(
    table: str, expected: str
) -> None:
    """R6.2, R6.5."""
    assert _peak(_stretches(table)) == _overage(expected)


@pytest.mark.parametrize(("table", "expected"), PEAKS)
def test_the_order_of_the_stretches_plays_no_part(table: str, expected: str) -> None:
    assert _peak(_stretches(table)[::-1]) == _overage(expected)


def test_an_excess_may_begin_at_the_midnight_at_which_the_entitlement_drops() -> None:
    """R6.2: 22 agents work through midnight, when 25 included become 20; the peak was 23 before."""
    who = tenant(
        "A 2024-01-01..",
        "A standard_agent 25 ..2026-10-15\nA standard_agent 20 2026-10-16..",
    )
    midnight = 15 * DAY
    sessions = [(midnight - 3 * HOUR, midnight + HOUR)] * 22
    sessions += [(midnight - 3 * HOUR, midnight - 2 * HOUR)]
    assert _measured(who, sessions) == _overage(f"23 20 2 {midnight}")


def test_a_session_that_ends_at_that_midnight_is_not_in_excess() -> None:
    """R4.1, R6.2: half-open, so at midnight itself nobody is left."""
    who = tenant(
        "A 2024-01-01..",
        "A standard_agent 2 ..2026-10-15\nA standard_agent 1 2026-10-16..",
    )
    midnight = 15 * DAY
    assert _measured(who, [(midnight - HOUR, midnight)] * 2) == _overage("2 2 0 -")


def test_the_earliest_instant_of_the_largest_excess_is_told() -> None:
    """R6.2: two agents from 09:00 and from 11:00; three at 10:00 and again at 12:00."""
    who = tenant("A 2024-01-01..", "A standard_agent 1 ..")
    sessions = [(hour * HOUR, (hour + 1) * HOUR) for hour in (9, 9, 10, 10, 10, 11, 12, 12, 12)]
    assert _measured(who, sessions) == _overage(f"3 1 2 {10 * HOUR}")


@pytest.mark.parametrize(
    ("users", "table", "expected"),
    [
        (8, "10 8 100", "8 10 0 -"),
        (12, "10 12 100", "12 10 2 100"),
        # 12 users over the month, never more than included in either stretch.
        (12, "10 7 100 | 8 8 200", "12 10 0 -"),
        (12, "8 8 100 | 10 7 200", "12 10 0 -"),
        (12, "10 11 100 | 5 8 200", "12 5 3 200"),
        # Ties: the earliest stretch.
        (12, "10 11 100 | 7 8 200", "12 10 1 100"),
    ],
)
def test_the_overage_of_users_is_the_largest_excess_over_a_stretch(
    users: int, table: str, expected: str
) -> None:
    """R6.3, R6.5: without overage the largest entitlement of the period is told."""
    assert _found("distinct", Decimal(users), _stretches(table)) == _overage(expected)


@pytest.mark.parametrize(
    ("usage", "allowance", "overage"),
    [
        ("999.5", "1000", "0"),
        ("1000", "1000", "0"),
        ("1000.000001", "1000", "0.000001"),
        ("1600", "1516.129032", "83.870968"),
        ("0", "0", "0"),
    ],
)
def test_the_overage_of_a_sum_is_what_lies_beyond_the_allowance(
    usage: str, allowance: str, overage: str
) -> None:
    """R6.4, R6.5: it has no instant."""
    used = Decimal(usage)
    found = _found("sum", used, [Stretch(Decimal(allowance), used, 7)])
    assert found == _overage(f"{usage} {allowance} {overage} -")


@pytest.mark.parametrize(
    ("table", "at"), [("5 5 100", None), ("5 4 100 | 5 6 200", 200), ("5 6 300 | 5 6 200", 200)]
)
def test_only_an_excess_above_0_is_one(table: str, at: int | None) -> None:
    """R6.2."""
    assert _peak(_stretches(table)).at == at


def test_every_tenant_and_meter_has_its_own_overage() -> None:
    """R6.1: nothing crosses tenants; the order of the rows plays no part."""
    mine = _occupancy("peak", Decimal(9), _stretches("5 9 100 | 6 8 200"), "T")
    yours = _occupancy("distinct", Decimal(3), _stretches("5 3 100 | 6 2 200"), "U")
    found = overages(pl.concat([yours, mine])).rows()
    assert found == [
        ("T", "meter", Decimal(9), Decimal(5), Decimal(4), moment(100)),
        ("U", "meter", Decimal(3), Decimal(6), Decimal(0), None),
    ]
