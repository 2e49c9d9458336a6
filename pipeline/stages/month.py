"""Put a bucket's days together: what each tenant used in the period, whole and split (R4, R6).

Belongs here: from the days' frames, in codes, to the bucket's, in names. Does not belong here:
looking at rows (`stages.meter`), and overage (`stages.rate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.measures.arrays import Ints
from pipeline.rules.entitlement import allowance
from pipeline.stages.book import DISTINCT, MEASURES, PEAK, SUM, Book
from pipeline.stages.meter import LOW_BITS, Frames
from pipeline.stages.stretches import Stretches
from schemas.columns import INSTANT, MONEY
from schemas.datasets import OCCUPANCY

WHO = ["group", "user"]
IN_STRETCH = ["group", "stretch"]


class _Stretch(NamedTuple):
    """What was measured in a stretch: a row of `occupancy`, in codes."""

    group: int
    first_day: int
    entitlement: Decimal
    usage: Decimal
    at: int
    tenant_usage: Decimal


class Month:
    """Names what the days of a bucket come to; frames that need it have each row's `day`."""

    def __init__(self, book: Book, stretches: Stretches) -> None:
        self._book = book
        self._stretches = stretches
        self._meters = max(len(book.meters), 1)
        self._tenants = pl.Series([tenant.id for tenant in book.tenants], dtype=pl.String)

    def metered(self, days: Frames) -> Frames:
        """`parts`, `occupancy`, `open_sessions` and `sums`, as `stages.conclude` takes them."""
        metered = [
            self._sums(days["sums"]),
            self._peaks(days["peaks"], days["parts"]),
            self._users(days["seen"]),
        ]
        total = days["sums"].select(pl.col("high", "low").sum())
        opened = days["open"].group_by("tenant").agg(pl.col("rows").sum().cast(pl.Int64))
        return {
            "parts": pl.concat(parts for parts, _ in metered),
            "occupancy": pl.concat(occupancy for _, occupancy in metered),
            "open_sessions": opened.select(
                self._tenants.gather(opened["tenant"]).alias("tenant_id"), "rows"
            ),
            "sums": pl.DataFrame(
                {"quantity": _quantities(total)},
                schema={"quantity": MONEY},
            ),
        }

    def _sums(self, sums: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """R4 sum, R5.5: the quantities, and each tenant's allowance."""
        # Sums of halves fit 64 bits for any number of rows below 2^31.
        of_own = sums.group_by("own").agg(pl.col("high", "low").sum()).sort("own")
        quantities = _quantities(of_own)
        totals: dict[int, Decimal] = {}
        for group, quantity in zip(self._groups(of_own["own"]).tolist(), quantities, strict=True):
            totals[group] = totals.get(group, Decimal(0)) + quantity
        first = self._book.period.days.first
        stretches = []
        for group, total in totals.items():
            pieces = [(days, amount) for days, _, amount in self._stretches.of(group)]
            included = allowance(pieces, self._book.period)
            begins = int(self._book.bounds[0][group // self._meters])
            stretches.append(_Stretch(group, first, included, total, begins, total))
        used = pl.Series(quantities, dtype=MONEY)
        return self._parts(of_own["own"], used, used), self._occupancy(stretches, SUM)

    def _peaks(self, peaks: pl.DataFrame, parts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """R4 peak: the highest of all days, the earliest on ties, split at that instant (R4.4)."""
        is_highest = pl.col("peak") == pl.col("peak").max()
        in_stretch = peaks.group_by(IN_STRETCH).agg(
            pl.col("peak").max(), pl.col("at").filter(is_highest).min()
        )
        of_group = peaks.group_by("group").agg(
            pl.col("peak").max(), peak_day=pl.col("day").filter(is_highest).min()
        )
        then = pl.col("day") == pl.col("peak_day")
        of_own = (
            parts.with_columns(group=pl.Series(self._groups(parts["own"])))
            .join(of_group, on="group")
            .group_by("own")
            .agg(pl.col("quantity").filter(then).sum(), pl.col("own_peak").max())
            .sort("own")
        )
        best = {(group, n): (peak, at) for group, n, peak, at in in_stretch.iter_rows()}
        stretches = []
        for group, total in of_group.select("group", "peak").sort("group").iter_rows():
            for n, (days, since, included) in enumerate(self._stretches.of(group)):
                # A stretch without sessions has its peak of 0 as it begins.
                peak, at = best.get((group, n), (0, since))
                stretches.append(
                    _Stretch(
                        group,
                        days.first,
                        included,
                        Decimal(peak),
                        at if peak else since,
                        Decimal(total),
                    )
                )
        named = self._parts(of_own["own"], of_own["quantity"], of_own["own_peak"])
        return named, self._occupancy(stretches, PEAK)

    def _users(self, seen: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """R4 distinct: each user once; of the subscription on which they were seen first."""
        seen = seen.with_columns(group=pl.Series(self._groups(seen["own"])))
        named, anonymous = seen.filter(pl.col("user") >= 0), seen.filter(pl.col("user") < 0)
        first = named.filter("is_first").sort("day").unique(WHO, keep="first", maintain_order=True)
        nobody = anonymous.group_by("own").agg(n=pl.col("rows").sum())
        owned = _added(["own"], first.group_by("own").agg(n=_count()), nobody)
        alone = _added(
            ["own"], named.unique(["own", "user"]).group_by("own").agg(n=_count()), nobody
        )
        reached = _added(
            IN_STRETCH,
            _reached(named).unique([*WHO, "stretch"]).group_by(IN_STRETCH).agg(n=_count()),
            _reached(anonymous).group_by(IN_STRETCH).agg(n=pl.col("rows").sum()),
        )
        in_stretch = {(group, n): users for group, n, users in reached.iter_rows()}
        owned = owned.with_columns(group=pl.Series(self._groups(owned["own"])))
        stretches = []
        for group, total in (
            owned.group_by("group").agg(pl.col("n").sum()).sort("group").iter_rows()
        ):
            for n, (days, since, included) in enumerate(self._stretches.of(group)):
                users = Decimal(in_stretch.get((group, n), 0))
                stretches.append(
                    _Stretch(group, days.first, included, users, since, Decimal(total))
                )
        parts = alone.join(owned, on="own", how="left", suffix="_first").sort("own")
        quantity = parts["n_first"].fill_null(0)
        return self._parts(parts["own"], quantity, parts["n"]), self._occupancy(stretches, DISTINCT)

    def _groups(self, own: pl.Series) -> Ints:
        """The (tenant, meter) of each (owner, meter)."""
        owner, meter = np.divmod(own.to_numpy(), self._meters)
        groups: Ints = self._book.owners[owner] * self._meters + meter
        return groups

    def _parts(self, own: pl.Series, quantity: pl.Series, alone: pl.Series) -> pl.DataFrame:
        """What each subscription used of a meter; `alone` is what it would be by itself (R4.4)."""
        return pl.DataFrame(
            {
                **self._book.named(own.to_numpy()),
                "quantity": quantity.cast(MONEY),
                "own_quantity": alone.cast(MONEY),
            }
        )

    def _occupancy(self, rows: Sequence[_Stretch], measure: int) -> pl.DataFrame:
        columns = list(zip(*rows, strict=True)) or [()] * len(_Stretch._fields)
        of: Mapping[str, Sequence[object]] = dict(zip(_Stretch._fields, columns, strict=True))
        tenant, meter = np.divmod(np.array(of["group"], np.int64), self._meters)
        return pl.DataFrame(
            {
                "tenant_id": self._tenants.gather(tenant),
                "meter": pl.Series(self._book.meters, dtype=pl.String).gather(meter),
                "first_day": [date.fromordinal(int(str(day))) for day in of["first_day"]],
                "entitlement": of["entitlement"],
                "usage": of["usage"],
                "at": pl.Series(np.array(of["at"], np.int64)).cast(INSTANT),
                "tenant_usage": of["tenant_usage"],
                "measure": pl.repeat(MEASURES[measure], len(rows), dtype=pl.String, eager=True),
            },
            schema=OCCUPANCY.dtypes,
        )


def _count() -> pl.Expr:
    return pl.len().cast(pl.Int64)


def _reached(seen: pl.DataFrame) -> pl.DataFrame:
    """A row for each stretch that a row reaches into."""
    numbers = pl.int_ranges(pl.col("first"), pl.col("last") + 1).alias("stretch")
    return seen.with_columns(numbers).explode("stretch")


def _added(key: list[str], *counts: pl.DataFrame) -> pl.DataFrame:
    """Counts `n` of the same keys, added up."""
    return pl.concat(one.select(*key, "n") for one in counts).group_by(key).agg(pl.col("n").sum())


def _quantities(sums: pl.DataFrame) -> list[Decimal]:
    """The halves of sums put together."""
    return [
        Decimal((high << LOW_BITS) + low).scaleb(-6)
        for high, low in sums.select("high", "low").iter_rows()
    ]
