"""Measure the sessions of a day, or part of one: who was on at once, whole and split (R4 peak).

Belongs here: laying down users' sessions, cutting them at the part's end, sweeping over the
rest. Does not belong here: the sweep itself (`measures.peak`), and joining parts (`stages.month`).

Parts are measured in order. What is still open when one ends is handed to the next: a user's
sessions, once laid down, do not overlap, so the pieces that reach beyond the part say everything
that later parts need to know of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from pipeline.measures.arrays import Codes32, Columns, Ints
from pipeline.measures.peak import Sessions, peaks, without_overlap
from pipeline.stages.stretches import Stretches
from pipeline.store.usage import NO_USER

EventIds = Callable[[Ints], list[bytes]]
"""From numbers of rows to their event ids."""


@dataclass(frozen=True, slots=True)
class Stays(Columns):
    """Sessions of a bucket: arrays of one length.

    `own` is owner and meter as one code; `user` is NO_USER where users do not count (R4.2); `start`
    and `end` are instants, the end within the tenant's period.
    """

    own: Ints
    user: Codes32
    start: Ints
    end: Ints

    def as_frame(self) -> pl.DataFrame:
        """What later parts need to know of them."""
        return pl.DataFrame(
            {"own": self.own, "user": self.user, "start": self.start, "end": self.end}
        )

    @staticmethod
    def of(frame: pl.DataFrame) -> Stays:
        """Sessions as they were kept."""
        return Stays(*(frame[one.name].to_numpy() for one in fields(Stays)))

    @classmethod
    def none(cls) -> Stays:
        """No sessions."""
        nothing = np.empty(0, np.int64)
        return cls(nothing, np.empty(0, np.int32), nothing, nothing)


@dataclass(frozen=True, slots=True)
class Groups:
    """The (tenant, meter) of each `own`, as one code, and the instant its period begins at."""

    of: Ints
    begins: Ints
    meters: int

    def not_before(self, own: Ints, begin: int) -> Ints | int:
        """The first instant from `begin` on that counts for each `own`."""
        if (self.begins <= begin).all():
            return begin
        return np.maximum(self.begins[own], begin)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the sessions of a part come to.

    `peaks`: group, stretch (its number), peak, at, with a row for each local day that the stretch
    touches; `parts`: own, quantity (open at the group's earliest peak of the part), own_peak;
    `carried` are the pieces that reach beyond the part.
    """

    peaks: pl.DataFrame
    parts: pl.DataFrame
    carried: Stays


def measure_sessions(
    begun: Stays,
    numbers: Ints,
    carried: Stays,
    begin: int,
    end: int,
    groups: Groups,
    stretches: Stretches,
    event_ids: EventIds,
) -> Measured:
    """Measure [begin, end): sessions that began in it, and those `carried` into it.

    Into the first part come all that began before it and reach into it. `numbers` are those of the
    rows of the sessions that began.
    """
    laid_down = lay_down(begun, numbers, carried, begin, groups.meters, event_ids)
    pieces = Stays.together([carried, laid_down]) if len(carried) else laid_down
    beyond = pieces.at(pieces.end > end)
    start = np.maximum(pieces.start, groups.not_before(pieces.own, begin)) - begin
    stop = np.minimum(pieces.end, end) - begin
    is_inside = start < stop
    if not is_inside.all():
        inside = np.flatnonzero(is_inside)
        pieces, start, stop = pieces.at(inside), start.take(inside), stop.take(inside)
    group = groups.of.take(pieces.own)
    table = stretches.within(_present(group), begin, end)
    highest, at = peaks(Sessions(group, start, stop), table.group, table.since - begin)
    own_codes = _present(pieces.own)
    own_peak, _ = peaks(Sessions(pieces.own, start, stop), own_codes, np.zeros_like(own_codes))
    peak_at = _earliest_peak(table.group, highest, at).take(group)
    is_open = (start <= peak_at) & (peak_at < stop)
    open_own = pieces.own.take(np.flatnonzero(is_open))
    open_then = np.bincount(open_own, minlength=len(groups.of))[own_codes]
    return Measured(
        pl.DataFrame(
            {"group": table.group, "stretch": table.number, "peak": highest, "at": at + begin}
        ),
        pl.DataFrame({"own": own_codes, "quantity": open_then, "own_peak": own_peak}),
        beyond,
    )


