"""R1 and R2: when a subscription is active, how old it is, and which one is the primary."""

from __future__ import annotations

import pytest

from pipeline.rules.primary import (
    closing_primary,
    opening_primary,
    primaries,
    primary_findings,
    primary_on,
    tied_on,
)
from tests.rules.build import OCTOBER, day, days, october, said, subscription, tenant

OCTOBER_DAYS = OCTOBER.days


@pytest.mark.parametrize(
    ("on", "is_active"),
    [
        ("2026-10-04", False),
        ("2026-10-05", True),
        ("2026-10-09", True),
        ("2026-10-10", False),
    ],
)
def test_both_ends_of_a_row_are_in_service(on: str, is_active: bool) -> None:
    """R1.1."""
    one = subscription(tenant("A 2026-10-05..2026-10-09"), "A")
    assert one.is_active(day(on)) is is_active


def test_a_row_without_an_end_is_still_running() -> None:
    """R1.1."""
    one = subscription(tenant("A 2026-10-05.."), "A")
    assert one.is_active(day("9999-12-31"))
    assert not one.is_active(day("2026-10-04"))


@pytest.mark.parametrize(
    ("status", "serves"),
    [
        ("active", True),
        ("expired", True),
        ("cancelled", True),
        ("trial", False),
        ("pending", False),
        ("suspended", False),
    ],
)
def test_only_some_statuses_are_service(status: str, serves: bool) -> None:
    """R1.2: the interval is the truth of what was in service, whatever has become of it since."""
    one = subscription(tenant(f"A 2026-01-01..2026-10-15 {status}"), "A")
    assert one.is_active(october(15)) is serves
    assert not one.is_active(october(16))
    assert one.is_active_within(OCTOBER_DAYS) is serves
    assert one.age == (day("2026-01-01") if serves else None)


def test_a_renewal_keeps_the_age_also_across_a_gap() -> None:
    """R1.3."""
    renewed = """
        A 2020-01-01..2021-12-31
        A 2026-10-10..
        B 2022-01-01..
    """
    one = subscription(tenant(renewed), "A")
    assert one.age == day("2020-01-01")
    assert [one.is_active(october(9)), one.is_active(october(10))] == [False, True]
    assert said(primaries(tenant(renewed), OCTOBER_DAYS)) == (
        "2026-10-01..2026-10-09 B, 2026-10-10..2026-10-31 A"
    )


@pytest.mark.parametrize("status", ["trial", "pending", "suspended"])
def test_days_without_service_make_nobody_older(status: str) -> None:
    """R1.2, R1.3: A was there first, but B was in service first."""
    terms = f"""
        A 2020-01-01..2023-12-31 {status}
        A 2024-01-01..
        B 2022-01-01..
    """
    assert subscription(tenant(terms), "A").age == day("2024-01-01")
    assert primary_on(tenant(terms), october(1)) == "B"


def test_a_subscription_serves_under_the_terms_of_the_row_of_that_day() -> None:
    """R1.1: each row has its own licence model and billing frequency."""
    one = subscription(
        tenant("""
            A 2026-01-01..2026-10-15 annual
            A 2026-10-16..           named quarterly
        """),
        "A",
    )
    before, after = one.service_on(october(15)), one.service_on(october(16))
    assert before and (before.license_model, before.billing_frequency) == ("concurrent", "annual")
    assert after and (after.license_model, after.billing_frequency) == ("named", "quarterly")
    assert one.service_on(day("2025-12-31")) is None


def test_active_subscriptions_stand_in_order_of_age_then_id() -> None:
    """R2.1, R2.2."""
    who = tenant("""
        D 2021-01-01..
        C 2020-01-01..2026-10-15
        B 2021-01-01..
        A 2022-01-01..
    """)
    assert [one.id for one in who.active_on(october(15))] == ["C", "B", "D", "A"]
    assert [one.id for one in who.active_on(october(16))] == ["B", "D", "A"]
    later = days("2026-10-16..2026-10-31")
    assert [one.id for one in who.subscriptions] == ["C", "B", "D", "A"]
    assert all(one.is_active_within(OCTOBER_DAYS) for one in who.subscriptions)
    assert [one.id for one in who.subscriptions if one.is_active_within(later)] == ["B", "D", "A"]


PRIMARIES = {
    "the oldest is primary": (
        "A 2024-01-01.. | B 2023-01-01.. | C 2025-01-01..",
        None,
        "2026-10-01..2026-10-31 B",
    ),
    "the next oldest follows one that expires": (
        "A 2023-01-01..2026-10-15 expired | B 2025-01-01.. | C 2024-01-01..",
        None,
        "2026-10-01..2026-10-15 A, 2026-10-16..2026-10-31 C",
    ),
    "an older one that comes back takes over": (
        "A 2023-01-01..2026-09-30 | A 2026-10-20.. | B 2025-01-01..",
        None,
        "2026-10-01..2026-10-19 B, 2026-10-20..2026-10-31 A",
    ),
    "equal age: the smaller id": (
        "B 2024-01-01.. | A 2024-01-01..",
        None,
        "2026-10-01..2026-10-31 A",
    ),
    "ids are compared as texts": (
        "S9 2024-01-01.. | S10 2024-01-01..",
        None,
        "2026-10-01..2026-10-31 S10",
    ),
    "an override is primary, however young": (
        "A 2023-01-01.. | B 2026-01-01..",
        "B",
        "2026-10-01..2026-10-31 B",
    ),
    "an override holds on its active days only": (
        "A 2023-01-01.. | B 2026-10-05..2026-10-20 cancelled",
        "B",
        "2026-10-01..2026-10-04 A, 2026-10-05..2026-10-20 B, 2026-10-21..2026-10-31 A",
    ),
    "an override on trial never holds": (
        "A 2023-01-01.. | B 2026-01-01.. trial",
        "B",
        "2026-10-01..2026-10-31 A",
    ),
    "a day without any is nobody's": (
        "A 2023-01-01..2026-10-10 | B 2026-10-13..",
        None,
        "2026-10-01..2026-10-10 A, 2026-10-11..2026-10-12 None, 2026-10-13..2026-10-31 B",
    ),
}


