"""The doctor: whether a month can be billed here, and whether everything for it is there.

Belongs here: which questions are asked, and in which order. Does not belong here: the questions
(`doctoring`), and printing (`show`). It writes nothing but a probe that it removes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from pipeline.doctoring import exports, machine, places, taken_in
from pipeline.doctoring.check import ERROR, Check, asked
from pipeline.period import Period
from pipeline.remote.place import name_of
from pipeline.stages.found import Found
from pipeline.store.landing import LandedStore


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run would be told: where things lie, and what it may take."""

    store: Path
    feeds: Path | None
    workers: int | None = None
    memory: int | None = None


def examine(around: Surroundings, periods: Sequence[Period], now: datetime) -> list[Check]:
    """What is found, question by question; an error is what a run would fail on or bill wrongly."""
    store, feeds = around.store, around.feeds
    checks, sources = exports.settings()
    checks += asked("machine", lambda: machine.resources(around.workers, around.memory))
    checks += machine.zones()
    found: list[Found] = []
    if sources is None:
        checks.append(Check(ERROR, "exports", "not looked at", "correct the settings first"))
    else:
        of_exports, found = exports.found(feeds, sources)
        checks += of_exports
        checks += asked("time zones", lambda: exports.zones_of_tenants(found))
    checks += asked("store", lambda: places.store_is_usable(store))
    checks += asked("lock", lambda: places.lock(store))
    checks += asked("taken in", lambda: _taken_in(around, found, periods, now))
    checks += machine.extras()
    return checks


def _taken_in(
    around: Surroundings, found: list[Found], periods: Sequence[Period], now: datetime
) -> list[Check]:
    """What is found of room, of what was taken in, and of each month's days in it."""
    store = around.store
    place = f" --feeds {name_of(around.feeds)}" if around.feeds else ""
    ingest = f"tenantbill ingest {periods[0]}{place}"
    landed = LandedStore(store)
    listing = landed.listing()
    checks = asked("disk", lambda: places.room(store, taken_in.new_exports(listing, found)))
    if listing is None:
        return [*checks, taken_in.nothing_yet(store, ingest)]
    checks += taken_in.clock(listing, now)
    checks += taken_in.code(listing, landed, ingest)
    if found:
        checks += taken_in.news(listing, found, ingest)
    for period in periods:
        days = partial(taken_in.coverage, listing, landed, period, now)
        checks += asked(f"days of {period}", days)
    return checks
