"""Set broken usage rows aside, keep one row an event, and keep what touches the period.

Belongs here: the fate of every usage row up to the split (R11). Does not belong here: rules of a
single row (`schemas.feeds`), and broken rows of other feeds (`stages.terms`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.findings import Finding, counted, finding
from pipeline.measures.timeline import Ints
from pipeline.stages.book import PEAK, SUM, Book
from pipeline.stages.lookup import OPEN, has_defect, looked_up
from schemas.feeds import USAGE

Flags = npt.NDArray[np.bool_]

GOOD = (
    "tenant",
    "meter",
    "named",
    "assigned",
    "started",
    "ended",
    "event_id",
    "user_id",
    "subscription_id",
    "quantity",
)
"""The columns of good rows: codes of `Book`, instants, and what the measures need."""

CONTENT = ("subscription_id", "meter_text", "user_id", "started", "ended", "quantity", "deployment")
"""What of a row makes it the same as another of its event (R11.1)."""

FATES = (
    "quarantined",
    "duplicate",
    "superseded",
    "outside",
    "on_premises",
    "unbilled",
    "billed",
)
"""What becomes of a usage row: exactly one of these (R11.2)."""

BILLABLE = "billed"
"""The fate of good rows, until the split finds one that nobody can pay for."""

TALLY = pl.Schema({"tenant_id": pl.String, "fate": pl.String, "rows": pl.Int64})


@dataclass(frozen=True, slots=True)
class Validated:
    """The good rows of a bucket, and what became of the others.

    `good` rows touch the period and are cloud usage, one a (tenant, event_id): tenant, meter,
    named, assigned (codes of `Book`), started, ended (instants; OPEN without an end), event_id,
    user_id, subscription_id, quantity.
    """

    good: pl.DataFrame
    quarantine: pl.DataFrame
    superseded: pl.DataFrame
    tally: pl.DataFrame


def validate(rows: pl.DataFrame, book: Book) -> Validated:
    """Take a bucket's rows as they landed: the feed's columns, `rank`, `row`, `defects`, `raw`.

    `rank` is the position of the export in the order of file names: the later one counts (R11.1).
    """
    rows = looked_up(rows, book)
    is_broken = rows["rules"].is_not_null().to_numpy()
    touches = _touches(rows, book)
    replaced = _replaced(rows, is_broken)
    # From the weakest claim on a row to the strongest: the last word counts.
    fate = np.full(len(rows), FATES.index(BILLABLE))
    fate[(rows["deployment"] != "cloud").fill_null(False).to_numpy()] = FATES.index("on_premises")
    fate[~touches] = FATES.index("outside")
    fate[replaced["at"].to_numpy()] = np.where(
        replaced["is_same"], FATES.index("duplicate"), FATES.index("superseded")
    )
    fate[is_broken] = np.where(
        touches[is_broken], FATES.index("quarantined"), FATES.index("outside")
    )
    is_refused = pl.Series(fate == FATES.index("quarantined"))
    return Validated(
        rows.select(*GOOD).filter(pl.Series(fate == FATES.index(BILLABLE))),
        rows.filter(is_refused).select(
            "rank", "row", "rules", raw=pl.coalesce("raw", _as_json()), tenant_id="tenant_id"
        ),
        replaced.filter(~pl.col("is_same")).select(
            "event_id", "tenant_id", "rank", "row", "by_rank", "by_row"
        ),
        _tally(rows, fate, book),
    )


def _touches(rows: pl.DataFrame, book: Book) -> Flags:
    """Whether a row is the period's business: it starts in it, or before it and reaches into it.

    A row without an end reaches in where its meter is a peak (R4.1); one of a summed meter, or with
    an end that cannot be read, never does. A row without a start may be any period's business.
    """
    tenant = rows["tenant"].to_numpy()
    begins, ends = (bounds[tenant] for bounds in book.bounds)
    started, ended = rows["started"].to_numpy(), rows["ended"].to_numpy()
    measure = rows["measure"].to_numpy()
    starts_in = (begins <= started) & (started < ends)
    reaches_in = (started < begins) & np.where(
        ended == OPEN,
        (measure == PEAK) & ~has_defect(rows, "ended_at_unreadable"),
        (ended > begins) & (measure != SUM),
    )
    has_no_start = rows["started_at"].is_null().to_numpy()
    touches: Flags = starts_in | reaches_in | has_no_start
    return touches


def _replaced(rows: pl.DataFrame, is_broken: Flags) -> pl.DataFrame:
    """R11.1: sound rows whose event comes again later, the row that counts, and if it is the same.

    Candidates are found by a hash of the event; what decides is the real (tenant, event_id). `at`
    is the position of the row that is replaced.
    """
    event = pl.col("event_id").hash(seed=1) ^ pl.col("tenant").hash(seed=2)
    is_candidate = rows.select(event.is_duplicated()).to_series() & ~pl.Series(is_broken)
    candidates = (
        rows.select("tenant", "tenant_id", "event_id", "rank", "row", *CONTENT)
        .with_row_index("at")
        .filter(is_candidate)
        .sort("tenant", "event_id", "rank", "row")
    )
    of_event = ["tenant", "event_id"]
    content = pl.struct(CONTENT)
    return candidates.with_columns(
        by_at=pl.col("at").last().over(of_event),
        by_rank=pl.col("rank").last().over(of_event),
        by_row=pl.col("row").last().over(of_event),
        is_same=content == content.last().over(of_event),
    ).filter(pl.col("at") != pl.col("by_at"))


def _tally(rows: pl.DataFrame, fate: Ints, book: Book) -> pl.DataFrame:
    """How many rows of each tenant met each fate; those that may yet be billed are left out."""
    fates = rows.select("tenant", "tenant_id").with_columns(fate=pl.Series(fate))
    met = fates.filter(pl.col("fate") != FATES.index(BILLABLE))
    known = met.filter(pl.col("tenant") >= 0).group_by("tenant", "fate").len("rows")
    unknown = met.filter(pl.col("tenant") < 0).group_by("tenant_id", "fate").len("rows")
    names = pl.Series([tenant.id for tenant in book.tenants], dtype=pl.String)
    return pl.concat(
        [
            known.select(pl.lit(names).gather("tenant").alias("tenant_id"), "fate", "rows"),
            unknown.select("tenant_id", "fate", "rows"),
        ]
    ).select(
        "tenant_id",
        pl.lit(pl.Series(FATES)).gather("fate").alias("fate"),
        pl.col("rows").cast(pl.Int64),
    )


def _as_json() -> pl.Expr:
    """A row that could be read but not used, as JSON text of its values."""
    instants = [
        pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ").alias(name)
        for name in ("started_at", "ended_at")
    ]
    texts = [
        pl.col(name)
        for name in USAGE.names
        if name not in ("started_at", "ended_at", "meter", "quantity")
    ]
    return pl.struct(
        *texts, pl.col("meter_text").alias("meter"), pl.col("quantity").cast(pl.String), *instants
    ).struct.json_encode()


def validate_findings(tally: pl.DataFrame, quarantine: pl.DataFrame) -> list[Finding]:
    """R11.1 `superseded` and R11.2 `quarantined`, one a tenant."""
    found = []
    for tenant, rows in _rows_of(tally, "superseded"):
        message = (
            f"{counted(rows, 'usage row')} corrected by a later export; the latest row counts."
        )
        remedy = "Nothing to do; `tenantbill show superseded` lists them."
        found.append(finding("superseded", tenant, message, remedy))
    for tenant, rows in _rows_of(tally, "quarantined"):
        own = quarantine.filter(pl.col("tenant_id").eq_missing(pl.lit(tenant, pl.String)))
        broken = sorted(set(own["rules"].str.split(";").explode()))
        message = f"{counted(rows, 'usage row')} refused and not billed: {', '.join(broken)}."
        remedy = "See `tenantbill show quarantine`, correct the rows and export them again."
        found.append(finding("quarantined", tenant, message, remedy))
    return found


def _rows_of(tally: pl.DataFrame, fate: str) -> list[tuple[str | None, int]]:
    return list(
        tally.filter(pl.col("fate") == fate)
        .group_by("tenant_id")
        .agg(pl.col("rows").sum())
        .sort("tenant_id", nulls_last=False)
        .iter_rows()
    )
