"""R10.5: decimal only, rounded half up, once, to the currency's minor unit."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.money import allocate, amount, minor_units, plain, round_half_up

WHOLE = Fraction(1)
DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}

cells = st.decimals("-999999999999", "999999999999", places=6)
"""Quantities and prices as feeds state them: 12 digits, a point, 6 digits."""

shares = st.one_of(
    st.just(WHOLE),
    st.integers(1, 60).map(Fraction),
    st.builds(Fraction, st.integers(0, 31), st.sampled_from([28, 29, 30, 31])),
)


def _twin(ratio: Fraction, digits: int) -> Decimal:
    """Python's own decimal, with far more digits than any ratio here has before it repeats."""
    wide = Context(prec=400, rounding=ROUND_HALF_UP)
    exact = wide.divide(Decimal(ratio.numerator), Decimal(ratio.denominator))
    return exact.quantize(Decimal(1).scaleb(-digits), context=wide)


@pytest.mark.parametrize(
    ("currency", "digits"),
    [
        ("USD", 2),
        ("JPY", 0),
        ("KWD", 3),
        ("RSD", 2),  # locale data says 0, ISO 4217 says 2
        ("CLF", 4),
        ("XAU", None),  # gold has no minor unit
        ("ABC", None),
        ("usd", None),
        ("", None),
    ],
)
def test_minor_units_are_those_of_iso_4217(currency: str, digits: int | None) -> None:
    assert minor_units(currency) == digits


@pytest.mark.parametrize(
    ("quantity", "price", "share", "currency", "expected"),
    [
        ("1", "1.005", "1", "USD", "1.01"),
        ("1", "1.015", "1", "USD", "1.02"),
        ("1", "1.025", "1", "USD", "1.03"),
        ("1", "1.004999", "1", "USD", "1.00"),
        ("-1", "1.005", "1", "USD", "-1.01"),
        ("-1", "1.004999", "1", "USD", "-1.00"),
        ("-1", "0.001", "1", "USD", "0.00"),
        ("1", "0.5", "1", "JPY", "1"),
        ("3", "0.5", "1", "JPY", "2"),
        ("1", "0.499999", "1", "JPY", "0"),
        ("1", "0.0005", "1", "KWD", "0.001"),
        ("1", "1.2345", "1", "KWD", "1.235"),
        # Once, at the end: neither 0.0049999996 nor what it rounds to at 6 digits is a cent.
        ("0.000002", "2499.9998", "1", "USD", "0.00"),
        # A share of a month: 10 x 150 x 10/31 is 483.870967…
        ("10", "150", "10/31", "USD", "483.87"),
        # 1 x 0.03 x 15/30 is exactly half a cent too much.
        ("1", "0.03", "15/30", "USD", "0.02"),
        # Months in advance.
        ("10", "33.333", "12", "EUR", "3999.96"),
        ("0", "150", "1", "USD", "0.00"),
        (
            "999999999999.999999",
            "999999999999.999999",
            "36",
            "USD",
            "35999999999999999928000000.00",
        ),
    ],
)
def test_an_amount_is_rounded_half_up_at_the_minor_unit(
    quantity: str, price: str, share: str, currency: str, expected: str
) -> None:
    found = amount(Decimal(quantity), Decimal(price), Fraction(share), currency)
    assert f"{found:f}" == expected


@given(cells, cells, shares, st.sampled_from(sorted(DIGITS)))
@example(Decimal("-0.000001"), Decimal("5000"), WHOLE, "USD")
def test_an_amount_is_what_exact_arithmetic_says(
    quantity: Decimal, price: Decimal, share: Fraction, currency: str
) -> None:
    exact = Fraction(quantity) * Fraction(price) * share
    assert amount(quantity, price, share, currency) == _twin(exact, DIGITS[currency])


@given(st.integers(-(10**12), 10**12), st.integers(0, 6), st.sampled_from([2, 6, 10, 62]))
def test_every_tie_goes_away_from_zero(units: int, digits: int, denominator: int) -> None:
    """Exactly half a unit beyond `units`, written over any even denominator."""
    numerator = (2 * units + (1 if units >= 0 else -1)) * (denominator // 2)
    expected = Decimal(units + (1 if units >= 0 else -1)).scaleb(-digits)
    assert round_half_up(numerator, denominator * 10**digits, digits) == expected


@given(st.integers(), st.integers(1, 10**30), st.integers(0, 6))
def test_rounding_is_symmetric_and_within_half_a_unit(
    numerator: int, denominator: int, digits: int
) -> None:
    up = round_half_up(numerator, denominator, digits)
    assert up == round_half_up(-numerator, denominator, digits).copy_negate()
    if abs(numerator) < 10**50 * denominator:
        assert abs(Fraction(up) - Fraction(numerator, denominator)) <= Fraction(1, 2 * 10**digits)


def test_a_currency_without_a_minor_unit_is_never_reached() -> None:
    with pytest.raises(AssertionError, match="currency XAU has no minor unit"):
        amount(Decimal(1), Decimal(1), WHOLE, "XAU")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("10", "10"),
        ("10.000000", "10"),
        ("100", "100"),
        ("0", "0"),
        ("0.000000", "0"),
        ("1.500000", "1.5"),
        ("0.000001", "0.000001"),
        ("1E+3", "1000"),
        ("1E-6", "0.000001"),
        ("-2.50", "-2.5"),
    ],
)
def test_a_number_is_written_as_people_write_it(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text
    assert Decimal(plain(Decimal(value))) == Decimal(value)


@pytest.mark.parametrize(
    ("total", "weights", "currency", "shares"),
    [
        ("100", "1 1 1", "USD", "33.34 33.33 33.33"),
        ("100", "1 1 1", "JPY", "34 33 33"),
        ("0.02", "1 1 1", "EUR", "0.01 0.01 0.00"),
        ("10", "0 2.5 7.5", "EUR", "0.00 2.50 7.50"),
        ("0.001", "1 2", "KWD", "0.000 0.001"),
        ("0", "1 2", "USD", "0.00 0.00"),
        ("5", "0.000001", "USD", "5.00"),
    ],
)
def test_a_total_is_shared_out_to_the_last_unit(
    total: str, weights: str, currency: str, shares: str
) -> None:
    by = [Decimal(one) for one in weights.split()]
    assert [str(one) for one in allocate(Decimal(total), by, currency)] == shares.split()


@given(
    st.integers(0, 10**12),
    st.lists(st.decimals(0, 10**6, places=6), min_size=1, max_size=8).filter(any),
)
def test_shares_add_up_and_none_is_a_unit_off(units: int, weights: list[Decimal]) -> None:
    total = Decimal(units).scaleb(-2)
    shares = allocate(total, weights, "USD")
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        exact = Fraction(weight) * Fraction(total) / sum(map(Fraction, weights))
        assert abs(Fraction(share) - exact) < Fraction(1, 100)
