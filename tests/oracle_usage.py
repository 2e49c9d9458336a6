"""Usage rows, one at a time: the slow, obvious reading of R3, R4 and R11."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests import oracle_terms as terms
from tests.oracle_terms import Meter, Period, Row, Tenant, text

TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?"
)
QUANTITY = re.compile(r"-?\d{1,12}(\.\d{1,6})?")


@dataclass(frozen=True)
class Usage:
    """One good usage row; `belongs_to` and `because` are filled in by the split."""

    file: str
    row: int
    event_id: str
    tenant_id: str
    subscription_id: str | None
    meter: str | None
    user_id: str | None
    started_at: datetime
    ended_at: datetime | None
    quantity: Decimal | None
    deployment: str
    belongs_to: str = ""
    because: str = ""


@dataclass(frozen=True)
class Broken:
    """One refused usage row, with every rule it broke."""

    file: str
    row: int
    tenant_id: str | None
    rules: frozenset[str]
    raw: Row
    meter: str | None
    started_at: datetime | None
    ended_at: datetime | None


def read_timestamp(value: str | None) -> datetime | None:
    """Contract: ISO 8601 with offset or Z, without = UTC, whole numbers = epoch milliseconds."""
    if value is None:
        return None
    try:
        if re.fullmatch(r"-?\d+", value):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(value))
        if not TIMESTAMP.fullmatch(value):
            return None
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_quantity(value: str | None) -> Decimal | None:
    """Contract: an exact decimal of up to 18 digits, at most 6 of them after the point."""
    return Decimal(value) if value is not None and QUANTITY.fullmatch(value) else None


def licensed_meter(tenant: Tenant, user_id: str | None, on: date) -> str | None:
    """R3.2: the meter follows the user's licence that day; one with both counts as premium."""
    licenses = [r.license for r in terms.user_rows(tenant, user_id or "", on)]
    if "premium" in licenses:
        return "premium_agent"
    if "standard" in licenses:
        return "standard_agent"
    return None


def meter_of(row: Usage, tenant: Tenant) -> str:
    """R3.2: the meter a row names, else the one of its user's licence on the start day."""
    on = terms.local_day(row.started_at, tenant.zone)
    meter = row.meter or licensed_meter(tenant, row.user_id, on)
    assert meter is not None
    return meter


@dataclass(frozen=True)
class Known:
    """What a usage row is judged against."""

    tenants: dict[str, Tenant]
    on_file: set[str]
    catalogue: dict[str, Meter]


def broken_keys(raw: Row, known: Known) -> set[str]:
    """R11.2, R3.4: the rules on who a row is about; nothing crosses tenants."""
    rules = set()
    tenant_id, subscription_id = text(raw, "tenant_id"), text(raw, "subscription_id")
    if text(raw, "event_id") is None:
        rules.add("event_id_missing")
    if tenant_id is None:
        rules.add("tenant_id_missing")
    elif tenant_id not in known.on_file:
        rules.add("tenant_unknown")
    if tenant_id is not None and subscription_id is not None:
        owners = {
            t.tenant_id for t in known.tenants.values() if subscription_id in t.subscription_ids
        }
        if owners and tenant_id not in owners:
            rules.add("foreign_subscription")
    if text(raw, "deployment") not in (None, "cloud", "on_premises"):
        rules.add("deployment_unknown")
    return rules


def broken_times(raw: Row) -> set[str]:
    """R11.2: the rules on when a row starts and ends; an end at the start is allowed."""
    rules = set()
    started_at = read_timestamp(text(raw, "started_at"))
    ended_at = read_timestamp(text(raw, "ended_at"))
    if text(raw, "started_at") is None:
        rules.add("started_at_missing")
    elif started_at is None:
        rules.add("started_at_unreadable")
    if text(raw, "ended_at") is not None and ended_at is None:
        rules.add("ended_at_unreadable")
    if started_at is not None and ended_at is not None and ended_at < started_at:
        rules.add("ended_before_started")
    return rules


