"""R9: who may still use which surface, as of a day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from pipeline.findings import Finding, finding
from pipeline.rules.terms import Assignment, Subscription, Tenant

EXPIRES_WITHIN_DAYS = 30

SURFACES = {
    "admin": ("control_hub", "connect", "engage"),
    "supervisor": ("agent_desktop",),
    "agent": ("agent_desktop",),
}
"""R9.2: the surfaces that a role opens."""

_SURFACE_ORDER = ("control_hub", "connect", "engage", "agent_desktop")


class Access(NamedTuple):
    """What a user or partner may, and why: one row of the dataset."""

    tenant_id: str
    kind: str
    id: str
    role: str
    access: str
    surfaces: str | None
    reason: str
    remedy: str | None = None


def user_access(tenant: Tenant, user_id: str, rows: Sequence[Assignment], day: int) -> Access:
    """R9.1 to R9.3: a user's access on a day, from all the user's assignment rows."""
    covering = [row for row in rows if day in row.days]
    granting = [row for row in covering if _subscription_on(tenant, row, day)]
    if granting:
        ends = [_end_of_service(_subscription_on(tenant, row, day), day) for row in granting]
        expires = all(end <= day + EXPIRES_WITHIN_DAYS for end in ends)
        remedy = None
        if expires:
            ending = {row.subscription_id for row in granting}
            last = date.fromordinal(max(ends))
            remedy = f"access ends on {last}: {_move_to(tenant, day, ending)}"
        return Access(
            tenant.id,
            "user",
            user_id,
            _roles(covering),
            "granted",
            _surfaces(granting),
            "expires_soon" if expires else "assigned",
            remedy,
        )
    assigned = any(row.subscription_id for row in covering)
    return Access(
        tenant.id,
        "user",
        user_id,
        _roles(covering or rows),
        "lost",
        None,
        "subscription_inactive" if assigned else "not_assigned",
        _move_to(tenant, day, set()),
    )


def partner_access(tenant: Tenant, day: int) -> list[Access]:
    """R9.4: the access of a tenant's partners on a day, the first partner first."""
    present = sorted(
        (partner for partner in tenant.partners if partner.added_on <= day),
        key=lambda partner: (partner.added_on, partner.id),
    )
    rows = []
    for position, partner in enumerate(present):
        is_granted = position == 0 or partner.role == "full_admin"
        rows.append(
            Access(
                tenant.id,
                "partner",
                partner.id,
                partner.role,
                "granted" if is_granted else "read_only",
                "control_hub",
                "first_partner" if position == 0 else partner.role,
                None if is_granted else "ask the customer's full administrator for full_admin",
            )
        )
    return rows


def access_findings(rows: Iterable[Access]) -> list[Finding]:
    """R9.3 `access_lost` and R9.4 `partner_read_only`, one a user or partner."""
    found = []
    for row in rows:
        if row.access == "lost":
            message = f"User {row.id} has lost access ({row.reason})."
            remedy = f"{row.remedy}."
            found.append(finding("access_lost", row.tenant_id, message, remedy, subject=row.id))
        elif row.access == "read_only":
            message = f"Partner {row.id} is not the tenant's first partner and may only read."
            remedy = f"{row.remedy}."
            found.append(
                finding("partner_read_only", row.tenant_id, message, remedy, subject=row.id)
            )
    return found


def _subscription_on(tenant: Tenant, row: Assignment, day: int) -> Subscription | None:
    """The subscription a row assigns to, if it is active on the day."""
    subscription = tenant.subscription(row.subscription_id) if row.subscription_id else None
    return subscription if subscription and subscription.is_active(day) else None


def _end_of_service(subscription: Subscription | None, day: int) -> int:
    """R9.3: the last day of a subscription's run of service, without a gap, that holds the day."""
    if subscription is None:
        raise AssertionError("only rows that grant access are asked when it ends")
    end = day
    for service in subscription.service:
        if service.days.first <= end + 1:
            end = max(end, service.days.after - 1)
    return end


def _move_to(tenant: Tenant, day: int, leaving: set[str | None]) -> str:
    """R9.3: the active subscriptions that the user could be assigned to instead."""
    active = [one.id for one in tenant.active_on(day) if one.id not in leaving]
    if active:
        return f"assign the user to {' or '.join(active)}"
    return "no other subscription is active: renew one, then assign the user to it"


def _roles(rows: Iterable[Assignment]) -> str:
    return ";".join(sorted({row.role for row in rows}))


def _surfaces(rows: Iterable[Assignment]) -> str:
    opened = {surface for row in rows for surface in SURFACES[row.role]}
    return ";".join(surface for surface in _SURFACE_ORDER if surface in opened)
