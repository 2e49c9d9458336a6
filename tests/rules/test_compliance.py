"""R8: what a tenant may not do, and what never is a finding."""

from __future__ import annotations

import pytest

from pipeline.findings import OF_RULES
from pipeline.rules.compliance import (
    compliance_findings,
    license_model,
    license_models_on,
    mixes_license_models,
)
from tests.rules.build import OCTOBER, october, tenant

LICENCES = [
    # subscriptions, the model that measures October, the finding
    ("A 2024-01-01.. | B 2025-01-01..", "concurrent", None),
    ("A 2024-01-01.. named | B 2025-01-01.. named", "named", None),
    ("A 2024-01-01.. | B 2025-01-01.. named", "concurrent", "mixed_license_models"),
    # One shared day is enough.
    ("A 2024-01-01..2026-10-16 | B 2026-10-16.. named", "named", "mixed_license_models"),
    # The day after the other's end is one after the other: the closing primary's model.
    ("A 2024-01-01..2026-10-15 | B 2026-10-16.. named", "named", "license_model_changed"),
    ("B 2024-01-01..2026-10-15 named | A 2026-10-16..", "concurrent", "license_model_changed"),
    # The same subscription, renewed under the other model.
    ("A 2024-01-01..2026-10-15 | A 2026-10-16.. named", "named", "license_model_changed"),
    ("A 2024-01-01..2026-10-15 named | A 2026-10-16..", "concurrent", "license_model_changed"),
    # A gap, after which the month ends without service: the last that served.
    ("A 2024-01-01..2026-10-05 | B 2026-10-10..2026-10-20 named", "named", "license_model_changed"),
    # Days outside the period, and rows without service, play no part.
    ("A 2024-01-01..2026-09-30 | B 2026-09-01.. named", "named", None),
    ("A 2024-01-01.. | B 2025-01-01.. named trial", "concurrent", None),
    ("A 2024-01-01.. | B 2025-01-01.. named suspended", "concurrent", None),
    ("A 2024-01-01.. | A 2023-01-01..2023-12-31 named", "concurrent", None),
    ("A 2024-01-01..2026-09-30 | B 2026-11-01.. named", None, None),
    # Two of one model and one of the other, which is gone before the second of them comes.
    (
        "A 2024-01-01..2026-10-10 | B 2026-10-11..2026-10-20 named | C 2026-10-21..",
        "concurrent",
        "license_model_changed",
    ),
]


@pytest.mark.parametrize(("subscriptions", "model", "code"), LICENCES)
def test_concurrent_and_named_are_not_mixed_on_one_day(
    subscriptions: str, model: str | None, code: str | None
) -> None:
    """R8.1."""
    who = tenant(subscriptions.replace("|", "\n"))
    assert license_model(who, OCTOBER) == model
    assert [found.code for found in compliance_findings(who, OCTOBER)] == ([code] if code else [])
    assert mixes_license_models(who, OCTOBER) is (code == "mixed_license_models")


def test_an_override_decides_which_model_measures_a_month_of_both() -> None:
    """R2.2, R8.1: the closing primary's, although A is older; B alone is active at the end."""
    who = tenant("A 2024-01-01..2026-10-15\nB 2026-10-16.. named", override="B")
    assert license_model(who, OCTOBER) == "named"


def test_the_models_of_a_day_name_their_subscriptions() -> None:
    who = tenant("A 2024-01-01..\nB 2025-01-01.. named\nC 2025-06-01..2026-10-15")
    assert license_models_on(who, october(15)) == {"concurrent": ["A", "C"], "named": ["B"]}
    assert license_models_on(who, october(16)) == {"concurrent": ["A"], "named": ["B"]}
    (found,) = compliance_findings(who, OCTOBER)
    assert "(concurrent: A, C; named: B); nothing of 2026-10 is measured" in found.message
    assert (found.severity, found.rule, found.subject) == ("error", "R8.1", None)


