"""Assumptions: terms as they might have been, to see what a month would have cost.

Belongs here: reading what is assumed, and changing the feeds' rows accordingly. Does not belong
here: billing by them; the stages know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

import polars as pl

from pipeline.errors import UsageError, did_you_mean
from pipeline.period import Period
from pipeline.stages.terms_rules import Frames, meter_names
from schemas.feeds import RATES

FORMS = (
    "entitlement:SUBSCRIPTION:METER=QUANTITY",
    "price:SUBSCRIPTION:METER:CHARGE=PRICE",
    "end:SUBSCRIPTION=YYYY-MM-DD",
    "add:NEW=SUBSCRIPTION",
    "primary:TENANT=SUBSCRIPTION",
)
"""What can be assumed; `add` is a new subscription on the terms of another, including nothing."""

ASSUMED = "assumed"
"""Where an assumed row stands, instead of an export."""


OUT_OF_SERVICE = "suspended"
"""The status of days on which a subscription is assumed not to be in service."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something that is assumed: `about` whom or what, and its value, all as text."""

    kind: str
    about: tuple[str, ...]
    value: str

    @classmethod
    def parse(cls, text: str) -> Assumption:
        """An assumption as one writes it. Raises `UsageError` for anything that is not one."""
        left, equals, value = text.rpartition("=")
        kind, _, about = left.partition(":")
        parts = {"entitlement": 2, "price": 3, "end": 1, "add": 1, "primary": 1}
        named = tuple(about.rsplit(":", parts.get(kind, 1) - 1))
        if not equals or not value or kind not in parts or len(named) != parts[kind] or "" in named:
            raise _unreadable(text)
        if kind in ("entitlement", "price"):
            _number(text, value)
        if kind == "end":
            _date(text, value)
        return cls(kind, named, value)

    def __str__(self) -> str:
        return f"{':'.join((self.kind, *self.about))}={self.value}"


def assumed(frames: Frames, assumptions: Iterable[Assumption], period: Period) -> Frames:
    """The rows of the feeds, changed as is assumed for a period.

    Raises `UsageError` where an assumption names what nobody has.
    """
    frames = dict(frames)
    for one in assumptions:
        frames.update(_CHANGES[one.kind](frames, one, period))
    return frames


def tenants_of(frames: Frames, assumptions: Iterable[Assumption], period: Period) -> frozenset[str]:
    """The tenants whose bills the assumptions are about, each by those before it."""
    tenants = set()
    for one in assumptions:
        about = one.about[0] if one.kind == "primary" else _tenant(frames, _subject(one))
        tenants.add(about)
        frames = assumed(frames, [one], period)
    return frozenset(tenants)


def _subject(one: Assumption) -> str:
    """The subscription that an assumption is about: of a new one, the one it is like."""
    return one.value if one.kind == "add" else one.about[0]


def _entitlement(frames: Frames, one: Assumption, period: Period) -> Frames:
    subscription, meter = one.about
    tenant, rows = _tenant(frames, subscription), frames["entitlements"]
    _check_meter(frames, meter)
    first, last = (date.fromordinal(day) for day in (period.days.first, period.last_day))
    is_it = (
        (pl.col("tenant_id") == tenant)
        & (pl.col("subscription_id") == subscription)
        & (pl.col("meter") == meter)
        & (pl.col("deployment") == "cloud")
        & (pl.col("start_date").is_null() | (pl.col("start_date") <= last))
        & (pl.col("end_date").is_null() | (pl.col("end_date") >= first))
    ).fill_null(False)
    there = rows.filter(is_it)
    row = {
        "tenant_id": tenant,
        "subscription_id": subscription,
        "meter": meter,
        "quantity": Decimal(one.value),
        "start_date": None if there["start_date"].null_count() else there["start_date"].min(),
        "end_date": None if there["end_date"].null_count() else there["end_date"].max(),
        "deployment": "cloud",
    }
    return {"entitlements": pl.concat([rows.filter(~is_it), _row(rows, row)])}


def _price(frames: Frames, one: Assumption, _: Period) -> Frames:
    subscription, meter, charge = one.about
    tenant, rows = _tenant(frames, subscription), frames["rates"]
    _check_meter(frames, meter)
    if charge not in RATES["charge"].choices:
        raise UsageError(
            f"{charge!r} is no charge", remedy=f"it is one of {', '.join(RATES['charge'].choices)}"
        )
    contracts = frames["subscriptions"].filter(
        pl.col("tenant_id") == tenant, pl.col("subscription_id") == subscription
    )
    is_it = (
        (pl.col("subscription_id") == subscription)
        & (pl.col("meter") == meter)
        & (pl.col("charge") == charge)
    ).fill_null(False)
    row = {
        "subscription_id": subscription,
        "tenant_id": tenant,
        "meter": meter,
        "charge": charge,
        "unit_price": Decimal(one.value),
        "currency": contracts["currency"][0],
        "model": "flat",
        "tier_from": Decimal(0),
    }
    return {"rates": pl.concat([rows.filter(~is_it), _row(rows, row)])}


