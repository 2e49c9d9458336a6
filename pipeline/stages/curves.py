"""How many were open at once through the days that decide: those of a meter's largest excess.

Belongs here: which days these are, and their course. Does not belong here: finding peaks
(`stages.sessions`), and drawing.

The course of every day would be as large as the usage itself, so only these days are looked at once
more, when all are measured: the same rows, decided and laid down the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.measures.arrays import Flags, Ints
from pipeline.measures.peak import Sessions, peaks
from pipeline.stages.sessions import Stays
from pipeline.stages.stretches import Stretches
from pipeline.store.usage import DAY_US
from schemas.columns import MONEY

SLOT = 5 * 60 * 1_000_000
"""Five minutes: a day of a meter is at most 300 rows, however busy it was."""

SessionsOn = Callable[[int, Flags], Stays]
"""The sessions of some tenants on a UTC day, at least."""

EXCESS = pl.Schema({"group": pl.Int64(), "stretch": pl.Int64(), "excess": MONEY})
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
    slot_of, since = _slots(which, start, stop, end - begin)
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


def _slots(which: Ints, start: Ints, stop: Ints, lasts: Ints) -> tuple[Ints, Ints]:
    """The slots in which the number can be another than before: which day, since when.

    Those in which a session begins or ends, the next ones, and the first of each day.
    """
    most = int(lasts.max()) // SLOT + 2
    codes = [which * most + at // SLOT + after for at in (start, stop) for after in (0, 1)]
    found = np.unique(np.concatenate([np.arange(len(lasts)) * most, *codes]))
    day, since = found // most, found % most * SLOT
    is_within = since < lasts[day]
    return day[is_within], since[is_within]


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
    """(group, on) of each group's earliest largest excess, of those that have any."""
    highest = found.group_by("group", "stretch").agg(pl.col("peak").max())
    over = [
        (group, stretch, peak - stretches.of(group)[stretch][2])
        for group, stretch, peak in highest.iter_rows()
        if peak > stretches.of(group)[stretch][2]
    ]
    excess = pl.DataFrame(over, schema=EXCESS, orient="row")
    best = (
        found.join(excess, on=["group", "stretch"])
        .join(highest, on=["group", "stretch", "peak"])
        .sort("group", "excess", "at", descending=[False, True, False])
        .unique("group", keep="first", maintain_order=True)
    )
    tenant = best["group"].to_numpy() // meters
    on = stretches.local_days.number(tenant, best["at"].to_numpy())
    return best.select("group", on=pl.Series(on))
