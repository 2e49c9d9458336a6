"""Put a bucket's days together: what each tenant used in the period, whole and split (R4, R6).

Belongs here: from the days' frames, in codes, to the bucket's, in names. Does not belong here:
looking at rows (`stages.meter`), and overage (`stages.rate`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import polars as pl

from pipeline.measures.arrays import Ints
from pipeline.rules.entitlement import allowance
from pipeline.stages.book import DISTINCT, PEAK, SUM, Book
from pipeline.stages.daily import daily_peaks, daily_sums, daily_users
from pipeline.stages.meter import LOW_BITS, Frames
from pipeline.stages.metered import IN_STRETCH, Metered, Naming, Stretch
from pipeline.stages.stretches import Stretches
from schemas.columns import MONEY

WHO = ["group", "user"]


class Month:
    """Names what the days of a bucket come to; frames that need it have each row's `day`."""

    def __init__(self, book: Book, stretches: Stretches) -> None:
        self._book = book
        self._stretches = stretches
        self._naming = Naming(book)
        self._meters = max(len(book.meters), 1)
        self._tenants = pl.Series([tenant.id for tenant in book.tenants], dtype=pl.String)

    def metered(self, days: Frames) -> Frames:
        """The frames that `stages.conclude` takes: `parts`, `occupancy`, `daily` and the rest."""
        metered = [
            self._sums(days["sums"]),
            self._peaks(days["peaks"], days["parts"]),
            self._users(days["seen"]),
        ]
        total = days["sums"].select(pl.col("high", "low").sum())
        opened = days["open"].group_by("tenant").agg(pl.col("rows").sum().cast(pl.Int64))
        return {
            "parts": pl.concat(one.parts for one in metered),
            "occupancy": pl.concat(one.occupancy for one in metered),
            "daily": pl.concat(one.daily for one in metered),
            "by_day": pl.concat(one.by_day for one in metered),
            "open_sessions": opened.select(
                self._tenants.gather(opened["tenant"]).alias("tenant_id"), "rows"
            ),
            "sums": pl.DataFrame(
                {"quantity": _quantities(total)},
                schema={"quantity": MONEY},
            ),
        }

    def _sums(self, sums: pl.DataFrame) -> Metered:
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
            stretches.append(Stretch(group, 0, first, included, total, begins, total))
        used = pl.Series(quantities, dtype=MONEY)
        daily = daily_sums(sums.with_columns(group=pl.Series(self._groups(sums["own"]))))
        return self._naming.metered(
            self._naming.parts(of_own["own"], used, used), stretches, daily, SUM
        )

    def _peaks(self, peaks: pl.DataFrame, parts: pl.DataFrame) -> Metered:
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
                    Stretch(
                        group,
                        n,
                        days.first,
                        included,
                        Decimal(peak),
                        at if peak else since,
                        Decimal(total),
                    )
                )
        named = self._naming.parts(of_own["own"], of_own["quantity"], of_own["own_peak"])
        daily = daily_peaks(peaks, self._stretches.local_days, self._meters)
        return self._naming.metered(named, stretches, daily, PEAK)

    def _users(self, seen: pl.DataFrame) -> Metered:
        """R4 distinct: each user once; of the subscription on which they were seen first."""
        seen = seen.with_columns(group=pl.Series(self._groups(seen["own"])))
        named, anonymous = seen.filter(pl.col("user") >= 0), seen.filter(pl.col("user") < 0)
        first = named.filter("is_first").sort("day").unique(WHO, keep="first", maintain_order=True)
        nobody = anonymous.group_by("own").agg(n=pl.col("rows").sum())
        owned = _added(["own"], first.group_by("own").agg(n=_count()), nobody)
        alone = _added(
            ["own"], named.unique(["own", "user"]).group_by("own").agg(n=_count()), nobody
        )
        firsts = _reached(named).group_by(*WHO, "stretch").agg(pl.col("first_on").min())
        reached = _added(
            [*IN_STRETCH, "first_on"],
            firsts.group_by(*IN_STRETCH, "first_on").agg(n=_count()),
            _reached(anonymous).group_by(*IN_STRETCH, "first_on").agg(n=pl.col("rows").sum()),
        )
        of_stretch = reached.group_by(IN_STRETCH).agg(pl.col("n").sum())
        in_stretch = {(group, n): users for group, n, users in of_stretch.iter_rows()}
        owned = owned.with_columns(group=pl.Series(self._groups(owned["own"])))
        stretches = []
        for group, total in (
            owned.group_by("group").agg(pl.col("n").sum()).sort("group").iter_rows()
        ):
            for n, (days, since, included) in enumerate(self._stretches.of(group)):
                users = Decimal(in_stretch.get((group, n), 0))
                stretches.append(
                    Stretch(group, n, days.first, included, users, since, Decimal(total))
                )
        parts = alone.join(owned, on="own", how="left", suffix="_first").sort("own")
        quantity = parts["n_first"].fill_null(0)
        named_parts = self._naming.parts(parts["own"], quantity, parts["n"])
        daily = daily_users(seen, self._first_days(reached, stretches), len(self._book.period.days))
        return self._naming.metered(named_parts, stretches, daily, DISTINCT)

    def _first_days(self, reached: pl.DataFrame, stretches: Sequence[Stretch]) -> pl.DataFrame:
        """The day on which somebody is first seen in a stretch: never before it begins."""
        first = self._book.period.days.first
        begins = pl.DataFrame(
            [(one.group, one.stretch, one.first_day - first) for one in stretches],
            schema=dict.fromkeys([*IN_STRETCH, "begin"], pl.Int64()),
            orient="row",
        )
        return (
            reached.join(begins, on=IN_STRETCH)
            .group_by(*IN_STRETCH, on=pl.max_horizontal("first_on", "begin"))
            .agg(pl.col("n").sum())
        )

    def _groups(self, own: pl.Series) -> Ints:
        """The (tenant, meter) of each (owner, meter)."""
        owner, meter = np.divmod(own.to_numpy(), self._meters)
        groups: Ints = self._book.owners[owner] * self._meters + meter
        return groups


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
