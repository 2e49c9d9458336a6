"""Who was seen on which local days (R4 distinct): in a part of a day, and put together.

Belongs here: the days of users as bits of a number. Does not belong here: which rows count
(`stages.cases`), and what is billed (`stages.month`).

The idea: a month has at most 31 local days, so all the days on which somebody was seen are the bits
of one number, and what two parts say of a user is put together by `or`. So memory follows the
users, not their rows, and days can be measured in any parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.measures.arrays import Flags, Ints
from pipeline.stages.local_days import LocalDays
from pipeline.stages.row import Rows
from pipeline.stages.sessions import EventIds, in_order
from pipeline.store.usage import NO_USER, OPEN

USERS = pl.Schema({"own": pl.Int64(), "user": pl.Int32(), "days": pl.UInt32(), "first": pl.Int64()})
"""A user of an `own`, and the `days` as bits. `first`, where not null: when the part began in which
the meter's first row of that user was this own's."""

NOBODIES = pl.Schema({"own": pl.Int64(), "days": pl.UInt32(), "rows": pl.Int64()})
"""Rows without a user, each a user of its own: how many have these `days`."""

WAITING = 1 << 18
"""So many users wait at least before they are put together."""


def seen_in(
    rows: Rows,
    own: Ints,
    tenant: Ints,
    bounds: tuple[Ints, Ints],
    begin: int,
    meters: int,
    local_days: LocalDays,
    event_ids: EventIds,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The users of a part that begins at an instant, and its rows without any: USERS, NOBODIES.

    `bounds` are the first instants of each row's period and after it.
    """
    if not len(rows):
        return pl.DataFrame(schema=USERS), pl.DataFrame(schema=NOBODIES)
    begins, ends = bounds
    start = np.maximum(rows.started, begins)
    end = np.where(rows.ended == OPEN, start, np.minimum(rows.ended, ends))
    first_on = local_days.number(tenant, start)
    last_on = local_days.number(tenant, np.maximum(start, end - 1))
    is_first = _is_first(rows, own, meters, event_ids)
    frame = pl.DataFrame(
        {
            "own": own,
            "user": rows.user,
            "days": _bits(first_on, last_on).astype(np.uint32),
            "first": pl.Series(np.full(len(rows), begin)).set(pl.Series(~is_first), None),
        }
    )
    is_named = pl.col("user") != NO_USER
    nobodies = frame.filter(~is_named).group_by("own", "days").agg(rows=pl.len().cast(pl.Int64))
    return together([frame.filter(is_named)]), nobodies.match_to_schema(NOBODIES)


def _bits(first: Ints, last: Ints) -> Ints:
    """The days from a first to a last one, both included, as bits."""
    return (np.int64(2) << last) - (np.int64(1) << first)


def together(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """What some parts say of each user of an `own`: USERS."""
    of_all = pl.concat(parts).group_by("own", "user")
    return of_all.agg(pl.col("days").bitwise_or(), pl.col("first").min()).match_to_schema(USERS)


class Seen:
    """The users of parts as they come, put together whenever many are waiting."""

    def __init__(self) -> None:
        self._users = pl.DataFrame(schema=USERS)
        self._waiting: list[pl.DataFrame] = []

    def add(self, users: pl.DataFrame) -> None:
        """Add those of one more part."""
        self._waiting.append(users)
        if sum(map(len, self._waiting)) > max(WAITING, len(self._users)):
            self._put_together()

    def all(self) -> pl.DataFrame:
        """Those of all parts, each once."""
        self._put_together()
        return self._users

    def _put_together(self) -> None:
        self._users = together([self._users, *self._waiting])
        self._waiting = []


def _is_first(rows: Rows, own: Ints, meters: int, event_ids: EventIds) -> Flags:
    """Whether a row is the user's first of the part on its meter, by start and event id."""
    who = (rows.user.astype(np.int64) + 1) * meters + own % meters
    order = in_order(who, rows.started, rows.number, event_ids)
    ordered = who[order]
    is_first = np.zeros(len(rows), bool)
    is_first[order[np.append(True, ordered[1:] != ordered[:-1])]] = True
    return is_first
