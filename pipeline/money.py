"""The one place that makes money: a quantity at a price, rounded once to the minor unit (R10.5).

Belongs here: rounding, minor units, and how an exact number is written. Does not belong here:
which price applies (`rules.pricing`).
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, Inexact
from fractions import Fraction
from functools import cache

from iso4217 import Currency

MICRO = Decimal("0.000001")
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_WITHOUT_LOSS = Context(prec=60, traps=[Inexact])


@cache
def minor_units(currency: str) -> int | None:
    """Digits after the point of an ISO 4217 currency; none for an unknown one, or one without."""
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
    return round_half_up(Fraction(quantity) * Fraction(unit_price) * share, digits)


def round_half_up(value: Fraction, digits: int) -> Decimal:
    """An exact number rounded half up (away from zero at a tie) to some digits."""
    scaled = abs(value) * 10**digits
    units = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return _EXACT.scaleb(Decimal(units if value >= 0 else -units), -digits)


def plain(value: Decimal) -> str:
    """A decimal as people write it: no exponent, no zeros without meaning after the point."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def micros(value: Decimal) -> int:
    """A quantity of at most 6 decimals as a whole number of millionths. Raises if it has more."""
    return int(_WITHOUT_LOSS.quantize(value, MICRO).scaleb(6, context=_WITHOUT_LOSS))


def from_micros(value: int) -> Decimal:
    """The inverse of `micros`."""
    return _EXACT.scaleb(Decimal(value), -6)
