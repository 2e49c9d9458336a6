"""The rule book, evaluated row by row and day by day, to judge the real pipeline by.

Plain dates, decimals and loops; nothing here is shared with the pipeline and nothing is fast.
The siblings `oracle_terms` (R1, R2, R5, R7), `oracle_usage` (R3, R4, R11) and `oracle_money`
(R10) and `oracle_daily` hold the single questions; this module asks them in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from tests import oracle_daily
from tests import oracle_money as money
from tests import oracle_terms as terms
from tests import oracle_usage as usage
from tests.oracle_money import Record
from tests.oracle_terms import Meter, Period, Row, Tenant
from tests.oracle_usage import Broken, Known, Usage

SEVERITY = {
    "mixed_license_models": "error",
    "no_active_subscription": "error",
    "missing_rate": "error",
    "primary_changed": "notice",
    "superseded": "notice",
    "partner_read_only": "notice",
}
TENANT_FEEDS = ("tenants", "subscriptions", "entitlements", "users", "partners")


def finding(tenant_id: str | None, code: str) -> Record:
    """R8.4: a finding of a tenant; a code without a stated severity is a warning."""
    return {
        "tenant_id": tenant_id,
        "code": code,
        "severity": SEVERITY.get(code, "warning"),
    }


def peak_figures(
    tenant: Tenant, meter: Meter, rows: Sequence[Usage], period: Period
) -> tuple[list[Record], Record] | None:
    """R4 peak, R6.2: split at the peak instant; overage at the instant of the largest excess."""
    counted = usage.sessions(rows, meter, period, tenant.zone)
    if not counted:
        return None

    def entitled(instant: datetime) -> Decimal:
        on = terms.local_day(instant, tenant.zone)
        return terms.compared(terms.entitlement(tenant, meter, on))

    peak = usage.peak_instant(counted)
    parts: list[Record] = []
    for owner in sorted({s.subscription_id for s in counted}):
        own = [s for s in counted if s.subscription_id == owner]
        parts.append(
            {
                "subscription_id": owner,
                "quantity": Decimal(usage.open_at(own, peak)),
                "own_quantity": Decimal(usage.open_at(own, usage.peak_instant(own))),
            }
        )
    overage, overage_at = Decimal(0), None
    day_starts = [terms.day_start(d, tenant.zone) for d in period.days]
    for instant in sorted([s.start for s in counted] + day_starts):
        excess = usage.open_at(counted, instant) - entitled(instant)
        if excess > overage:
            overage, overage_at = excess, instant
    return parts, {
        "usage": Decimal(usage.open_at(counted, peak)),
        "entitlement": entitled(overage_at or peak),
        "overage": overage,
        "overage_at": overage_at,
    }


def distinct_figures(
    tenant: Tenant, meter: Meter, rows: Sequence[Usage], period: Period
) -> tuple[list[Record], Record] | None:
    """R4 distinct, R6.3: users by their first row; overage over each stretch of days."""
    if not rows:
        return None
    firsts = usage.first_rows(rows)
    parts: list[Record] = []
    for owner in sorted({r.belongs_to for r in rows}):
        own = [r for r in rows if r.belongs_to == owner]
        parts.append(
            {
                "subscription_id": owner,
                "quantity": Decimal(len([r for r in firsts if r.belongs_to == owner])),
                "own_quantity": Decimal(len(usage.first_rows(own))),
            }
        )
    overage, overage_at = Decimal(0), None
    runs = terms.stretches(tenant, meter, period)
    entitlement = max(value for _, value in runs)
    for days, value in runs:
        start = terms.day_start(days[0], tenant.zone)
        end = terms.day_start(days[-1] + timedelta(days=1), tenant.zone)
        present = usage.first_rows([r for r in rows if usage.is_used_in(r, start, end)])
        excess = len(present) - value
        if excess > overage:
            overage, overage_at, entitlement = excess, start, value
    return parts, {
        "usage": Decimal(len(firsts)),
        "entitlement": entitlement,
        "overage": overage,
        "overage_at": overage_at,
    }


def sum_figures(
    tenant: Tenant, meter: Meter, rows: Sequence[Usage], period: Period
) -> tuple[list[Record], Record] | None:
    """R4 sum, R6.4: the quantities, against the allowance of the period."""
    if not rows:
        return None
    parts: list[Record] = []
    for owner in sorted({r.belongs_to for r in rows}):
        total = sum((r.quantity or Decimal(0) for r in rows if r.belongs_to == owner), Decimal(0))
        parts.append({"subscription_id": owner, "quantity": total, "own_quantity": total})
    used = sum((r.quantity or Decimal(0) for r in rows), Decimal(0))
    allowance = terms.allowance(tenant, meter, period)
    return parts, {
        "usage": used,
        "entitlement": allowance,
        "overage": max(used - allowance, Decimal(0)),
        "overage_at": None,
    }


def measure(
    tenant: Tenant, catalogue: dict[str, Meter], billed: Sequence[Usage], period: Period
) -> tuple[list[Record], list[Record]]:
    """R4, R6, R7: `usage_split` and `overage` of one tenant.

    A (tenant, meter, subscription) has a row in `usage_split` where it has usage that counts:
    for peak a session of which something is left after trimming and clipping (its part at the
    peak may be 0, its own peak is at least 1), for distinct and sum any billed row. A meter
    whose every session comes to nothing has no row at all, in `overage` neither.
    """
    split_rows: list[Record] = []
    overage_rows: list[Record] = []
    model = terms.tenant_model(tenant, period)
    how = {"peak": peak_figures, "distinct": distinct_figures, "sum": sum_figures}
    for meter in catalogue.values():
        rows = [r for r in billed if r.meter == meter.name]
        figures = how[terms.measure_of(meter, model)](tenant, meter, rows, period)
        if figures is None:
            continue
        parts, totals = figures
        for part in parts:
            reasons: dict[str, int] = {}
            for r in rows:
                if r.belongs_to == part["subscription_id"]:
                    reasons[r.because] = reasons.get(r.because, 0) + 1
            split_rows.append(
                {"tenant_id": tenant.tenant_id, "meter": meter.name, **part}
                | {"because_counts": reasons}
            )
        if meter.charge == "overage":
            overage_rows.append(
                {"tenant_id": tenant.tenant_id, "meter": meter.name, **totals}
                | {"billed_subscription_id": terms.payer(tenant, meter, period)}
            )
    return split_rows, overage_rows


def terms_findings(tenant: Tenant, period: Period) -> set[str]:
    """R2, R8: what a tenant's terms say, whether or not anything was used."""
    codes = set()
    days = terms.primary_days(tenant, period)
    for d in days:
        if len(terms.oldest(tenant, d)) > 1 and not terms.override_holds(tenant, d):
            codes.add("primary_tie")
    if days and terms.primary(tenant, days[0]) != terms.primary(tenant, days[-1]):
        codes.add("primary_changed")
    if terms.is_mixed(tenant, period):
        codes.add("mixed_license_models")
    elif len({m for d in period.days for m in terms.models_on(tenant, d)}) > 1:
        codes.add("license_model_changed")
    telephony = set()
    for d in period.days:
        for subscription_id in tenant.subscription_ids:
            row = terms.row_in_service(tenant, subscription_id, d)
            if row is not None and row.telephony is not None:
                telephony.add(row.telephony)
    if len(telephony) > 1:
        codes.add("mixed_telephony")
    return codes


