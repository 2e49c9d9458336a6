"""What each meter came to on each of a tenant's local days: what pictures are drawn from.

Belongs here: from the parts' frames to usage by local day, in codes. Does not belong here: names,
and what is billed (`stages.month`); both come from the same frames.

Every frame given has `group`, `stretch`, `on` (the number of the local day), `usage`, `so_far` (in
the stretch, by the end of the day) and `at`, in order, with a row for each day with any usage.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.stages.local_days import LocalDays
from pipeline.stages.meter import together
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
    return (
        sums.group_by(ON)
        .agg(pl.col("high", "low").sum())
        .sort(ON)
        .with_columns(usage=together())
        .with_columns(so_far=pl.col("usage").cum_sum().over("group"))
        .select(
            "group",
            "on",
            pl.col("usage", "so_far").cast(MONEY),
            stretch=pl.lit(0, pl.Int64),
            at=pl.lit(None, pl.Int64),
        )
    )


def daily_users(present: pl.DataFrame, reached: pl.DataFrame, days: int) -> pl.DataFrame:
    """The different users of each day; `so_far` are those of its stretch until then.

    `present`: group, days (as bits), and how many users have these days, `n`; `reached`: group,
    stretch, on (the day on which somebody is first seen in the stretch) and how many, `n`.
    """
    groups = present["group"].unique().sort()
    where = groups.search_sorted(present["group"]).to_numpy()
    counted = np.zeros((len(groups), days), np.int64)
    for on in range(days):
        is_present = (present["days"].to_numpy() >> on) & 1
        np.add.at(counted[:, on], where, present["n"].to_numpy() * is_present)
    place, on_day = np.nonzero(counted)
    return (
        pl.DataFrame({"group": groups.gather(place), "on": on_day, "usage": counted[place, on_day]})
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
