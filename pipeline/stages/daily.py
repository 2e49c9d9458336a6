"""What each meter came to on each of a tenant's local days: what pictures are drawn from.

Belongs here: from the days' frames to usage by local day, in codes. Does not belong here: names,
and what is billed (`stages.month`); both come from the same frames.

Every frame given has `group`, `stretch`, `on` (the number of the local day), `usage`, `so_far` (in
the stretch, by the end of the day) and `at`, in order, with a row for each day with any usage.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.measures.arrays import Ints
from pipeline.measures.peak import without_overlap
from pipeline.stages.local_days import LocalDays
from pipeline.stages.meter import LOW_BITS
from schemas.columns import MONEY

ON = ["group", "on"]
IN_STRETCH = ["group", "stretch"]


def daily_peaks(peaks: pl.DataFrame, local_days: LocalDays, meters: int) -> pl.DataFrame:
    """The highest of each day, and its earliest instant; `so_far` is the highest until then."""
    used = peaks.filter(pl.col("peak") > 0)
    tenant = used["group"].to_numpy() // meters
    return (
        used.with_columns(on=pl.Series(local_days.number(tenant, used["at"].to_numpy())))
        .sort(*ON, "peak", "at", descending=[False, False, True, False])
        .unique(ON, keep="first", maintain_order=True)
        .with_columns(usage=pl.col("peak").cast(MONEY))
        .with_columns(so_far=pl.col("usage").cum_max().over(IN_STRETCH))
        .select(*IN_STRETCH, "on", "usage", "so_far", "at")
    )


def daily_sums(sums: pl.DataFrame) -> pl.DataFrame:
    """The quantities of each day, from `group`, `on`, `high` and `low`."""
    millionths = pl.col("high").cast(pl.Int128) * (1 << LOW_BITS) + pl.col("low")
    return (
        sums.group_by(ON)
        .agg(pl.col("high", "low").sum())
        .sort(ON)
        .with_columns(usage=millionths.cast(MONEY) / 1_000_000)
        .with_columns(so_far=pl.col("usage").cum_sum().over("group"))
        .select(
            "group",
            "on",
            pl.col("usage", "so_far").cast(MONEY),
            stretch=pl.lit(0, pl.Int64),
            at=pl.lit(None, pl.Int64),
        )
    )


def daily_users(seen: pl.DataFrame, reached: pl.DataFrame, days: int) -> pl.DataFrame:
    """The different users of each day; `so_far` are those of its stretch until then.

    `seen`: group, user (-1 for nobody), first_on, last_on, rows; `reached`: group, stretch, on (the
    day on which somebody is first seen in the stretch) and how many, `n`.
    """
    groups = seen["group"].unique().sort()
    present = np.zeros((len(groups), days + 1), np.int64)
    for place, first, last, count in (_users(seen, groups), _nobodies(seen, groups)):
        np.add.at(present, (place, first), count)
        np.subtract.at(present, (place, last + 1), count)
    counted = present.cumsum(axis=1)
    place, on = np.nonzero(counted)
    return (
        pl.DataFrame({"group": groups.gather(place), "on": on, "usage": counted[place, on]})
        .join(reached, on=ON, how="left", maintain_order="left")
        .with_columns(pl.col("stretch").forward_fill().over("group"), pl.col("n").fill_null(0))
        .with_columns(so_far=pl.col("n").cum_sum().over(IN_STRETCH))
        .select(
            *IN_STRETCH,
            "on",
            pl.col("usage", "so_far").cast(MONEY),
            at=pl.lit(None, pl.Int64),
        )
    )


_Stays = tuple[Ints, Ints, Ints, Ints]
"""Position of the group, first day, last day, how many."""


def _users(seen: pl.DataFrame, groups: pl.Series) -> _Stays:
    """The days of each user of each group, none of them twice."""
    named = seen.filter(pl.col("user") >= 0).sort("group", "user", "first_on")
    place = groups.search_sorted(named["group"]).to_numpy().astype(np.int64)
    who = (place << 32) | named["user"].to_numpy()
    after = named["last_on"].to_numpy() + 1
    first, is_left = without_overlap(who, named["first_on"].to_numpy(), after)
    chosen = np.flatnonzero(is_left)
    return place[chosen], first[chosen], after[chosen] - 1, np.ones(len(chosen), np.int64)


def _nobodies(seen: pl.DataFrame, groups: pl.Series) -> _Stays:
    """The days of rows without a user, each a user of its own."""
    rows = seen.filter(pl.col("user") < 0)
    place = groups.search_sorted(rows["group"]).to_numpy().astype(np.int64)
    first, last, count = (rows[name].to_numpy() for name in ("first_on", "last_on", "rows"))
    return place, first, last, count
