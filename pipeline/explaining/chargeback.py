"""Who caused the overage that the primary pays: for information, never on an invoice.

Belongs here: sharing an overage out by what each subscription used beyond its own. Does not belong
here: who pays (R7), and what was used when (`overage`).
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl

from pipeline.explaining.context import Context, Contexts
from pipeline.explaining.overage import beyond
from pipeline.money import allocate
from pipeline.period import Period
from pipeline.published import Published
from pipeline.store.landing import LandedStore
from schemas.datasets import CHARGEBACK, INVOICE_LINES, OVERAGE

_BILLED = ["tenant_id", "meter", "billed_subscription_id"]


def chargeback(
    store: Path, published: Published, period: Period, only_tenants: Container[str] | None = None
) -> pl.DataFrame | None:
    """Each overage of a period, shared out; None where nothing was rated yet.

    A subscription's part follows from its own usage beyond its own entitlement at the instant that
    decides; parts are in minor units and add up to the amount of the lines, by largest remainder.
    """
    over, lines = published.rows(OVERAGE, period), published.rows(INVOICE_LINES, period)
    if over is None or lines is None:
        return None
    costs = _costs(lines, period)
    contexts = Contexts(published, LandedStore(store))
    rows: list[tuple[object, ...]] = []
    caused = over.filter(pl.col("overage") > 0).select(*_BILLED, "overage_at")
    for tenant, meter, payer, at in caused.iter_rows():
        if only_tenants is None or tenant in only_tenants:
            context = _context(contexts, published, period, tenant)
            cost, currency = costs[tenant, meter]
            parts = _parts(context, meter, cost, currency)
            rows += [(tenant, meter, payer, *part, currency, at) for part in parts]
    return pl.DataFrame(rows, schema=CHARGEBACK.dtypes, orient="row")


def _costs(lines: pl.DataFrame, period: Period) -> dict[tuple[str, str], tuple[object, str]]:
    """What the overage of each tenant and meter costs; nothing where a line has no price."""
    is_own = (pl.col("kind") == "overage") & (pl.col("usage_period") == str(period))
    summed = (
        lines.filter(is_own)
        .group_by("tenant_id", "meter", "currency")
        .agg(amount=pl.col("amount").sum(), is_priced=pl.col("amount").is_not_null().all())
    )
    return {
        (tenant, meter): (amount if is_priced else None, currency)
        for tenant, meter, currency, amount, is_priced in summed.iter_rows()
    }


def _parts(
    context: Context, meter: str, cost: object, currency: str
) -> Iterator[tuple[object, ...]]:
    each = beyond(context, meter).by_subscription
    # Allowances are rounded each, so all of a tiny overage can be nobody's own excess.
    weights: list[Decimal] = each["beyond" if each["beyond"].sum() else "used"].to_list()
    amounts: list[Decimal | None] = [None] * len(weights)
    if isinstance(cost, Decimal):
        amounts = [*allocate(cost, weights, currency)]
    columns = ("subscription_id", "used", "included", "beyond")
    for row, amount in zip(each.select(columns).iter_rows(), amounts, strict=True):
        yield (*row, amount)


def _context(contexts: Contexts, published: Published, period: Period, tenant: str) -> Context:
    """What a tenant's results of a period were made from: its closing, else the newest run."""
    entry = published.life.closed(period).get(tenant)
    if entry is not None:
        basis = entry.act.bases[period]
        return contexts.of(basis.listing, basis.parts, period, tenant)
    run = published.run(period)
    if run is None:
        raise AssertionError(f"overage of {tenant} in {period} is shown, but no run made it")
    return contexts.of(run.listing, run.parts, period, tenant)
