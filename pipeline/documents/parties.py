"""Who sells, who buys, and under which tax: as `tenantbill.toml` states it for e-invoices.

Belongs here: these values, and naming every key that is missing. Does not belong here: reading the
file (`settings`). Nothing is guessed: a wrong seller or tax on an invoice is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.errors import UsageError
from pipeline.settings import FILE, Tables

_NEEDED = ("name", "country", "endpoint", "endpoint_scheme")
_OF_ZERO = ("Z", "E", "AE", "G", "O")
CATEGORIES = ("S", *_OF_ZERO)
_WITH_REASON = ("E", "AE", "G", "O")
OUTSIDE_VAT = "O"
REVERSE_CHARGE = "AE"

_SHAPES = (
    ("country", "[A-Z]{2}", "write it as its two letters of ISO 3166, such as DE"),
    ("endpoint_scheme", "[0-9]{4}", "write it as its four digits (EAS), such as 0088 for a GLN"),
)

_MOST_NAMED = 5


class SettingMissing(UsageError):
    """An e-invoice must say something that the settings do not."""


class SettingWrong(UsageError):
    """A setting that no e-invoice can hold, or that contradicts another."""


@dataclass(frozen=True, slots=True)
class Party:
    """A seller or buyer; `endpoint` is its electronic address, in the scheme beside it."""

    name: str
    country: str
    endpoint: str
    endpoint_scheme: str
    street: str | None = None
    city: str | None = None
    postal_code: str | None = None
    vat_id: str | None = None
    registration_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tax:
    """One of `CATEGORIES` (UNCL 5305), its rate, and why none is charged where none is."""

    category: str
    percent: Decimal
    exemption_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Deal:
    """All that an invoice to one tenant says besides what it charges."""

    seller: Party
    buyer: Party
    tax: Tax
    payment_terms: str
    iban: str | None = None
    reference: str | None = None
    order: str | None = None


def deals_of(tables: Tables, tenants: Iterable[str]) -> dict[str, Deal]:
    """The deal with each tenant. Raises `SettingMissing` with the keys that nobody states."""
    tenants = sorted(set(tenants))
    missing = [*_missing_of_seller(tables["seller"])]
    for tenant in tenants:
        missing += _missing_of_buyer(tables, tenant)
    _stop_if_missing(missing, "e-invoices need")
    return {tenant: _deal(tables, tenant) for tenant in tenants}


def seller_words(tables: Tables, keys: Iterable[str], who: str) -> dict[str, str]:
    """What is said of the seller under some keys. Raises `SettingMissing` where it is not."""
    seller = tables["seller"]
    _stop_if_missing([f"seller.{key}" for key in keys if not seller.get(key)], f"{who} needs")
    return {key: seller[key] for key in keys}


def _stop_if_missing(keys: list[str], who: str) -> None:
    missing = list(dict.fromkeys(keys))
    if not missing:
        return
    more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    table, _, key = missing[0].rpartition(".")
    raise SettingMissing(
        f"{who} {', '.join(missing[:_MOST_NAMED])}{more}",
        where=FILE,
        remedy=f"add what is missing, beginning with `{key} = …` below `[{table}]`",
    )


def _missing_of_seller(seller: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"seller.{key}" for key in (*_NEEDED, "payment_terms") if not seller.get(key))


def _missing_of_buyer(tables: Tables, tenant: str) -> Iterator[str]:
    table = f'buyers."{tenant[:40]}"'
    buyer = tables["buyers"].get(tenant, {})
    yield from (f"{table}.{key}" for key in _NEEDED if not buyer.get(key))
    if not buyer.get("reference") and not buyer.get("order"):
        yield f"{table}.reference"
    stated = _stated_tax(tables, tenant)
    category = stated.get("category")
    if not category:
        yield "tax.category"
        return
    own = f"{table}.tax_" if "tax_category" in buyer else "tax."
    if category == "S" and stated.get("percent") is None:
        yield f"{own}percent"
    if category in _WITH_REASON and not stated.get("exemption_reason"):
        yield f"{own}exemption_reason"
    if category != OUTSIDE_VAT and not tables["seller"].get("vat_id"):
        yield "seller.vat_id"
    if category == REVERSE_CHARGE and not buyer.get("vat_id"):
        yield f"{table}.vat_id"


def _stated_tax(tables: Tables, tenant: str) -> dict[str, Any]:
    """What is said of the tax: the buyer's own, or what holds for everybody; never mixed."""
    buyer = tables["buyers"].get(tenant, {})
    if "tax_category" not in buyer:
        return dict(tables["tax"])
    return {key.removeprefix("tax_"): value for key, value in buyer.items() if key[:4] == "tax_"}


def _deal(tables: Tables, tenant: str) -> Deal:
    seller, buyer = tables["seller"], tables["buyers"][tenant]
    tax = _tax(_stated_tax(tables, tenant), tenant)
    outside = tax.category == OUTSIDE_VAT
    return Deal(
        _party(seller, "seller", without_vat=outside),
        _party(buyer, f'buyers."{tenant[:40]}"', without_vat=outside),
        tax,
        seller["payment_terms"],
        seller.get("iban"),
        buyer.get("reference"),
        buyer.get("order"),
    )


def _party(values: Mapping[str, Any], table: str, *, without_vat: bool) -> Party:
    """A party; on an invoice outside VAT nobody may be named by a VAT number."""
    for key, pattern, remedy in _SHAPES:
        if not re.fullmatch(pattern, values[key]):
            raise SettingWrong(f"{key} in [{table}] is {values[key]!r}", where=FILE, remedy=remedy)
    known = {name: values[name] for name in Party.__dataclass_fields__ if values.get(name)}
    return Party(**{**known, "vat_id": None if without_vat else values.get("vat_id")})


def _tax(stated: Mapping[str, Any], tenant: str) -> Tax:
    category = stated["category"]
    percent = Decimal(stated.get("percent") or 0)
    reason = stated.get("exemption_reason")

    def wrong(what: str, remedy: str) -> SettingWrong:
        return SettingWrong(f"the tax of {tenant[:40]} {what}", where=FILE, remedy=remedy)

    if category not in CATEGORIES:
        raise wrong(
            f"is of category {category!r}", f"known are {', '.join(CATEGORIES)} (UNCL 5305)"
        )
    if (category == "S") != (percent > 0):
        raise wrong(
            f"is of category {category} at {percent} %",
            "S has a rate above 0, every other category has none",
        )
    if reason and category not in _WITH_REASON:
        raise wrong(
            f"is of category {category} and has an exemption_reason", "remove one of the two"
        )
    return Tax(category, percent, reason)
