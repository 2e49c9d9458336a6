"""Put a bucket's days together: what each tenant used in the period, whole and split (R4, R6).

Belongs here: from the parts' frames, in codes, to the bucket's, in names. Does not belong here:
looking at rows (`stages.meter`), and overage (`stages.rate`).
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl

from pipeline.measures.arrays import Ints
from pipeline.rules.entitlement import allowance
from pipeline.stages.book import DISTINCT, PEAK, SUM, Book
from pipeline.stages.daily import daily_peaks, daily_sums, daily_users
from pipeline.stages.meter import Frames, together
from pipeline.stages.metered import IN_STRETCH, USED, Metered, Naming
from pipeline.stages.stretches import Stretches
from schemas.columns import MONEY

WHO = ["group", "user"]


class Month:
    """Names what the parts of a bucket's days come to."""

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
            self._users(days["seen"], days["nobodies"]),
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
            "sums": total.select(quantity=together()),
        }

    def _sums(self, sums: pl.DataFrame) -> Metered:
        """R4 sum, R5.5: the quantities, and each tenant's allowance."""
        # Sums of halves fit 64 bits for any number of rows below 2^31.
        of_own = sums.group_by("own").agg(pl.col("high", "low").sum()).sort("own")
        of_own = of_own.select("own", quantity=together())
        of_group = (
            of_own.with_columns(group=pl.Series(self._groups(of_own["own"])))
            .group_by("group")
            .agg(usage=pl.col("quantity").sum())
            .sort("group")
        )
        used = of_group.with_columns(
            stretch=pl.lit(0, pl.Int64),
            first_day=self._book.period.days.first,
            entitlement=pl.Series([*map(self._allowance, of_group["group"])], dtype=MONEY),
            at=pl.Series(self._book.bounds[0][of_group["group"].to_numpy() // self._meters]),
            tenant_usage="usage",
        )
        daily = daily_sums(sums.with_columns(group=pl.Series(self._groups(sums["own"]))))
        named = self._naming.parts(of_own["own"], of_own["quantity"], of_own["quantity"])
        return self._naming.metered(named, used.select(USED), daily, SUM)

    def _allowance(self, group: int) -> Decimal:
        """R5.5: what is included of a summed meter."""
        pieces = [(days, amount) for days, _, amount in self._stretches.of(group)]
        return allowance(pieces, self._book.period)

    def _peaks(self, peaks: pl.DataFrame, parts: pl.DataFrame) -> Metered:
        """R4 peak: the highest of all days, the earliest on ties, split at that instant (R4.4)."""
        is_highest = pl.col("peak") == pl.col("peak").max()
        in_stretch = peaks.group_by(IN_STRETCH).agg(
            pl.col("peak").max(), pl.col("at").filter(is_highest).min()
        )
        of_group = peaks.group_by("group").agg(
            pl.col("peak").max(), begun=pl.col("begun").filter(is_highest).min()
        )
        then = pl.col("begun") == pl.col("begun_highest")
        of_own = (
            parts.with_columns(group=pl.Series(self._groups(parts["own"])))
            .join(of_group, on="group", suffix="_highest")
            .group_by("own")
            .agg(pl.col("quantity").filter(then).sum(), pl.col("own_peak").max())
            .sort("own")
        )
        used = (
            self._stretches.told(of_group["group"].sort())
            .join(of_group.select("group", tenant_usage="peak"), on="group")
            .join(in_stretch, on=IN_STRETCH, how="left")
            .with_columns(
                usage=pl.col("peak").fill_null(0),
                # A stretch without sessions has its peak of 0 as it begins.
                at=pl.when(pl.col("peak") > 0).then("at").otherwise("since"),
            )
        )
        named = self._naming.parts(of_own["own"], of_own["quantity"], of_own["own_peak"])
        daily = daily_peaks(peaks, self._stretches.local_days, self._meters)
        return self._naming.metered(named, used.select(USED), daily, PEAK)

    def _users(self, seen: pl.DataFrame, nobodies: pl.DataFrame) -> Metered:
        """R4 distinct: each user once; of the subscription on which they were seen first."""
        seen = seen.with_columns(group=pl.Series(self._groups(seen["own"])))
        nobodies = nobodies.with_columns(group=pl.Series(self._groups(nobodies["own"])))
        in_order = seen.drop_nulls("first").sort("first")
        first = in_order.unique(WHO, keep="first", maintain_order=True)
        nobody = nobodies.group_by("own").agg(n=pl.col("rows").sum())
        owned = _added(["own"], first.group_by("own").agg(n=_count()), nobody)
        alone = _added(["own"], seen.group_by("own").agg(n=_count()), nobody)
        present = _added(
            ["group", "days"],
            seen.group_by(WHO).agg(pl.col("days").bitwise_or()).with_columns(n=pl.lit(1, pl.Int64)),
            nobodies.select("group", "days", n="rows"),
        )
        reached = self._reached(present)
        owned = owned.with_columns(group=pl.Series(self._groups(owned["own"])))
        of_group = owned.group_by("group").agg(tenant_usage=pl.col("n").sum()).sort("group")
        used = (
            self._stretches.told(of_group["group"])
            .join(of_group, on="group")
            .join(
                reached.group_by(IN_STRETCH).agg(usage=pl.col("n").sum()), on=IN_STRETCH, how="left"
            )
            .with_columns(pl.col("usage").fill_null(0), at="since")
        )
        parts = alone.join(owned, on="own", how="left", suffix="_first").sort("own")
        quantity = parts["n_first"].fill_null(0)
        named_parts = self._naming.parts(parts["own"], quantity, parts["n"])
        daily = daily_users(present, reached, len(self._book.period.days))
        return self._naming.metered(named_parts, used.select(USED), daily, DISTINCT)

    def _reached(self, present: pl.DataFrame) -> pl.DataFrame:
        """How many users, `n`, are seen first in a stretch on each of its days, `on`."""
        zero = self._book.period.days.first
        stretches = self._stretches.told(present["group"].unique().sort())
        first, after = (stretches[name].to_numpy() - zero for name in ("first_day", "after_day"))
        its_days = pl.Series((1 << after) - (1 << first), dtype=pl.UInt32)
        stretches = stretches.select(*IN_STRETCH, its_days=its_days)
        on = (pl.col("days") & pl.col("its_days")).bitwise_trailing_zeros()
        return (
            present.join(stretches, on="group")
            .filter((pl.col("days") & pl.col("its_days")) != 0)
            .group_by(*IN_STRETCH, on=on.cast(pl.Int64))
            .agg(pl.col("n").sum())
        )

    def _groups(self, own: pl.Series) -> Ints:
        """The (tenant, meter) of each (owner, meter)."""
        owner, meter = np.divmod(own.to_numpy(), self._meters)
        groups: Ints = self._book.owners[owner] * self._meters + meter
        return groups


def _count() -> pl.Expr:
    return pl.len().cast(pl.Int64)


def _added(key: list[str], *counts: pl.DataFrame) -> pl.DataFrame:
    """Counts `n` of the same keys, added up."""
    return pl.concat(one.select(*key, "n") for one in counts).group_by(key).agg(pl.col("n").sum())
