"""Say who may still use which surface, as of a day.

Belongs here: asking `rules.access` for every user and partner. Does not belong here: the answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import polars as pl

from pipeline.findings import Finding
from pipeline.rules.access import Access, access_findings, partner_access, user_access
from pipeline.rules.terms import Tenant
from pipeline.stages.terms import Terms
from schemas.datasets import ACCESS


def access(terms: Terms, day: int) -> tuple[pl.DataFrame, list[Finding]]:
    """R9: one row a user and one a partner, of every tenant whose terms are not broken."""
    rows = [
        row
        for tenant in terms.sound_tenants
        for row in (*_users(tenant, day), *partner_access(tenant, day))
    ]
    frame = pl.DataFrame(rows, schema=ACCESS.dtypes, orient="row")
    return frame, access_findings(rows)


def _users(tenant: Tenant, day: int) -> Iterator[Access]:
    for user_id, rows in groupby(tenant.assignments, key=lambda row: row.user_id):
        yield user_access(tenant, user_id, list(rows), day)
