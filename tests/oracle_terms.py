"""What a tenant has agreed to, read row by row: the slow, obvious reading of R1, R2, R5 and R7.

Nothing here is clever or fast. A day is a `date` in the tenant's own time zone; every question
about a day is answered by looking at every row again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

Row = dict[str, str]

IN_SERVICE = {"active", "expired", "cancelled"}

SHIPPED_CATALOGUE = """
meter,measure,counts,routing,charge,overage_to,included_with,included_ratio
standard_agent,agents,users,subscription,overage,primary,,
premium_agent,agents,users,subscription,overage,primary,,
ivr_port,peak,sessions,subscription,overage,primary,standard_agent;premium_agent,2
toll_free_call,peak,sessions,subscription,overage,primary,,
ivr_outbound_port,peak,sessions,subscription,overage,responsible,,
ai_agent,sum,,subscription,overage,responsible,,
ai_assistant,sum,,subscription,overage,responsible,,
recording_storage,sum,,subscription,overage,primary,,
connect_sms,sum,,primary,per_unit,,,
connect_whatsapp,sum,,primary,per_unit,,,
connect_email,sum,,primary,per_unit,,,
connect_voice,sum,,primary,per_unit,,,
connect_interaction,sum,,primary,per_unit,,,
"""


def text(row: Row, column: str) -> str | None:
    """Contract: an empty or absent value is null."""
    return row.get(column) or None


def day(row: Row, column: str) -> date | None:
    """Contract: dates are YYYY-MM-DD."""
    value = text(row, column)
    return date.fromisoformat(value) if value else None


def half_up(value: Fraction, places: int) -> Decimal:
    """R5.5, R10.5: exact value in, rounded half up once (values are never negative)."""
    shifted = value * 10**places
    whole = (2 * shifted.numerator + shifted.denominator) // (2 * shifted.denominator)
    return Decimal(whole).scaleb(-places)


@dataclass(frozen=True)
class Meter:
    """One row of the meter catalogue."""

    name: str
    measure: str
    counts: str
    routing: str
    charge: str
    overage_to: str
    included_with: tuple[str, ...]
    included_ratio: Decimal


@dataclass(frozen=True)
class Period:
    """Words: one calendar month, from its first midnight to the next month's first midnight."""

    name: str

    @property
    def first(self) -> date:
        return date.fromisoformat(self.name + "-01")

    @property
    def days(self) -> list[date]:
        days = [self.first]
        while (days[-1] + timedelta(days=1)).month == self.first.month:
            days.append(days[-1] + timedelta(days=1))
        return days

    @property
    def last(self) -> date:
        return self.days[-1]

    def start(self, zone: ZoneInfo) -> datetime:
        return day_start(self.first, zone)

    def end(self, zone: ZoneInfo) -> datetime:
        return day_start(self.last + timedelta(days=1), zone)


def day_start(of: date, zone: ZoneInfo) -> datetime:
    """Words: a day begins at its first midnight; where clocks skip it, at the skip."""
    return datetime.combine(of, time(0), tzinfo=zone).replace(fold=0).astimezone(UTC)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """Words: the day of an instant is the tenant's local date."""
    return instant.astimezone(zone).date()


@dataclass(frozen=True)
class SubscriptionRow:
    """One interval of a subscription (R1.1)."""

    subscription_id: str
    license_model: str
    telephony: str | None
    status: str
    start: date
    end: date | None
    currency: str
    term_months: int | None
    billing_frequency: str


@dataclass(frozen=True)
class EntitlementRow:
    """How much of a meter a subscription includes, and between which days."""

    subscription_id: str
    meter: str
    quantity: Decimal
    start: date | None
    end: date | None
    cloud: bool


@dataclass(frozen=True)
class UserRow:
    """One assignment of a user."""

    user_id: str
    role: str
    license: str | None
    subscription_id: str | None
    start: date | None
    end: date | None


@dataclass(frozen=True)
class PartnerRow:
    """One partner of a tenant."""

    partner_id: str
    added_on: date
    role: str | None


@dataclass(frozen=True)
class Tenant:
    """All the terms of one tenant: nothing in here is ever shared with another."""

    tenant_id: str
    zone: ZoneInfo
    override: str | None
    subscriptions: tuple[SubscriptionRow, ...]
    entitlements: tuple[EntitlementRow, ...]
    users: tuple[UserRow, ...]
    partners: tuple[PartnerRow, ...]

    @property
    def subscription_ids(self) -> list[str]:
        return sorted({row.subscription_id for row in self.subscriptions})


