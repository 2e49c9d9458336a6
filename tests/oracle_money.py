"""Prices, lines and invoices: the slow, obvious reading of R10."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from tests import oracle_terms as terms
from tests.oracle_terms import EntitlementRow, Meter, Period, Row, SubscriptionRow, Tenant, text

Record = dict[str, object]

WITHOUT_CENTS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
WITH_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"


@dataclass(frozen=True)
class Rate:
    """One row of the rate card."""

    subscription_id: str
    tenant_id: str | None
    meter: str
    charge: str
    unit_price: Decimal
    currency: str
    model: str
    tier_from: Decimal
    start: date | None
    end: date | None


def read_rates(rows: Sequence[Row]) -> list[Rate]:
    """Contract: the feed `rates`."""
    return [
        Rate(
            subscription_id=row["subscription_id"],
            tenant_id=text(row, "tenant_id"),
            meter=row["meter"],
            charge=row["charge"],
            unit_price=Decimal(row["unit_price"]),
            currency=row["currency"],
            model=text(row, "model") or "flat",
            tier_from=Decimal(text(row, "tier_from") or "0"),
            start=terms.day(row, "start_date"),
            end=terms.day(row, "end_date"),
        )
        for row in rows
    ]


def money(amount: Fraction, currency: str) -> Decimal:
    """R10.5: rounded half up, once, to the currency's minor unit."""
    if currency in WITHOUT_CENTS:
        return terms.half_up(amount, 0)
    return terms.half_up(amount, 3 if currency in WITH_THOUSANDTHS else 2)


def currency_of(tenant: Tenant, subscription_id: str) -> str:
    """R10.1: one subscription has one currency."""
    return next(r.currency for r in tenant.subscriptions if r.subscription_id == subscription_id)


def find_rates(
    rates: Sequence[Rate],
    tenant: Tenant,
    subscription_id: str,
    *,
    meter: str,
    charge: str,
    period: Period,
) -> list[Rate]:
    """R10.1: the first scope that has any row; all its rows, and none of another scope."""
    usable = [
        r
        for r in rates
        if r.meter == meter
        and r.charge == charge
        and r.currency == currency_of(tenant, subscription_id)
        and terms.covers(r.start, r.end, period.last)
    ]
    by_subscription = [
        r
        for r in usable
        if r.subscription_id == subscription_id and r.tenant_id in (None, tenant.tenant_id)
    ]
    by_tenant = [r for r in usable if (r.subscription_id, r.tenant_id) == ("*", tenant.tenant_id)]
    everywhere = [r for r in usable if (r.subscription_id, r.tenant_id) == ("*", None)]
    for scope in (by_subscription, by_tenant, everywhere):
        if scope:
            return sorted(scope, key=lambda r: r.tier_from)
    return []


def priced_slices(rates: Sequence[Rate], quantity: Decimal) -> list[tuple[Decimal, Decimal]]:
    """R10.4: (quantity, price) of each line; nothing where any of it has no price."""
    if rates and rates[0].model == "volume":
        below = [r for r in rates if r.tier_from < quantity]
        return [(quantity, below[-1].unit_price)] if below else []
    if not rates or rates[0].tier_from > 0:
        return []
    if rates[0].model == "graduated":
        slices = []
        for position, rate in enumerate(rates):
            upper = quantity
            if position + 1 < len(rates):
                upper = min(quantity, rates[position + 1].tier_from)
            if upper > rate.tier_from:
                slices.append((upper - rate.tier_from, rate.unit_price))
        return slices
    return [(quantity, rates[0].unit_price)]


def line(
    tenant: Tenant,
    subscription_id: str,
    *,
    kind: str,
    meter: str,
    quantity: Decimal,
    price: Decimal | None,
    amount: Decimal | None,
    because: str,
) -> Record:
    """R10: one line of an invoice; without a price it has no amount."""
    return {
        "tenant_id": tenant.tenant_id,
        "subscription_id": subscription_id,
        "kind": kind,
        "meter": meter,
        "quantity": quantity,
        "unit_price": price,
        "amount": amount,
        "currency": currency_of(tenant, subscription_id),
        "because": because,
    }


def priced_lines(
    tenant: Tenant,
    subscription_id: str,
    *,
    kind: str,
    meter: str,
    quantity: Decimal,
    rates: Sequence[Rate],
    because: str,
) -> list[Record]:
    """R10.3, R10.4: a line a slice; without a rate one line without an amount (R10.1)."""
    slices = priced_slices(rates, quantity)
    if not slices:
        return [
            line(
                tenant,
                subscription_id,
                kind=kind,
                meter=meter,
                quantity=quantity,
                price=None,
                amount=None,
                because=because,
            )
        ]
    currency = currency_of(tenant, subscription_id)
    return [
        line(
            tenant,
            subscription_id,
            kind=kind,
            meter=meter,
            quantity=part,
            price=price,
            amount=money(Fraction(part) * Fraction(price), currency),
            because=because,
        )
        for part, price in slices
    ]


def add_months(anchor: date, months: int) -> date:
    """R10.2: month ends clamp: 31 January, 28 February, 31 March."""
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(anchor.day, calendar.monthrange(year, month)[1]))


