"""R7: which subscription pays the overage of a meter."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from pipeline.period import Days, Period
from pipeline.rules.catalogue import SHIPPED
from pipeline.rules.payer import closing_holders, first_had, payer, responsible_subscription
from pipeline.rules.primary import closing_primary
from pipeline.rules.terms import Entitlement, Tenant
from tests.rules.build import OCTOBER, day, days, tenant


def _pays(who: Tenant, meter: str, period: Period = OCTOBER) -> str:
    primary = closing_primary(who, period)
    assert primary is not None
    found = payer(who, SHIPPED[meter], period, primary)
    return f"{found.subscription_id} as fallback" if found.is_fallback else found.subscription_id


@pytest.mark.parametrize(
    ("meter", "pays"),
    [
        ("standard_agent", "A"),
        ("premium_agent", "A"),
        ("ivr_port", "A"),
        ("toll_free_call", "A"),
        ("recording_storage", "A"),
        ("ai_agent", "B"),
        ("ai_assistant", "B"),
        ("ivr_outbound_port", "B"),
    ],
)
def test_the_shipped_meters_go_to_the_primary_or_to_who_had_them(meter: str, pays: str) -> None:
    """R7.1, R7.2: A is primary, B alone has the meter."""
    who = tenant("A 2024-01-01..\nB 2025-01-01..", f"B {meter} 1 ..")
    assert _pays(who, meter) == pays


def test_the_primary_that_pays_is_the_closing_one() -> None:
    """R7.1: all of it, also what was used while A was still there."""
    who = tenant("A 2024-01-01..2026-10-30\nB 2025-01-01..", "A standard_agent 9 ..")
    assert _pays(who, "standard_agent") == "B"


def test_the_older_article_is_one_setting_of_the_catalogue() -> None:
    """R7.3."""
    who = tenant("A 2024-01-01..\nB 2025-01-01..", "B ai_agent 1 ..")
    older = replace(SHIPPED["ai_agent"], overage_to="primary")
    found = payer(who, older, OCTOBER, "A")
    assert (found.subscription_id, found.is_fallback) == ("A", False)
    assert found.because == "A is the primary subscription at the end of 2026-10 (R7.1)"


LIFE = tenant(
    """
    A 2024-01-01..2026-03-31 expired
    A 2026-07-01..
    B 2025-01-01..
    C 2026-02-01..
    """,
    """
    A ai_agent          100 2024-01-01..
    B ai_agent          100 2025-01-01..
    C ai_assistant       50 2026-02-01..
    A ai_assistant       50 2026-09-01..
    """,
)
"""The cases of R7.2 as one tenant's life: A expires in March and is renewed in July."""


@pytest.mark.parametrize(
    ("month", "meter", "pays", "because"),
    [
        (1, "ai_agent", "A", "A is older than B, and both have the meter"),
        (3, "ai_agent", "A", "A still has it on the last day"),
        (4, "ai_agent", "B", "A has expired"),
        (2, "ai_assistant", "C", "C came later, with a meter nobody else has"),
        (7, "ai_agent", "A", "A is renewed, and responsible again for its meters"),
        (9, "ai_assistant", "C", "A only now adds it; C had it first"),
        (10, "ai_assistant", "C", "and still has it"),
    ],
)
def test_who_had_it_first_and_still_has_it_pays(
    month: int, meter: str, pays: str, because: str
) -> None:
    """R7.2, its cases."""
    assert _pays(LIFE, meter, Period(2026, month)) == pays, because


def test_nobody_had_the_assistant_before_c_came() -> None:
    """R7.2: January 2026 falls to the closing primary."""
    assert _pays(LIFE, "ai_assistant", Period(2026, 1)) == "A as fallback"