@pytest.mark.parametrize("case", PRIMARIES)
def test_the_primary_of_each_day_of_october(case: str) -> None:
    """R2.1, R2.2."""
    subscriptions, override, expected = PRIMARIES[case]
    who = tenant(subscriptions.replace("|", "\n"), override=override)
    assert said(primaries(who, OCTOBER_DAYS)) == expected
    for piece, name in primaries(who, OCTOBER_DAYS):
        assert {primary_on(who, one) for one in piece} == {name}


@pytest.mark.parametrize(
    ("subscriptions", "opening", "closing"),
    [
        ("A 2024-01-01..", "A", "A"),
        ("A 2024-01-01..2026-10-15 | B 2025-01-01..", "A", "B"),
        # B ends early, and nobody is active on the last days: the last active day decides.
        ("A 2024-01-01..2026-10-15 | B 2025-01-01..2026-10-20", "A", "B"),
        ("A 2024-01-01..2026-10-20 | B 2025-01-01..2026-10-15", "A", "A"),
        # Nobody is active on the first days: the first active day decides.
        ("A 2026-10-10.. | B 2026-10-05..", "B", "B"),
        ("A 2026-10-10..2026-10-10", "A", "A"),
        ("A 2024-01-01..2026-09-30 | B 2026-11-01..", None, None),
        ("A 2024-01-01.. suspended", None, None),
    ],
)
def test_opening_and_closing_primary_are_of_days_with_service(
    subscriptions: str, opening: str | None, closing: str | None
) -> None:
    """R2.3."""
    who = tenant(subscriptions.replace("|", "\n"))
    assert (opening_primary(who, OCTOBER), closing_primary(who, OCTOBER)) == (opening, closing)


@pytest.mark.parametrize(
    ("subscriptions", "override", "codes"),
    [
        ("A 2024-01-01.. | B 2025-01-01..", None, []),
        ("A 2024-01-01..2026-09-30", None, []),
        ("A 2024-01-01..2026-10-15 | B 2025-01-01..", None, ["primary_changed"]),
        ("A 2024-01-01.. | B 2026-10-16..2026-10-20", "B", []),
        ("A 2024-01-01.. | B 2026-10-16..", "B", ["primary_changed"]),
        ("A 2024-01-01..2026-10-30 | B 2025-01-01..2026-10-20", None, []),
        ("A 2024-01-01.. | B 2024-01-01..", None, ["primary_tie"]),
        # Age is that of the first service: two renewals on one day are no tie.
        ("A 2020-01-01..2020-12-31 | A 2024-01-01.. | B 2024-01-01..", None, []),
        # An older one decides on every day of the month.
        ("A 2024-01-01.. | B 2024-01-01.. | C 2023-01-01..", None, []),
        # It does not after its end.
        (
            "A 2024-01-01.. | B 2024-01-01.. | C 2023-01-01..2026-10-30",
            None,
            ["primary_tie", "primary_changed"],
        ),
        ("A 2024-01-01.. | B 2024-01-01..", "B", []),
        ("A 2024-01-01.. | B 2024-01-01.. | C 2025-01-01..", "C", []),
        ("A 2024-01-01.. | B 2024-01-01..2026-09-30", None, []),
    ],
)
def test_what_is_said_about_the_primary(
    subscriptions: str, override: str | None, codes: list[str]
) -> None:
    """R2.2 `primary_tie`: only the id decides on some day. R2.3 `primary_changed`."""
    who = tenant(subscriptions.replace("|", "\n"), override=override)
    assert [found.code for found in primary_findings(who, OCTOBER)] == codes


def test_a_tie_names_all_that_are_equally_old_and_the_one_that_is_chosen() -> None:
    who = tenant("C 2024-01-01..\nA 2024-01-01..\nB 2024-01-01..\nD 2025-01-01..")
    assert [one.id for one in tied_on(who, october(1))] == ["A", "B", "C"]
    (found,) = primary_findings(who, OCTOBER)
    assert found.message == "A and B and C are equally old; A is primary by its smaller id."
    assert (found.severity, found.rule, found.tenant_id) == ("warning", "R2.2", "T")


def test_a_change_names_both() -> None:
    (found,) = primary_findings(tenant("A 2024-01-01..2026-10-15\nB 2025-01-01.."), OCTOBER)
    assert "was A at first and is B at the end of 2026-10" in found.message
    assert (found.severity, found.rule, found.subject) == ("notice", "R2.3", None)
