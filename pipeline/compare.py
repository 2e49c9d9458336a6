"""Compare a month as it would be billed now with what stands of it, line by line, with reasons.

Belongs here: assembling both sides from the store. Does not belong here: what differs and why
(`issuing`), and what is done about it (`correct`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.draft import TABLES
from pipeline.findings import error_codes
from pipeline.fingerprint import billing_code
from pipeline.issuing.differences import differences, standing
from pipeline.issuing.inputs import Changed, Inputs
from pipeline.issuing.reasons import Line, reasons
from pipeline.period import Period
from pipeline.published import Published
from pipeline.run import WorkedOut, load_terms
from pipeline.stages.terms import Terms
from pipeline.store.landing import LandedStore, Listing
from schemas.datasets import CHANGES, INVOICE_LINES

UNKNOWN_NOW = "the exports name it no more"
"""Why a tenant that no terms are known of any more cannot be compared."""

_ABOUT = ["tenant_id", "subscription_id", "kind", "meter"]

Origin = tuple[int, str, tuple[tuple[str, str], ...]]
"""What lines were made from: number of the listing, version of the code, part of each stage."""


@dataclass(frozen=True)
class Month:
    """A month worked out again, and what it would change.

    `changes` has the columns of `CHANGES`. Tenants in `blocked` have error findings now, or are
    known no more: nothing can be said of what they owe.
    """

    worked: WorkedOut
    tenants: tuple[str, ...]
    changes: pl.DataFrame
    blocked: dict[str, str]


class Comparison:
    """What months are compared with: what is published in a store, and the terms behind it."""

    def __init__(self, store: Path) -> None:
        self.published = Published(store)
        self._landed = LandedStore(store)
        self._terms: dict[int, Terms] = {}
        self._issued = self.published.issued()

    @property
    def issued_invoices(self) -> pl.DataFrame:
        """Every invoice that was issued so far."""
        return self._issued.invoices

    def of_closed(self, worked: WorkedOut, closed: set[str]) -> Month:
        """Compare tenants that are closed in a month with what was issued of it."""
        period = worked.request.period
        lines = self._issued.lines.filter(pl.col("usage_period") == str(period))
        life = self.published.life
        entries = {tenant: life.stands_by(period, tenant) for tenant in closed}
        origins = {
            tenant: _origin(basis.listing, basis.code, basis.parts)
            for tenant, entry in entries.items()
            if entry is not None
            for basis in [entry.act.bases[period]]
        }
        return self._compared(worked, standing(lines), origins)

    def of_open(self, worked: WorkedOut, tenants: set[str]) -> Month:
        """Compare tenants that are open in a month with their published drafts."""
        run = worked.latest
        if run is None:
            return self._compared(worked, INVOICE_LINES.empty(), {})
        drafts = self.published.of_parts(INVOICE_LINES, run.period, run.parts)
        origin = _origin(run.listing, run.code, run.parts)
        stands = INVOICE_LINES.empty() if drafts is None else drafts
        return self._compared(worked, stands, dict.fromkeys(tenants, origin))

    def _compared(
        self, worked: WorkedOut, stands: pl.DataFrame, origins: Mapping[str, Origin]
    ) -> Month:
        blocked = self._blocked(worked, {*origins})
        compared = tuple(sorted(origins.keys() - blocked.keys()))
        is_compared = pl.col("tenant_id").is_in(compared)
        now = worked.draft.of(INVOICE_LINES.name)
        differing = differences(stands.filter(is_compared), now.filter(is_compared))
        changes = self._with_reasons(worked, differing, origins)
        return Month(worked, compared, changes, blocked)

    def _blocked(self, worked: WorkedOut, tenants: set[str]) -> dict[str, str]:
        known = self._terms_of(worked.listing).tenants
        unknown = dict.fromkeys(sorted(tenants - known.keys()), UNKNOWN_NOW)
        errors = error_codes(worked.draft.findings())
        return unknown | {one: codes for one, codes in errors.items() if one in tenants}

    def _with_reasons(
        self, worked: WorkedOut, differing: pl.DataFrame, origins: Mapping[str, Origin]
    ) -> pl.DataFrame:
        """What differs, with why in words and the exports that brought it."""
        since: dict[Origin, Changed] = {}
        told = []
        about_each = differing.group_by(_ABOUT).agg(
            pl.col("old_quantity").ne_missing("new_quantity").any(),
            pl.col("old_unit_price").ne_missing("new_unit_price").any(),
        )
        for row in about_each.sort(_ABOUT).iter_rows():
            line, about = Line(*row), row[:4]
            origin = origins[line.tenant_id]
            if origin not in since:
                since[origin] = self._changed(worked, origin)
            found = reasons(since[origin], line)
            exports = dict.fromkeys(name for reason in found for name in reason.exports)
            told.append((*about, "; ".join(one.words for one in found), ";".join(exports) or None))
        names = [*_ABOUT, "reason", "exports"]
        words = pl.DataFrame(told, schema=dict.fromkeys(names, pl.String()), orient="row")
        joined = differing.join(words, on=_ABOUT, how="left", maintain_order="left")
        return joined.match_to_schema(CHANGES.dtypes)

    def _changed(self, worked: WorkedOut, origin: Origin) -> Changed:
        """What is other in the inputs since lines were made."""
        number, code, parts = origin
        period = worked.request.period
        before, now = self._landed.listing_of(number), worked.listing
        return Changed(
            Inputs(
                before,
                code,
                lambda: self._terms_of(before),
                lambda name: self._rows(name, period, dict(parts)),
            ),
            Inputs(now, billing_code(), lambda: self._terms_of(now), worked.draft.of),
            self._landed,
            period,
        )

    def _rows(self, dataset: str, period: Period, parts: dict[str, str]) -> pl.DataFrame:
        rows = self.published.of_parts(TABLES[dataset], period, parts)
        return TABLES[dataset].empty() if rows is None else rows

    def _terms_of(self, listing: Listing) -> Terms:
        if listing.number not in self._terms:
            self._terms[listing.number] = load_terms(self._landed, listing)
        return self._terms[listing.number]


def _origin(listing: int, code: str, parts: Mapping[str, str]) -> Origin:
    return listing, code, tuple(sorted(parts.items()))
