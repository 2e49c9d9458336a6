"""What a line was made from: its tenant's terms, results and usage rows of that time.

Belongs here: opening all of it again, and saying where a price or an entitlement stands. Does not
belong here: telling (`told`, `overage`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

import polars as pl

from pipeline.draft import TABLES
from pipeline.fingerprint import reading_code
from pipeline.period import FIRST_DAY, LAST_DAY, Days, Period
from pipeline.published import Published
from pipeline.request import pieces_of
from pipeline.rules.pricing import RateCard
from pipeline.rules.terms import Entitlement, Meter, Rate, Subscription, Tenant
from pipeline.run import ReadByAnotherVersion, load_terms
from pipeline.stages.book import Book
from pipeline.stages.bucket import open_bucket
from pipeline.stages.evidence import COUNTED, BilledRows
from pipeline.stages.terms import Terms
from pipeline.store.landing import LandedStore, Listing
from pipeline.store.usage import slot_of
from schemas.columns import Table
from schemas.datasets import OCCUPANCY, OVERAGE, USAGE_SPLIT
from schemas.feeds import ENTITLEMENTS, RATES, USAGE

ROWS = pl.Schema({"file": pl.String(), "sha256": pl.String(), **COUNTED})
"""A counted usage row with the export that it stands in."""


class Contexts:
    """What lines of a store were made from; what several of them share is opened once."""

    def __init__(self, published: Published, landed: LandedStore) -> None:
        self._published = published
        self._landed = landed
        self._known: dict[tuple[int, Period, str], Context] = {}
        self._terms: dict[int, tuple[Listing, Terms]] = {}
        self._cards: dict[tuple[int, Period], RateCard] = {}

    def of(self, listing: int, parts: dict[str, str], period: Period, tenant_id: str) -> Context:
        """A tenant in a period, as the exports of a listing and the parts of a run have it."""
        key = (listing, period, tenant_id)
        if key not in self._known:
            exports, terms = self._stated(listing)
            card = self._cards.get((listing, period)) or RateCard(terms.rates, period.last_day)
            self._cards[listing, period] = card
            self._known[key] = Context(
                self._published, self._landed, exports, parts, period, tenant_id, terms, card
            )
        return self._known[key]

    def _stated(self, number: int) -> tuple[Listing, Terms]:
        if number not in self._terms:
            listing = self._landed.listing_of(number)
            self._terms[number] = listing, load_terms(self._landed, listing)
        return self._terms[number]


@dataclass(frozen=True)
class Context:
    """A tenant in a period, with the exports and results that its lines were made from.

    `terms` are those of everybody, `card` the prices in force at the end of the period (R10.1).
    """

    published: Published
    landed: LandedStore
    listing: Listing
    parts: dict[str, str]
    period: Period
    tenant_id: str
    terms: Terms
    card: RateCard

    @property
    def tenant(self) -> Tenant:
        """The tenant's terms."""
        return self.terms.tenants[self.tenant_id]

    def meter(self, name: str) -> Meter:
        """A meter of the catalogue."""
        return self.terms.catalogue[name]

    def subscription(self, name: str) -> Subscription:
        """A subscription of the tenant."""
        found = self.tenant.subscription(name)
        if found is None:
            raise AssertionError(f"{name} is not a subscription of {self.tenant_id}")
        return found

    def split(self, meter: str) -> pl.DataFrame:
        """The split of a meter, as it was published."""
        return self._of_meter(USAGE_SPLIT, meter)

    def stretches(self, meter: str) -> pl.DataFrame:
        """The usage of a meter in each stretch of constant entitlement, as it was published."""
        return self._of_meter(OCCUPANCY, meter)

    def overage(self, meter: str) -> pl.DataFrame:
        """The overage of a meter, as it was published."""
        return self._of_meter(OVERAGE, meter)

    @cached_property
    def billed(self) -> BilledRows:
        """The tenant's billed usage rows. Raises `ReadByAnotherVersion` where we cannot read it."""
        if any(one.reader != reading_code() for one in self.listing.of(USAGE.name)):
            raise ReadByAnotherVersion(
                "the exports behind it were read by another version of the program",
                where=f"listing {self.listing.number}",
                remedy="install the version that read them to see the usage rows",
            )
        slot = slot_of(self.tenant_id)
        only = frozenset([self.tenant_id])
        terms = self.terms.for_usage(only)
        book = Book(terms, self.period, self.terms.subscription_names)
        pieces = pieces_of(self.listing)
        return BilledRows.of(open_bucket(self.landed, pieces, range(slot, slot + 1), book, only))

    def in_exports(self, counted: pl.DataFrame) -> pl.DataFrame:
        """Counted rows with the name and the SHA-256 of their exports, as ROWS."""
        exports = self.listing.of(USAGE.name)
        ranks = range(len(exports))
        told = counted.with_columns(
            file=pl.col("rank").replace_strict(
                ranks, [one.name for one in exports], return_dtype=pl.String
            ),
            sha256=pl.col("rank").replace_strict(
                ranks, [one.sha256 for one in exports], return_dtype=pl.String
            ),
        )
        return told.sort("started_at", "event_id").select(ROWS.names())

    def where_priced(self, rate: Rate) -> str:
        """The export and row in which a price stands."""
        wanted: dict[str, str | Decimal | None] = {
            "subscription_id": rate.subscription_id or "*",
            "tenant_id": rate.tenant_id,
            "meter": rate.meter,
            "charge": rate.charge,
            "currency": rate.currency,
            "unit_price": rate.unit_price,
            "tier_from": rate.tier_from,
        }
        return self._where(RATES, wanted, rate.days)

    def where_entitled(self, row: Entitlement) -> str:
        """The export and row in which an entitlement stands."""
        wanted: dict[str, str | Decimal | None] = {
            "tenant_id": self.tenant_id,
            "subscription_id": row.subscription_id,
            "meter": row.meter,
            "quantity": row.quantity,
        }
        return self._where(ENTITLEMENTS, wanted, row.days)

    def _where(self, table: Table, wanted: dict[str, str | Decimal | None], days: Days) -> str:
        is_it = pl.all_horizontal(
            pl.col(name).eq_missing(pl.lit(value, table[name].kind.dtype))
            for name, value in (*wanted.items(), *_dates(days))
        )
        for export in self.listing.of(table.name):
            rows = self.landed.rows_of(export, table).filter(is_it)
            if len(rows):
                return f"{export.name}, row {rows['row'][0]}"
        raise AssertionError(f"no export of {table.name} states {wanted}")

    def _of_meter(self, table: Table, meter: str) -> pl.DataFrame:
        rows = self.published.of_parts(TABLES[table.name], self.period, self.parts)
        rows = table.empty() if rows is None else rows
        return rows.filter(pl.col("tenant_id") == self.tenant_id, pl.col("meter") == meter)


def _dates(days: Days) -> tuple[tuple[str, date | None], tuple[str, date | None]]:
    first = date.fromordinal(days.first) if days.first > FIRST_DAY else None
    last = date.fromordinal(days.after - 1) if days.after <= LAST_DAY else None
    return ("start_date", first), ("end_date", last)
