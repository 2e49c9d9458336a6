"""What a tenant's documents were made from, and which of it is other now.

Belongs here: comparing two listings, and the terms and results that came of them. Does not belong
here: which line of an invoice a change touches (`reasons`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from pipeline.period import EPOCH_DAY, Period
from pipeline.rules.pricing import RateCard
from pipeline.stages.terms import Terms
from pipeline.store.landing import LandedStore, ListedExport, Listing
from pipeline.store.usage import SLOTS, LandedUsage, Stretch
from schemas.datasets import SUPERSEDED, USAGE_SPLIT
from schemas.feeds import FEEDS, USAGE

Read = Callable[[str], pl.DataFrame]
"""A dataset by its name."""

MORE_DAYS = 1
"""Days around a month in which a row can start and still be of it, in some time zone."""


@dataclass(frozen=True)
class Inputs:
    """One side of a comparison: exports, terms, results and the version of the code."""

    listing: Listing
    code: str
    read_terms: Callable[[], Terms]
    read: Read
    _cards: dict[int, RateCard] = field(default_factory=dict)

    @cached_property
    def terms(self) -> Terms:
        """The terms that the exports state."""
        return self.read_terms()

    def card(self, day: int) -> RateCard:
        """The prices in force on a day."""
        if day not in self._cards:
            self._cards[day] = RateCard(self.terms.rates, day)
        return self._cards[day]

    @cached_property
    def corrected(self) -> dict[str, set[tuple[str, str, int]]]:
        """By tenant, the rows that correct an earlier one: event, export, row."""
        of: dict[str, set[tuple[str, str, int]]] = {}
        columns = ("tenant_id", "event_id", "by_file", "by_row")
        for tenant, *row in self.read(SUPERSEDED.name).select(columns).iter_rows():
            event, file, number = row
            of.setdefault(tenant, set()).add((event, file, number))
        return of

    @cached_property
    def rows(self) -> Counter[tuple[str, str]]:
        """The usage rows that count, by tenant and meter."""
        rows: Counter[tuple[str, str]] = Counter()
        columns = ("tenant_id", "meter", "because_counts")
        for tenant, meter, counts in self.read(USAGE_SPLIT.name).select(columns).iter_rows():
            rows[tenant, meter] += sum(json.loads(counts).values())
        return rows


@dataclass(frozen=True)
class Changed:
    """What is other after than before, exports first."""

    before: Inputs
    after: Inputs
    landed: LandedStore
    period: Period
    _known: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    @cached_property
    def arrived(self) -> dict[str, list[ListedExport]]:
        """By feed, the exports whose content is new."""
        return _beyond(self.after.listing, self.before.listing)

    @cached_property
    def gone(self) -> dict[str, list[ListedExport]]:
        """By feed, the exports whose content is there no more."""
        return _beyond(self.before.listing, self.after.listing)

    def names(self, feed: str) -> list[str]:
        """The exports of a feed that brought a change; those that took something away, marked."""
        arrived = [one.name for one in self.arrived[feed]]
        gone = [one.name for one in self.gone[feed] if one.name not in arrived]
        return [*arrived, *(f"{name} (gone)" for name in gone)]

    @cached_property
    def usage_exports(self) -> Mapping[str, list[str]]:
        """By tenant, the changed exports of usage that hold rows of it of about the period."""
        found: dict[str, list[str]] = {}
        replaced = {one.name for one in self.arrived[USAGE.name]}
        gone = [one for one in self.gone[USAGE.name] if one.name not in replaced]
        for mark, exports in (("", self.arrived[USAGE.name]), (" (gone)", gone)):
            for export in exports:
                for tenant in self._tenants_in(export.landing).get(export.index, ()):
                    found.setdefault(tenant, []).append(f"{export.name}{mark}")
        return found

    def _tenants_in(self, landing: str) -> dict[int, list[str]]:
        """By export of a landing, the tenants whose sound rows in it start about the period."""
        if landing not in self._known:
            self._known[landing] = _tenants_by_export(self.landed.usage(landing), self.period)
        return self._known[landing]


def _beyond(listing: Listing, other: Listing) -> dict[str, list[ListedExport]]:
    """By feed, the exports of a listing whose content another one does not have."""
    there = {(one.feed, one.sha256) for one in other.exports}
    return {
        feed.name: [one for one in listing.of(feed.name) if (feed.name, one.sha256) not in there]
        for feed in FEEDS
    }


def _tenants_by_export(usage: LandedUsage, period: Period) -> dict[int, list[str]]:
    first, after = (day - EPOCH_DAY for day in (period.days.first, period.days.after))
    cells = usage.cells().with_columns(first=pl.col("rows").cum_sum() - pl.col("rows"))
    inside = cells.filter(pl.col("day").is_between(first - MORE_DAYS, after - 1 + MORE_DAYS))
    stretches = [Stretch(*row) for row in inside.select("first", "rows").iter_rows()]
    if not stretches:
        return {}
    positions = np.concatenate([np.arange(one.first, one.first + one.rows) for one in stretches])
    export, _ = usage.whence(positions)
    held = pl.DataFrame({"export": export, "code": usage.read("kind", stretches)}).unique()
    tenants = usage.kinds(range(SLOTS)).select("code", "tenant_id")
    named = held.join(tenants, on="code").select("export", "tenant_id").unique().sort("tenant_id")
    return {
        index: of["tenant_id"].to_list()
        for (index,), of in named.partition_by("export", as_dict=True).items()
    }
