"""Stretches of constant entitlement as frames: what usage is compared with (R5.2, R5.3)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest

from pipeline.rules.catalogue import SHIPPED
from pipeline.stages.book import Book
from pipeline.stages.stretches import Stretches
from pipeline.stages.terms import UsageTerms
from tests.rules.build import OCTOBER, tenant


@pytest.mark.parametrize(
    ("ratio", "quantity", "entitlement"),
    [
        ("2", "10", "20"),
        ("0.5", "3", "1.5"),
        ("0.5", "0.000001", "0.000001"),
        ("2.5", "0.000001", "0.000003"),
        ("0.25", "0.000001", "0"),
        ("999999999999.999999", "999999999999.999999", "999999999999999998000000.000000"),
    ],
)
def test_what_comes_along_is_rounded_half_up(ratio: str, quantity: str, entitlement: str) -> None:
    """R5.2: to the places that quantities have; the engine would round to even, unasked."""
    port = replace(
        SHIPPED["ivr_port"], included_with=("standard_agent",), included_ratio=Decimal(ratio)
    )
    catalogue = {**SHIPPED, "ivr_port": port}
    who = tenant("A 2024-01-01..", f"A standard_agent {quantity} ..")
    book = Book(UsageTerms(catalogue, {who.id: who}, ()), OCTOBER, ())
    told = Stretches(book).told(pl.Series([book.meters.index("ivr_port")]))
    assert told["entitlement"].to_list() == [Decimal(entitlement)]
