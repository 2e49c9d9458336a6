"""E-invoices to test with: settings for every tenant, and reading documents back."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.documents.months import HOSTILE, Months

SPACES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}

SELLER = {
    "name": "Metered Voice & Söhne GmbH",
    "street": "Ringstraße 1",
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
    "endpoint": "DE123456789",
    "endpoint_scheme": "9930",
    "vat_id": "DE123456789",
    "registration_id": "HRB 1",
    "payment_terms": "within 30 days",
    "iban": "DE02120300000000202051",
}

TAX = {"category": "S", "percent": "19"}

OWN_TAX = {
    "bolt": {"tax_category": "AE", "tax_exemption_reason": "Reverse charge"},
    "kyoto": {"tax_category": "G", "tax_exemption_reason": "Export outside the EU"},
    "yearly": {"tax_category": "E", "tax_exemption_reason": "Exempt"},
    "bahrain": {"tax_category": "O", "tax_exemption_reason": "Not subject to VAT"},
    HOSTILE[0]: {"tax_category": "Z"},
    HOSTILE[1]: {"tax_category": "S", "tax_percent": "5.5"},
}


def buyer_of(tenant: str) -> dict[str, str]:
    """Everything an invoice must say of a tenant, whose name is as bad as its id."""
    known = {"name": f"{tenant} Ltd", "country": "NL", "endpoint": "NL123456789B01"}
    reference = {"order": "PO 4711"} if tenant == "bolt" else {"reference": tenant}
    scheme = {"endpoint_scheme": "9944", "vat_id": "NL123456789B01"}
    return {**known, **reference, **scheme, **OWN_TAX.get(tenant, {})}


def toml_of(tables: dict[str, dict[str, str]]) -> str:
    """Tables as a settings file has them; rates are numbers there."""
    lines = []
    for table, values in tables.items():
        lines.append(f"[{table}]")
        for key, value in values.items():
            lines.append(f"{key} = {value if key.endswith('percent') else json.dumps(value)}")
    return "\n".join(lines)


def settings_of(months: Months) -> dict[str, dict[str, str]]:
    """Settings with which every tenant can get e-invoices."""
    tenants = [row["tenant_id"] for row in months.rows["tenants"]]
    buyers = {f"buyers.{json.dumps(tenant)}": buyer_of(tenant) for tenant in tenants}
    return {"seller": SELLER, "tax": TAX, **buyers}


@pytest.fixture
def settings(months: Months, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, with settings for every tenant."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "tenantbill.toml").write_text(toml_of(settings_of(months)), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def read(folder: Path) -> dict[str, ET.Element]:
    """The documents of a directory by their numbers."""
    roots = [ET.parse(path).getroot() for path in sorted(folder.glob("*.xml"))]
    return {said(root, "cbc:ID"): root for root in roots}


def said(root: ET.Element, path: str) -> str:
    """The text at a path."""
    found = root.findtext(path, None, SPACES)
    assert found is not None, path
    return found


def money_at(root: ET.Element, path: str) -> Decimal:
    """The amount at a path."""
    return Decimal(said(root, path))