def _end(frames: Frames, one: Assumption, _: Period) -> Frames:
    """Days after the end are not in service (R1.2).

    The subscription stays known to all that names it, even where none of its days is left.
    """
    (subscription,) = one.about
    tenant, rows = _tenant(frames, subscription), frames["subscriptions"]
    last = date.fromisoformat(one.value)
    is_it = (pl.col("tenant_id") == tenant) & (pl.col("subscription_id") == subscription)
    begins_later = is_it & (pl.col("start_date") > last)
    ends = pl.min_horizontal("end_date", pl.lit(last))
    return {
        "subscriptions": rows.with_columns(
            status=pl.when(begins_later).then(pl.lit(OUT_OF_SERVICE)).otherwise("status"),
            end_date=pl.when(is_it & ~begins_later).then(ends).otherwise("end_date"),
        )
    }


def _add(frames: Frames, one: Assumption, _: Period) -> Frames:
    (name,), rows = one.about, frames["subscriptions"]
    if name in rows["subscription_id"]:
        raise UsageError(
            f"{name!r} is a subscription already",
            remedy=f"name one that nobody has: add:NEW={one.value}",
        )
    is_like = pl.col("subscription_id") == one.value
    tenant = _tenant(frames, one.value)
    more = rows.filter(is_like, pl.col("tenant_id") == tenant).with_columns(
        subscription_id=pl.lit(name), file=pl.lit(ASSUMED)
    )
    return {"subscriptions": pl.concat([rows, more])}


def _primary(frames: Frames, one: Assumption, _: Period) -> Frames:
    (tenant,), rows = one.about, frames["tenants"]
    if _tenant(frames, one.value) != tenant:
        raise UsageError(
            f"{one.value!r} is no subscription of {tenant}",
            remedy=f"name one of its subscriptions: primary:{tenant}=SUBSCRIPTION",
        )
    is_it = pl.col("tenant_id") == tenant
    override = pl.when(is_it).then(pl.lit(one.value)).otherwise("primary_override")
    if rows.filter(is_it).is_empty():
        rows = pl.concat([rows, _row(rows, {"tenant_id": tenant})])
    return {"tenants": rows.with_columns(primary_override=override)}


_CHANGES: dict[str, Callable[[Frames, Assumption, Period], Frames]] = {
    "entitlement": _entitlement,
    "price": _price,
    "end": _end,
    "add": _add,
    "primary": _primary,
}


def _tenant(frames: Frames, subscription: str) -> str:
    """The tenant of a subscription. Raises `UsageError` where none or several have it."""
    rows = frames["subscriptions"].drop_nulls(["tenant_id", "subscription_id"])
    of_name = rows.filter(pl.col("subscription_id") == subscription)
    tenants: list[str] = of_name["tenant_id"].unique().sort().to_list()
    if len(tenants) == 1:
        return tenants[0]
    otherwise = "name a subscription that one tenant has"
    if tenants:
        whose = " and ".join(tenants)
        raise UsageError(f"{subscription!r} is a subscription of {whose}", remedy=otherwise)
    raise UsageError(
        f"there is no subscription {subscription!r}",
        remedy=did_you_mean(subscription, rows["subscription_id"].unique(), otherwise),
    )


def _check_meter(frames: Frames, meter: str) -> None:
    """Raise `UsageError` for a meter that the catalogue does not have."""
    known = meter_names(frames)
    if meter not in known:
        otherwise = f"it is one of {', '.join(known)}"
        raise UsageError(
            f"there is no meter {meter!r}", remedy=did_you_mean(meter, known, otherwise)
        )


def _row(like: pl.DataFrame, values: dict[str, object]) -> pl.DataFrame:
    """A row of a feed that no export states."""
    row = {**dict.fromkeys(like.columns), **values, "file": ASSUMED, "row": 0}
    return pl.DataFrame([row], schema=like.schema)


def _number(text: str, value: str) -> None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise _unreadable(text) from None
    if not number.is_finite() or number < 0 or number >= 10**12 or number != round(number, 6):
        raise _unreadable(text)


def _date(text: str, value: str) -> None:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise _unreadable(text) from None


def _unreadable(text: str) -> UsageError:
    return UsageError(f"{text!r} says nothing to assume", remedy=f"write {' or '.join(FORMS)}")
