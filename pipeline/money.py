"""The one place that makes money: a quantity at a price, rounded once to the minor unit (R10.5).

Belongs here: rounding, minor units, and how an exact number is written. Does not belong here:
which price applies (`rules.pricing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact
from fractions import Fraction
from functools import cache

_EXACT = Context(prec=60, rounding=ROUND_HALF_UP, traps=[Inexact])
"""Wide enough for a quantity times a price times months; it raises rather than rounds."""

_ROUNDING = Context(prec=60, rounding=ROUND_HALF_UP)


@cache
def minor_units(currency: str) -> int | None:
    """Digits after the point of an ISO 4217 currency; none for an unknown one, or one without."""
    # The list of currencies takes a while to load, and most commands need none of it.
    from iso4217 import Currency  # noqa: PLC0415

    try:
        exponent = Currency(currency).exponent
    except ValueError:
        return None
    return exponent


def amount(quantity: Decimal, unit_price: Decimal, share: Fraction, currency: str) -> Decimal:
    """What a quantity costs at a price, for a share of it (months, or days of a month).

    Exact until the end, then rounded half up, once, to the currency's minor unit (R10.5). The
    currency is a known one: unknown ones are refused with the terms.
    """
    digits = minor_units(currency)
    if digits is None:
        raise AssertionError(f"currency {currency} has no minor unit; validation lets none through")
    parts, whole = share.as_integer_ratio()
    exact = _EXACT.multiply(_EXACT.multiply(quantity, unit_price), parts)
    if whole == 1:
        return _ROUNDING.plus(_ROUNDING.quantize(exact, _smallest(digits)))  # never -0
    numerator, denominator = exact.as_integer_ratio()
    return round_half_up(numerator, denominator * whole, digits)


def allocate(total: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """A total shared out by weights, in minor units, so that the shares add up to it exactly.

    Each gets its exact share rounded down; the units that are left go to the largest remainders,
    the first of equal ones first. The weights are not negative, and not all 0.
    """
    digits = minor_units(currency)
    if digits is None:
        raise AssertionError(f"currency {currency} has no minor unit; validation lets none through")
    units = int(_EXACT.scaleb(total, digits))
    whole = sum(map(Fraction, weights))
    exact = [Fraction(weight) * units / whole for weight in weights]
    shares = [share.numerator // share.denominator for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: shares[place] - exact[place])
    for place in by_remainder[: units - sum(shares)]:
        shares[place] += 1
    return [_ROUNDING.scaleb(Decimal(share), -digits) for share in shares]


def product(quantity: Decimal, unit_price: Decimal) -> Decimal:
    """A quantity times a price, exactly."""
    return _EXACT.multiply(quantity, unit_price)


def product_and(quantity: Decimal, factor: Decimal, more: Decimal) -> Decimal:
    """A quantity times a factor, and some more, exactly."""
    return _EXACT.fma(quantity, factor, more)


def in_millionths(value: Decimal) -> Decimal:
    """A number with the 6 decimals that quantities have, rounded half up where it has more."""
    return _ROUNDING.quantize(value, _smallest(6))


def round_half_up(numerator: int, denominator: int, digits: int) -> Decimal:
    """An exact ratio rounded half up (away from zero at a tie) to some digits."""
    units = (2 * abs(numerator) * 10**digits + denominator) // (2 * denominator)
    return _ROUNDING.scaleb(Decimal(units if numerator >= 0 else -units), -digits)


@cache
def _smallest(digits: int) -> Decimal:
    """The smallest amount of a currency with so many minor digits."""
    return Decimal(1).scaleb(-digits)


def plain(value: Decimal) -> str:
    """A decimal as people write it: no exponent, no zeros without meaning after the point."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
