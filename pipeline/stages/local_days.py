"""The local days of a period, as each tenant of a bucket lives them.

Belongs here: from instants to the number of a tenant's local day. Does not belong here: when a day
begins (`period.midnight`), and what happens on it.
"""

from __future__ import annotations

import numpy as np

from pipeline.measures.arrays import Flags, Ints
from pipeline.period import midnight
from pipeline.stages.book import Book

FEW = 4
"""Midnights that are compared with instants one by one: quicker than to look each instant up."""


class LocalDays:
    """The days of the book's period, counted from 0, in the zone of each of its tenants."""

    def __init__(self, book: Book) -> None:
        days = book.period.days
        names = [tenant.zone for tenant in book.tenants]
        zones = sorted(set(names)) or ["UTC"]
        self._zone = np.array([zones.index(name) for name in names], np.int64)
        self.midnights: Ints = np.array(
            [[midnight(day, zone) for day in (*days, days.after)] for zone in zones], np.int64
        )

    def number(self, tenant: Ints, instant: Ints) -> Ints:
        """The day that each instant of a tenant falls on; the nearest for those beyond them all."""
        if len(self.midnights) == 1:
            return self._within(0, instant)
        zone = self._zone[tenant]
        found = np.empty(len(instant), np.int64)
        for one in np.flatnonzero(np.bincount(zone)) if len(zone) else ():
            chosen = zone == one
            found[chosen] = self._within(int(one), instant[chosen])
        return found

    def begin(self, tenant: Ints, number: Ints) -> Ints:
        """The instant at which each of a tenant's days begins."""
        begins: Ints = self.midnights[self._zone[tenant], number]
        return begins

    def most_cuts(self, begin: int, end: int) -> int:
        """How many midnights any tenant has within (begin, end)."""
        return int(self._is_within(begin, end).sum(axis=1).max())

    def cut(self, tenant: Ints, begin: int, end: int, rank: int) -> Ints:
        """Each tenant's midnight of some rank within (begin, end); `begin` where there is none."""
        is_within = self._is_within(begin, end)
        is_asked = is_within & (is_within.cumsum(axis=1) == rank + 1)
        of_zone: Ints = np.where(is_asked, self.midnights, begin).max(axis=1)
        return of_zone[self._zone[tenant]]

    def _is_within(self, begin: int, end: int) -> Flags:
        return (self.midnights > begin) & (self.midnights < end)

    def _within(self, zone: int, instant: Ints) -> Ints:
        if not len(instant):
            return instant
        midnights = self.midnights[zone]
        earliest, latest = np.searchsorted(midnights, [instant.min(), instant.max()], side="right")
        if latest - earliest > FEW:
            number = np.searchsorted(midnights, instant, side="right") - 1
        else:
            number = np.full(len(instant), earliest - 1)
            for midnight_within in midnights[earliest:latest]:
                number += instant >= midnight_within
        within: Ints = np.clip(number, 0, len(midnights) - 2)
        return within
