"""A tenant's report of a month as it stands on paper.

Belongs here: what stands where. Does not belong here: how it looks, and any figure.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pipeline.documents.paper.cover import (
    changes_view,
    document_view,
    findings_view,
    primary_words,
    split_view,
    totals,
)
from pipeline.documents.paper.figures import Row, Series
from pipeline.documents.paper.invoice import View
from pipeline.documents.paper.month import Month
from pipeline.documents.paper.wording import NONE, Wording

BADGES = {"lost": "error", "read_only": "warning"}


def report_view(tenant: str, month: Month, before: Month | None, words: Wording) -> View:
    """Everything that stands in a tenant's report."""
    figures = month.figures
    over = figures.by_meter("overage", tenant)
    drawn = [one for meter in figures.usage(tenant) if (one := figures.series(tenant, meter))]
    is_over = {meter for meter, row in over.items() if row["overage"] > 0}
    invoices = month.invoices_of(tenant)
    name = month.names.of_tenant(tenant)
    return {
        "title": f"{words('report')} {words.month(month.period)}: {name}",
        "tenant": name,
        "month": words.month(month.period),
        "draft": None if tenant in month.closed else words("draft"),
        "primary": primary_words(tenant, month, words),
        "kpis": list(_kpis(tenant, month, before, words)),
        "over": [
            _over(one, over[one.meter], tenant, month, words)
            for one in drawn
            if one.meter in is_over
        ],
        "within_title": words("within"),
        "within": [one for one in drawn if one.is_included and one.meter not in is_over],
        "split": list(split_view(tenant, month, words)),
        "changed": words("changed", month=words.month(month.period.earlier(1))),
        "changes": None if before is None else list(changes_view(tenant, before, month, words)),
        "invoices": [document_view(one, words) for one in invoices],
        "findings": list(findings_view(tenant, month, words)),
        "access": list(_access(tenant, month, words)),
        "tie": words("controls_tie", count=str(len(figures.controls))),
        "controls": [_control(row, words) for row in figures.controls],
        "foot": words("made_by", month=words.month(month.period)),
    }


def _kpis(tenant: str, month: Month, before: Month | None, words: Wording) -> Iterator[View]:
    """The few numbers that stand on top."""
    now = totals(month.invoices_of(tenant))
    was = totals(before.invoices_of(tenant)) if before else {}
    for currency, total in now.items():
        note = ""
        if before is not None and currency in was:
            change = words.signed_money(total - was[currency], currency)
            note = words("since_last", change=change, month=words.month(month.period.earlier(1)))
        yield _kpi(words("charged"), f"{words.money(total, currency)} {currency}", note)
    if not now:
        yield _kpi(words("charged"), NONE, "", is_bad=True)
    over = month.figures.by_meter("overage", tenant).values()
    count = sum(row["overage"] > 0 for row in over)
    note = words("of_meters", count=words.number(len(over)))
    yield _kpi(words("meters_over"), words.number(count), note, is_bad=bool(count))
    found = [row["severity"] for row in month.figures.of("findings", tenant)]
    errors, warnings = found.count("error"), found.count("warning")
    value = f"{words.number(errors)} / {words.number(warnings)}"
    yield _kpi(words("errors_and_warnings"), value, "", is_bad=bool(errors))
    lost = sum(row["access"] == "lost" for row in month.figures.of("access", tenant))
    yield _kpi(words("access_lost"), words.number(lost), "", is_bad=bool(lost))


def _kpi(label: str, value: str, note: str, *, is_bad: bool = False) -> View:
    return {"label": label, "value": value, "note": note, "is_bad": is_bad}


def _over(series: Series, row: Row, tenant: str, month: Month, words: Wording) -> View:
    """A meter that is over: by how much, when, and who pays."""
    payer = month.names.of_subscription(tenant, row["billed_subscription_id"])
    parts = [
        f"{words('used')} {words.number(row['usage'])}",
        f"{words('entitlement')} {words.number(row['entitlement'])}",
        *([words.instant(row["overage_at"])] if row["overage_at"] else []),
        f"{words('paid_by')} {payer}",
    ]
    return {
        "series": series,
        "over": words.signed(row["overage"]),
        "note": " · ".join(parts),
        "course": _course(series.meter, tenant, month, words),
    }


def _course(meter: str, tenant: str, month: Month, words: Wording) -> View | None:
    """The day of the largest excess, in the tenant's own time."""
    who = month.tenants.get(tenant)
    course = month.figures.course(tenant, meter, who.zone) if who else None
    if course is None:
        return None
    highest = max(number for _, number in course.steps)
    return {
        "course": course,
        "title": words("overage_day", date=words.date(course.day)),
        "note": words("at_once", count=words.number(highest), zone=course.zone),
    }


def _access(tenant: str, month: Month, words: Wording) -> Iterator[View]:
    for row in month.figures.of("access", tenant):
        if row["access"] in BADGES:
            yield {
                "id": row["id"],
                "role": row["role"],
                "access": words(row["access"]),
                "badge": BADGES[row["access"]],
                "reason": row["reason"],
                "remedy": row["remedy"] or "",
            }


def _control(row: Row, words: Wording) -> View:
    values: dict[str, Decimal] = {name: row[name] for name in ("value_in", "value_out")}
    numbers = {name: words.number(value) for name, value in values.items()}
    return {"stage": row["stage"], "measure": row["measure"], **numbers}
