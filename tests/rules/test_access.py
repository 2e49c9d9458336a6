"""R9: who may still use which surface, as of a day."""

from __future__ import annotations

import pytest

from pipeline.rules.access import Access, access_findings, partner_access, user_access
from tests.rules.build import assignments, day, tenant

AS_OF = "2026-10-31"

SUBSCRIPTIONS = """
    A        2024-01-01..2026-10-15 expired
    B        2025-01-01..
    Soon     2025-02-01..2026-11-30
    Later    2025-03-01..2026-12-01
    Today    2025-04-01..2026-10-31
    Renewed  2025-05-01..2026-11-10
    Renewed  2026-11-11..
    Twice    2025-06-01..2026-11-10
    Twice    2026-11-11..2026-11-20
    Twice    2026-11-21..2026-12-01
    Gap      2025-07-01..2026-11-10
    Gap      2026-11-12..
    Trial    2025-08-01.. trial
    Next     2026-11-01..
    Returned 2024-01-01..2025-12-31
    Returned 2026-10-31..
"""


def _access(rows: str, on: str = AS_OF, subscriptions: str = SUBSCRIPTIONS) -> Access:
    """The access of the user u, whose rows are divided by bars."""
    return user_access(tenant(subscriptions), "u", assignments(rows.replace("|", "\n")), day(on))


@pytest.mark.parametrize(
    ("rows", "access", "reason"),
    [
        ("agent none B ..", "granted", "assigned"),
        ("agent none B ..2026-10-31", "granted", "assigned"),
        ("agent none Later ..", "granted", "assigned"),  # ends 31 days after
        ("agent none Soon ..", "granted", "expires_soon"),  # ends 30 days after
        ("agent none Today ..", "granted", "expires_soon"),
        # A renewal without a gap goes on; one with a gap does not.
        ("agent none Renewed ..", "granted", "assigned"),
        ("agent none Twice ..", "granted", "assigned"),
        ("agent none Gap ..", "granted", "expires_soon"),
        ("agent none Returned ..", "granted", "assigned"),
        # Assigned, but to none that is active; B is active and does not help.
        ("agent none A ..", "lost", "subscription_inactive"),
        ("agent none Trial ..", "lost", "subscription_inactive"),
        ("agent none Next ..", "lost", "subscription_inactive"),
        ("agent none Nowhere ..", "lost", "subscription_inactive"),
        # No row covers the day, or it names no subscription.
        ("agent none B ..2026-10-30", "lost", "not_assigned"),
        ("agent none B 2026-11-01..", "lost", "not_assigned"),
        ("agent none - ..", "lost", "not_assigned"),
        # Several rows: one that grants is enough, and one that lasts.
        ("agent none A .. | agent none B ..", "granted", "assigned"),
        ("agent none Soon .. | agent none B ..", "granted", "assigned"),
        ("agent none Soon .. | agent none Gap ..", "granted", "expires_soon"),
        ("agent none Soon .. | agent none B ..2026-10-30", "granted", "expires_soon"),
        ("agent none - .. | agent none A ..", "lost", "subscription_inactive"),
        ("agent none - .. | agent none A ..2026-10-30", "lost", "not_assigned"),
    ],
)
def test_access_goes_with_the_subscription_assigned_on_the_day(
    rows: str, access: str, reason: str
) -> None:
    """R9.1, R9.3."""
    found = _access(rows)
    assert (found.tenant_id, found.kind, found.id) == ("T", "user", "u")
    assert (found.access, found.reason) == (access, reason)
    assert (found.surfaces is None) is (access == "lost")
    assert (found.remedy is None) is (reason == "assigned")


@pytest.mark.parametrize(
    ("on", "reason"),
    [
        ("2026-10-15", "expires_soon"),
        ("2026-10-16", "subscription_inactive"),
        ("2026-09-15", "expires_soon"),  # 30 days before the last one
        ("2026-09-14", "assigned"),
    ],
)
def test_the_answer_is_as_of_a_day(on: str, reason: str) -> None:
    """R9: A ends with 2026-10-15."""
    assert _access("agent none A ..", on).reason == reason


