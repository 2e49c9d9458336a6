"""How many were open at once through the days that decide: the tenant's peak and largest excess.

Belongs here: which days these are, and their course. Does not belong here: finding peaks
(`stages.sessions`), and drawing.

The course of every day would be as large as the usage itself, so only these days are looked at once
more, when all are measured: the same rows, decided and laid down the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from pipeline.measures.arrays import Flags, Ints
from pipeline.measures.peak import Sessions, peaks
from pipeline.stages.sessions import Stays
from pipeline.stages.stretches import Stretches
from pipeline.store.usage import DAY_US

SLOT = 5 * 60 * 1_000_000
"""Five minutes: a day of a meter is at most 300 rows, however busy it was."""

SessionsOn = Callable[[int, Flags], Stays]
"""The sessions of some tenants on a UTC day, at least."""

CURVE = pl.Schema({"group": pl.Int64(), "on": pl.Int64(), "at": pl.Int64(), "open": pl.Int64()})


def curves(
    peaks_found: pl.DataFrame,
    stretches: Stretches,
    group_of: Ints,
    meters: int,
    tenants: int,
    sessions_on: SessionsOn,
) -> pl.DataFrame:
    """The highest number open in each slot of the days that decide, where it changes.

    `peaks_found` are those of all days, `group_of` gives the group of each own. Gives `group`, `on`
    (the local day), `at` and `open`, in order.
    """
    wanted = _wanted(peaks_found, stretches, meters)
    if wanted.is_empty():
        return pl.DataFrame(schema=CURVE)
    tenant = wanted["group"].to_numpy() // meters
    on = wanted["on"].to_numpy()
    begin = stretches.local_days.begin(tenant, on)
    end = stretches.local_days.begin(tenant, on + 1)
    pieces = []
    for day in range(int(begin.min()) // DAY_US, -(-int(end.max()) // DAY_US)):
        touches = (begin < (day + 1) * DAY_US) & (end > day * DAY_US)
        if touches.any():
            asked = np.zeros(tenants + 1, bool)
            asked[tenant[touches]] = True
            stays = sessions_on(day, asked)
            limits = _Limits(wanted["group"].to_numpy(), begin, end, day * DAY_US)
            pieces.append(_clipped(stays, group_of, limits, touches))
    which, start, stop = (np.concatenate(column) for column in zip(*pieces, strict=True))
    slots = -(-(end - begin) // SLOT)
    slot_of = np.repeat(np.arange(len(wanted)), slots)
    since = (np.arange(len(slot_of)) - np.repeat(slots.cumsum() - slots, slots)) * SLOT
    highest, _ = peaks(Sessions(which, start, stop), slot_of, since)
    changes = np.flatnonzero((np.diff(highest, prepend=-1) != 0) | (since == 0))
    of = slot_of[changes]
    return pl.DataFrame(
        {
            "group": wanted["group"].to_numpy()[of],
            "on": on[of],
            "at": begin[of] + since[changes],
            "open": highest[changes],
        },
        schema=CURVE,
    )


@dataclass(frozen=True, slots=True)
class _Limits:
    """The days that are asked for: arrays of one length; and the UTC day that is looked at."""

    group: Ints
    begin: Ints
    end: Ints
    day: int


def _clipped(
    stays: Stays, group_of: Ints, limits: _Limits, touches: Flags
) -> tuple[Ints, Ints, Ints]:
    """Which of the asked days each session is in, from when to when, counted from its beginning."""
    asked = pl.DataFrame(
        {"group": limits.group, "begin": limits.begin, "end": limits.end}
    ).with_row_index("which")
    rows = (
        pl.DataFrame({"group": group_of[stays.own], "start": stays.start, "stop": stays.end})
        .join(asked.filter(pl.Series(touches)), on="group")
        .select(
            pl.col("which").cast(pl.Int64),
            start=pl.max_horizontal("start", "begin", pl.lit(limits.day)) - pl.col("begin"),
            stop=pl.min_horizontal("stop", "end", pl.lit(limits.day + DAY_US)) - pl.col("begin"),
        )
        .filter(pl.col("start") < pl.col("stop"))
    )
    which, start, stop = (rows[name].to_numpy() for name in ("which", "start", "stop"))
    return which, start, stop


def _wanted(found: pl.DataFrame, stretches: Stretches, meters: int) -> pl.DataFrame:
    """(group, on) of each group's earliest highest peak, and of its earliest largest excess."""
    groups = found["group"].unique()
    included = pl.DataFrame(
        [
            (group, number, quantity)
            for group in groups.to_list()
            for number, (_, _, quantity) in enumerate(stretches.of(group))
        ],
        schema={"group": pl.Int64, "stretch": pl.Int64, "included": pl.Decimal(38, 6)},
        orient="row",
    )
    excess = (
        found.join(included, on=["group", "stretch"])
        .with_columns(excess=pl.col("peak") - pl.col("included"))
        .filter(pl.col("excess") > Decimal(0))
    )
    highest = [
        rows.sort("group", column, "at", descending=[False, True, False]).unique(
            "group", keep="first", maintain_order=True
        )
        for rows, column in ((found.filter(pl.col("peak") > 0), "peak"), (excess, "excess"))
    ]
    best = pl.concat(rows.select("group", "at") for rows in highest)
    tenant = best["group"].to_numpy() // meters
    on = stretches.local_days.number(tenant, best["at"].to_numpy())
    return best.select("group", on=pl.Series(on)).unique().sort("group", "on")
