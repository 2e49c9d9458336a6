"""Tenants out of a few words, through the same door as real ones: `build_terms`.

A line is one row of a feed. Its days are `FIRST..LAST`, both inclusive, either side may be empty.
Every other word of a subscription is known by what it says (`trial`, `annual`, `18m`, `EUR`), in
any order; a subscription that says nothing is active, concurrent, monthly and in USD. `-` stands
for an empty cell.

    A 2024-01-01..2026-10-15 annual EUR
    A 2026-11-01..
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import cache

import polars as pl

from pipeline.period import Days, Period, Value
from pipeline.rules.entitlement import stretches
from pipeline.rules.terms import Assignment, Catalogue, Rate, Subscription, Tenant
from pipeline.stages.terms import Terms, build_terms
from schemas import feeds
from schemas.columns import Table

OCTOBER = Period(2026, 10)

Row = dict[str, object]

_COLUMNS = ("status", "billing_frequency", "license_model", "telephony", "deployment", "offer")


def day(text: str) -> int:
    """`2026-10-05` as a day."""
    return date.fromisoformat(text).toordinal()


def days(text: str) -> Days:
    """`2026-10-05..2026-10-09`, both inclusive, as days."""
    return Days.between(*_ends(text))


def october(date_of_month: int) -> int:
    """A day of October 2026."""
    return date(2026, 10, date_of_month).toordinal()


def said(stretches: Iterable[tuple[Days, Value]]) -> str:
    """Stretches in words: `2026-10-01..2026-10-10 A, 2026-10-11..2026-10-31 B`."""
    return ", ".join(
        f"{date.fromordinal(piece.first)}..{date.fromordinal(piece.after - 1)} {value}"
        for piece, value in stretches
    )


def rows(table: str) -> list[list[str]]:
    """The words of each line of a text table."""
    return [line.split() for line in table.splitlines() if line.strip()]


@cache
def tenant(
    subscriptions: str,
    entitlements: str = "",
    *,
    users: str = "",
    partners: str = "",
    override: str | None = None,
) -> Tenant:
    """The tenant T with these terms.

    entitlements: `A standard_agent 10 FIRST..LAST [on_premises]`;
    users: `anna agent premium A FIRST..LAST`; partners: `P1 2024-01-01 [full_admin]`.
    """
    terms = terms_of(subscriptions, entitlements, users, partners, override)
    assert terms.quarantine.rows() == []
    return terms.tenants["T"]


def terms_of(
    subscriptions: str,
    entitlements: str = "",
    users: str = "",
    partners: str = "",
    override: str | None = None,
    prices: Iterable[Rate] = (),
) -> Terms:
    """What the feeds of these texts come to."""
    return build_terms(
        {
            "subscriptions": _frame(feeds.SUBSCRIPTIONS, map(_subscription, rows(subscriptions))),
            "entitlements": _frame(feeds.ENTITLEMENTS, map(_entitlement, rows(entitlements))),
            "rates": _frame(feeds.RATES, map(_rate, prices)),
            "users": _frame(feeds.USERS, map(_user, rows(users))),
            "partners": _frame(feeds.PARTNERS, map(_partner, rows(partners))),
            "tenants": _frame(
                feeds.TENANTS,
                [{"tenant_id": "T", "time_zone": "UTC", "primary_override": override}],
            ),
            "meters": _frame(feeds.METERS, ()),
        }
    )


def subscription(of: Tenant, name: str) -> Subscription:
    """The tenant's subscription of that name, which it has."""
    found = of.subscription(name)
    assert found is not None
    return found


def quantity_on(of: Tenant, meter: str, catalogue: Catalogue, on: int) -> Decimal:
    """What is included of a meter on a day."""
    when = date.fromordinal(on)
    pieces = stretches(of, meter, catalogue, Period(when.year, when.month))
    return next(quantity for piece, quantity in pieces if on in piece)


def assignments(table: str) -> list[Assignment]:
    """The rows of one user, without a tenant around them: `agent premium A FIRST..LAST`."""
    return [
        Assignment("u", role, license, None if named == "-" else named, days(when))
        for role, license, named, when in rows(table)
    ]


def rates(table: str, meter: str = "ai_agent", charge: str = "overage") -> list[Rate]:
    """Prices: `SUBSCRIPTION TENANT CURRENCY PRICE FIRST..LAST [MODEL TIER_FROM]`; `*` is all."""
    found = []
    for who, whose, currency, price, when, *tier in rows(table):
        model, above = tier or ("flat", "0")
        found.append(
            Rate(
                None if who == "*" else who,
                None if whose == "*" else whose,
                meter,
                charge,
                Decimal(price),
                currency,
                model,
                Decimal(above),
                days(when),
            )
        )
    return found


def _frame(table: Table, of: Iterable[Row]) -> pl.DataFrame:
    frame = pl.DataFrame(list(of), schema=table.dtypes)
    return frame.with_columns(
        file=pl.lit(f"{table.name}.csv"),
        row=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        defects=pl.lit(None, pl.String),
        raw=pl.lit(None, pl.String),
    )


def _subscription(words: list[str]) -> Row:
    name, when, *others = words
    start, end = _ends(when)
    row: Row = {
        "tenant_id": "T",
        "subscription_id": name,
        "offer": "flex",
        "license_model": "concurrent",
        "status": "active",
        "billing_frequency": "monthly",
        "currency": "USD",
        "start_date": start,
        "end_date": end,
    }
    for word in others:
        row |= _said_by(word)
    return row


def _said_by(word: str) -> Row:
    for column in _COLUMNS:
        if word in feeds.SUBSCRIPTIONS[column].choices:
            return {column: word}
    if word.endswith("m") and word[:-1].isdigit():
        return {"term_months": int(word[:-1])}
    assert word.isupper() and len(word) == 3, f"no subscription says {word}"
    return {"currency": word}


def _entitlement(words: list[str]) -> Row:
    name, meter, quantity, when, *deployment = words
    start, end = _ends(when)
    return {
        "tenant_id": "T",
        "subscription_id": name,
        "meter": meter,
        "quantity": Decimal(quantity),
        "start_date": start,
        "end_date": end,
        "deployment": deployment[0] if deployment else "cloud",
    }


def _rate(price: Rate) -> Row:
    """A price that holds on all days."""
    return {
        "subscription_id": price.subscription_id or "*",
        "tenant_id": price.tenant_id,
        "meter": price.meter,
        "charge": price.charge,
        "unit_price": price.unit_price,
        "currency": price.currency,
        "model": price.model,
        "tier_from": price.tier_from,
    }


def _user(words: list[str]) -> Row:
    name, role, license, assigned, when = words
    start, end = _ends(when)
    return {
        "tenant_id": "T",
        "user_id": name,
        "role": role,
        "license": license,
        "subscription_id": None if assigned == "-" else assigned,
        "start_date": start,
        "end_date": end,
    }


def _partner(words: list[str]) -> Row:
    name, added, *role = words
    return {
        "tenant_id": "T",
        "partner_id": name,
        "added_on": date.fromisoformat(added),
        "role": role[0] if role else "provisioning_admin",
    }


def _ends(text: str) -> tuple[date | None, date | None]:
    first, dots, last = text.partition("..")
    assert dots, f"{text} are not days: write FIRST..LAST"
    return (
        date.fromisoformat(first) if first else None,
        date.fromisoformat(last) if last else None,
    )
