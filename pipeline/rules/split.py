"""R3: whose usage it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.rules.terms import Assignment

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOBODY, UNKNOWN_ID = -1, -2
"""Codes in place of a subscription: none is named, and one that the tenant does not have."""

LICENSED_METERS = {"premium": "premium_agent", "standard": "standard_agent"}
"""R3.2: the meter that an agent session counts as, by licence; the first that a user has."""

NAMED = "named"
ASSIGNED = "assigned"
ROUTED = "routed_to_primary"
UNASSIGNED = "unassigned_to_primary"
UNKNOWN = "unknown_to_primary"
INACTIVE = "inactive_to_primary"
REASONS = (NAMED, ASSIGNED, ROUTED, UNASSIGNED, UNKNOWN, INACTIVE)
"""Why a usage row belongs to the subscription it belongs to; the last three are findings (R3.4)."""


def assigned_on(assignments: Sequence[Assignment], day: int) -> str | None:
    """R3.1: the subscription a user is assigned to on a day.

    The latest start goes first; on ties the smaller subscription.
    """
    covering = [row for row in assignments if day in row.days and row.subscription_id]
    chosen = min(covering, key=lambda row: (-row.days.first, row.subscription_id), default=None)
    return chosen.subscription_id if chosen else None


def licensed_meter_on(assignments: Sequence[Assignment], day: int) -> str | None:
    """R3.2: the meter of a user's agent sessions on a day; with both licences it is premium."""
    held = {row.license for row in assignments if day in row.days}
    return next((meter for license, meter in LICENSED_METERS.items() if license in held), None)


def owners(
    is_routed: Flags, named: Ints, assigned: Ints, is_active: Flags, primary: Ints
) -> tuple[Ints, Ints]:
    """R3.1, R3.3, R3.4: the subscription that each row belongs to, and the reason's position.

    Subscriptions are codes; NOBODY stands for none, UNKNOWN for one that the tenant does not have.
    `is_active` is of the row's own candidate: the named subscription, else its user's. NOBODY is
    left where the primary is nobody.
    """
    candidate = np.where(named != NOBODY, named, assigned)
    reason = np.select(
        [is_routed, candidate == NOBODY, candidate == UNKNOWN_ID, ~is_active, named != NOBODY],
        [REASONS.index(r) for r in (ROUTED, UNASSIGNED, UNKNOWN, INACTIVE, NAMED)],
        REASONS.index(ASSIGNED),
    )
    stays = np.isin(reason, (REASONS.index(NAMED), REASONS.index(ASSIGNED)))
    return np.where(stays, candidate, primary), reason