def test_a_change_of_model_says_how_the_month_is_measured() -> None:
    (found,) = compliance_findings(
        tenant("A 2024-01-01..2026-10-15\nB 2026-10-16.. named"), OCTOBER
    )
    assert "the whole period is measured as named" in found.message
    assert (found.severity, found.rule) == ("warning", "R8.1")


TELEPHONY = [
    ("A 2024-01-01.. vpop | B 2025-01-01.. vpop", None),
    ("A 2024-01-01.. | B 2025-01-01..", None),
    # A subscription that states none differs from nobody.
    ("A 2024-01-01.. vpop | B 2025-01-01..", None),
    (
        "A 2024-01-01.. vpop | B 2025-01-01.. webex_calling",
        "A has vpop, but B has webex_calling: the tenant mixes telephony options.",
    ),
    # The first is the oldest, not the smallest id.
    (
        "A 2025-01-01.. vpop | B 2024-01-01.. webex_calling",
        "B has webex_calling, but A has vpop: the tenant mixes telephony options.",
    ),
    (
        "A 2024-01-01.. | D 2024-06-01.. vpop | C 2025-01-01.. bundled_pstn "
        "| B 2026-01-01.. webex_calling | E 2026-02-01.. vpop",
        "D has vpop, but B has webex_calling, C has bundled_pstn: "
        "the tenant mixes telephony options.",
    ),
    # In the period, though never on the same day.
    (
        "A 2024-01-01..2026-10-15 vpop | B 2026-10-16.. bundled_pstn",
        "A has vpop, but B has bundled_pstn: the tenant mixes telephony options.",
    ),
    # Outside the period, or out of service.
    ("A 2024-01-01..2026-09-30 vpop | B 2025-01-01.. bundled_pstn", None),
    ("A 2024-01-01.. vpop | B 2025-01-01.. bundled_pstn pending", None),
]


@pytest.mark.parametrize(("subscriptions", "message"), TELEPHONY)
def test_a_mix_of_telephony_options_is_reported(subscriptions: str, message: str | None) -> None:
    """R8.2: this report is the only one, and billing goes on."""
    found = compliance_findings(tenant(subscriptions.replace("|", "\n")), OCTOBER)
    assert [one.message for one in found] == ([message] if message else [])
    assert {(one.code, one.severity, one.rule) for one in found} == (
        {("mixed_telephony", "warning", "R8.2")} if message else set()
    )


@pytest.mark.parametrize("deployment", ["cloud", "hybrid", "on_premises"])
def test_flex_with_flex_3_and_hybrid_deployments_are_allowed(deployment: str) -> None:
    """R8.3: never a finding."""
    who = tenant(f"A 2024-01-01.. flex {deployment}\nB 2025-01-01.. flex3\nC 2025-01-01.. hybrid")
    assert compliance_findings(who, OCTOBER) == []
    assert license_model(who, OCTOBER) == "concurrent"


def test_both_kinds_of_mix_are_told_at_once() -> None:
    """R8.1, R8.2."""
    who = tenant("A 2024-01-01.. vpop\nB 2025-01-01.. bundled_pstn named")
    assert [found.code for found in compliance_findings(who, OCTOBER)] == [
        "mixed_license_models",
        "mixed_telephony",
    ]


def test_the_codes_are_those_of_the_rule_book() -> None:
    """R8.4."""
    of: dict[str, list[str]] = {}
    for code, (severity, _) in OF_RULES.items():
        of.setdefault(severity, []).append(code)
    assert {severity: " ".join(codes) for severity, codes in of.items()} == {
        "error": "mixed_license_models no_active_subscription missing_rate broken_terms",
        "warning": "license_model_changed mixed_telephony primary_tie unassigned_to_primary "
        "unknown_to_primary inactive_to_primary open_sessions no_entitled_subscription "
        "access_lost quarantined",
        "notice": "primary_changed superseded partner_read_only unknown_columns",
    }
