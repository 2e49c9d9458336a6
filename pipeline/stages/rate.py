"""Find the overage and its payer, and put a price on commitments, usage and overage.

Belongs here: assembling what each tenant is charged from what was measured (R6, R7, R10). Does not
belong here: the rules that decide (`rules`), money (`money`), and how a line is named (`lines`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

import polars as pl

from pipeline.findings import Finding, finding
from pipeline.money import amount, plain
from pipeline.period import Period, moment
from pipeline.rules.overage import Overage, Stretch, distinct_overage, peak_overage, sum_overage
from pipeline.rules.payer import Payer, payer
from pipeline.rules.pricing import RateCard, Slice, commitments, slices
from pipeline.rules.primary import closing_primary
from pipeline.rules.terms import Meter, Subscription, Tenant
from pipeline.stages.lines import (
    Charge,
    charges_frame,
    free_charges,
    label,
    lines_of,
    parties_of,
    with_because,
)
from pipeline.stages.terms import Terms
from schemas.datasets import INVOICE_LINES, OVERAGE

WHOLE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Rated:
    """The overage of every tenant and meter, the lines of every invoice, and what was found."""

    overage: pl.DataFrame
    lines: pl.DataFrame
    findings: list[Finding]


class Excess(NamedTuple):
    """The overage of one meter of a tenant, and who pays it (R6, R7)."""

    tenant: Tenant
    meter: Meter
    overage: Overage
    payer: Payer


def rate(
    parts: pl.DataFrame, occupancy: pl.DataFrame, terms: Terms, measured: list[str], period: Period
) -> Rated:
    """Rate the tenants that were `measured`, from their `usage_split` and `occupancy`."""
    is_measured = pl.col("tenant_id").is_in(measured)
    per_unit = [meter.name for meter in terms.catalogue.values() if meter.charge == "per_unit"]
    used = with_because(parts.filter(is_measured), terms.catalogue)
    has_price = pl.col("meter").is_in(per_unit)
    pricing = _Pricing(terms, RateCard(terms.rates, period.last_day), period, [])
    excesses = list(pricing.excesses(occupancy.filter(is_measured, ~has_price)))
    charges = [
        *pricing.committed(measured),
        *pricing.used(used.filter(has_price, pl.col("quantity") > 0)),
        *pricing.over(excesses),
    ]
    everything = pl.concat([free_charges(used.filter(~has_price)), charges_frame(charges)])
    lines = lines_of(everything, parties_of(terms, measured, period))
    return Rated(
        _overage_frame(excesses), lines.match_to_schema(INVOICE_LINES.dtypes), pricing.found
    )


@dataclass(frozen=True, slots=True)
class _Pricing:
    """The prices of a period; `found` takes what is found on the way."""

    terms: Terms
    card: RateCard
    period: Period
    found: list[Finding]

    def committed(self, tenants: Iterable[str]) -> Iterator[Charge]:
        """R10.2: the commitments of every entitlement row that has a committed price."""
        meters = self.card.meters("committed")
        for tenant in map(self.terms.tenants.__getitem__, tenants):
            for meter in meters:
                yield from self._committed(tenant, meter)

    def _committed(self, tenant: Tenant, meter: str) -> Iterator[Charge]:
        count: dict[str, int] = {}
        for row in tenant.including(meter):
            subscription = _subscription(tenant, row.subscription_id)
            tiers = self.card.tiers(tenant, subscription, meter, "committed")
            if not tiers or row.quantity <= 0:
                continue
            part = Slice(row.quantity, tiers[0].unit_price)
            for due in commitments(tenant, row, self.period):
                count[subscription.id] = number = count.get(subscription.id, 0) + 1
                yield _charge(
                    tenant, subscription, "committed", meter, number, part, due.months, due.because
                )

    def used(self, parts: pl.DataFrame) -> Iterator[Charge]:
        """R10.3: what each subscription used of the meters that have a price a unit."""
        columns = parts.select("tenant_id", "subscription_id", "meter", "quantity", "because")
        for tenant_id, subscription_id, meter, quantity, because in columns.iter_rows():
            tenant = self.terms.tenants[tenant_id]
            subscription = _subscription(tenant, subscription_id)
            yield from self._priced(
                tenant, subscription, "usage", meter, "per_unit", quantity, because
            )

    def excesses(self, occupancy: pl.DataFrame) -> Iterator[Excess]:
        """R6, R7: the overage of every tenant and meter that charges one, and its payer."""
        columns = occupancy.sort("tenant_id", "meter", "first_day").select(
            "tenant_id",
            "meter",
            "measure",
            "tenant_usage",
            "entitlement",
            "usage",
            pl.col("at").to_physical(),
        )
        for tenant_id, of_tenant in groupby(columns.iter_rows(), key=lambda row: row[0]):
            tenant = self.terms.tenants[tenant_id]
            primary = closing_primary(tenant, self.period)
            if primary is None:
                continue
            for name, of_meter in groupby(of_tenant, key=lambda row: row[1]):
                meter = self.terms.catalogue[name]
                rows = list(of_meter)
                excess = overage_of(rows[0][2], rows[0][3], [Stretch(*row[4:]) for row in rows])
                who = payer(tenant, meter, self.period, primary)
                yield Excess(tenant, meter, excess, who)

    def over(self, excesses: Iterable[Excess]) -> Iterator[Charge]:
        """R10.3: the overage of every meter, on the subscription that pays it."""
        for tenant, meter, excess, who in excesses:
            if excess.overage <= 0:
                continue
            if who.is_fallback:
                self._note_fallback(tenant, meter, who)
            when = "" if excess.at is None else f" at {moment(excess.at):%Y-%m-%dT%H:%M:%SZ}"
            because = (
                f"{plain(excess.entitlement + excess.overage)} {label(meter)} used{when}, "
                f"{plain(excess.entitlement)} included in all subscriptions together (R6); "
                f"{who.because}"
            )
            subscription = _subscription(tenant, who.subscription_id)
            yield from self._priced(
                tenant, subscription, "overage", meter.name, "overage", excess.overage, because
            )

    def _priced(
        self,
        tenant: Tenant,
        subscription: Subscription,
        kind: str,
        meter: str,
        charge: str,
        quantity: Decimal,
        because: str,
    ) -> Iterator[Charge]:
        """R10.1, R10.4: a line a slice; one without a price where the rates leave any unpriced."""
        cut = slices(self.card.tiers(tenant, subscription, meter, charge), quantity)
        if cut is None:
            self._note_missing_rate(tenant, subscription, meter, charge)
            yield Charge(tenant.id, subscription.id, kind, meter, 1, quantity, None, None, because)
            return
        for number, part in enumerate(cut, start=1):
            yield _charge(tenant, subscription, kind, meter, number, part, WHOLE, because)

    def _note_missing_rate(
        self, tenant: Tenant, subscription: Subscription, meter: str, charge: str
    ) -> None:
        message = (
            f"{subscription.id} needs a {charge} price for {meter} in {subscription.currency} "
            f"on the last day of {self.period}, and no rate gives one for every unit; its invoice "
            "is blocked."
        )
        row = f"{subscription.id}, {meter}, {charge}, {subscription.currency}"
        remedy = f"Add a row to rates: {row}."
        subject = f"{subscription.id} {meter} {charge}"
        self.found.append(finding("missing_rate", tenant.id, message, remedy, subject=subject))

    def _note_fallback(self, tenant: Tenant, meter: Meter, who: Payer) -> None:
        message = f"No subscription includes {meter.name}, so {who.subscription_id} pays for it."
        remedy = f"Add an entitlement for {meter.name}, quantity 0 is enough, to say who pays."
        self.found.append(
            finding("no_entitled_subscription", tenant.id, message, remedy, subject=meter.name)
        )


def overage_of(measure: str, total: Decimal, stretches: list[Stretch]) -> Overage:
    """R6: the overage of one meter of a tenant, from its stretches of constant entitlement."""
    match measure:
        case "peak":
            return peak_overage(stretches)
        case "distinct":
            return distinct_overage(total, stretches)
        case _:
            return sum_overage(total, stretches[0].entitlement)


def _charge(
    tenant: Tenant,
    subscription: Subscription,
    kind: str,
    meter: str,
    number: int,
    part: Slice,
    share: Fraction,
    because: str,
) -> Charge:
    """A charge for a share of a month, or for months; rounded once, here (R10.5)."""
    return Charge(
        tenant.id,
        subscription.id,
        kind,
        meter,
        number,
        part.quantity,
        part.unit_price,
        amount(part.quantity, part.unit_price, share, subscription.currency),
        because,
    )


def _overage_frame(excesses: Iterable[Excess]) -> pl.DataFrame:
    rows = [
        (
            tenant.id,
            meter.name,
            excess.usage,
            excess.entitlement,
            excess.overage,
            who.subscription_id,
            excess.at,
        )
        for tenant, meter, excess, who in excesses
    ]
    instants = OVERAGE.dtypes | {"overage_at": pl.Int64()}
    return pl.DataFrame(rows, schema=instants, orient="row").cast(OVERAGE.dtypes)


def _subscription(tenant: Tenant, subscription_id: str) -> Subscription:
    subscription = tenant.subscription(subscription_id)
    if subscription is None:
        raise AssertionError(f"{subscription_id} is not a subscription of {tenant.id}")
    return subscription