def usage_findings(
    tenant: Tenant,
    catalogue: dict[str, Meter],
    period: Period,
    *,
    billed: Sequence[Usage],
    unbilled: Sequence[Record],
    overage: Sequence[Record],
    lines: Sequence[Record],
) -> set[str]:
    """R3.4, R3.5, R4, R7.2, R10.1: what a tenant's usage brought to light."""
    codes = {r.because for r in billed if r.because.endswith("_to_primary")}
    codes.discard("routed_to_primary")
    codes |= {"no_active_subscription" for r in unbilled if r["reason"] == "no_active_subscription"}
    model = terms.tenant_model(tenant, period)
    for r in billed:
        if r.ended_at is None and terms.measure_of(catalogue[str(r.meter)], model) == "peak":
            codes.add("open_sessions")
    for row in overage:
        meter = catalogue[str(row["meter"])]
        nobody = terms.responsible(tenant, meter.name, period) is None
        if meter.overage_to == "responsible" and row["overage"] != 0 and nobody:
            codes.add("no_entitled_subscription")
    if any(row["amount"] is None for row in lines):
        codes.add("missing_rate")
    return codes


def user_access(tenant: Tenant, user_id: str, period: Period) -> Record:
    """R9.1, R9.2, R9.3: granted while a row of the day names a subscription active that day."""
    on = period.last
    covering = terms.user_rows(tenant, user_id, on)
    granting = [r for r in covering if terms.is_active(tenant, r.subscription_id or "", on)]
    surfaces: set[str] = set()
    for r in granting:
        surfaces |= {"control_hub", "connect", "engage"} if r.role == "admin" else {"agent_desktop"}
    active = ";".join(terms.active_subscriptions(tenant, on))
    if granting:
        ends = [terms.end_of_run(tenant, r.subscription_id or "", on) for r in granting]
        soon = all(end is not None and end <= on + timedelta(days=30) for end in ends)
        reason = "expires_soon" if soon else "assigned"
    elif any(r.subscription_id is not None for r in covering):
        reason = "subscription_inactive"
    else:
        reason = "not_assigned"
    roles = {r.role for r in covering or [r for r in tenant.users if r.user_id == user_id]}
    return {
        "tenant_id": tenant.tenant_id,
        "kind": "user",
        "id": user_id,
        "role": ";".join(sorted(roles)),
        "access": "granted" if granting else "lost",
        "surfaces": ";".join(sorted(surfaces)) or None,
        "reason": reason,
        "remedy": None if reason == "assigned" else active,
    }


