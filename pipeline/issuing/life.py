"""The life of a period: open, then closed for good, tenant by tenant.

Belongs here: what the ledger says of that. Does not belong here: closing (`close`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pipeline.period import Period, moment
from pipeline.store.ledger import APPLIED, CLOSED, Entry

CONNECT_SETTLES_ON = 4
"""The day of the next month, 00:00 UTC, from which on counts of Webex Connect are final."""


class Life:
    """Which tenants are closed in which periods, by the entries of the ledger."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)
        self._closed: dict[Period, dict[str, Entry]] = {}
        self._stands: dict[Period, dict[str, Entry]] = {}
        for entry in self.entries:
            for period, basis in entry.act.bases.items():
                theirs = dict.fromkeys(basis.tenants, entry)
                if entry.act.action == CLOSED:
                    self._closed.setdefault(period, {}).update(theirs)
                if entry.act.action in (CLOSED, APPLIED):
                    self._stands.setdefault(period, {}).update(theirs)

    def closed(self, period: Period) -> dict[str, Entry]:
        """The tenants that are closed in a period, and the entry that closed each."""
        return self._closed.get(period, {})

    def stands_by(self, period: Period, tenant: str) -> Entry | None:
        """The entry by which a tenant's documents of a period stand as they do."""
        return self._stands.get(period, {}).get(tenant)

    @property
    def closed_periods(self) -> list[Period]:
        """The periods in which any tenant is closed, in order."""
        return sorted(self._closed)

    def first_open(self, tenant: str, after: Period) -> Period:
        """The first later month in which a tenant is not closed: corrections are dated in it."""
        period = after.following
        while tenant in self.closed(period):
            period = period.following
        return period

    @property
    def issuing_entries(self) -> list[Entry]:
        """The entries that issued documents."""
        return [entry for entry in self.entries if entry.documents]


def settles_at(period: Period) -> datetime:
    """The instant from which on the Connect usage of a period is final."""
    following = period.following
    return datetime(following.year, following.month, CONNECT_SETTLES_ON, tzinfo=UTC)


def ends_at(period: Period, zone: str) -> datetime:
    """The instant at which a period is over in a zone."""
    return moment(period.bounds(zone)[1])
