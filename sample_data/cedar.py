"""Cedar Health: one tenant, one month, told once; its exports and feeds are two ways to write it.

Belongs here: what the tenant did and what it bought. Does not belong here: how that is written
(`make_exports.py`).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from story import Story, days

TENANT = "cedar-health"
ORGANISATION = "5f0c1f6e-31c7-4c39-8f5d-6b1b7b0c2d11"
"""What Webex calls the tenant."""

ZONE = "Europe/London"
FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
CHANGE = date(2026, 10, 16)
"""The day of the second snapshots: more seats, and one agent with another licence."""

CONTRACTS = """
subscription_id offer license_model status start_date currency
CH-HOSPITAL     flex3 concurrent    active 2024-02-01 GBP
CH-BILLING      flex3 concurrent    active 2025-06-01 GBP
"""

SEATS = """
subscription_id meter          quantity from
CH-HOSPITAL     standard_agent 8        2026-10-01
CH-HOSPITAL     standard_agent 9        2026-10-16
CH-BILLING      premium_agent  3        2026-10-01
CH-BILLING      premium_agent  3        2026-10-16
"""

PRICES = """
meter               charge    unit_price
standard_agent      committed 92
standard_agent      overage   138.50
premium_agent       committed 136
premium_agent       overage   204
ivr_port            overage   31.25
toll_free_call      overage   17.40
ai_agent            overage   0.41
connect_sms         per_unit  0.0079
connect_whatsapp    per_unit  0.0145
connect_interaction per_unit  0.048
"""

HOSPITAL, BILLING = range(1, 11), range(11, 15)
PROMOTED = "ch-agent-10"
"""Standard at the hospital until the second snapshot, premium in the billing office from it."""


def user_of(agent: str) -> str:
    """The e-mail address that an agent signs in with."""
    return f"{agent}@cedar-health.example"


def cedar_health() -> Story:
    """Two departments: the hospital's agents are over their seats on two Mondays."""
    story = Story(TENANT, ZONE, "ch")
    pick = story.rng.randint
    hospital = story.hire("agent", HOSPITAL, "CH-HOSPITAL", "standard")
    office = story.hire("agent", BILLING, "CH-BILLING", "premium")
    story.hire("admin", [1], "CH-HOSPITAL", "none")
    for day in days(FIRST - timedelta(days=3), LAST):
        is_open = day.weekday() < 5
        on = len(hospital) if day.weekday() == 0 else pick(6, 8)
        for agent in story.rng.sample(hospital, on) if is_open else hospital[:2]:
            story.shift(day, agent, "", "")
        for agent in office if is_open else []:
            story.shift(day, agent, "", "")
        night = story.at(day, 1320), story.at(day, 1830)
        story.add("", "", *night, user=hospital[pick(0, 8)])
        story.calls(day, 12 if is_open else 5, "ivr_port", [""], (7, 20))
        story.calls(day, 6 if is_open else 2, "toll_free_call", [""], (8, 18))
        if day >= FIRST:
            for _ in range(3):
                start = story.at(day, pick(420, 1200))
                story.add("ai_agent", "", start, quantity=Decimal(1))
            for meter, most in (("sms", 160), ("whatsapp", 40), ("interaction", 90)):
                sent = Decimal(pick(5, most))
                start = story.at(day, 720).replace(hour=0, minute=0)
                story.add(f"connect_{meter}", "", start, quantity=sent)
    return story
