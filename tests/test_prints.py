"""Names for what the feeds state: the same terms have the same name, and each change another."""

from __future__ import annotations

import pytest

from pipeline.stages.terms import Terms
from tests.rules.build import rates, terms_of

SUBSCRIPTIONS = "A 2024-01-01.. monthly\nB 2025-01-01.."
ENTITLEMENTS = "A ai_agent 5 ..\nB ai_agent 2 .."
USERS = "anna agent premium A .."
PARTNERS = "P1 2024-01-01"


def _terms(
    subscriptions: str = SUBSCRIPTIONS,
    entitlements: str = ENTITLEMENTS,
    users: str = USERS,
    partners: str = PARTNERS,
    override: str | None = None,
    price: str = "1",
) -> Terms:
    prices = rates(f"* * USD {price} ..")
    return terms_of(subscriptions, entitlements, users, partners, override, prices)


def _prints(terms: Terms) -> dict[str, str]:
    return {
        "usage": terms.usage_print(["T"]),
        "access": terms.access_print(),
        "rates": terms.prints.rates,
    }


@pytest.mark.parametrize(
    ("changed", "named_anew"),
    [
        (_terms(), ""),
        (_terms(subscriptions="B 2025-01-01..\nA 2024-01-01.. monthly"), ""),
        (_terms(entitlements=ENTITLEMENTS + "\nA ai_agent 9 .. on_premises"), ""),
        (
            _terms(subscriptions=SUBSCRIPTIONS.replace("2024-01-01..", "2024-01-02..")),
            "usage access",
        ),
        (_terms(subscriptions=SUBSCRIPTIONS + "2026-12-31"), "usage access"),
        (_terms(subscriptions=SUBSCRIPTIONS + " named"), "usage access"),
        (_terms(subscriptions=SUBSCRIPTIONS + " EUR"), "usage access"),
        (_terms(override="B"), "usage access"),
        (_terms(entitlements=ENTITLEMENTS.replace("5", "6")), "usage"),
        (_terms(entitlements=ENTITLEMENTS + "2026-12-31"), "usage"),
        (_terms(users=USERS.replace("premium", "standard")), "usage access"),
        (_terms(users=USERS.replace("agent", "admin")), "usage access"),
        (_terms(users=USERS + "2026-12-31"), "usage access"),
        (_terms(partners="P1 2024-01-02"), "access"),
        (_terms(partners="P1 2024-01-01 full_admin"), "access"),
        (_terms(price="2"), "rates"),
    ],
)
def test_what_is_stated_otherwise_is_named_otherwise(changed: Terms, named_anew: str) -> None:
    before, after = _prints(_terms()), _prints(changed)
    assert [name for name in before if before[name] != after[name]] == named_anew.split()


def test_a_name_is_of_the_tenants_that_are_asked_for() -> None:
    terms = _terms()
    assert terms.usage_print(["T"]) != terms.usage_print([])
    assert terms.usage_print(["T"]) == terms.of(["T"]).usage_print(["T"])


def test_a_broken_row_of_the_tenant_changes_the_name_of_its_terms() -> None:
    """It blocks the tenant (R11.2), whatever else is stated."""
    broken = _terms(partners=PARTNERS + "\nP1 2025-01-01")
    assert broken.blocked == {"T"}
    assert _prints(broken)["usage"] != _prints(_terms())["usage"]
