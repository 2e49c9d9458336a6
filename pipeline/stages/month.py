"""Put a bucket's days together: what each tenant used in the period, whole and split (R4, R6).

Belongs here: from the days' frames, in codes, to the bucket's, in names. Does not belong here:
looking at rows (`stages.meter`), and overage (`stages.rate`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl

from pipeline.measures.timeline import Ints
from pipeline.period import moment
from pipeline.rules.entitlement import allowance
from pipeline.stages.book import DISTINCT, MEASURES, PEAK, SUM, Book
from pipeline.stages.meter import LOW_BITS, Frames
from pipeline.stages.stretches import Stretches
from schemas.columns import MONEY
from schemas.datasets import OCCUPANCY

PART = pl.Schema(
    {
        "tenant_id": pl.String,
        "subscription_id": pl.String,
        "meter": pl.String,
        "quantity": MONEY,
        "own_quantity": MONEY,
    }
)
"""What each subscription used of a meter; `own_quantity` is what it would be alone (R4.4)."""


class Month:
    """Names what the days of a bucket come to. Takes frames of all days, with `day` in order."""

    def __init__(self, book: Book, stretches: Stretches) -> None:
        self._book = book
        self._stretches = stretches
        self._tenants = np.array([tenant for tenant, _ in book.subscriptions], np.int64)

    def metered(self, days: Frames) -> Frames:
        """`parts`, `occupancy`, `open_sessions` and `sums`, as `stages.conclude` takes them."""
        metered = [self._sums(days["sums"]), self._peaks(days["peaks"], days["parts"])]
        metered.append(self._users(days["seen"]))
        tenants = [tenant.id for tenant in self._book.tenants]
        opened = days["open"].group_by("tenant").agg(pl.col("rows").sum()).sort("tenant")
        total = _quantity(days["sums"]["high"], days["sums"]["low"])
        return {
            "parts": pl.concat(parts for parts, _ in metered),
            "occupancy": pl.concat(occupancy for _, occupancy in metered),
            "open_sessions": pl.DataFrame(
                {
                    "tenant_id": pl.Series([tenants[n] for n in opened["tenant"]], dtype=pl.String),
                    "rows": opened["rows"].cast(pl.Int64),
                }
            ),
            "sums": pl.DataFrame({"quantity": [total]}, schema={"quantity": MONEY}),
        }

    def _sums(self, sums: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """R4 sum, R5.5: the quantities, and each tenant's allowance."""
        parts = []
        totals: dict[int, Decimal] = {}
        for own, high, low in (
            sums.group_by("own")
            .agg(pl.col("high", "low").cast(pl.Int128).sum())
            .sort("own")
            .iter_rows()
        ):
            quantity = Decimal((high << LOW_BITS) + low).scaleb(-6)
            parts.append((own, quantity, quantity))
            group = self._group(own)
            totals[group] = totals.get(group, Decimal(0)) + quantity
        rows = []
        for group, total in totals.items():
            pieces = [(days, amount) for days, _, amount in self._stretches.of(group)]
            included = allowance(pieces, self._book.period)
            begins = int(self._book.bounds[0][group // len(self._book.meters)])
            first = self._book.period.days.first
            rows.append((group, first, included, total, begins, total))
        return self._parts(parts), self._occupancy(rows, SUM)

    def _peaks(
        self, peaks: pl.DataFrame, parts: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """R4 peak: the highest of all days, the earliest on ties, split at that instant (R4.4)."""
        highest = pl.col("peak") == pl.col("peak").max()
        best = {
            (group, number): (peak, at)
            for group, number, peak, at in peaks.group_by("group", "stretch")
            .agg(pl.col("peak").max(), pl.col("at").filter(highest).min())
            .iter_rows()
        }
        of_group = peaks.group_by("group").agg(
            pl.col("peak").max(), pl.col("day").filter(highest).min()
        )
        group_of = pl.col("own").map_batches(self._groups, return_dtype=pl.Int64)
        by_own = (
            parts.with_columns(group=group_of)
            .join(of_group.select("group", peak_day="day"), on="group")
            .group_by("own")
            .agg(
                pl.col("quantity").filter(pl.col("day") == pl.col("peak_day")).sum(),
                pl.col("own_peak").max(),
            )
            .sort("own")
        )
        rows = []
        for group, total in of_group.select("group", "peak").sort("group").iter_rows():
            for number, (days, since, included) in enumerate(self._stretches.of(group)):
                # A stretch without sessions has its peak of 0 as it begins.
                peak, at = best.get((group, number), (0, since))
                at = at if peak else since
                rows.append((group, days.first, included, Decimal(peak), at, Decimal(total)))
        named = [(own, Decimal(part), Decimal(alone)) for own, part, alone in by_own.iter_rows()]
        return self._parts(named), self._occupancy(rows, PEAK)

    def _users(self, seen: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """R4 distinct: each user once; of the subscription on which they were seen first."""
        meters = len(self._book.meters)
        group_of = pl.col("own").map_batches(self._groups, return_dtype=pl.Int64)
        seen = seen.with_columns(group=group_of)
        named, anonymous = seen.filter(pl.col("user") >= 0), seen.filter(pl.col("user") < 0)
        who = ["group", "user"]
        first = named.filter("is_first").sort("day").unique(who, keep="first", maintain_order=True)
        of_own = _added(first.group_by("own").len("n"), anonymous.group_by("own").agg(_rows()))
        alone = _added(
            named.unique(["own", "user"]).group_by("own").len("n"),
            anonymous.group_by("own").agg(_rows()),
        )
        in_stretch = ["group", "stretch"]
        by_stretch = _added(
            _reached(named).unique([*who, "stretch"]).group_by(in_stretch).len("n"),
            _reached(anonymous).group_by(in_stretch).agg(_rows()),
        )
        rows = []
        totals: dict[int, int] = {}
        for (own,), users in of_own.items():
            totals[self._group(own)] = totals.get(self._group(own), 0) + users
        for group, total in sorted(totals.items()):
            for number, (days, since, included) in enumerate(self._stretches.of(group)):
                users = Decimal(by_stretch.get((group, number), 0))
                begins = int(self._book.bounds[0][group // meters])
                at = since if number else begins
                rows.append((group, days.first, included, users, at, Decimal(total)))
        parts = [
            (own, Decimal(of_own.get((own,), 0)), Decimal(users))
            for (own,), users in sorted(alone.items())
        ]
        return self._parts(parts), self._occupancy(rows, DISTINCT)

    def _group(self, own: int) -> int:
        owner, meter = divmod(own, len(self._book.meters))
        return int(self._tenants[owner]) * len(self._book.meters) + meter

    def _groups(self, own: pl.Series) -> pl.Series:
        owner, meter = np.divmod(own.to_numpy(), max(len(self._book.meters), 1))
        groups: Ints = self._tenants[owner] * len(self._book.meters) + meter
        return pl.Series(groups)

    def _parts(self, rows: Iterable[tuple[int, Decimal, Decimal]]) -> pl.DataFrame:
        named = []
        for own, quantity, alone in rows:
            owner, meter = divmod(own, len(self._book.meters))
            tenant, subscription = self._book.subscriptions[owner]
            named.append(
                (
                    self._book.tenants[tenant].id,
                    subscription,
                    self._book.meters[meter],
                    quantity,
                    alone,
                )
            )
        return pl.DataFrame(named, schema=PART, orient="row")

    def _occupancy(
        self, rows: list[tuple[int, int, Decimal, Decimal, int, Decimal]], measure: int
    ) -> pl.DataFrame:
        named = []
        for group, first_day, entitlement, usage, at, total in rows:
            tenant, meter = divmod(group, len(self._book.meters))
            named.append(
                (
                    self._book.tenants[tenant].id,
                    self._book.meters[meter],
                    date.fromordinal(first_day),
                    entitlement,
                    usage,
                    moment(at),
                    total,
                    MEASURES[measure],
                )
            )
        return pl.DataFrame(named, schema=OCCUPANCY.dtypes, orient="row")


def _rows() -> pl.Expr:
    return pl.col("rows").sum().alias("n")


def _reached(seen: pl.DataFrame) -> pl.DataFrame:
    """A row for each stretch that a row reaches into."""
    numbers = pl.int_ranges(pl.col("first"), pl.col("last") + 1).alias("stretch")
    return seen.with_columns(numbers).explode("stretch")


def _added(*counts: pl.DataFrame) -> dict[tuple[int, ...], int]:
    """Counts `n` of the same keys, added up."""
    added: dict[tuple[int, ...], int] = {}
    for frame in counts:
        for *key, n in frame.iter_rows():
            added[tuple(key)] = added.get(tuple(key), 0) + n
    return added


def _quantity(high: pl.Series, low: pl.Series) -> Decimal:
    total = (int(high.cast(pl.Int128).sum()) << LOW_BITS) + int(low.cast(pl.Int128).sum())
    return Decimal(total).scaleb(-6)
