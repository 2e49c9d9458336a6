"""What a line was made from: its tenant's terms, results and usage rows of that time.

Belongs here: opening all of it again, and saying where a price or an entitlement stands. Does not
belong here: telling (`told`, `overage`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from pipeline.draft import TABLES
from pipeline.fingerprint import reading_code
from pipeline.measures.arrays import Ints
from pipeline.period import FIRST_DAY, LAST_DAY, Days, Period
from pipeline.published import Published
from pipeline.request import pieces_of
from pipeline.rules.pricing import RateCard
from pipeline.rules.terms import Entitlement, Meter, Rate, Subscription, Tenant
from pipeline.run import ReadByAnotherVersion, load_terms
from pipeline.stages.book import Book
from pipeline.stages.bucket import open_bucket
from pipeline.stages.evidence import COUNTED, BilledRows, Counted
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
        self._rows: dict[tuple[str, ...], dict[tuple[object, ...], pl.DataFrame]] = {}
        self._billed: tuple[tuple[int, Period, int], BilledRows] | None = None
        self._terms: dict[int, tuple[Listing, Terms]] = {}
        self._cards: dict[tuple[int, Period], RateCard] = {}

    def of(self, listing: int, parts: dict[str, str], period: Period, tenant_id: str) -> Context:
        """A tenant in a period, as the exports of a listing and the parts of a run have it."""
        key = (listing, period, tenant_id)
        if key not in self._known:
            exports, terms = self.stated(listing)
            card = self._cards.get((listing, period)) or RateCard(terms.rates, period.last_day)
            self._cards[listing, period] = card
            self._known[key] = Context(
                self, self._landed, exports, parts, period, tenant_id, terms, card
            )
        return self._known[key]

    def rows(self, table: Table, context: Context, meter: str) -> pl.DataFrame:
        """The rows of a dataset about a tenant and meter, as they were published."""
        key = (table.name, str(context.period), *context.parts.values())
        if key not in self._rows:
            rows = self._published.of_parts(TABLES[table.name], context.period, context.parts)
            rows = table.empty() if rows is None else rows
            self._rows[key] = rows.partition_by("tenant_id", "meter", as_dict=True)
        return self._rows[key].get((context.tenant_id, meter), table.empty())

    def billed(self, context: Context) -> BilledRows:
        """The billed usage rows of a tenant's slot; of the last slot that was asked for, at once.

        Raises `ReadByAnotherVersion` where we cannot read them.
        """
        listing, period = context.listing, context.period
        slot = slot_of(context.tenant_id)
        key = (listing.number, period, slot)
        if self._billed is None or self._billed[0] != key:
            if any(one.reader != reading_code() for one in listing.of(USAGE.name)):
                raise ReadByAnotherVersion(
                    "the exports behind it were read by another version of the program",
                    where=f"listing {listing.number}",
                    remedy="install the version that read them to see the usage rows",
                )
            inside = [name for name in context.terms.tenants if slot_of(name) == slot]
            terms = context.terms.for_usage(inside)
            book = Book(terms, period, context.terms.subscription_names)
            slots, pieces = range(slot, slot + 1), pieces_of(listing)
            rows = BilledRows.of(open_bucket(self._landed, pieces, slots, book, None))
            self._billed = key, rows
        return self._billed[1]

    def stated(self, number: int) -> tuple[Listing, Terms]:
        """A listing, and the terms that its exports state."""
        if number not in self._terms:
            listing = self._landed.listing_of(number)
            self._terms[number] = listing, load_terms(self._landed, listing)
        return self._terms[number]


@dataclass(frozen=True)
class Context:
    """A tenant in a period, with the exports and results that its lines were made from.

    `terms` are those of everybody, `card` the prices in force at the end of the period (R10.1).
    """

    shared: Contexts
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
        return self.shared.rows(USAGE_SPLIT, self, meter)

    def stretches(self, meter: str) -> pl.DataFrame:
        """The usage of a meter in each stretch of constant entitlement, as it was published."""
        return self.shared.rows(OCCUPANCY, self, meter)

    def overage(self, meter: str) -> pl.DataFrame:
        """The overage of a meter, as it was published."""
        return self.shared.rows(OVERAGE, self, meter)

    def open_at(self, meter: str, instant: int) -> Counted:
        """R4 peak: the sessions that are open at an instant."""
        return self.shared.billed(self).open_at(self.tenant_id, meter, instant)

    def course(self, meter: str, begin: int, end: int) -> tuple[Ints, Ints]:
        """R4 peak: the highest number open in each five minutes, where it changes."""
        return self.shared.billed(self).course(self.tenant_id, meter, begin, end)

    def seen_in(self, meter: str, since: int, until: int) -> Counted:
        """R4 distinct: each user's first row that reaches into [since, until)."""
        return self.shared.billed(self).seen_in(self.tenant_id, meter, since, until)

    def summed(self, meter: str) -> Counted:
        """R4 sum: the rows whose quantities were added up."""
        return self.shared.billed(self).summed(self.tenant_id, meter)

    def in_exports(self, counted: Counted, subscription_id: str | None = None) -> pl.DataFrame:
        """Counted rows, or one subscription's, with the exports that they stand in, as ROWS."""
        exports = self.listing.of(USAGE.name)
        ranks = range(len(exports))
        rows = counted.in_words()
        if subscription_id is not None:
            rows = rows.filter(pl.col("subscription_id") == subscription_id)
        told = rows.with_columns(
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


def _dates(days: Days) -> tuple[tuple[str, date | None], tuple[str, date | None]]:
    first = date.fromordinal(days.first) if days.first > FIRST_DAY else None
    last = date.fromordinal(days.after - 1) if days.after <= LAST_DAY else None
    return ("start_date", first), ("end_date", last)