def lay_down(
    begun: Stays, numbers: Ints, carried: Stays, begin: int, meters: int, event_ids: EventIds
) -> Stays:
    """R4.2: what is left of each session once the same user's earlier ones have ended.

    Sessions without a user count on their own; empty ones count for nothing. Of those that began
    before `begin`, only the order in which they did counts, however long ago that was.
    """
    is_lasting = begun.start < begun.end
    is_personal = is_lasting & (begun.user != NO_USER)
    personal = np.flatnonzero(is_personal)
    if not len(personal):
        return begun if is_lasting.all() else begun.at(is_lasting)
    who = _who(begun.user.take(personal), begun.own.take(personal), meters)
    order = in_order(who, begun.start.take(personal), numbers.take(personal), event_ids)
    who, personal = who.take(order), personal.take(order)
    is_first = np.append(True, who[1:] != who[:-1])
    rank = np.cumsum(is_first) - 1
    floor = _covered_until(who[is_first], carried, begin, meters)
    start, end = begun.start.take(personal), begun.end.take(personal)
    earliest = np.maximum(start, floor.take(rank))
    left, is_left = without_overlap(rank, earliest - begin, end - begin)
    left += begin
    if not is_left.all():
        some = np.flatnonzero(is_left)
        personal, left, end = personal.take(some), left.take(some), end.take(some)
    kept = Stays(begun.own.take(personal), begun.user.take(personal), left, end)
    return Stays.together([begun.at(is_lasting & ~is_personal), kept])


def in_order(who: Ints, started: Ints, number: Ints, event_ids: EventIds) -> Ints:
    """The order by who, start and event id; ids are read only where the rest is the same."""
    time = started - started.min()
    bits = int(time.max()).bit_length()
    if int(who.max()).bit_length() + bits > 63:
        _, who = np.unique(who, return_inverse=True)
    if int(who.max()).bit_length() + bits > 63:
        _, time = np.unique(time, return_inverse=True)
        bits = int(time.max()).bit_length()
    key = (who << bits) | time
    order = np.argsort(key)
    ordered = key.take(order)
    ties = ordered[1:] == ordered[:-1]
    if ties.any():
        tied = np.flatnonzero(np.append(ties, False) | np.append(False, ties))
        ids = event_ids(number[order[tied]])
        sorted_ties = sorted(zip(ordered[tied].tolist(), ids, order[tied].tolist(), strict=True))
        order[tied] = [position for _, _, position in sorted_ties]
    return order


def _who(user: Codes32, own: Ints, meters: int) -> Ints:
    """User and meter as one code."""
    # A remainder takes the machine several times as long as a quotient by one number.
    return user.astype(np.int64) * meters + (own - own // meters * meters)


def _covered_until(who: Ints, carried: Stays, begin: int, meters: int) -> Ints:
    """Until when sessions from before `begin` cover each user; `who` is sorted."""
    covered = np.full(len(who), begin)
    theirs = carried.at(carried.user != NO_USER)
    code = _who(theirs.user, theirs.own, meters)
    found = np.minimum(np.searchsorted(who, code), len(who) - 1)
    is_found = who[found] == code
    np.maximum.at(covered, found[is_found], theirs.end[is_found])
    return covered


def _present(codes: Ints) -> Ints:
    """The different codes among many, in order."""
    return np.flatnonzero(np.bincount(codes)) if len(codes) else codes


def _earliest_peak(group: Ints, highest: Ints, at: Ints) -> Ints:
    """R4.4: for each group, the earliest instant at which it is at its highest."""
    count = int(group.max()) + 1 if len(group) else 0
    peak = np.zeros(count, np.int64)
    np.maximum.at(peak, group, highest)
    is_peak = highest == peak[group]
    earliest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(earliest, group[is_peak], at[is_peak])
    return earliest