def resolve_meter(raw: Row, known: Known) -> str | None:
    """R3.2: the meter a raw row names, else that of the licence, where it can be told."""
    tenant = known.tenants.get(text(raw, "tenant_id") or "")
    started_at = read_timestamp(text(raw, "started_at"))
    if text(raw, "meter") is not None or tenant is None or started_at is None:
        return text(raw, "meter")
    on = terms.local_day(started_at, tenant.zone)
    return licensed_meter(tenant, text(raw, "user_id"), on)


def broken_amounts(raw: Row, known: Known) -> set[str]:
    """R11.2: the rules on what was used: its meter and, for a sum, its quantity."""
    rules = set()
    meter = resolve_meter(raw, known)
    tellable = text(raw, "tenant_id") is not None and (
        read_timestamp(text(raw, "started_at")) is not None
    )
    if (meter is None and tellable) or (meter is not None and meter not in known.catalogue):
        rules.add("meter_unknown")
    quantity = read_quantity(text(raw, "quantity"))
    if text(raw, "quantity") is None:
        if meter in known.catalogue and known.catalogue[meter].measure == "sum":
            rules.add("quantity_missing")
    elif quantity is None:
        rules.add("quantity_unreadable")
    elif quantity < 0:
        rules.add("quantity_negative")
    return rules


def validate(file: str, number: int, raw: Row, known: Known) -> Usage | Broken:
    """R11.2: every rule of the feed that the row breaks, or the row with its types."""
    rules = broken_keys(raw, known) | broken_times(raw) | broken_amounts(raw, known)
    event_id, tenant_id = text(raw, "event_id"), text(raw, "tenant_id")
    started_at = read_timestamp(text(raw, "started_at"))
    ended_at = read_timestamp(text(raw, "ended_at"))
    if rules or event_id is None or tenant_id is None or started_at is None:
        return Broken(
            file=file,
            row=number,
            tenant_id=tenant_id,
            rules=frozenset(rules),
            raw=raw,
            meter=resolve_meter(raw, known),
            started_at=started_at,
            ended_at=ended_at,
        )
    return Usage(
        file=file,
        row=number,
        event_id=event_id,
        tenant_id=tenant_id,
        subscription_id=text(raw, "subscription_id"),
        meter=text(raw, "meter"),
        user_id=text(raw, "user_id"),
        started_at=started_at,
        ended_at=ended_at,
        quantity=read_quantity(text(raw, "quantity")),
        deployment=text(raw, "deployment") or "cloud",
    )


def same_content(one: Usage, other: Usage) -> bool:
    """R11.1: all columns equal as values (instants, quantities), not as they were written."""
    return replace(one, file="", row=0) == replace(other, file="", row=0)


def deduplicate(rows: Sequence[Usage]) -> tuple[list[Usage], list[Usage], list[Usage]]:
    """R11.1: of the same (tenant, event_id) the last row wins; the others are compared to it."""
    survivors, duplicates, superseded = [], [], []
    for position, row in enumerate(rows):
        later = [
            r
            for r in rows[position + 1 :]
            if (r.tenant_id, r.event_id) == (row.tenant_id, row.event_id)
        ]
        if not later:
            survivors.append(row)
        elif same_content(row, later[-1]):
            duplicates.append(row)
        else:
            superseded.append(row)
    return survivors, duplicates, superseded


def is_in_period(
    started_at: datetime,
    ended_at: datetime | None,
    measure: str | None,
    period: Period,
    zone: ZoneInfo,
) -> bool:
    """R4: a row counts where it starts in the period, or starts before and reaches into it."""
    start, end = period.start(zone), period.end(zone)
    if start <= started_at < end:
        return True
    if started_at >= end or measure == "sum":
        return False
    if ended_at is None:
        return measure == "peak"
    return ended_at > start


def broken_is_in_period(
    row: Broken, tenant: Tenant | None, catalogue: dict[str, Meter], period: Period
) -> bool:
    """R11.2: a refused row is listed where it would have been billed; always without a start."""
    if row.started_at is None:
        return True
    zone = tenant.zone if tenant else ZoneInfo("UTC")
    model = terms.tenant_model(tenant, period) if tenant else "concurrent"
    measure = None
    if row.meter in catalogue:
        measure = terms.measure_of(catalogue[row.meter], model)
    if row.rules & {"ended_before_started", "ended_at_unreadable"}:
        measure = "sum"  # judged by its start alone
    return is_in_period(row.started_at, row.ended_at, measure, period, zone)


