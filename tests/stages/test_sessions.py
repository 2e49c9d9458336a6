"""R4 peak: days measured one after the other against looking at every instant of the period."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.measures.arrays import Ints
from pipeline.stages.sessions import Groups, Stays, measure_sessions
from pipeline.stages.stretches import Stretches, Table
from pipeline.store.usage import NO_USER

AGENTS, PORTS = range(2)
METERS, SUBSCRIPTIONS = 2, 4
"""Agents are users, ports are not; each tenant has two of the subscriptions."""

FIRST, LAST = 1_000, 1_030
"""Instants are whole numbers; a day is a few of them."""


@dataclass(frozen=True)
class Session:
    subscription: int
    meter: int
    user: int | None
    start: int
    end: int
    event: bytes

    @property
    def tenant(self) -> int:
        return self.subscription // 2

    @property
    def own(self) -> int:
        return self.subscription * METERS + self.meter


@dataclass(frozen=True)
class Month:
    """Some sessions, each tenant's first instant and the one after its last, its stretches."""

    sessions: list[Session]
    bounds: list[tuple[int, int]]
    since: dict[int, list[int]]


@st.composite
def months(draw: st.DrawFn) -> Month:
    """A crowded month: sessions tie, overlap, last for days and come from before the period."""
    bounds = [(FIRST + draw(st.integers(0, 8)), LAST - draw(st.integers(0, 8))) for _ in range(2)]
    busy = draw(st.lists(st.integers(-9, 12), min_size=1, max_size=5))
    sessions = []
    for number in range(draw(st.integers(0, 14))):
        subscription = draw(st.integers(0, SUBSCRIPTIONS - 1))
        meter = draw(st.sampled_from([AGENTS, AGENTS, PORTS]))
        begin = bounds[subscription // 2][0]
        start = begin + draw(st.sampled_from(busy))
        end = start + draw(st.sampled_from([0, 1, 2, 3, 5, 9, 17, 99]))
        if start < begin >= end:
            continue  # it is outside the period
        user = draw(st.sampled_from([None, 0, 1, 2])) if meter == AGENTS else None
        event = draw(st.sampled_from([b"a", b"b", b"longer", "é".encode()])) + bytes([number])
        sessions.append(Session(subscription, meter, user, start, end, event))
    since = {
        tenant * METERS + meter: sorted(
            draw(st.sets(st.integers(begin + 1, after - 1), max_size=3))
        )
        for tenant, (begin, after) in enumerate(bounds)
        for meter in range(METERS)
    }
    return Month(sessions, bounds, since)


class Given(Stretches):
    """Stretches that begin where they are told to."""

    def __init__(self, since: dict[int, list[int]]) -> None:
        self._since = since

    def table(self, groups: Ints) -> Table:
        rows = [
            (group, since, number)
            for group in groups.tolist()
            for number, since in enumerate([0, *self._since[group]])
        ]
        return Table(*np.array(rows, np.int64).reshape(-1, 3).T)

    def within(self, groups: Ints, begin: int, end: int) -> Table:
        return self.table(groups).within(begin, end)


Found = tuple[dict[tuple[int, int], tuple[int, int]], dict[int, int], dict[int, int]]
"""The peak of each (group, stretch) with its earliest instant; the split at the earliest peak of
the group; the peak of each own."""


def by_instant(month: Month) -> Found:
    """Who is on at every instant, by the words of R4.1 and R4.2."""
    on: dict[int, list[Session]] = {at: [] for at in range(FIRST, LAST)}
    for session in month.sessions:
        begin, after = month.bounds[session.tenant]
        earlier = [
            other
            for other in month.sessions
            if session.user is not None
            and (other.tenant, other.meter, other.user)
            == (session.tenant, session.meter, session.user)
            and (other.start, other.event) < (session.start, session.event)
        ]
        for at in range(max(session.start, begin), min(session.end, after)):
            if all(other.end <= at for other in earlier):
                on[at].append(session)
    peaks: dict[tuple[int, int], tuple[int, int]] = {}
    best: dict[int, tuple[int, int]] = {}
    own_peak: Counter[int] = Counter()
    for at, those in on.items():
        for group, number in Counter(one.tenant * METERS + one.meter for one in those).items():
            stretch = sum(since <= at for since in month.since[group])
            if number > peaks.get((group, stretch), (0, 0))[0]:
                peaks[group, stretch] = number, at
            if number > best.get(group, (0, 0))[0]:
                best[group] = number, at
        own_peak |= Counter(one.own for one in those)
    split = Counter(
        one.own
        for group, (_, at) in best.items()
        for one in on[at]
        if one.tenant * METERS + one.meter == group
    )
    return peaks, dict(split), dict(own_peak)


def by_day(month: Month, length: int) -> Found:
    """Days of some length, each measured with what the one before hands on."""
    own = np.arange(SUBSCRIPTIONS * METERS)
    tenant = own // METERS // 2
    begins = np.array([begin for begin, _ in month.bounds])[tenant]
    groups, stretches = Groups(tenant * METERS + own % METERS, begins, METERS), Given(month.since)
    events = [session.event for session in month.sessions]
    carried = Stays.none()
    peaks: dict[tuple[int, int], tuple[int, int]] = {}
    best: dict[int, tuple[int, int]] = {}
    days = []
    for day in range(FIRST, LAST, length):
        begun = [
            (number, one)
            for number, one in enumerate(month.sessions)
            if (day <= one.start or day == FIRST) and one.start < day + length
        ]
        measured = measure_sessions(
            _stays([one for _, one in begun], month),
            np.array([number for number, _ in begun], np.int64),
            carried,
            day,
            day + length,
            groups,
            stretches,
            lambda numbers: [events[number] for number in numbers.tolist()],
        )
        carried = Stays.of(measured.carried.as_frame())
        for group, stretch, peak, at in measured.peaks.iter_rows():
            if peak > peaks.get((group, stretch), (0, 0))[0]:
                peaks[group, stretch] = peak, at
            if peak > best.get(group, (0, 0))[0]:
                best[group] = peak, day
        days.append((day, measured.parts))
    assert not len(carried), "nothing lasts beyond the period"
    split = {
        own: quantity
        for day, parts in days
        for own, quantity, _ in parts.iter_rows()
        if best[int(groups.of[own])][1] == day and quantity
    }
    own_peak: Counter[int] = Counter()
    for _, parts in days:
        own_peak |= Counter({own: peak for own, _, peak in parts.iter_rows()})
    return peaks, split, dict(own_peak)


def _stays(sessions: list[Session], month: Month) -> Stays:
    return Stays(
        np.array([one.own for one in sessions], np.int64),
        np.array([_user(one) for one in sessions], np.int32),
        np.array([one.start for one in sessions], np.int64),
        np.array([min(one.end, month.bounds[one.tenant][1]) for one in sessions], np.int64),
    )


def _user(session: Session) -> int:
    return NO_USER if session.user is None else session.tenant * 3 + session.user


@pytest.mark.parametrize("length", [1, 4, 7, LAST - FIRST])
@settings(max_examples=60, deadline=None)
@given(month=months())
def test_days_one_by_one_come_to_what_every_instant_says(length: int, month: Month) -> None:
    """R4.1 to R4.4, whole, split and by stretch, however many midnights a session lasts."""
    assert by_day(month, length) == by_instant(month)
