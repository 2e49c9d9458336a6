"""Findings: what a run has to say about a tenant, each with its rule, a sentence and a remedy.

Belongs here: the list of codes, and how a finding is made and told. Does not belong here: when one
arises; that is said beside the rule it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import polars as pl

from schemas.datasets import FINDINGS

ERROR, WARNING, NOTICE = "error", "warning", "notice"

OF_RULES: Final[dict[str, tuple[str, str]]] = {
    "mixed_license_models": (ERROR, "R8.1"),
    "no_active_subscription": (ERROR, "R3.5"),
    "missing_rate": (ERROR, "R10.1"),
    "broken_terms": (ERROR, "R11.2"),
    "license_model_changed": (WARNING, "R8.1"),
    "mixed_telephony": (WARNING, "R8.2"),
    "primary_tie": (WARNING, "R2.2"),
    "unassigned_to_primary": (WARNING, "R3.4"),
    "unknown_to_primary": (WARNING, "R3.4"),
    "inactive_to_primary": (WARNING, "R3.4"),
    "open_sessions": (WARNING, "R4.1"),
    "no_entitled_subscription": (WARNING, "R7.2"),
    "access_lost": (WARNING, "R9.3"),
    "quarantined": (WARNING, "R11.2"),
    "primary_changed": (NOTICE, "R2.3"),
    "superseded": (NOTICE, "R11.1"),
    "partner_read_only": (NOTICE, "R9.4"),
    "unknown_columns": (NOTICE, "R11.2"),
}
"""The codes that the rule book names, with their severity and rule (R8.4)."""

OF_EXPORTS: Final[dict[str, tuple[str, str]]] = {
    "export_not_whole": (WARNING, "R11.2"),
    "usage_not_queried": (WARNING, "R11.2"),
    "license_without_subscription": (WARNING, "R3.4"),
    "license_suspended": (WARNING, "R3.2"),
    "license_not_mapped": (WARNING, "R3.2"),
    "license_without_meter": (WARNING, "R5.1"),
    "license_contradicting": (WARNING, "R5.1"),
    "channel_unknown": (WARNING, "R11.2"),
    "no_export_of_days": (WARNING, "R11.2"),
    "extract_starts_late": (WARNING, "R4.1"),
    "export_older_than_data": (WARNING, "R11.2"),
    "snapshot_too_old": (WARNING, "R11.2"),
    "records_passed_over": (NOTICE, "R11.2"),
    "user_not_active": (NOTICE, "R9.1"),
    "channel_unbilled": (NOTICE, "R11.2"),
    "provisional_usage": (NOTICE, "R11.1"),
    "extracts_overlap": (NOTICE, "R11.1"),
    "snapshot_after_begin": (NOTICE, "R11.2"),
}
"""The codes of what sources say of their exports; a feed as it stands never has one."""

CODES: Final = {**OF_RULES, **OF_EXPORTS}
"""Every code there is: its severity, and the rule that it comes from (R8.4)."""


class Finding(NamedTuple):
    """One thing found about a tenant (or about an export, with no tenant)."""

    severity: str
    code: str
    rule: str
    tenant_id: str | None
    subject: str | None
    message: str
    remedy: str


def finding(
    code: str, tenant_id: str | None, message: str, remedy: str, *, subject: str | None = None
) -> Finding:
    """A finding of a known code, with its severity and rule."""
    severity, rule = CODES[code]
    return Finding(severity, code, rule, tenant_id, subject, message, remedy)


def counted(number: int, noun: str) -> str:
    """A number of things in words: `1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def to_frame(found: Iterable[Finding]) -> pl.DataFrame:
    """Findings as the dataset of that name."""
    return pl.DataFrame(list(found), schema=FINDINGS.dtypes, orient="row")


def error_codes(findings: pl.DataFrame) -> dict[str, str]:
    """The tenants with error findings, and the codes of these."""
    errors = findings.filter(pl.col("severity") == ERROR).drop_nulls("tenant_id")
    codes = errors.group_by("tenant_id").agg(pl.col("code").unique().sort().str.join(", "))
    return dict(codes.sort("tenant_id").iter_rows())