@pytest.mark.parametrize(
    ("rows", "roles", "surfaces"),
    [
        ("agent none B ..", "agent", "agent_desktop"),
        ("supervisor none B ..", "supervisor", "agent_desktop"),
        ("admin none B ..", "admin", "control_hub;connect;engage"),
        (
            "supervisor none B .. | admin none B .. | agent none B ..",
            "admin;agent;supervisor",
            "control_hub;connect;engage;agent_desktop",
        ),
        ("agent none B .. | supervisor none B ..", "agent;supervisor", "agent_desktop"),
        # A role whose subscription has ended opens nothing, but is still the user's.
        ("agent none B .. | admin none A ..", "admin;agent", "agent_desktop"),
        ("agent none B .. | admin none - ..", "admin;agent", "agent_desktop"),
        ("agent none B .. | admin none B ..2026-10-30", "agent", "agent_desktop"),
        # Lost: the roles of the rows of the day, else of all rows.
        ("admin none A .. | agent none B ..2026-10-30", "admin", None),
        ("admin none A ..2026-10-15 | agent none B ..2026-10-30", "admin;agent", None),
    ],
)
def test_each_role_opens_its_surfaces(rows: str, roles: str, surfaces: str | None) -> None:
    """R9.2."""
    found = _access(rows)
    assert (found.role, found.surfaces) == (roles, surfaces)


@pytest.mark.parametrize(
    ("subscriptions", "rows", "remedy"),
    [
        (
            "A ..2026-10-15 | C 2025-01-01.. | B 2026-01-01.. | D 2026-02-01.. trial",
            "agent none A ..",
            "assign the user to C or B",
        ),
        (
            "A ..2026-10-15 | B 2026-11-01..",
            "agent none A ..",
            "no other subscription is active: renew one, then assign the user to it",
        ),
        (
            "A 2024-01-01..2026-11-15 | B 2025-01-01..",
            "agent none A ..",
            "access ends on 2026-11-15: assign the user to B",
        ),
        # The last of the days on which what grants it ends; neither of them is where to move.
        (
            "A 2024-01-01..2026-11-15 | B 2025-01-01..2026-11-20 | C 2026-01-01..",
            "agent none A .. | agent none B ..",
            "access ends on 2026-11-20: assign the user to C",
        ),
        (
            "A 2024-01-01..2026-11-15",
            "agent none A ..",
            "access ends on 2026-11-15: no other subscription is active: renew one, then assign "
            "the user to it",
        ),
    ],
)
def test_a_remedy_names_the_active_subscriptions_to_move_to(
    subscriptions: str, rows: str, remedy: str
) -> None:
    """R9.3; the oldest first."""
    stated = subscriptions.replace("A ..", "A 2023-01-01..").replace("|", "\n")
    assert _access(rows, subscriptions=stated).remedy == remedy


PARTNERS = [
    # partners, then each as id:access:reason
    ("", ""),
    ("P1 2024-01-01", "P1:granted:first_partner"),
    (
        "P2 2024-01-01 | P1 2025-01-01",
        "P2:granted:first_partner P1:read_only:provisioning_admin",
    ),
    ("P2 2024-01-01 | P1 2024-01-01", "P1:granted:first_partner P2:read_only:provisioning_admin"),
    (
        "P1 2024-01-01 | P2 2025-01-01 full_admin | P3 2025-01-01",
        "P1:granted:first_partner P2:granted:full_admin P3:read_only:provisioning_admin",
    ),
    # As of a day: who is added later is not there yet.
    ("P1 2026-10-31 | P2 2026-11-01", "P1:granted:first_partner"),
]


@pytest.mark.parametrize(("partners", "expected"), PARTNERS)
def test_a_further_partner_may_read_until_it_is_a_full_administrator(
    partners: str, expected: str
) -> None:
    """R9.4."""
    who = tenant("A 2024-01-01..", partners=partners.replace("|", "\n"))
    found = partner_access(who, day(AS_OF))
    assert " ".join(f"{one.id}:{one.access}:{one.reason}" for one in found) == expected
    for one in found:
        assert (one.tenant_id, one.kind, one.surfaces) == ("T", "partner", "control_hub")
        ask = "ask the customer's full administrator for full_admin"
        assert one.remedy == (ask if one.access == "read_only" else None)


def test_lost_access_and_a_partner_that_may_only_read_are_findings() -> None:
    """R9.3, R9.4: one a user or partner; nothing is said of those who have access."""
    who = tenant("A 2024-01-01..", partners="P1 2024-01-01\nP2 2025-01-01")
    rows = [
        _access("agent none A .."),
        _access("agent none B .."),
        _access("agent none Soon .."),
        *partner_access(who, day(AS_OF)),
    ]
    lost, reads = access_findings(rows)
    assert (lost.code, lost.severity, lost.rule, lost.subject) == (
        "access_lost",
        "warning",
        "R9.3",
        "u",
    )
    assert lost.message == "User u has lost access (subscription_inactive)."
    assert lost.remedy.startswith("assign the user to Returned or B or Soon or ")
    assert (reads.code, reads.severity, reads.rule, reads.subject) == (
        "partner_read_only",
        "notice",
        "R9.4",
        "P2",
    )