def partner_access(tenant: Tenant, period: Period) -> list[Record]:
    """R9.4: the first partner is granted; a further one reads only until it is full admin."""
    present = [p for p in tenant.partners if p.added_on <= period.last]
    result: list[Record] = []
    for partner in sorted(present, key=lambda p: (p.added_on, p.partner_id)):
        granted = not result or partner.role == "full_admin"
        result.append(
            {
                "tenant_id": tenant.tenant_id,
                "kind": "partner",
                "id": partner.partner_id,
                "role": partner.role,
                "access": "granted" if granted else "read_only",
                "surfaces": "control_hub",
                "reason": None,
                "remedy": None if granted else "full administrator",
            }
        )
    return result


def sort_out(
    survivors: Sequence[Usage],
    tenant: Tenant,
    catalogue: dict[str, Meter],
    period: Period,
) -> tuple[dict[str, int], list[Usage], list[Record]]:
    """R3.5, R11.2: outside the period, on premises, unbilled or billed, in this order."""
    tally = {"outside": 0, "on_premises": 0, "unbilled": 0, "billed": 0}
    billed: list[Usage] = []
    unbilled: list[Record] = []
    model = terms.tenant_model(tenant, period)
    for row in survivors:
        meter = usage.meter_of(row, tenant)
        how = terms.measure_of(catalogue[meter], model)
        if not usage.is_in_period(row.started_at, row.ended_at, how, period, tenant.zone):
            tally["outside"] += 1
            continue
        if row.deployment == "on_premises":
            tally["on_premises"] += 1
            continue
        owned = usage.split(row, tenant, catalogue)
        reason = None
        if terms.is_mixed(tenant, period):
            reason = "mixed_license_models"
        elif terms.closing_primary(tenant, period) is None or owned is None:
            reason = "no_active_subscription"
        if reason is None and owned is not None:
            tally["billed"] += 1
            billed.append(owned)
        else:
            tally["unbilled"] += 1
            unbilled.append(
                {
                    "event_id": row.event_id,
                    "tenant_id": row.tenant_id,
                    "meter": meter,
                    "started_at": row.started_at,
                    "reason": reason,
                }
            )
    return tally, billed, unbilled


