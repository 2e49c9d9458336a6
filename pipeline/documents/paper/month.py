"""All that pages say of a month: its documents, figures, names and terms.

Belongs here: gathering it once for all pages. Does not belong here: what a page says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from pipeline.documents.export import BLOCKED, listing_at
from pipeline.documents.model import Invoice, Names, invoices_of, names_of
from pipeline.documents.paper.figures import Figures
from pipeline.period import FIRST_DAY, Days, Period
from pipeline.published import Published
from pipeline.rules.primary import closing_primary, primaries
from pipeline.rules.terms import Tenant
from pipeline.run import load_terms
from pipeline.stages.lines import label
from pipeline.store.landing import LandedStore
from schemas.datasets import (
    ACCESS,
    CONTROLS,
    CURVE,
    DAILY,
    FINDINGS,
    OCCUPANCY,
    OVERAGE,
    USAGE_SPLIT,
)

DRAWN = (USAGE_SPLIT, OVERAGE, OCCUPANCY, DAILY, FINDINGS, ACCESS, CONTROLS)
"""The datasets that pages show."""


@dataclass(frozen=True, slots=True)
class Month:
    """A month's documents and figures; `blocked` invoices lack a price and are for nobody yet."""

    period: Period
    figures: Figures
    invoices: tuple[Invoice, ...] = ()
    blocked: tuple[Invoice, ...] = ()
    names: Names = field(default_factory=Names)
    labels: Mapping[str, str] = field(default_factory=dict)
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()

    def invoices_of(self, tenant: str) -> list[Invoice]:
        """A tenant's documents that are dated in the month."""
        return [one for one in self.invoices if one.tenant_id == tenant]

    def label(self, meter: str) -> str:
        """What people call a meter."""
        return self.labels.get(meter, meter)

    def primary(self, tenant: str) -> tuple[str, date] | None:
        """R2.3: a tenant's closing primary, and since when it has been the primary."""
        who = self.tenants.get(tenant)
        primary = closing_primary(who, self.period) if who else None
        if who is None or primary is None:
            return None
        until = Days(FIRST_DAY, self.period.days.after)
        since = [days.first for days, one in primaries(who, until) if one == primary]
        return primary, date.fromordinal(max(since))


def month_of(
    store: Path,
    period: Period,
    only_tenants: frozenset[str] | None = None,
    *,
    with_drafts: bool = False,
    curve: pl.DataFrame | None = None,
) -> Month:
    """What is issued of a month, with the figures behind it; what is open too where asked for.

    `curve` is the dataset of that name, where days are to be drawn.
    """
    published, landed = Published(store), LandedStore(store)
    listing = listing_at(published, landed, period)
    if listing is None:
        return Month(period, Figures({}, period))
    drawn = {} if curve is None else {CURVE.name: curve}
    names, terms = names_of(landed, listing), load_terms(landed, listing)
    closed = frozenset(published.life.closed(period))
    shown = None if with_drafts else closed
    if only_tenants is not None:
        shown = only_tenants if shown is None else shown & only_tenants
    invoices = invoices_of(
        published, names, period, only_tenants=only_tenants, with_drafts=with_drafts
    )
    return Month(
        period,
        Figures({**_datasets(published, period, shown), **drawn}, period),
        tuple(one for one in invoices if one.status != BLOCKED),
        tuple(one for one in invoices if one.status == BLOCKED),
        names,
        {name: label(meter) for name, meter in terms.catalogue.items()},
        terms.tenants,
        closed,
    )


def _datasets(
    published: Published, period: Period, shown: frozenset[str] | None
) -> dict[str, pl.DataFrame]:
    found = {}
    for table in DRAWN:
        rows = published.rows(table, period)
        if rows is not None and shown is not None and "tenant_id" in table.names:
            rows = rows.filter(pl.col("tenant_id").is_in(list(shown)))
        if rows is not None:
            found[table.name] = rows
    return found
