"""Measure every meter of every tenant: sums, peaks and different users, whole and split.

Belongs here: bringing a bucket's owned rows to the measures and naming the results (R4). Does not
belong here: the measures themselves (`measures`), and overage (`stages.rate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl

from pipeline.findings import Finding, counted, finding
from pipeline.measures.distinct import different_users, users_by_stretch
from pipeline.measures.peak import Sessions, peaks, without_overlap
from pipeline.measures.timeline import Ints
from pipeline.period import Days, moment
from pipeline.rules.entitlement import allowance
from pipeline.stages.book import DISTINCT, MEASURES, PEAK, SUM, Book
from pipeline.stages.lookup import OPEN
from pipeline.stages.split import meter_names, owner_names, tenant_names
from schemas.columns import MONEY
from schemas.datasets import OCCUPANCY


@dataclass(frozen=True, slots=True)
class Metered:
    """What a bucket's tenants used.

    `parts` by subscription, adding up to the tenant's usage; `occupancy` by stretch of constant
    entitlement; `open_sessions` counted by tenant; `sums` holds the quantity that went into summed
    meters, taken before it was split.
    """

    parts: pl.DataFrame
    occupancy: pl.DataFrame
    open_sessions: pl.DataFrame
    sums: pl.DataFrame


def meter(owned: pl.DataFrame, book: Book) -> Metered:
    """Take the owned rows of `split`: every row is measured by its meter's measure, once."""
    measure = pl.Series(book.measure[owned["tenant"].to_numpy(), owned["meter"].to_numpy()])
    summed, peaked, distinct = (owned.filter(measure == code) for code in (SUM, PEAK, DISTINCT))
    metered = [_sums(summed, book), _peaks(peaked, book), _users(distinct, book)]
    return Metered(
        pl.concat(parts for parts, _ in metered),
        pl.concat(occupancy for _, occupancy in metered),
        peaked.filter(pl.col("ended") == OPEN)
        .group_by("tenant")
        .agg(rows=pl.len().cast(pl.Int64))
        .select(tenant_names(book).alias("tenant_id"), "rows"),
        summed.select(pl.col("quantity").sum().cast(MONEY)),
    )


def _sums(rows: pl.DataFrame, book: Book) -> tuple[pl.DataFrame, pl.DataFrame]:
    """R4 sum: the quantities of the rows, exactly."""
    parts = rows.group_by("tenant", "meter", "owner").agg(
        quantity=pl.col("quantity").sum().cast(MONEY)
    )
    totals = parts.group_by("tenant", "meter").agg(pl.col("quantity").sum().cast(MONEY))
    stretches = []
    for tenant, meter_code, total in totals.iter_rows():
        pieces = [(days, amount) for days, _, amount in book.stretches(tenant, meter_code)]
        included = allowance(pieces, book.period)
        begins = int(book.bounds[0][tenant])
        first = book.period.days
        stretches.append((tenant, meter_code, first, included, total, begins, total))
    named = parts.with_columns(own_quantity=pl.col("quantity"))
    return _parts(named, book), _occupancy(stretches, SUM, book)