def assigned_to(tenant: Tenant, user_id: str | None, on: date) -> str | None:
    """R3.1: where the user is assigned that day: the latest start first, then the smaller id."""
    if user_id is None:
        return None
    rows = [r for r in terms.user_rows(tenant, user_id, on) if r.subscription_id is not None]
    latest = max((r.start or date.min for r in rows), default=None)
    return min(
        (r.subscription_id or "" for r in rows if (r.start or date.min) == latest), default=None
    )


def split(row: Usage, tenant: Tenant, catalogue: dict[str, Meter]) -> Usage | None:
    """R3: the one subscription a row belongs to, and why; None on a day without any (R3.5)."""
    on = terms.local_day(row.started_at, tenant.zone)
    primary = terms.primary(tenant, on)
    if primary is None:
        return None
    meter = meter_of(row, tenant)
    wanted = row.subscription_id or assigned_to(tenant, row.user_id, on)
    if catalogue[meter].routing == "primary":
        belongs_to, because = primary, "routed_to_primary"
    elif wanted is None:
        belongs_to, because = primary, "unassigned_to_primary"
    elif wanted not in tenant.subscription_ids:
        belongs_to, because = primary, "unknown_to_primary"
    elif not terms.is_active(tenant, wanted, on):
        belongs_to, because = primary, "inactive_to_primary"
    else:
        belongs_to, because = wanted, "named" if row.subscription_id else "assigned"
    return replace(row, meter=meter, belongs_to=belongs_to, because=because)


@dataclass(frozen=True)
class Session:
    """An interval that counts, after trimming and clipping."""

    start: datetime
    end: datetime
    subscription_id: str


def sessions(rows: Sequence[Usage], meter: Meter, period: Period, zone: ZoneInfo) -> list[Session]:
    """R4 peak 1, 2: half-open sessions, trimmed to one login a user, then clipped; none empty."""
    counted = []
    forever = datetime.max.replace(tzinfo=UTC)
    for row in rows:
        start, end = row.started_at, row.ended_at or forever
        if meter.counts == "users" and row.user_id is not None:
            for earlier in rows:
                if earlier.user_id == row.user_id and (
                    (earlier.started_at, earlier.event_id) < (row.started_at, row.event_id)
                ):
                    start = max(start, earlier.ended_at or forever)
        start = max(start, period.start(zone))
        end = min(end, period.end(zone))
        if start < end:
            counted.append(Session(start, end, row.belongs_to))
    return counted


def open_at(counted: Sequence[Session], instant: datetime) -> int:
    """R4 peak 1: the number of sessions open at one instant."""
    return sum(1 for s in counted if s.start <= instant < s.end)


def peak_instant(counted: Sequence[Session]) -> datetime:
    """R4 peak 3, 4: the earliest instant with the largest number; only a start can raise it."""
    best = min(s.start for s in counted)
    for instant in sorted(s.start for s in counted):
        if open_at(counted, instant) > open_at(counted, best):
            best = instant
    return best


def same_user(one: Usage, other: Usage) -> bool:
    """R4 distinct: one user is one user; a row without a user is only itself."""
    if one.user_id is None or other.user_id is None:
        return one.event_id == other.event_id
    return one.user_id == other.user_id


def first_rows(rows: Sequence[Usage]) -> list[Usage]:
    """R4 distinct: the first row (started_at, event_id) of every user."""
    firsts: list[Usage] = []
    for row in sorted(rows, key=lambda r: (r.started_at, r.event_id)):
        if not any(same_user(row, earlier) for earlier in firsts):
            firsts.append(row)
    return firsts


def is_used_in(row: Usage, start: datetime, end: datetime) -> bool:
    """R6.3: whether a row has usage in [start, end); without an end or empty, at its start."""
    if row.ended_at is None or row.ended_at == row.started_at:
        return start <= row.started_at < end
    return row.started_at < end and row.ended_at > start
