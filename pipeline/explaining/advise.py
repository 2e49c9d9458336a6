"""Advice on commitments: for each meter, the one that would have cost a tenant least.

Belongs here: what was needed month by month, and at which prices. Does not belong here: finding the
cheapest (`rules.advice`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import polars as pl

from pipeline.errors import InputMissing
from pipeline.explaining.chargeback import context_of
from pipeline.explaining.context import Context, Contexts
from pipeline.money import plain
from pipeline.period import Days, Period
from pipeline.published import Published
from pipeline.rules.advice import Prices, break_even, cheapest, cost
from pipeline.rules.entitlement import allowance, stretches
from pipeline.rules.payer import payer
from pipeline.rules.primary import closing_primary
from pipeline.run import check_tenants
from pipeline.store.landing import LandedStore
from schemas.columns import MONEY
from schemas.datasets import OCCUPANCY

ADVICE = pl.Schema(
    {
        "tenant_id": pl.String(),
        "meter": pl.String(),
        "subscription_id": pl.String(),
        "months": pl.Int64(),
        "committed_price": MONEY,
        "overage_price": pl.String(),
        "commitment_now": MONEY,
        "cost_now": MONEY,
        "best_commitment": MONEY,
        "best_cost": MONEY,
        "saving": MONEY,
        "break_even_months": MONEY,
        "currency": pl.String(),
    }
)
"""One row a tenant and meter that has both prices: what it cost, and what would have cost least.

The commitment is that of the subscription which pays the overage at the end of the last month;
`commitment_now` is what its own rows of the meter came to then. Months are whole ones.
"""


Occupancy = dict[tuple[str, str], pl.DataFrame]
"""The stretches of a month, by tenant and meter."""


def advise(
    store: Path, periods: Sequence[Period], only_tenants: Collection[str] | None = None
) -> pl.DataFrame:
    """The advice for the tenants that used anything in the last of some published months.

    Raises `InputMissing` where one of them is not published, `UsageError` for an unknown tenant.
    """
    published = Published(store)
    contexts = Contexts(published, LandedStore(store))
    months = [(period, _occupancy(store, published, period)) for period in periods]
    _check_tenants(contexts, published, months[-1], only_tenants)
    rows: list[tuple[object, ...]] = []
    for tenant, meter in sorted(months[-1][1]):
        if only_tenants is None or tenant in only_tenants:
            rows += _advised(contexts, published, tenant, meter, months)
    return pl.DataFrame(rows, schema=ADVICE, orient="row")


def _occupancy(store: Path, published: Published, period: Period) -> Occupancy:
    rows = published.rows(OCCUPANCY, period)
    if rows is None:
        raise InputMissing(
            f"there is no usage of {period} that is up to date",
            where=store,
            remedy=f"run `tenantbill run {period} --feeds DIR` first",
        )
    by_meter = rows.partition_by("tenant_id", "meter", as_dict=True)
    return {(str(tenant), str(meter)): of for (tenant, meter), of in by_meter.items()}


def _check_tenants(
    contexts: Contexts,
    published: Published,
    month: tuple[Period, Occupancy],
    only_tenants: Iterable[str] | None,
) -> None:
    """Raise `UsageError` for an asked tenant that has no usage, and that the terms do not know."""
    period, occupancy = month
    unseen = frozenset(only_tenants or ()) - {tenant for tenant, _ in occupancy}
    run = published.run(period)
    if unseen and run is not None:
        check_tenants(unseen, contexts.stated(run.listing)[1])


def _advised(
    contexts: Contexts,
    published: Published,
    tenant: str,
    meter: str,
    months: Sequence[tuple[Period, Occupancy]],
) -> Iterator[tuple[object, ...]]:
    context = context_of(contexts, published, months[-1][0], tenant)
    catalogue, terms = context.terms.catalogue, context.tenant
    primary = closing_primary(terms, context.period)
    if primary is None or catalogue[meter].charge != "overage":
        return
    whose = payer(terms, catalogue[meter], context.period, primary).subscription_id
    subscription = context.subscription(whose)
    committed = context.card.tiers(terms, subscription, meter, "committed")
    overage = context.card.tiers(terms, subscription, meter, "overage")
    if not committed or not overage:
        return
    prices = Prices(committed[0].unit_price, overage, subscription.currency)
    needs = [
        _needed(context_of(contexts, published, period, tenant), own, meter, whose)
        for period, occupancy in months
        for own in [occupancy.get((tenant, meter), OCCUPANCY.empty())]
    ]
    now = _own(context, whose, meter)
    best = cheapest(needs, prices)
    cost_now = cost(now, needs, prices)
    if best is None or cost_now is None:
        return
    yield (
        tenant,
        meter,
        whose,
        len(months),
        prices.committed,
        "; ".join(
            plain(one.unit_price) + (f" from {plain(one.tier_from)}" if one.tier_from else "")
            for one in overage
        ),
        now,
        cost_now,
        best.commitment,
        best.cost,
        cost_now - best.cost,
        break_even(len(months), prices),
        prices.currency,
    )


def _needed(context: Context, own: pl.DataFrame, meter: str, whose: str) -> Decimal:
    """What the subscription would have had to commit to in a month for no overage at all.

    In each stretch, the usage less whatever else includes; the largest of them.
    """
    pieces = _committed(context, whose, meter)
    needs = [Decimal(0)]
    for first_day, usage, included, measure in own.select(
        "first_day", "usage", "entitlement", "measure"
    ).iter_rows():
        mine = (
            allowance(pieces, context.period)
            if measure == "sum"
            else next(quantity for days, quantity in pieces if first_day.toordinal() in days)
        )
        needs.append(usage - (included - mine))
    return max(needs)


def _own(context: Context, whose: str, meter: str) -> Decimal:
    """What the subscription commits to of the meter on the period's last day."""
    return _committed(context, whose, meter)[-1][1]


def _committed(context: Context, whose: str, meter: str) -> list[tuple[Days, Decimal]]:
    """What a subscription's own rows of a meter include on which days of the period.

    What its other meters bring along is not paid for as this one (R5.2, R10.2).
    """
    tenant = context.tenant
    own = tuple(row for row in tenant.including(meter) if row.subscription_id == whose)
    alone = replace(tenant, entitlements=own)
    return stretches(alone, meter, context.terms.catalogue, context.period)