def _peaks(rows: pl.DataFrame, book: Book) -> tuple[pl.DataFrame, pl.DataFrame]:
    """R4 peak: the most sessions open at one instant, each user counted once (R4.2)."""
    begins, ends = (bounds[rows["tenant"].to_numpy()] for bounds in book.bounds)
    sessions = (
        rows.select("tenant", "meter", "owner", "user_id", "event_id", "started")
        .with_columns(
            start=pl.Series(np.maximum(rows["started"].to_numpy(), begins) - begins),
            end=pl.Series(np.minimum(rows["ended"].to_numpy(), ends) - begins),
        )
        .filter(pl.col("start") < pl.col("end"))
    )
    sessions = _one_place_at_a_time(sessions, book)
    group = sessions["tenant"].to_numpy() * len(book.meters) + sessions["meter"].to_numpy()
    codes, dense = np.unique(group, return_inverse=True)
    start, end = sessions["start"].to_numpy(), sessions["end"].to_numpy()
    stretches = _stretches(codes, book)
    highest, at = peaks(Sessions(dense, start, end), stretches.group, stretches.since)
    peak_at = _instant_of_peak(stretches.group, highest, at, len(codes))
    is_open = (start <= peak_at[dense]) & (peak_at[dense] < end)
    owner = sessions["owner"].to_numpy() * len(book.meters) + sessions["meter"].to_numpy()
    owners, own = np.unique(owner, return_inverse=True)
    own_peak, _ = peaks(
        Sessions(own, start, end), np.arange(len(owners)), np.zeros(len(owners), np.int64)
    )
    parts = _parts_of(owners, np.bincount(own[is_open], minlength=len(owners)), own_peak, book)
    tenant_peak = _highest(stretches.group, highest, len(codes))
    return parts, stretches.named(highest, at, tenant_peak, PEAK, book)


def _one_place_at_a_time(sessions: pl.DataFrame, book: Book) -> pl.DataFrame:
    """R4.2: sessions, with a user's overlapping time taken off the later where users count."""
    counts_users = np.array([book.terms.catalogue[name].counts == "users" for name in book.meters])
    is_personal = (
        pl.Series(counts_users[sessions["meter"].to_numpy()]) & sessions["user_id"].is_not_null()
    )
    personal, others = sessions.filter(is_personal), sessions.filter(~is_personal)
    if personal.is_empty():
        return sessions
    who = personal.group_by("tenant", "meter", "user_id").agg().with_row_index("who")
    personal = personal.join(who, on=["tenant", "meter", "user_id"]).sort(
        "who", "started", "event_id"
    )
    left, is_left = without_overlap(
        personal["who"].cast(pl.Int64).to_numpy(),
        personal["start"].to_numpy(),
        personal["end"].to_numpy(),
    )
    kept = personal.with_columns(start=pl.Series(left)).filter(pl.Series(is_left)).drop("who")
    return pl.concat([others, kept])


def _users(rows: pl.DataFrame, book: Book) -> tuple[pl.DataFrame, pl.DataFrame]:
    """R4 distinct: the number of different users, each belonging where they were first seen."""
    rows = rows.with_row_index("position")
    anonymous = pl.format("\0{}", "position")
    rows = rows.with_columns(user_id=pl.coalesce("user_id", anonymous))
    who = rows.group_by("tenant", "meter", "user_id").agg().with_row_index("who")
    rows = rows.join(who, on=["tenant", "meter", "user_id"])
    begins, ends = (bounds[rows["tenant"].to_numpy()] for bounds in book.bounds)
    start = np.maximum(rows["started"].to_numpy(), begins) - begins
    is_open = rows["ended"].to_numpy() == OPEN
    end = np.where(is_open, start, np.minimum(rows["ended"].to_numpy(), ends) - begins)
    user = rows["who"].cast(pl.Int64).to_numpy()
    group = rows["tenant"].to_numpy() * len(book.meters) + rows["meter"].to_numpy()
    codes, dense = np.unique(group, return_inverse=True)
    stretches = _stretches(codes, book)
    seen = users_by_stretch(dense, user, start, end, stretches.group, stretches.since)
    total = different_users(dense, user, len(codes))
    owner = rows["owner"].to_numpy() * len(book.meters) + rows["meter"].to_numpy()
    owners, own = np.unique(owner, return_inverse=True)
    first_seen = (
        rows.with_columns(own=pl.Series(own))
        .sort("who", "started", "event_id")
        .unique("who", keep="first", maintain_order=True)
    )
    parts = _parts_of(
        owners,
        np.bincount(first_seen["own"].to_numpy(), minlength=len(owners)),
        different_users(own, user, len(owners)),
        book,
    )
    return parts, stretches.named(seen, stretches.since, total, DISTINCT, book)