def bill(
    feeds: dict[str, list[Row]],
    usage_files: list[tuple[str, list[Row]]],
    period: str,
) -> dict[str, list[Record]]:
    """R1 to R11: every dataset of one period; `tally` is one row of counts that must tie."""
    month = Period(period)
    catalogue = terms.read_catalogue(feeds)
    rates = money.read_rates(feeds.get("rates", []))
    named = {row.get("tenant_id") or "" for feed in TENANT_FEEDS for row in feeds.get(feed, [])}
    tenants = {name: terms.read_tenant(name, feeds) for name in sorted(named - {""})}
    on_file = {row["tenant_id"] for feed in TENANT_FEEDS[:2] for row in feeds.get(feed, [])}
    known = Known(tenants, on_file, catalogue)

    good: list[Usage] = []
    broken: list[Broken] = []
    rows_in = 0
    for file, rows in usage_files:
        for number, raw in enumerate(rows, start=1):
            rows_in += 1
            row = usage.validate(file, number, raw, known)
            if isinstance(row, Broken):
                broken.append(row)
            else:
                good.append(row)
    refused = [
        b
        for b in broken
        if usage.broken_is_in_period(b, tenants.get(b.tenant_id or ""), catalogue, month)
    ]
    survivors, duplicates, superseded = usage.deduplicate(good)

    result: dict[str, list[Record]] = {
        name: []
        for name in (
            "usage_split",
            "overage",
            "invoice_lines",
            "invoices",
            "unbilled",
            "access",
            "daily",
            "curve",
        )
    }
    findings = {(b.tenant_id, "quarantined") for b in refused}
    findings |= {(r.tenant_id, "superseded") for r in superseded}
    counts = {"outside": len(broken) - len(refused), "on_premises": 0, "unbilled": 0, "billed": 0}
    for tenant in tenants.values():
        mine = [r for r in survivors if r.tenant_id == tenant.tenant_id]
        tally, billed, unbilled = sort_out(mine, tenant, catalogue, month)
        for name, count in tally.items():
            counts[name] += count
        split_rows: list[Record] = []
        overage: list[Record] = []
        lines: list[Record] = []
        if terms.closing_primary(tenant, month) is not None and not terms.is_mixed(tenant, month):
            split_rows, overage = measure(tenant, catalogue, billed, month)
            result["daily"] += oracle_daily.daily(tenant, catalogue, billed, month)
            result["curve"] += oracle_daily.curve(tenant, catalogue, billed, month)
            lines = money.invoice_lines(
                tenant, catalogue, rates, month, usage_split=split_rows, overage=overage
            )
            result["invoices"] += money.invoices(tenant, lines, month)
        users = sorted({u.user_id for u in tenant.users})
        access = [user_access(tenant, user_id, month) for user_id in users]
        access += partner_access(tenant, month)
        codes = terms_findings(tenant, month)
        codes |= usage_findings(
            tenant,
            catalogue,
            month,
            billed=billed,
            unbilled=unbilled,
            overage=overage,
            lines=lines,
        )
        codes |= {"access_lost" for a in access if a["access"] == "lost"}
        codes |= {"partner_read_only" for a in access if a["access"] == "read_only"}
        findings |= {(tenant.tenant_id, code) for code in codes}
        result["usage_split"] += split_rows
        result["overage"] += overage
        result["invoice_lines"] += lines
        result["unbilled"] += unbilled
        result["access"] += access
    result["findings"] = [finding(*f) for f in sorted(findings, key=lambda f: (f[0] or "", f[1]))]
    result["quarantine"] = [
        {"feed": "usage", "file": b.file, "row": b.row, "rules": b.rules, "raw": b.raw}
        for b in refused
    ]
    result["tally"] = [
        {
            "rows_in": rows_in,
            **counts,
            "duplicates": len(duplicates),
            "superseded": len(superseded),
            "quarantined": len(refused),
        }
    ]
    return result
