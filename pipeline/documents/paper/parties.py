"""Who sends an invoice and who gets it, as `tenantbill.toml` tells it.

Belongs here: from the tables `[seller]` and `[buyers."TENANT"]` to lines of an address. Does not
belong here: reading the file (`settings`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OF_ADDRESS = ("street", "postal_code", "city", "country")
SAID_OF_BOTH = ("vat_id", "registration_id")
SAID_OF_SELLER = (*SAID_OF_BOTH, "payment_terms", "iban")
SAID_OF_BUYER = (*SAID_OF_BOTH, "reference", "order")


@dataclass(frozen=True, slots=True)
class Party:
    """A name, the lines of an address, and what else is said, by its key in the settings."""

    name: str
    address: tuple[str, ...] = ()
    said: tuple[tuple[str, str], ...] = ()


def seller_of(tables: Mapping[str, Mapping[str, Any]]) -> Party | None:
    """The seller, where the settings name one."""
    told = tables.get("seller", {})
    return _party(told, str(told["name"]), SAID_OF_SELLER) if told.get("name") else None


def buyer_of(tables: Mapping[str, Mapping[str, Any]], tenant_id: str, tenant_name: str) -> Party:
    """The buyer: as the settings tell it, else by the tenant's name alone."""
    told = tables.get("buyers", {}).get(tenant_id, {})
    return _party(told, str(told.get("name") or tenant_name), SAID_OF_BUYER)


def _party(told: Mapping[str, Any], name: str, said: tuple[str, ...]) -> Party:
    street, code, city, country = (str(told.get(key) or "") for key in OF_ADDRESS)
    lines = (street, f"{code} {city}".strip(), country)
    return Party(
        name,
        tuple(line for line in lines if line),
        tuple((key, str(told[key])) for key in said if told.get(key)),
    )