def cycle_days(anchor: date, months: int, period: Period) -> list[date]:
    """R10.2: the days of the period on which a cycle begins, counted from the anchor."""
    days = []
    count = 0
    while add_months(anchor, count * months) <= period.last:
        begins = add_months(anchor, count * months)
        if begins >= period.first:
            days.append(begins)
        count += 1
    return days


def months_of(row: SubscriptionRow) -> int:
    """R10.2: the months of one cycle in advance."""
    if row.billing_frequency == "prepaid":
        assert row.term_months is not None
        return row.term_months
    return {"quarterly": 3, "annual": 12}[row.billing_frequency]


def committed_lines(
    tenant: Tenant, row: EntitlementRow, rates: Sequence[Rate], period: Period
) -> list[Record]:
    """R10.2: monthly by days in force; else in advance, where a cycle begins."""
    if not row.cloud or row.quantity <= 0:
        return []
    subscription_id = row.subscription_id
    found = find_rates(
        rates, tenant, subscription_id, meter=row.meter, charge="committed", period=period
    )
    born = terms.age(tenant, subscription_id)
    if not found or born is None:
        return []
    price = found[0].unit_price
    each_month = Fraction(row.quantity) * Fraction(price)
    lines: list[Record] = []

    def charge(months: Fraction, because: str) -> None:
        amount = money(each_month * months, currency_of(tenant, subscription_id))
        lines.append(
            line(
                tenant,
                subscription_id,
                kind="committed",
                meter=row.meter,
                quantity=row.quantity,
                price=price,
                amount=amount,
                because=because,
            )
        )

    monthly_days = 0
    for d in period.days:
        service = terms.row_in_service(tenant, subscription_id, d)
        if terms.in_force(tenant, row, d) and service and service.billing_frequency == "monthly":
            monthly_days += 1
    if monthly_days:
        charge(Fraction(monthly_days, len(period.days)), f"{monthly_days} days in force")

    anchor = max(row.start or born, born)
    for d in period.days:
        service = terms.row_in_service(tenant, subscription_id, d)
        if not terms.in_force(tenant, row, d) or service is None:
            continue
        if service.billing_frequency == "monthly":
            continue
        if d in cycle_days(anchor, months_of(service), period):
            charge(Fraction(months_of(service)), f"{service.billing_frequency} from {d}")
    return lines


def invoice_lines(
    tenant: Tenant,
    catalogue: dict[str, Meter],
    rates: Sequence[Rate],
    period: Period,
    *,
    usage_split: Sequence[Record],
    overage: Sequence[Record],
) -> list[Record]:
    """R10: committed, usage and overage lines of one tenant."""
    lines: list[Record] = []
    for entitlement in tenant.entitlements:
        lines += committed_lines(tenant, entitlement, rates, period)
    for row in usage_split:
        meter, owner, quantity = str(row["meter"]), str(row["subscription_id"]), row["quantity"]
        assert isinstance(quantity, Decimal)
        if catalogue[meter].charge == "per_unit":
            if quantity > 0:
                found = find_rates(
                    rates, tenant, owner, meter=meter, charge="per_unit", period=period
                )
                lines += priced_lines(
                    tenant,
                    owner,
                    kind="usage",
                    meter=meter,
                    quantity=quantity,
                    rates=found,
                    because=f"{owner} used it",
                )
        else:
            lines.append(
                line(
                    tenant,
                    owner,
                    kind="usage",
                    meter=meter,
                    quantity=quantity,
                    price=Decimal(0),
                    amount=Decimal(0),
                    because=f"{owner} used it",
                )
            )
    for row in overage:
        meter, payer, quantity = (
            str(row["meter"]),
            str(row["billed_subscription_id"]),
            row["overage"],
        )
        assert isinstance(quantity, Decimal)
        if quantity > 0:
            found = find_rates(rates, tenant, payer, meter=meter, charge="overage", period=period)
            lines += priced_lines(
                tenant,
                payer,
                kind="overage",
                meter=meter,
                quantity=quantity,
                rates=found,
                because=f"{payer} pays for the tenant",
            )
    return lines


def invoices(tenant: Tenant, lines: Sequence[Record], period: Period) -> list[Record]:
    """R10.6: one a subscription, wherever it was active in the period or has a line."""
    result: list[Record] = []
    for subscription_id in tenant.subscription_ids:
        mine = [row for row in lines if row["subscription_id"] == subscription_id]
        active = any(terms.is_active(tenant, subscription_id, d) for d in period.days)
        if not active and not mine:
            continue
        amounts = [row["amount"] for row in mine]
        total: Decimal | None = Decimal(0)
        for amount in amounts:
            if not isinstance(amount, Decimal):
                total = None
            elif total is not None:
                total += amount
        result.append(
            {
                "invoice_id": f"{tenant.tenant_id}/{subscription_id}/{period.name}",
                "tenant_id": tenant.tenant_id,
                "subscription_id": subscription_id,
                "period": period.name,
                "revision": 0,
                "status": "blocked" if total is None else "draft",
                "currency": currency_of(tenant, subscription_id),
                "total": total,
            }
        )
    return result