def read_tenant(tenant_id: str, feeds: dict[str, list[Row]]) -> Tenant:
    """Contract: pick one tenant's rows out of every feed and give them their types."""

    def mine(feed: str) -> list[Row]:
        return [row for row in feeds.get(feed, []) if row.get("tenant_id") == tenant_id]

    zone = "UTC"
    override = None
    for row in mine("tenants"):
        zone = text(row, "time_zone") or "UTC"
        override = text(row, "primary_override")
    subscriptions = []
    for row in mine("subscriptions"):
        start = day(row, "start_date")
        assert start is not None
        months = text(row, "term_months")
        subscriptions.append(
            SubscriptionRow(
                subscription_id=row["subscription_id"],
                license_model=row["license_model"],
                telephony=text(row, "telephony"),
                status=row["status"],
                start=start,
                end=day(row, "end_date"),
                currency=row["currency"],
                term_months=int(months) if months else None,
                billing_frequency=text(row, "billing_frequency") or "monthly",
            )
        )
    entitlements = [
        EntitlementRow(
            subscription_id=row["subscription_id"],
            meter=row["meter"],
            quantity=Decimal(row["quantity"]),
            start=day(row, "start_date"),
            end=day(row, "end_date"),
            cloud=(text(row, "deployment") or "cloud") == "cloud",
        )
        for row in mine("entitlements")
    ]
    users = [
        UserRow(
            user_id=row["user_id"],
            role=row["role"],
            license=text(row, "license"),
            subscription_id=text(row, "subscription_id"),
            start=day(row, "start_date"),
            end=day(row, "end_date"),
        )
        for row in mine("users")
    ]
    partners = [
        PartnerRow(row["partner_id"], date.fromisoformat(row["added_on"]), text(row, "role"))
        for row in mine("partners")
    ]
    return Tenant(
        tenant_id,
        ZoneInfo(zone),
        override,
        tuple(subscriptions),
        tuple(entitlements),
        tuple(users),
        tuple(partners),
    )


def read_catalogue(feeds: dict[str, list[Row]]) -> dict[str, Meter]:
    """Contract: the feed `meters`, where there is one, replaces the shipped catalogue."""
    rows = feeds.get("meters") or []
    if not rows:
        lines = SHIPPED_CATALOGUE.strip().splitlines()
        names = lines[0].split(",")
        rows = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    catalogue = {}
    for row in rows:
        catalogue[row["meter"]] = Meter(
            name=row["meter"],
            measure=row["measure"],
            counts=text(row, "counts") or "sessions",
            routing=row["routing"],
            charge=row["charge"],
            overage_to=text(row, "overage_to") or "primary",
            included_with=tuple(re.findall(r"[^;\s]+", text(row, "included_with") or "")),
            included_ratio=Decimal(text(row, "included_ratio") or "0"),
        )
    return catalogue


def covers(start: date | None, end: date | None, on: date) -> bool:
    """R1.1: an interval of whole days, both ends inclusive, a missing end is open."""
    return (start is None or start <= on) and (end is None or on <= end)


def row_in_service(tenant: Tenant, subscription_id: str, on: date) -> SubscriptionRow | None:
    """R1.2: the row that gives this subscription's service on this day, whatever it says today."""
    for row in tenant.subscriptions:
        mine = row.subscription_id == subscription_id and row.status in IN_SERVICE
        if mine and covers(row.start, row.end, on):
            return row
    return None


def is_active(tenant: Tenant, subscription_id: str, on: date) -> bool:
    """R1.1: active on a day when an in-service row covers it."""
    return row_in_service(tenant, subscription_id, on) is not None


def active_subscriptions(tenant: Tenant, on: date) -> list[str]:
    """R1: every subscription of the tenant that is active on this day."""
    return [s for s in tenant.subscription_ids if is_active(tenant, s, on)]


def age(tenant: Tenant, subscription_id: str) -> date | None:
    """R1.3: the first start over all in-service rows; a renewal keeps it, also across a gap."""
    starts = [
        row.start
        for row in tenant.subscriptions
        if row.subscription_id == subscription_id and row.status in IN_SERVICE
    ]
    return min(starts) if starts else None


def oldest(tenant: Tenant, on: date) -> list[str]:
    """R2.1: the oldest of the subscriptions that are active on this day (several where equal)."""
    active = active_subscriptions(tenant, on)
    ages = [age(tenant, s) or date.max for s in active]
    return [s for s in active if (age(tenant, s) or date.max) == min(ages)]


def override_holds(tenant: Tenant, on: date) -> bool:
    """R2.2: an override holds on the days on which that subscription is active."""
    return tenant.override is not None and is_active(tenant, tenant.override, on)


def primary(tenant: Tenant, on: date) -> str | None:
    """R2.1, R2.2: the override where it holds, else the oldest active one, else the smaller id."""
    if override_holds(tenant, on):
        return tenant.override
    candidates = oldest(tenant, on)
    return min(candidates) if candidates else None


def primary_days(tenant: Tenant, period: Period) -> list[date]:
    """R2.3: the days of the period on which the tenant has any active subscription."""
    return [d for d in period.days if primary(tenant, d) is not None]


def closing_primary(tenant: Tenant, period: Period) -> str | None:
    """R2.3: the primary on the period's last day with any active subscription."""
    days = primary_days(tenant, period)
    return primary(tenant, days[-1]) if days else None


