"""Find the overage and its payer, and put a price on commitments, usage and overage.

Belongs here: assembling a tenant's invoice lines from what was measured (R6, R7, R10). Does not
belong here: the rules that decide (`rules`), and money (`money`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from urllib.parse import quote

import polars as pl

from pipeline.findings import Finding, finding
from pipeline.money import amount, plain
from pipeline.period import Period, instant, moment
from pipeline.rules.overage import Overage, Stretch, distinct_overage, peak_overage, sum_overage
from pipeline.rules.payer import Payer, payer
from pipeline.rules.pricing import RateCard, Slice, commitments, slices
from pipeline.rules.primary import closing_primary
from pipeline.rules.split import REASONS
from pipeline.rules.terms import Meter, Subscription, Tenant
from pipeline.stages.terms import Row, Terms, by_tenant
from schemas.datasets import INVOICE_LINES, OVERAGE

WHOLE = Fraction(1)
FREE = Decimal(0)


class Line(NamedTuple):
    """One line of an invoice: a row of `invoice_lines`."""

    line_id: str
    invoice_id: str
    tenant_id: str
    subscription_id: str
    kind: str
    meter: str
    quantity: Decimal
    unit_price: Decimal | None
    amount: Decimal | None
    currency: str
    because: str


@dataclass(frozen=True, slots=True)
class Rated:
    """The overage of every tenant and meter, the lines of every invoice, and what was found."""

    overage: pl.DataFrame
    lines: pl.DataFrame
    findings: list[Finding]


def rate(
    parts: pl.DataFrame, occupancy: pl.DataFrame, terms: Terms, measured: list[str], period: Period
) -> Rated:
    """Rate the tenants that were `measured`, from their `usage_split` and `occupancy`."""
    card = RateCard(terms.rates)
    parts_of = by_tenant(parts.sort("tenant_id", "subscription_id", "meter"))
    stretches_of = by_tenant(occupancy.sort("tenant_id", "meter", "first_day"))
    overages: list[Row] = []
    lines: list[Line] = []
    found: list[Finding] = []
    for name in sorted(measured):
        rating = _TenantRating(terms.tenants[name], terms, card, period, found)
        lines += rating.committed()
        lines += rating.used(parts_of.get(name, []))
        for row, line in rating.overages(stretches_of.get(name, [])):
            overages.append(row)
            lines += line
    return Rated(
        pl.DataFrame(overages, schema=OVERAGE.dtypes),
        pl.DataFrame(lines, schema=INVOICE_LINES.dtypes, orient="row"),
        found,
    )


def invoice_id(tenant: str, subscription: str, period: Period) -> str:
    """The invoice of a subscription for a period: the same in every run, safe as one word."""
    return f"{period}/{quote(tenant, safe='')}/{quote(subscription, safe='')}"


@dataclass(frozen=True, slots=True)
class _TenantRating:
    """One tenant's rating; `found` takes what is found on the way."""

    tenant: Tenant
    terms: Terms
    card: RateCard
    period: Period
    found: list[Finding]

    def committed(self) -> Iterator[Line]:
        """R10.2: the commitments of every entitlement row that has a committed price."""
        count: dict[tuple[str, str], int] = {}
        for row in self.tenant.entitlements:
            subscription = self._subscription(row.subscription_id)
            tiers = self.card.tiers(
                self.tenant, subscription, row.meter, "committed", self.period.last_day
            )
            if not tiers or row.quantity <= 0:
                continue
            price = tiers[0].unit_price
            for charge in commitments(self.tenant, row, self.period):
                key = (subscription.id, row.meter)
                count[key] = count.get(key, 0) + 1
                yield self._line(
                    subscription,
                    "committed",
                    row.meter,
                    count[key],
                    Slice(row.quantity, price),
                    charge.months,
                    charge.because,
                )

    def used(self, parts: list[Row]) -> Iterator[Line]:
        """R10.3: what each subscription used, priced where the meter has a price a unit."""
        for row in parts:
            subscription = self._subscription(str(row["subscription_id"]))
            meter = self.terms.catalogue[str(row["meter"])]
            quantity = _decimal(row["quantity"])
            because = f"its part of the tenant's {_label(meter)} ({_reasons(row)})"
            if meter.charge != "per_unit":
                yield self._line(
                    subscription, "usage", meter.name, 1, Slice(quantity, FREE), WHOLE, because
                )
            elif quantity > 0:
                yield from self._priced(subscription, "usage", meter, "per_unit", quantity, because)

    def overages(self, stretches: list[Row]) -> Iterator[tuple[Row, list[Line]]]:
        """R6, R7, R10.3: the overage of every meter that charges one, and its lines."""
        primary = closing_primary(self.tenant, self.period)
        if primary is None:
            return
        by_meter: dict[str, list[Row]] = {}
        for row in stretches:
            by_meter.setdefault(str(row["meter"]), []).append(row)
        for name, rows in by_meter.items():
            meter = self.terms.catalogue[name]
            if meter.charge != "overage":
                continue
            excess = overage_of(rows)
            who = payer(self.tenant, meter, self.period, primary)
            self._note_fallback(meter, excess, who)
            row = {
                "tenant_id": self.tenant.id,
                "meter": name,
                "usage": excess.usage,
                "entitlement": excess.entitlement,
                "overage": excess.overage,
                "billed_subscription_id": who.subscription_id,
                "overage_at": None if excess.at is None else moment(excess.at),
            }
            yield row, list(self._overage_lines(meter, excess, who))

    def _overage_lines(self, meter: Meter, excess: Overage, who: Payer) -> Iterator[Line]:
        if excess.overage <= 0:
            return
        when = "" if excess.at is None else f" at {moment(excess.at):%Y-%m-%dT%H:%M:%SZ}"
        because = (
            f"{plain(excess.entitlement + excess.overage)} {_label(meter)} used{when}, "
            f"{plain(excess.entitlement)} included in all subscriptions together (R6); "
            f"{who.because}"
        )
        subscription = self._subscription(who.subscription_id)
        yield from self._priced(subscription, "overage", meter, "overage", excess.overage, because)

    def _priced(
        self,
        subscription: Subscription,
        kind: str,
        meter: Meter,
        charge: str,
        quantity: Decimal,
        because: str,
    ) -> Iterator[Line]:
        """R10.1, R10.4: a line a slice; one without a price where the rates leave any unpriced."""
        tiers = self.card.tiers(self.tenant, subscription, meter.name, charge, self.period.last_day)
        cut = slices(tiers, quantity)
        if cut is None:
            self._note_missing_rate(subscription, meter, charge)
            yield self._line(
                subscription, kind, meter.name, 1, Slice(quantity, FREE), None, because
            )
            return
        for number, part in enumerate(cut, start=1):
            yield self._line(subscription, kind, meter.name, number, part, WHOLE, because)

    def _line(
        self,
        subscription: Subscription,
        kind: str,
        meter: str,
        number: int,
        part: Slice,
        share: Fraction | None,
        because: str,
    ) -> Line:
        """A line; without a `share` it has neither price nor amount (R10.1)."""
        invoice = invoice_id(self.tenant.id, subscription.id, self.period)
        return Line(
            f"{invoice}/{kind}/{quote(meter, safe='')}/{number}",
            invoice,
            self.tenant.id,
            subscription.id,
            kind,
            meter,
            part.quantity,
            None if share is None else part.unit_price,
            None
            if share is None
            else amount(part.quantity, part.unit_price, share, subscription.currency),
            subscription.currency,
            because,
        )

    def _note_missing_rate(self, subscription: Subscription, meter: Meter, charge: str) -> None:
        message = (
            f"{subscription.id} needs a {charge} price for {meter.name} in {subscription.currency} "
            f"on the last day of {self.period}, and no rate gives one for every unit; its invoice "
            "is blocked."
        )
        row = f"{subscription.id}, {meter.name}, {charge}, {subscription.currency}"
        remedy = f"Add a row to rates: {row}."
        subject = f"{subscription.id} {meter.name} {charge}"
        self.found.append(finding("missing_rate", self.tenant.id, message, remedy, subject=subject))

    def _note_fallback(self, meter: Meter, excess: Overage, who: Payer) -> None:
        if who.is_fallback and excess.overage > 0:
            message = (
                f"No subscription includes {meter.name}, so {who.subscription_id} pays for it."
            )
            remedy = f"Add an entitlement for {meter.name}, quantity 0 is enough, to say who pays."
            self.found.append(
                finding(
                    "no_entitled_subscription", self.tenant.id, message, remedy, subject=meter.name
                )
            )

    def _subscription(self, subscription_id: str) -> Subscription:
        subscription = self.tenant.subscription(subscription_id)
        if subscription is None:
            raise AssertionError(f"{subscription_id} is not a subscription of {self.tenant.id}")
        return subscription


def overage_of(rows: list[Row]) -> Overage:
    """R6: the overage of one meter of a tenant, from its stretches of constant entitlement."""
    stretches = [
        Stretch(_decimal(row["entitlement"]), _decimal(row["usage"]), _instant(row["at"]))
        for row in rows
    ]
    total = _decimal(rows[0]["tenant_usage"])
    match rows[0]["measure"]:
        case "peak":
            return peak_overage(stretches)
        case "distinct":
            return distinct_overage(total, stretches)
        case _:
            return sum_overage(total, stretches[0].entitlement)


def _label(meter: Meter) -> str:
    return meter.label or meter.name


def _reasons(row: Row) -> str:
    """The reasons of a split in words, in the order of the rule book."""
    counts = json.loads(str(row["because_counts"]))
    return ", ".join(
        f"{counts[reason]} rows {reason.replace('_', ' ')}"
        for reason in REASONS
        if reason in counts
    )


def _decimal(value: object) -> Decimal:
    if not isinstance(value, Decimal):
        raise AssertionError(f"{value!r} is not a decimal")
    return value


def _instant(value: object) -> int:
    if not isinstance(value, datetime):
        raise AssertionError(f"{value!r} is not an instant")
    return instant(value)
