"""How months stand, and what was done to them.

Belongs here: one row a month, and one row an act. Does not belong here: printing them (`show`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl

from pipeline.close import is_routed
from pipeline.errors import InputMissing
from pipeline.issuing.life import ends_at, settles_at
from pipeline.money import minor_units
from pipeline.period import Period
from pipeline.published import Published
from pipeline.run import load_terms
from pipeline.stages.order import STAGES
from pipeline.store.landing import LandedStore
from pipeline.store.ledger import Entry
from pipeline.store.results import Run
from schemas.columns import INSTANT
from schemas.datasets import FINDINGS, INVOICES, USAGE_SPLIT

LAST_ZONE = "Etc/GMT+12"
"""The zone in which months end last."""

_LOG = pl.Schema(
    {
        "at": INSTANT,
        "actor": pl.String(),
        "command": pl.String(),
        "periods": pl.String(),
        "id": pl.String(),
        "documents": pl.Int64(),
        "tenants": pl.Int64(),
        "reason": pl.String(),
        "plan": pl.String(),
        "exports": pl.String(),
        "as_of": INSTANT,
        "code": pl.String(),
    }
)


def status_of(store: Path, periods: Sequence[Period] | None, now: datetime) -> pl.DataFrame:
    """One row a published period: its run, what it rests on, and how it stands."""
    published, landed = Published(store), LandedStore(store)
    wanted = [one for one in published.periods if periods is None or one in periods]
    rows = [
        {
            **_standing(published, period),
            "provisional_until": provisional_until(published, landed, period, now),
        }
        for period in wanted
    ]
    if not rows:
        raise _nothing("published", store, periods)
    listing = landed.listing()
    newest = listing.number if listing else None
    is_newest = pl.col("exports").is_null() | pl.col("exports").eq_missing(pl.lit(newest))
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        exports=pl.when(is_newest)
        .then(pl.lit("as taken in last"))
        .otherwise(pl.lit("newer ones are taken in"))
    )


def log_of(store: Path, periods: Sequence[Period] | None) -> pl.DataFrame:
    """One row an act, in order: who did what, when and why, from which exports and code."""
    published = Published(store)
    rows = [
        *(_run_row(run) for run in published.results.runs()),
        *(row for entry in published.life.entries for row in _entry_rows(entry)),
    ]
    wanted = None if periods is None else {str(period) for period in periods}
    asked = [row for of, row in rows if wanted is None or wanted & {*of}]
    if not asked:
        raise _nothing("in the log", store, periods)
    return pl.DataFrame(asked, schema=_LOG, orient="row").sort("at", maintain_order=True)


def _nothing(what: str, store: Path, periods: Sequence[Period] | None) -> InputMissing:
    """The error where nothing is there, of the months that are asked for or at all."""
    of, first = "", "PERIOD"
    if periods:
        first, last = str(periods[0]), str(periods[-1])
        of = f" of {first}" if first == last else f" of {first}..{last}"
    remedy = f"run `tenantbill run {first} --feeds DIR`"
    return InputMissing(f"nothing is {what}{of}", where=store, remedy=remedy)


def _run_row(run: Run) -> tuple[list[str], tuple[object, ...]]:
    period = str(run.period)
    listing = f"listing {run.listing}"
    what = (run.published_at, run.actor, run.command, period, run.run_id)
    return [period], (*what, None, None, None, None, listing, run.as_of, run.code)


def _entry_rows(entry: Entry) -> Iterator[tuple[list[str], tuple[object, ...]]]:
    act = entry.act
    periods = [str(period) for period in act.bases]
    tenants = len({tenant for basis in act.bases.values() for tenant in basis.tenants})
    listings = sorted({basis.listing for basis in act.bases.values()})
    exports = ", ".join(f"listing {number}" for number in listings)
    code = next((basis.code for basis in act.bases.values()), None)
    what = (act.at, act.actor, act.words, " ".join(periods), entry.entry_id, entry.documents)
    yield periods, (*what, tenants, act.reason, act.plan, exports, None, code)


def _standing(published: Published, period: Period) -> dict[str, object]:
    run = published.run(period)
    invoices, found = published.rows(INVOICES, period), published.rows(FINDINGS, period)
    invoices = INVOICES.empty() if invoices is None else invoices
    found = FINDINGS.empty() if found is None else found
    ran = run.parts if run else {}
    return {
        "period": str(period),
        "state": _state(published, period),
        "run": run.run_id if run else None,
        "command": run.command if run else None,
        "published_at": run.published_at if run else None,
        "exports": run.listing if run else None,
        "invoices": len(invoices),
        "issued": int((invoices["status"] == "issued").sum()),
        "blocked": int((invoices["status"] == "blocked").sum()),
        "totals": money_of(invoices),
        **{
            f"{severity}s": int((found["severity"] == severity).sum())
            for severity in ("error", "warning", "notice")
        },
        "missing_stages": ", ".join(one.name for one in STAGES if one.name not in ran),
    }


def _state(published: Published, period: Period) -> str:
    """Whether a period is open or closed, by its tenants that have anything to issue."""
    closed, still_open = published.life.closed(period), published.open_tenants(period)
    if not closed:
        return "open"
    return f"closed but for {len(still_open)}" if still_open else "closed"


def provisional_until(
    published: Published, landed: LandedStore, period: Period, now: datetime
) -> datetime | None:
    """The instant until which an open period's figures can still settle by themselves.

    Until it is over everywhere; with usage of Webex Connect until that settles.
    """
    run, over, settled = published.run(period), ends_at(period, LAST_ZONE), settles_at(period)
    if run is None or now >= settled or not published.open_tenants(period):
        return None
    terms = load_terms(landed, landed.listing_of(run.listing))
    split = published.rows(USAGE_SPLIT, period)
    is_connected = split is not None and len(split.filter(is_routed(terms.catalogue)))
    until = settled if is_connected else over
    return until if now < until else None


def money_of(invoices: pl.DataFrame) -> str:
    """The sums of invoices by currency, as people write them."""
    totals = invoices.group_by("currency").agg(pl.col("total").sum()).sort("currency")
    return "; ".join(
        f"{currency} {_money(total, currency)}" for currency, total in totals.iter_rows()
    )


def _money(value: object, currency: str) -> str:
    return f"{Decimal(str(value)):,.{minor_units(currency) or 0}f}"
