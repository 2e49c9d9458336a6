"""The datasets for pictures, a day at a time: the slow, obvious reading of `daily` and `curve`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from tests import oracle_terms as terms
from tests import oracle_usage as usage
from tests.oracle_money import Record
from tests.oracle_terms import Meter, Period, Tenant
from tests.oracle_usage import Usage

NOTHING = Decimal(0)


def between(tenant: Tenant, first: date, last: date) -> tuple[datetime, datetime]:
    """The instants at which some local days begin and end."""
    return (
        terms.day_start(first, tenant.zone),
        terms.day_start(last + timedelta(days=1), tenant.zone),
    )


def used_between(
    tenant: Tenant, meter: Meter, rows: Sequence[Usage], period: Period, days: tuple[date, date]
) -> tuple[Decimal, datetime | None]:
    """What a meter comes to over some days looked at alone, and when its peak is."""
    start, end = between(tenant, *days)
    how = terms.measure_of(meter, terms.tenant_model(tenant, period))
    if how == "sum":
        mine = [r.quantity or NOTHING for r in rows if start <= r.started_at < end]
        return sum(mine, NOTHING), None
    if how == "distinct":
        return Decimal(
            len(usage.first_rows([r for r in rows if usage.is_used_in(r, start, end)]))
        ), None
    counted = usage.sessions(rows, meter, period, tenant.zone)
    instants = sorted({start, *(s.start for s in counted if start <= s.start < end)})
    open_then = [usage.open_at(counted, instant) for instant in instants]
    best = max(open_then)
    return Decimal(best), instants[open_then.index(best)]


def daily(
    tenant: Tenant, catalogue: dict[str, Meter], billed: Sequence[Usage], period: Period
) -> list[Record]:
    """A row for each meter and local day on which anything was used."""
    found: list[Record] = []
    model = terms.tenant_model(tenant, period)
    for meter in catalogue.values():
        rows = [r for r in billed if r.meter == meter.name]
        how = terms.measure_of(meter, model)
        runs = terms.stretches(tenant, meter, period)
        if how == "sum":
            runs = [(list(period.days), terms.allowance(tenant, meter, period))]
        for days, entitlement in runs:
            for day in days:
                amount, at = used_between(tenant, meter, rows, period, (day, day))
                is_used = amount > 0
                if how == "sum":
                    start, end = between(tenant, day, day)
                    is_used = any(start <= r.started_at < end for r in rows)
                if not is_used:
                    continue
                so_far, _ = used_between(tenant, meter, rows, period, (days[0], day))
                found.append(
                    {
                        "tenant_id": tenant.tenant_id,
                        "meter": meter.name,
                        "day": day,
                        "usage": amount,
                        "so_far": so_far,
                        "entitlement": entitlement,
                        "at": at,
                    }
                )
    return found


def curve(
    tenant: Tenant, catalogue: dict[str, Meter], billed: Sequence[Usage], period: Period
) -> list[Record]:
    """The course of the day of the largest excess, in five minutes."""
    found: list[Record] = []
    model = terms.tenant_model(tenant, period)
    for meter in catalogue.values():
        rows = [r for r in billed if r.meter == meter.name]
        counted = usage.sessions(rows, meter, period, tenant.zone)
        if terms.measure_of(meter, model) != "peak" or not counted:
            continue
        deciding = set()
        worst = NOTHING
        starts = [terms.day_start(day, tenant.zone) for day in period.days]
        for instant in sorted([*(s.start for s in counted), *starts]):
            on = terms.local_day(instant, tenant.zone)
            entitled = terms.compared(terms.entitlement(tenant, meter, on))
            excess = usage.open_at(counted, instant) - entitled
            if excess > worst:
                worst, worst_on = excess, on
        if worst > 0:
            deciding.add(worst_on)
        for day in sorted(deciding):
            at, end = between(tenant, day, day)
            last = None
            while at < end:
                after = at + timedelta(minutes=5)
                within = [at, *(s.start for s in counted if at <= s.start < min(after, end))]
                highest = max(usage.open_at(counted, instant) for instant in within)
                if highest != last:
                    found.append(
                        {"tenant_id": tenant.tenant_id, "meter": meter.name, "day": day}
                        | {"at": at, "open": highest}
                    )
                at, last = after, highest
    return found