FIRST = {
    "the earliest start of the meter, not of the subscription": (
        "A 2020-01-01.. | B 2024-01-01..",
        "A ai_agent 1 2025-01-01.. | B ai_agent 1 2024-06-01..",
        "B",
    ),
    "a start before the subscription's own age counts from its age: a tie, and A is older": (
        "A 2024-01-01.. | B 2024-06-01..",
        "A ai_agent 1 2024-06-01.. | B ai_agent 1 2020-01-01..",
        "A",
    ),
    "ties: the older subscription": (
        "B 2023-01-01.. | A 2024-01-01..",
        "A ai_agent 1 2025-01-01.. | B ai_agent 1 2025-01-01..",
        "B",
    ),
    "ties of equal age: the smaller id": (
        "B 2024-01-01.. | A 2024-01-01..",
        "B ai_agent 1 2025-01-01.. | A ai_agent 1 2025-01-01..",
        "A",
    ),
    "the first-ever start counts, also across a gap in the entitlement": (
        "A 2020-01-01.. | B 2021-01-01..",
        "B ai_agent 1 2021-01-01..2021-12-31 | A ai_agent 1 2022-01-01.. "
        "| B ai_agent 1 2026-01-01..",
        "B",
    ),
    "a quantity of 0 says who is responsible": (
        "A 2020-01-01.. | B 2024-01-01..",
        "B ai_agent 0 2024-01-01..",
        "B",
    ),
    "who no longer has it on the closing day does not pay": (
        "A 2020-01-01.. | B 2024-01-01..",
        "A ai_agent 1 2020-01-01..2026-10-30 | B ai_agent 1 2026-10-31..",
        "B",
    ),
    "the closing day is the last on which any has it": (
        "A 2020-01-01.. | B 2024-01-01..",
        "A ai_agent 1 2020-01-01..2026-10-10 | B ai_agent 1 2021-01-01..2026-10-20",
        "B",
    ),
    "of those that have it on that day, the first": (
        "A 2020-01-01.. | B 2024-01-01..2026-10-20",
        "A ai_agent 1 2025-01-01..2026-10-20 | B ai_agent 1 2024-01-01..",
        "B",
    ),
    "nobody in the whole period: the closing primary": (
        "A 2020-01-01.. | B 2024-01-01..",
        "B ai_agent 1 2024-01-01..2026-09-30 | B ai_agent 1 2026-11-01..",
        "A as fallback",
    ),
    "an entitlement of a suspended subscription is not in force": (
        "A 2020-01-01.. | B 2024-01-01.. suspended",
        "B ai_agent 1 2024-01-01..",
        "A as fallback",
    ),
    "on-premises entitlements make nobody responsible": (
        "A 2020-01-01.. | B 2024-01-01..",
        "B ai_agent 1 2024-01-01.. on_premises",
        "A as fallback",
    ),
}


@pytest.mark.parametrize("case", FIRST)
def test_the_responsible_subscription_of_october(case: str) -> None:
    """R7.2."""
    subscriptions, entitlements, pays = FIRST[case]
    who = tenant(subscriptions.replace("|", "\n"), entitlements.replace("|", "\n"))
    assert _pays(who, "ai_agent") == pays


def test_a_payer_says_why() -> None:
    had = payer(LIFE, SHIPPED["ai_agent"], OCTOBER, "A")
    assert had.because == "A had ai_agent first and still has it (R7.2)"
    none = payer(LIFE, SHIPPED["ivr_outbound_port"], OCTOBER, "A")
    assert none.because == (
        "no subscription includes ivr_outbound_port, so the primary A pays (R7.2)"
    )
    assert responsible_subscription(LIFE, "ivr_outbound_port", OCTOBER) is None


def test_holders_are_those_with_the_meter_in_force_on_its_closing_day() -> None:
    """R7.2."""
    assert closing_holders(LIFE, "ai_agent", days("2026-03-01..2026-03-31")) == {"A", "B"}
    assert closing_holders(LIFE, "ai_agent", days("2026-03-01..2026-04-01")) == {"B"}
    assert closing_holders(LIFE, "ai_assistant", OCTOBER.days) == {"A", "C"}
    assert closing_holders(LIFE, "ivr_outbound_port", OCTOBER.days) == set()


def test_the_first_day_of_a_meter_is_asked_of_subscriptions_that_were_in_service() -> None:
    assert first_had(LIFE, "ai_agent", "A") == day("2024-01-01")
    assert first_had(LIFE, "ai_assistant", "A") == day("2026-09-01")
    never = Tenant("T", entitlements=(Entitlement("X", "ai_agent", Decimal(1), Days(1, 2)),))
    with pytest.raises(AssertionError, match="X holds ai_agent in force but was never in service"):
        first_had(never, "ai_agent", "X")
