"""R5: how much of a meter a tenant's subscriptions include, and when."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from pipeline.period import Days, Period
from pipeline.rules.catalogue import SHIPPED
from pipeline.rules.entitlement import (
    allowance,
    last_day_in_force,
    stretches,
)
from pipeline.rules.terms import Tenant
from tests.rules.build import OCTOBER, day, october, quantity_on, said, tenant, terms_of

APRIL = Period(2026, 4)


def _stretches(who: Tenant, meter: str, period: Period = OCTOBER) -> str:
    pieces = stretches(who, meter, SHIPPED, period)
    return said((piece, f"{quantity.normalize():f}") for piece, quantity in pieces)


@pytest.mark.parametrize(
    ("on", "holds"),
    [
        ("2026-10-04", False),  # before the row
        ("2026-10-05", True),
        ("2026-10-15", True),
        ("2026-10-16", False),  # the subscription has expired
        ("2026-10-19", False),
        ("2026-10-20", True),  # it is renewed
        ("2026-10-25", True),
        ("2026-10-26", False),  # after the row
    ],
)
def test_a_row_is_in_force_on_its_days_while_its_subscription_is_active(
    on: str, holds: bool
) -> None:
    """R5.1."""
    who = tenant(
        "A 2024-01-01..2026-10-15 expired\nA 2026-10-20..",
        "A ai_agent 5 2026-10-05..2026-10-25",
    )
    (row,) = who.entitlements
    assert quantity_on(who, "ai_agent", SHIPPED, day(on)) == (5 if holds else 0)
    assert last_day_in_force(who, row, OCTOBER.days) == october(25)
    assert last_day_in_force(who, row, Days(october(14), october(20))) == october(15)
    assert last_day_in_force(who, row, Days(october(16), october(20))) is None


@pytest.mark.parametrize("status", ["trial", "pending", "suspended"])
def test_a_subscription_out_of_service_includes_nothing(status: str) -> None:
    """R1.2, R5.1."""
    who = tenant(f"A 2024-01-01.. {status}\nB 2025-01-01..", "A ai_agent 5 ..\nB ai_agent 2 ..")
    assert quantity_on(who, "ai_agent", SHIPPED, october(1)) == 2


def test_the_entitlement_of_a_subscription_whose_row_is_broken_is_in_force_on_no_day() -> None:
    """R5.1: its row is set aside, so it is not known; the tenant is not invoiced either (R11.2)."""
    terms = terms_of("A 2026-02-01..2026-01-01\nB 2024-01-01..", "A ai_agent 5 ..")
    who = terms.tenants["T"]
    (row,) = who.entitlements
    assert who.subscription("A") is None
    assert "T" in terms.blocked
    assert quantity_on(who, "ai_agent", SHIPPED, october(1)) == 0
    assert last_day_in_force(who, row, OCTOBER.days) is None


@pytest.mark.parametrize(
    ("on", "included"), [("2026-10-01", 10), ("2026-10-10", 25), ("2026-10-21", 15)]
)
def test_the_entitlement_is_the_sum_in_force_that_day_over_all_subscriptions(
    on: str, included: int
) -> None:
    """R5.3."""
    who = tenant(
        "A 2024-01-01..2026-10-20\nB 2026-10-10..",
        """
        A standard_agent 10 2024-01-01..
        B standard_agent  8 2024-01-01..
        B standard_agent  7 2026-10-01..
        B premium_agent  99 2024-01-01..
        """,
    )
    assert quantity_on(who, "standard_agent", SHIPPED, day(on)) == included


CONSTANT = {
    "nothing is included of a meter that no row names": (
        "A 2024-01-01..",
        "",
        "2026-10-01..2026-10-31 0",
    ),
    "one row over the whole month": (
        "A 2024-01-01..",
        "A standard_agent 10 2024-01-01..",
        "2026-10-01..2026-10-31 10",
    ),
    "a change in mid-month": (
        "A 2024-01-01..",
        "A standard_agent 10 ..2026-10-15 | A standard_agent 12 2026-10-16..",
        "2026-10-01..2026-10-15 10, 2026-10-16..2026-10-31 12",
    ),
    "a contract replaced by an equal one does not change it": (
        "A 2024-01-01..2026-10-15 | B 2026-10-16..",
        "A standard_agent 10 .. | B standard_agent 10 ..",
        "2026-10-01..2026-10-31 10",
    ),
    "a gap between two contracts": (
        "A 2024-01-01..2026-10-15 | B 2026-10-18..",
        "A standard_agent 10 .. | B standard_agent 10 ..",
        "2026-10-01..2026-10-15 10, 2026-10-16..2026-10-17 0, 2026-10-18..2026-10-31 10",
    ),
    "another subscription's end changes nothing": (
        "A 2024-01-01.. | B 2024-01-01..2026-10-15",
        "A standard_agent 10 ..",
        "2026-10-01..2026-10-31 10",
    ),
    "on-premises rows do not count": (
        "A 2024-01-01..",
        "A standard_agent 10 .. | A standard_agent 90 .. on_premises",
        "2026-10-01..2026-10-31 10",
    ),
}


@pytest.mark.parametrize("case", CONSTANT)
def test_the_stretches_of_october_over_which_it_does_not_change(case: str) -> None:
    """R5.1, R5.3, R5.4."""
    subscriptions, entitlements, expected = CONSTANT[case]
    who = tenant(subscriptions.replace("|", "\n"), entitlements.replace("|", "\n"))
    assert _stretches(who, "standard_agent") == expected


def test_two_ivr_ports_come_with_each_agent_besides_their_own_rows() -> None:
    """R5.2: (10 + 5) agents times 2, and 3 of their own; from the 16th 8 agents, the 21st none."""
    who = tenant(
        "A 2024-01-01..\nB 2024-01-01..2026-10-20",
        """
        A standard_agent 10 ..2026-10-15
        B premium_agent   5 2024-01-01..
        A standard_agent  3 2026-10-16..2026-10-20
        A standard_agent  9 2024-01-01.. on_premises
        A ivr_port        3 2024-01-01..
        """,
    )
    assert _stretches(who, "ivr_port") == (
        "2026-10-01..2026-10-15 33, 2026-10-16..2026-10-20 19, 2026-10-21..2026-10-31 3"
    )
    assert _stretches(who, "premium_agent") == "2026-10-01..2026-10-20 5, 2026-10-21..2026-10-31 0"


def test_ports_come_with_agents_alone_and_ports_bring_no_agents() -> None:
    """R5.2."""
    who = tenant("A 2024-01-01..", "A standard_agent 10 ..")
    assert quantity_on(who, "ivr_port", SHIPPED, october(1)) == 20
    assert quantity_on(who, "ivr_outbound_port", SHIPPED, october(1)) == 0
    who = tenant("A 2024-01-01..", "A ivr_port 10 ..")
    assert quantity_on(who, "standard_agent", SHIPPED, october(1)) == 0


def test_what_comes_with_a_meter_is_data() -> None:
    """R5.2, R7.3: 1.5 for each AI Agent unit, and not what those units themselves come with."""
    meters = dict(SHIPPED)
    meters["ai_assistant"] = replace(
        SHIPPED["ai_assistant"], included_with=("ivr_port",), included_ratio=Decimal("1.5")
    )
    who = tenant("A 2024-01-01..", "A ivr_port 3 ..\nA standard_agent 10 ..")
    assert quantity_on(who, "ai_assistant", meters, october(1)) == Decimal("4.5")


ALLOWANCES = {
    # (period, subscriptions, entitlements, allowance): unit-days ÷ days of the period
    "the whole month": (
        OCTOBER,
        "A 2024-01-01..",
        "A ai_agent 1000 ..",
        "1000",
    ),
    "replaced in mid-month: (15 x 1000 + 16 x 2000) / 31, not 3000": (
        OCTOBER,
        "A 2024-01-01..2026-10-15 | B 2026-10-16..",
        "A ai_agent 1000 .. | B ai_agent 2000 ..",
        "1516.129032",
    ),
    "both on one day count both: (15 x 1000 + 17 x 2000) / 31": (
        OCTOBER,
        "A 2024-01-01..2026-10-15 | B 2026-10-15..",
        "A ai_agent 1000 .. | B ai_agent 2000 ..",
        "1580.645161",
    ),
    "one day: 31 / 31": (
        OCTOBER,
        "A 2024-01-01..",
        "A ai_agent 31 2026-10-31..2026-10-31",
        "1",
    ),
    "a tie goes up: 0.000001 x 15 / 30": (
        APRIL,
        "A 2024-01-01..",
        "A ai_agent 0.000001 2026-04-16..",
        "0.000001",
    ),
    "just below a tie: 0.000001 x 14 / 30": (
        APRIL,
        "A 2024-01-01..",
        "A ai_agent 0.000001 2026-04-17..",
        "0.000000",
    ),
    "rounded once: 2 x 0.000001 x 10 / 30 is 0.00000067, each part alone is 0": (
        APRIL,
        "A 2024-01-01..",
        "A ai_agent 0.000001 ..2026-04-10 | A ai_agent 0.000001 2026-04-21..",
        "0.000001",
    ),
    "no service, no allowance": (
        APRIL,
        "A 2024-01-01..2026-03-31",
        "A ai_agent 1000 ..",
        "0",
    ),
}


@pytest.mark.parametrize("case", ALLOWANCES)
def test_the_allowance_of_a_summed_meter(case: str) -> None:
    """R5.5."""
    period, subscriptions, entitlements, expected = ALLOWANCES[case]
    who = tenant(subscriptions.replace("|", "\n"), entitlements.replace("|", "\n"))
    assert allowance(stretches(who, "ai_agent", SHIPPED, period), period) == Decimal(expected)