@dataclass(frozen=True, slots=True)
class _Stretches:
    """Stretches of constant entitlement of the groups that have usage, in order of group and time.

    `since` is microseconds after the period began.
    """

    codes: Ints
    group: Ints
    since: Ints
    days: list[Days]
    entitlement: list[Decimal]

    def named(self, usage: Ints, at: Ints, totals: Ints, measure: int, book: Book) -> pl.DataFrame:
        """What was measured in each stretch, as the dataset `occupancy`."""
        tenant, meter_code = np.divmod(self.codes[self.group], len(book.meters))
        begins = book.bounds[0][tenant]
        rows = zip(
            tenant.tolist(),
            meter_code.tolist(),
            self.days,
            self.entitlement,
            [Decimal(n) for n in usage.tolist()],
            (begins + at).tolist(),
            [Decimal(n) for n in totals[self.group].tolist()],
            strict=True,
        )
        return _occupancy(list(rows), measure, book)


def _stretches(codes: Ints, book: Book) -> _Stretches:
    group, since, days, included = [], [], [], []
    for position, code in enumerate(codes.tolist()):
        tenant, meter_code = divmod(code, len(book.meters))
        begins = int(book.bounds[0][tenant])
        for piece, first, quantity in book.stretches(tenant, meter_code):
            group.append(position)
            since.append(first - begins)
            days.append(piece)
            included.append(quantity)
    return _Stretches(codes, np.array(group, np.int64), np.array(since, np.int64), days, included)


def _highest(group: Ints, highest: Ints, groups: int) -> Ints:
    peak = np.zeros(groups, np.int64)
    np.maximum.at(peak, group, highest)
    return peak


def _instant_of_peak(group: Ints, highest: Ints, at: Ints, groups: int) -> Ints:
    """R4.4: the earliest instant at which each group is at its peak."""
    is_peak = highest == _highest(group, highest, groups)[group]
    peak_at = np.full(groups, np.iinfo(np.int64).max)
    np.minimum.at(peak_at, group[is_peak], at[is_peak])
    return peak_at


def _parts_of(owners: Ints, quantity: Ints, own: Ints, book: Book) -> pl.DataFrame:
    owner, meter_code = np.divmod(owners, len(book.meters))
    tenant = np.array([code for code, _ in book.subscriptions], np.int64)[owner]
    return _parts(
        pl.DataFrame(
            {
                "tenant": tenant,
                "meter": meter_code,
                "owner": owner,
                "quantity": quantity.astype(np.int64),
                "own_quantity": own,
            }
        ),
        book,
    )


def _parts(rows: pl.DataFrame, book: Book) -> pl.DataFrame:
    return rows.select(
        tenant_names(book).alias("tenant_id"),
        owner_names(book).alias("subscription_id"),
        meter_names(book).alias("meter"),
        pl.col("quantity").cast(MONEY),
        pl.col("own_quantity").cast(MONEY),
    )


def _occupancy(
    rows: list[tuple[int, int, Days, Decimal, Decimal, int, Decimal]], measure: int, book: Book
) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (
                book.tenants[tenant].id,
                book.meters[meter_code],
                date.fromordinal(days.first),
                entitlement,
                usage,
                moment(at),
                total,
                MEASURES[measure],
            )
            for tenant, meter_code, days, entitlement, usage, at, total in rows
        ],
        schema=OCCUPANCY.dtypes,
        orient="row",
    )


def meter_findings(open_sessions: pl.DataFrame) -> list[Finding]:
    """R4.1 `open_sessions`, one a tenant."""
    found = []
    for tenant, rows in open_sessions.sort("tenant_id").iter_rows():
        message = f"{counted(rows, 'session')} without an end, open until the end of the period."
        remedy = "Export them again once they have ended; the later row replaces the open one."
        found.append(finding("open_sessions", tenant, message, remedy))
    return found
