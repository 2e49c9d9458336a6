"""Which commitment would have cost least, given what was needed and what both prices are (R10).

Not a rule of billing: it uses R10 to look back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

from pipeline.money import amount, round_half_up
from pipeline.rules.pricing import slices
from pipeline.rules.terms import Rate

NOTHING = Decimal(0)
WHOLE = Fraction(1)
UNIT = Decimal(1)


@dataclass(frozen=True, slots=True)
class Prices:
    """What a unit costs that is committed to, a month, and what overage costs, by its tiers."""

    committed: Decimal
    overage: Sequence[Rate]
    currency: str


@dataclass(frozen=True, slots=True)
class Advice:
    """The commitment that would have cost least over some months, and what it would have cost."""

    commitment: Decimal
    cost: Decimal


def cost(commitment: Decimal, needs: Iterable[Decimal], prices: Prices) -> Decimal | None:
    """What a commitment and the overage beyond it cost over some months; None without a price.

    `needs` are what each month would have had to be committed to for no overage.
    """
    total = NOTHING
    for need in needs:
        total += amount(commitment, prices.committed, WHOLE, prices.currency)
        beyond = need - commitment
        if beyond > 0:
            cut = slices(prices.overage, beyond)
            if cut is None:
                return None
            total += sum(
                (amount(one.quantity, one.unit_price, WHOLE, prices.currency) for one in cut),
                NOTHING,
            )
    return total


def cheapest(needs: Sequence[Decimal], prices: Prices) -> Advice | None:
    """The commitment in whole units that costs least, the smallest on ties.

    Between two points at which some month's overage begins, or enters another tier, the cost is a
    straight line: only the whole units around those points can be the lowest. Overage begins at 0,
    also where its prices begin above (R10.4).
    """
    points = {NOTHING}
    starts = {NOTHING, *(tier.tier_from for tier in prices.overage)}
    for need in needs:
        for start in starts:
            above = max(need - start, NOTHING).quantize(UNIT, ROUND_CEILING)
            points |= {above, max(above - UNIT, NOTHING)}
    costs = [(cost(point, needs, prices), point) for point in points]
    known = [(total, point) for total, point in costs if total is not None]
    if not known:
        return None
    lowest, commitment = min(known)
    return Advice(commitment, lowest)


def break_even(months: int, prices: Prices) -> Decimal | None:
    """In how many of some months a unit must be used, at least, for a commitment to it to pay.

    By the first overage price; None where overage costs nothing. To 2 digits, rounded half up.
    """
    first = prices.overage[0].unit_price if prices.overage else NOTHING
    if not first:
        return None
    ratio = Fraction(prices.committed) * months / Fraction(first)
    return round_half_up(ratio.numerator, ratio.denominator, 2)
