"""What a tenant used, ready to be drawn and put into tables.

Belongs here: finding a tenant's rows among the published ones. Does not belong here: computing
usage, and drawing it (`charts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from pipeline.period import Period, midnight, moment

Row = Mapping[str, Any]
Who = tuple[str, str]

NOTHING = Decimal(0)
PEAK, DISTINCT = "peak", "distinct"


@dataclass(frozen=True, slots=True)
class Day:
    """A day's usage as it is compared with what is included; where nothing is, with none."""

    day: date
    used: Decimal
    included: Decimal | None

    @property
    def over(self) -> Decimal:
        """How much of it is beyond what is included."""
        return NOTHING if self.included is None else max(self.used - self.included, NOTHING)


@dataclass(frozen=True, slots=True)
class Series:
    """A meter's month: peaks of each day, or what different users or quantities have come to."""

    meter: str
    measure: str
    days: tuple[Day, ...]

    @property
    def is_included(self) -> bool:
        """Whether there is anything to compare it with."""
        return all(one.included is not None for one in self.days)

    @property
    def top(self) -> Decimal:
        """The largest number in it."""
        return max(max(one.used, one.included or NOTHING) for one in self.days)


@dataclass(frozen=True, slots=True)
class Course:
    """A day's course in a zone: from each instant on, so many were open at once."""

    day: date
    zone: str
    steps: tuple[tuple[datetime, int], ...]
    included: Decimal
    marked: datetime

    @property
    def begin(self) -> datetime:
        """The day's midnight."""
        return moment(midnight(self.day.toordinal(), self.zone))

    @property
    def end(self) -> datetime:
        """The next day's midnight."""
        return moment(midnight(self.day.toordinal() + 1, self.zone))

    @property
    def top(self) -> Decimal:
        """The largest number in it."""
        return max(self.included, *(Decimal(number) for _, number in self.steps))


class Figures:
    """The published rows of a month, by tenant."""

    def __init__(self, datasets: Mapping[str, pl.DataFrame], period: Period) -> None:
        self.period = period
        self._by_tenant = {
            name: _by_tenant(datasets[name])
            for name in ("usage_split", "overage", "occupancy", "daily", "curve", "findings")
            if name in datasets
        }
        self._by_tenant["access"] = _by_tenant(datasets["access"]) if "access" in datasets else {}
        self.controls = datasets["controls"].rows(named=True) if "controls" in datasets else []

    @property
    def tenants(self) -> set[str]:
        """The tenants of which anything is published."""
        return {tenant for rows in self._by_tenant.values() for tenant in rows}

    def of(self, dataset: str, tenant: str) -> list[Row]:
        """A tenant's rows of a dataset, in the order of its key."""
        return self._by_tenant.get(dataset, {}).get(tenant, [])

    def by_meter(self, dataset: str, tenant: str) -> dict[str, Row]:
        """A tenant's rows of a dataset that has one a meter."""
        return {row["meter"]: row for row in self.of(dataset, tenant)}

    def usage(self, tenant: str) -> dict[str, Decimal]:
        """What a tenant used of each meter over the period."""
        return {row["meter"]: row["tenant_usage"] for row in self.of("occupancy", tenant)}

    def series(self, tenant: str, meter: str) -> Series | None:
        """A meter's month day by day; none where nothing was measured."""
        stretches = [row for row in self.of("occupancy", tenant) if row["meter"] == meter]
        if not stretches:
            return None
        measure = stretches[0]["measure"]
        is_included = meter in self.by_meter("overage", tenant)
        by_day = {row["day"]: row for row in self.of("daily", tenant) if row["meter"] == meter}
        days = tuple(_days(self.period, stretches, by_day, measure, is_included=is_included))
        return Series(meter, measure, days)

    def course(self, tenant: str, meter: str, zone: str) -> Course | None:
        """The day of a peak's largest excess; none where there is no excess."""
        rows = [row for row in self.of("curve", tenant) if row["meter"] == meter]
        over = self.by_meter("overage", tenant).get(meter)
        if not rows or over is None or over["overage_at"] is None:
            return None
        steps = tuple((row["at"], row["open"]) for row in rows)
        return Course(rows[0]["day"], zone, steps, over["entitlement"], over["overage_at"])


def _days(
    period: Period,
    stretches: list[Row],
    by_day: Mapping[date, Row],
    measure: str,
    *,
    is_included: bool,
) -> Iterator[Day]:
    begins = {row["first_day"]: row["entitlement"] for row in stretches}
    included, so_far = NOTHING, NOTHING
    for day in map(date.fromordinal, period.days):
        if day in begins:
            included, so_far = begins[day], NOTHING
        row = by_day.get(day)
        so_far = row["so_far"] if row else so_far
        used = (row["usage"] if row else NOTHING) if measure == PEAK else so_far
        yield Day(day, used, included if is_included else None)


def _by_tenant(rows: pl.DataFrame) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows.iter_rows(named=True):
        if row["tenant_id"] is not None:
            found.setdefault(row["tenant_id"], []).append(row)
    return found
