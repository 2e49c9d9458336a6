"""The course of the days that decide: how many were open at once, in steps of five minutes.

Belongs here: which days these are, tenant by tenant. Does not belong here: counting sessions
(`stages.evidence`), and drawing.

The course of every day would be as large as the usage itself, so it is worked out for somebody who
looks, from the same rows, decided and laid down as the run did.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import date
from pathlib import Path

import polars as pl

from pipeline.explaining.chargeback import context_of
from pipeline.explaining.context import Contexts
from pipeline.measures.arrays import Ints
from pipeline.period import Period, instant, midnight
from pipeline.published import Published
from pipeline.store.landing import LandedStore
from pipeline.store.results import in_order
from pipeline.store.usage import slot_of
from schemas.columns import INSTANT
from schemas.datasets import CURVE, OCCUPANCY, OVERAGE


def curve(
    store: Path, published: Published, period: Period, only_tenants: Container[str] | None = None
) -> pl.DataFrame | None:
    """The local day of each peak's largest excess (R6.2); None where nothing was rated yet."""
    over, how = published.rows(OVERAGE, period), published.rows(OCCUPANCY, period)
    if over is None or how is None:
        return None
    peaks = how.filter(pl.col("measure") == "peak").select("tenant_id", "meter").unique()
    deciding = over.filter(pl.col("overage") > 0).join(peaks, on=["tenant_id", "meter"], how="semi")
    rows = deciding.select("tenant_id", "meter", "overage_at").iter_rows()
    contexts = Contexts(published, LandedStore(store))
    frames = [CURVE.empty()]
    # Slot by slot, since the rows of a slot are read together.
    for tenant, meter, at in sorted(rows, key=lambda row: (slot_of(row[0]), row[:2])):
        if only_tenants is None or tenant in only_tenants:
            context = context_of(contexts, published, period, tenant)
            zone = context.tenant.zone
            day = _local_day(instant(at), period, zone)
            since, opened = context.course(meter, midnight(day, zone), midnight(day + 1, zone))
            frames.append(_named(tenant, meter, day, since, opened))
    return in_order(CURVE, pl.concat(frames))


def _local_day(at: int, period: Period, zone: str) -> int:
    """The day of the period on which an instant falls."""
    return max(day for day in period.days if midnight(day, zone) <= at)


def _named(tenant: str, meter: str, day: int, since: Ints, opened: Ints) -> pl.DataFrame:
    on = pl.lit(date.fromordinal(day))
    rows = pl.DataFrame({"at": pl.Series(since).cast(INSTANT), "open": opened})
    named = rows.with_columns(tenant_id=pl.lit(tenant), meter=pl.lit(meter), day=on)
    return named.select(CURVE.names).match_to_schema(CURVE.dtypes)
