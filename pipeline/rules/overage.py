"""R6: what a tenant used beyond what all its subscriptions together include."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Usage over a stretch of days of constant entitlement.

    `usage` is the highest in the stretch and `at` the earliest instant of it (peak), or the
    different users and the stretch's first instant (distinct).
    """

    entitlement: Decimal
    usage: Decimal
    at: int


@dataclass(frozen=True, slots=True)
class Overage:
    """What was used, what was included, and what lies beyond; `at` is none without overage."""

    usage: Decimal
    entitlement: Decimal
    overage: Decimal
    at: int | None


def largest_excess(stretches: Sequence[Stretch]) -> Stretch | None:
    """R6.2, R6.3: the stretch of the largest excess above 0, the earliest on ties."""
    worst = max(stretches, key=lambda one: (one.usage - one.entitlement, -one.at))
    return worst if worst.usage > worst.entitlement else None


def peak_overage(stretches: Sequence[Stretch]) -> Overage:
    """R6.2, R6.5: the largest excess at one and the same instant, over the whole period.

    Without overage the entitlement beside it is the one at the peak instant.
    """
    peak = max(stretches, key=lambda one: (one.usage, -one.at))
    worst = largest_excess(stretches)
    if worst is None:
        return Overage(peak.usage, peak.entitlement, NOTHING, None)
    return Overage(peak.usage, worst.entitlement, worst.usage - worst.entitlement, worst.at)


def distinct_overage(users: Decimal, stretches: Sequence[Stretch]) -> Overage:
    """R6.3, R6.5: the largest excess of different users over any stretch of constant entitlement.

    Without overage the entitlement beside it is the largest of the period's stretches.
    """
    worst = largest_excess(stretches)
    if worst is None:
        return Overage(users, max(one.entitlement for one in stretches), NOTHING, None)
    return Overage(users, worst.entitlement, worst.usage - worst.entitlement, worst.at)


def sum_overage(usage: Decimal, allowance: Decimal) -> Overage:
    """R6.4: usage beyond the allowance of the period."""
    return Overage(usage, allowance, max(NOTHING, usage - allowance), None)
