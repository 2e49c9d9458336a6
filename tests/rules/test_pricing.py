"""R10.1, R10.2, R10.4: which price applies, and what it is a price of."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from pipeline.period import Days, Period
from pipeline.rules.pricing import RateCard, Slice, commitments, cycle_begin, slices
from pipeline.rules.terms import Entitlement, Tenant
from tests.rules.build import OCTOBER, day, rates, subscription, tenant, terms_of

LAST = OCTOBER.last_day
TWO = "A 2024-01-01..\nB 2025-01-01..\nE 2025-01-01.. EUR"


def _prices(
    table: str, name: str = "A", who: Tenant | None = None, on: int = LAST
) -> list[tuple[str, str]]:
    """(tier_from, price) of the tiers found."""
    who = who or tenant(TWO)
    card = RateCard(rates(table.replace("|", "\n")), on)
    found = card.tiers(who, subscription(who, name), "ai_agent", "overage")
    return [(f"{rate.tier_from}", f"{rate.unit_price}") for rate in found]


@pytest.mark.parametrize(
    ("table", "name", "price"),
    [
        ("A * USD 1 .. | * T USD 2 .. | * * USD 3 ..", "A", "1"),
        ("* * USD 3 .. | * T USD 2 .. | A * USD 1 ..", "A", "1"),
        ("A T USD 1 .. | * T USD 2 .. | * * USD 3 ..", "A", "1"),
        ("A * USD 1 .. | * T USD 2 .. | * * USD 3 ..", "B", "2"),
        ("A * USD 1 .. | * * USD 3 ..", "B", "3"),
        # Another tenant's prices, and its subscription of the same id.
        ("A U USD 1 .. | * U USD 2 .. | * * USD 3 ..", "A", "3"),
        ("A U USD 1 .. | * U USD 2 ..", "A", None),
        # Another currency is never used, however near its scope.
        ("A * EUR 1 .. | * T EUR 2 .. | * * USD 3 ..", "A", "3"),
        ("A * EUR 1 .. | * T EUR 2 .. | * * EUR 3 ..", "A", None),
        ("E * USD 1 .. | * * EUR 3 ..", "E", "3"),
        # In force on the period's last day.
        ("A * USD 1 ..2026-10-31 | * * USD 3 ..", "A", "1"),
        ("A * USD 1 ..2026-10-30 | * * USD 3 ..", "A", "3"),
        ("A * USD 1 2026-10-31.. | * * USD 3 ..", "A", "1"),
        ("A * USD 1 2026-11-01.. | * * USD 3 ..", "A", "3"),
        ("A * USD 1 ..2026-09-30 | A * USD 2 2026-10-01..", "A", "2"),
        ("", "A", None),
    ],
)
def test_the_first_scope_that_has_any_price_gives_it(
    table: str, name: str, price: str | None
) -> None:
    """R10.1: the subscription, the tenant, everyone."""
    assert _prices(table, name) == ([("0", price)] if price else [])


def test_tiers_come_from_one_scope_alone_and_in_order() -> None:
    """R10.1: A's own tier from 100 is not completed from the tenant's tier from 0."""
    table = """
        A * USD 5 .. volume 100
        A * USD 4 .. volume 500
        * T USD 9 .. volume 50
        * T USD 8 .. volume 0
    """
    assert _prices(table) == [("100", "5"), ("500", "4")]
    assert _prices(table, "B") == [("0", "8"), ("50", "9")]


def test_a_scope_never_has_two_prices_for_the_same_unit() -> None:
    """R10.1: one row of A names its tenant too, the other does not.

    Refused, or the nearer row first: either way, a price must not depend on the order of rows.
    """
    prices = rates("A * USD 1 ..\nA T USD 2 ..")
    terms = terms_of("A 2024-01-01..", prices=prices)
    if "T" not in terms.blocked:
        who = terms.tenants["T"]
        card = RateCard(terms.rates, LAST)
        tiers = card.tiers(who, subscription(who, "A"), "ai_agent", "overage")
        assert len(tiers) == 1


def test_a_price_is_of_one_meter_and_one_charge() -> None:
    """R10.1."""
    who = tenant(TWO)
    one = subscription(who, "A")
    card = RateCard(rates("* * USD 3 ..", meter="ai_agent", charge="overage"), LAST)
    assert len(card.tiers(who, one, "ai_agent", "overage")) == 1
    assert card.tiers(who, one, "ai_assistant", "overage") == []
    assert card.tiers(who, one, "ai_agent", "committed") == []
    assert (card.meters("overage"), card.meters("committed")) == (["ai_agent"], [])


FLAT = "* * USD 2 .."
VOLUME = "* * USD 3 .. volume 0 | * * USD 2 .. volume 100 | * * USD 1 .. volume 500"
GRADUATED = VOLUME.replace("volume", "graduated")


@pytest.mark.parametrize(
    ("table", "quantity", "expected"),
    [
        (FLAT, "7.5", "7.5x2"),
        # Volume: the whole quantity at the highest tier whose tier_from is below it.
        (VOLUME, "0.000001", "0.000001x3"),
        (VOLUME, "100", "100x3"),
        (VOLUME, "100.000001", "100.000001x2"),
        (VOLUME, "500", "500x2"),
        (VOLUME, "501", "501x1"),
        # Graduated: each slice at its own price; exactly at the border there is no next slice.
        (GRADUATED, "40", "40x3"),
        (GRADUATED, "100", "100x3"),
        (GRADUATED, "100.000001", "100x3 0.000001x2"),
        (GRADUATED, "500", "100x3 400x2"),
        (GRADUATED, "650", "100x3 400x2 150x1"),
        # The first tier begins above 0: by volume all has the price of the tier that it reaches.
        ("* * USD 2 .. volume 10", "10.000001", "10.000001x2"),
        ("* * USD 2 .. volume 10 | * * USD 1 .. volume 50", "60", "60x1"),
        ("* * USD 2 .. volume 10", "10", None),
        # By slices, the first ten have no price.
        ("* * USD 2 .. graduated 10 | * * USD 1 .. graduated 50", "60", None),
        ("", "1", None),
        # A price of 0 is a price.
        ("* * USD 0 ..", "7", "7x0"),
    ],
)
def test_a_quantity_is_cut_along_the_tiers(table: str, quantity: str, expected: str | None) -> None:
    """R10.4."""
    who = tenant(TWO)
    card = RateCard(rates(table.replace("|", "\n")), LAST)
    tiers = card.tiers(who, subscription(who, "A"), "ai_agent", "overage")
    cut = slices(tiers, Decimal(quantity))
    wanted = expected and [
        Slice(Decimal(part), Decimal(price))
        for part, price in (piece.split("x") for piece in expected.split())
    ]
    assert cut == wanted
    if cut:
        assert sum(part.quantity for part in cut) == Decimal(quantity)


def _charged(subscriptions: str, when: str, month: str) -> str:
    """The months charged of an entitlement row of A in a month, as fractions."""
    who = tenant(subscriptions.replace("|", "\n"), f"A standard_agent 10 {when}")
    (row,) = who.entitlements
    return " ".join(str(one.months) for one in commitments(who, row, Period.parse(month)))


@pytest.mark.parametrize(
    ("subscriptions", "when", "month", "months"),
    [
        ("A 2024-01-01..", "..", "2026-10", "1"),
        ("A 2024-01-01..", "2026-10-22..", "2026-10", "10/31"),
        ("A 2024-01-01..", "..2026-10-01", "2026-10", "1/31"),
        ("A 2024-01-01..", "2026-02-15..", "2026-02", "1/2"),
        ("A 2024-01-01..", "2026-11-01..", "2026-10", ""),
        # In force is covered by the row and by the subscription.
        ("A 2026-10-10..2026-10-20", "..", "2026-10", "11/31"),
        ("A 2024-01-01..2026-10-10 | A 2026-10-30..", "2026-10-10..", "2026-10", "3/31"),
        ("A 2024-01-01.. suspended", "..", "2026-10", ""),
        # Two stretches of monthly service add up to one charge.
        ("A 2024-01-01..2026-10-15 | A 2026-10-16..", "..", "2026-10", "1"),
    ],
)
def test_monthly_is_charged_by_the_days_in_force(
    subscriptions: str, when: str, month: str, months: str
) -> None:
    """R10.2."""
    assert _charged(subscriptions, when, month) == months


@pytest.mark.parametrize(
    ("subscriptions", "when", "charged"),
    [
        # Counted from the first day of the row …
        ("A 2024-01-01.. quarterly", "2026-02-10..", "2026-02:3 2026-05:3 2026-08:3 2026-11:3"),
        ("A 2024-01-01.. annual", "2025-03-10..", "2026-03:12"),
        ("A 2024-01-01.. 6m prepaid", "2026-01-10..", "2026-01:6 2026-07:6"),
        ("A 2024-01-01.. 36m prepaid", "2024-04-10..", ""),
        ("A 2024-01-01.. 1m prepaid", "2026-10-10..", "2026-10:1 2026-11:1 2026-12:1"),
        # … not before the subscription's age, which a renewal keeps.
        ("A 2025-12-20.. quarterly", "2020-01-01..", "2026-03:3 2026-06:3 2026-09:3 2026-12:3"),
        ("A 2026-04-20.. annual", "..", "2026-04:12"),
        (
            "A 2025-05-05..2026-05-04 annual | A 2026-05-05.. annual",
            "..",
            "2026-05:12",
        ),
        # The day itself must be in force: the row ends, or the service has a gap, before it.
        ("A 2024-01-01.. quarterly", "2026-02-10..2026-05-09", "2026-02:3"),
        ("A 2024-01-01.. quarterly", "2026-02-10..2026-05-10", "2026-02:3 2026-05:3"),
        (
            "A 2024-01-01..2026-05-09 quarterly | A 2026-05-11.. quarterly",
            "2026-02-10..",
            "2026-02:3 2026-08:3 2026-11:3",
        ),
        # The frequency on that day counts.
        (
            "A 2024-01-01..2026-05-09 quarterly | A 2026-05-10..2026-08-09 annual "
            "| A 2026-08-10.. quarterly",
            "2026-02-10..",
            "2026-02:3 2026-08:3 2026-11:3",
        ),
        (
            "A 2024-01-01..2026-05-09 annual | A 2026-05-10.. quarterly",
            "2026-02-10..",
            "2026-02:12 2026-05:3 2026-08:3 2026-11:3",
        ),
        # Monthly days before the change, and the cycle that begins after it, in one month.
        (
            "A 2024-01-01..2026-11-05 | A 2026-11-06.. annual",
            "2025-11-10..",
            " ".join(f"2026-{month:02d}:1" for month in range(1, 11)) + " 2026-11:1/6+12",
        ),
        # A service that ends before its first cycle begins in the period is never charged.
        ("A 2024-01-01..2026-01-05 trial | A 2026-03-15.. quarterly", "2026-01-01..2026-03-14", ""),
    ],
)
def test_cycles_are_charged_in_advance_on_the_day_they_begin(
    subscriptions: str, when: str, charged: str
) -> None:
    """R10.2: over all months of 2026, as month:months."""
    found = []
    for month in range(1, 13):
        months = _charged(subscriptions, when, f"2026-{month:02d}")
        if months:
            found.append(f"2026-{month:02d}:{months.replace(' ', '+')}")
    assert " ".join(found) == charged


@pytest.mark.parametrize(
    ("first", "month", "begins"),
    [
        ("2026-01-31", "2026-01", "2026-01-31"),
        ("2026-01-31", "2026-02", "2026-02-28"),
        ("2026-01-31", "2026-03", "2026-03-31"),
        ("2026-01-31", "2026-04", "2026-04-30"),
        ("2024-01-31", "2024-02", "2024-02-29"),
        ("2024-02-29", "2025-02", "2025-02-28"),
        ("2024-02-29", "2028-02", "2028-02-29"),
        ("2026-01-31", "2025-12", None),
    ],
)
def test_the_day_of_a_cycle_clamps_to_the_end_of_the_month(
    first: str, month: str, begins: str | None
) -> None:
    """R10.2, for cycles of one month: clamping in February leaves March at the 31st."""
    found = cycle_begin(day(first), 1, Period.parse(month))
    assert found == (day(begins) if begins else None)


def test_a_clamped_cycle_day_decides_whether_the_row_is_in_force() -> None:
    """R10.2: counted from 30 November, the February cycle begins on the 28th."""
    assert _charged("A 2024-01-01.. quarterly", "2025-11-30..2026-02-28", "2026-02") == "3"
    assert _charged("A 2024-01-01.. quarterly", "2025-11-30..2026-02-27", "2026-02") == ""


def test_a_commitment_says_why() -> None:
    who = tenant(
        "A 2024-01-01..2026-10-15\nA 2026-10-16.. prepaid 36m", "A ai_agent 1 2023-10-20.."
    )
    (row,) = who.entitlements
    anchored = replace(row, days=Days(day("2026-10-20"), row.days.after))
    monthly = commitments(who, replace(row, days=Days(day("2024-01-01"), LAST)), OCTOBER)
    assert [one.because for one in monthly] == ["committed monthly, 15 of 31 days in force (R10.2)"]
    (advance,) = commitments(who, anchored, OCTOBER)
    assert advance.months == Fraction(36)
    assert advance.because == "committed prepaid, 36 months in advance from 2026-10-20 (R10.2)"


def test_nothing_is_committed_under_a_subscription_that_is_not_known() -> None:
    """R11.2: its row is broken; the tenant is not invoiced."""
    row = Entitlement("X", "ai_agent", Decimal(1), Days(1, 3_000_000))
    assert commitments(tenant(TWO), row, OCTOBER) == []
