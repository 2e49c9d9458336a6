"""Find the overage and its payer, and put a price on commitments, usage and overage.

Belongs here: assembling what each tenant is charged from what was measured (R6, R7, R10). Does not
belong here: the rules that decide (`rules`), money (`money`), and how a line is named (`lines`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import compress, groupby
from operator import itemgetter

import polars as pl

from pipeline.findings import Finding, finding
from pipeline.money import amount, plain
from pipeline.period import Period
from pipeline.rules.overage import overages
from pipeline.rules.payer import Payer, payer
from pipeline.rules.pricing import RateCard, Slice, commitments, slices
from pipeline.rules.primary import closing_primary
from pipeline.rules.terms import Subscription, Tenant
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
from schemas.datasets import OVERAGE

WHOLE = Fraction(1)


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
    is_measured = pl.col("tenant_id").is_in(measured)
    per_unit = [meter.name for meter in terms.catalogue.values() if meter.charge == "per_unit"]
    has_price = pl.col("meter").is_in(per_unit)
    used = with_because(parts.filter(is_measured), terms.catalogue)
    over = overages(occupancy.filter(is_measured, ~has_price))
    payers = _payers(over, terms, period)
    pricing = _Pricing(terms, RateCard(terms.rates, period.last_day), period, [])
    charges = [
        *pricing.committed(measured),
        *pricing.used(used.filter(has_price, pl.col("quantity") > 0)),
        *pricing.over(over, payers),
    ]
    everything = pl.concat([free_charges(used.filter(~has_price)), charges_frame(charges)])
    billed = pl.Series([who.subscription_id for who in payers], dtype=pl.String)
    return Rated(
        over.with_columns(billed_subscription_id=billed).match_to_schema(OVERAGE.dtypes),
        lines_of(everything, parties_of(terms, measured, period), period),
        pricing.found,
    )


def _payers(over: pl.DataFrame, terms: Terms, period: Period) -> list[Payer]:
    """R7: the payer of each row of overages, which stand in order of tenants."""
    payers = []
    rows = over.select("tenant_id", "meter").iter_rows()
    for name, of_tenant in groupby(rows, key=itemgetter(0)):
        tenant = terms.tenants[name]
        primary = closing_primary(tenant, period)
        if primary is None:
            raise AssertionError(f"{name} was measured without any active subscription")
        payers += [payer(tenant, terms.catalogue[one], period, primary) for _, one in of_tenant]
    return payers


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

    def over(self, overages: pl.DataFrame, payers: Iterable[Payer]) -> Iterator[Charge]:
        """R10.3: the overage of every meter, on the subscription that pays it."""
        is_over = overages["overage"] > 0
        columns = overages.filter(is_over).select(
            "tenant_id",
            "meter",
            "entitlement",
            "overage",
            pl.col("overage_at").dt.strftime(" at %Y-%m-%dT%H:%M:%SZ").fill_null(""),
        )
        for (tenant_id, meter, included, over, at), who in zip(
            columns.iter_rows(), compress(payers, is_over), strict=True
        ):
            tenant = self.terms.tenants[tenant_id]
            if who.is_fallback:
                self._note_fallback(tenant, who)
            because = (
                f"{plain(included + over)} {label(self.terms.catalogue[meter])} used{at}, "
                f"{plain(included)} included in all subscriptions together (R6); {who.because}"
            )
            subscription = _subscription(tenant, who.subscription_id)
            yield from self._priced(
                tenant, subscription, "overage", meter, "overage", over, because
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

    def _note_fallback(self, tenant: Tenant, who: Payer) -> None:
        message = f"No subscription includes {who.meter}, so {who.subscription_id} pays for it."
        remedy = f"Add an entitlement for {who.meter}, quantity 0 is enough, to say who pays."
        self.found.append(
            finding("no_entitled_subscription", tenant.id, message, remedy, subject=who.meter)
        )


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


def _subscription(tenant: Tenant, subscription_id: str) -> Subscription:
    subscription = tenant.subscription(subscription_id)
    if subscription is None:
        raise AssertionError(f"{subscription_id} is not a subscription of {tenant.id}")
    return subscription