def models_on(tenant: Tenant, on: date) -> set[str]:
    """R8.1: the licence models in service on one day."""
    rows = [row_in_service(tenant, s, on) for s in tenant.subscription_ids]
    return {row.license_model for row in rows if row is not None}


def is_mixed(tenant: Tenant, period: Period) -> bool:
    """R8.1: concurrent and named subscriptions active on the same day."""
    return any(len(models_on(tenant, d)) > 1 for d in period.days)


def tenant_model(tenant: Tenant, period: Period) -> str:
    """R8.1: the closing primary's model on the closing day; concurrent where there is none."""
    days = primary_days(tenant, period)
    closing = closing_primary(tenant, period)
    if closing is None or is_mixed(tenant, period):
        return "concurrent"
    row = row_in_service(tenant, closing, days[-1])
    assert row is not None
    return row.license_model


def measure_of(meter: Meter, model: str) -> str:
    """R4: `agents` means peak where the licence model is concurrent, distinct where named."""
    if meter.measure == "agents":
        return "distinct" if model == "named" else "peak"
    return meter.measure


def in_force(tenant: Tenant, row: EntitlementRow, on: date) -> bool:
    """R5.1: the row is cloud and covers the day, and its subscription is active that day."""
    return (
        row.cloud and covers(row.start, row.end, on) and is_active(tenant, row.subscription_id, on)
    )


def granted(tenant: Tenant, meter: str, on: date) -> Decimal:
    """R5.1: what the meter's own rows give on this day, over all subscriptions."""
    total = Decimal(0)
    for row in tenant.entitlements:
        if row.meter == meter and in_force(tenant, row, on):
            total += row.quantity
    return total


def entitlement(tenant: Tenant, meter: Meter, on: date) -> Decimal:
    """R5.2: the meter's own rows plus what comes with each committed unit of other meters."""
    total = granted(tenant, meter.name, on)
    for other in meter.included_with:
        total += meter.included_ratio * granted(tenant, other, on)
    return total


def compared(value: Decimal) -> Decimal:
    """An entitlement as usage is compared with it: to 6 decimals."""
    return half_up(Fraction(value), 6)


def allowance(tenant: Tenant, meter: Meter, period: Period) -> Decimal:
    """R5.5: the sum over days of what is in force, divided by the days, rounded once."""
    total = Fraction(0)
    for d in period.days:
        total += Fraction(entitlement(tenant, meter, d))
    return half_up(total / len(period.days), 6)


def stretches(tenant: Tenant, meter: Meter, period: Period) -> list[tuple[list[date], Decimal]]:
    """R5.4: the runs of days of the period over which the entitlement does not change."""
    runs: list[tuple[list[date], Decimal]] = []
    for d in period.days:
        value = entitlement(tenant, meter, d)
        if runs and runs[-1][1] == value:
            runs[-1][0].append(d)
        else:
            runs.append(([d], value))
    return [(days, compared(value)) for days, value in runs]


def holders(tenant: Tenant, meter: str, on: date) -> list[str]:
    """R7.2: the subscriptions that have the meter in force on this day, also with quantity 0."""
    return sorted(
        {
            row.subscription_id
            for row in tenant.entitlements
            if row.meter == meter and in_force(tenant, row, on)
        }
    )


def first_had(tenant: Tenant, subscription_id: str, meter: str) -> date:
    """R7.2: the first-ever start of the meter here, not before the subscription's own age."""
    born = age(tenant, subscription_id)
    assert born is not None
    return min(
        max(row.start or born, born)
        for row in tenant.entitlements
        if row.subscription_id == subscription_id and row.meter == meter and row.cloud
    )


def responsible(tenant: Tenant, meter: str, period: Period) -> str | None:
    """R7.2: who had the meter first and still has it on the last day on which any has it."""
    days = [d for d in period.days if holders(tenant, meter, d)]
    if not days:
        return None

    def seniority(subscription_id: str) -> tuple[date, date, str]:
        born = age(tenant, subscription_id)
        assert born is not None
        return first_had(tenant, subscription_id, meter), born, subscription_id

    return min(holders(tenant, meter, days[-1]), key=seniority)


def payer(tenant: Tenant, meter: Meter, period: Period) -> str:
    """R7.1, R7.2: the closing primary, or the responsible subscription where there is one."""
    closing = closing_primary(tenant, period)
    assert closing is not None
    if meter.overage_to == "responsible":
        return responsible(tenant, meter.name, period) or closing
    return closing


def end_of_run(tenant: Tenant, subscription_id: str, on: date) -> date | None:
    """R9.3: the last day of the run of in-service days, without a gap, that holds this day."""
    last = on
    while True:
        row = row_in_service(tenant, subscription_id, last)
        if row is None:
            return last - timedelta(days=1)
        if row.end is None:
            return None
        last = row.end + timedelta(days=1)


def user_rows(tenant: Tenant, user_id: str, on: date) -> Sequence[UserRow]:
    """R9.1: the rows of this user that cover the day."""
    return [r for r in tenant.users if r.user_id == user_id and covers(r.start, r.end, on)]
