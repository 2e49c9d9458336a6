"""The form of an explanation, and the words that several kinds of lines share.

Belongs here: money, prices and rows in sentences. Does not belong here: what is said of which kind
(`lines`, `overage`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import polars as pl

from pipeline.documents.model import Line
from pipeline.explaining.context import ROWS, Context
from pipeline.money import minor_units, plain
from pipeline.rules.terms import Rate


@dataclass(frozen=True, slots=True)
class Told:
    """Why a line is what it is: sentences, tables by their titles, and the usage rows.

    `counted` is what the rows come to by themselves, `less` what is taken off for a reason that a
    sentence names: what is included, or what other lines charge. Together they are the line's
    quantity, where it rests on usage.
    """

    sentences: list[str]
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    rows: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ROWS))
    less: Decimal = Decimal(0)
    rests_on_usage: bool = False

    @property
    def counted(self) -> Decimal:
        """What the rows come to."""
        return Decimal(self.rows["counts"].sum())


def arithmetic(line: Line, currency: str, share: Fraction = Fraction(1)) -> str:
    """Quantity × price = amount, exactly, and how it was rounded (R10.5)."""
    if line.unit_price is None or line.amount is None:
        return "There is no price for it, so it has no amount and blocks its invoice (R10.1)."
    factor = "" if share == 1 else f" × {share}"
    exact = Fraction(line.quantity) * Fraction(line.unit_price) * share
    told = f"{plain(line.quantity)} × {plain(line.unit_price)}{factor} = {_exactly(exact)}"
    digits = minor_units(currency) or 0
    amount = f"{line.amount:.{digits}f} {currency}"
    if exact == Fraction(line.amount):
        return f"{told} = {amount}."
    return f"{told}, rounded half up, once, to {digits} digits: {amount} (R10.5)."


def _exactly(value: Fraction) -> str:
    """A ratio as a decimal where that is exact, else to nine digits and marked so."""
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    if denominator == 1:
        return plain(Decimal(value.numerator) / Decimal(value.denominator))
    scaled = value.numerator * 10**9 // value.denominator
    return f"{plain(Decimal(scaled).scaleb(-9))}…"


def priced(context: Context, subscription_id: str, meter: str, charge: str) -> list[str]:
    """Where the price stands, and by which scope it was found (R10.1, R10.4)."""
    subscription = context.subscription(subscription_id)
    tiers = context.card.tiers(context.tenant, subscription, meter, charge)
    if not tiers:
        return [
            f"No rate gives a {charge} price for {meter} in {subscription.currency} on the last "
            f"day of {context.period} (R10.1)."
        ]
    stands = "; ".join(
        f"{plain(one.unit_price)}{_from(one)} in {context.where_priced(one)}" for one in tiers
    )
    model = "" if tiers[0].model == "flat" else f", a {tiers[0].model} price (R10.4)"
    return [f"The {charge} price is that of {_scope(tiers[0])}: {stands}{model} (R10.1)."]


def _from(rate: Rate) -> str:
    return f" from {plain(rate.tier_from)}" if rate.tier_from else ""


def _scope(rate: Rate) -> str:
    if rate.subscription_id:
        return f"subscription {rate.subscription_id}"
    return f"tenant {rate.tenant_id}" if rate.tenant_id else "everybody"
