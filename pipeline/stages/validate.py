"""Set broken usage rows aside, keep one row an event, and keep what touches the period.

Belongs here: the fate of every usage row up to the split (R11). Does not belong here: rules of a
single row (`schemas.feeds`), and broken rows of other feeds (`stages.terms`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.findings import Finding, finding
from pipeline.measures.timeline import Ints
from pipeline.rules.split import NOBODY, UNKNOWN_ID
from pipeline.stages.book import PEAK, SUM, Book
from schemas.feeds import USAGE, USAGE_IN_CONTEXT

Flags = npt.NDArray[np.bool_]

OPEN = np.iinfo(np.int64).max
"""The end of a row that states none."""

CONTENT = [name for name in USAGE.names if name not in ("tenant_id", "event_id")]

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
    rows = _looked_up(rows, book)
    is_broken = rows["rules"].is_not_null().to_numpy()
    starts_or_reaches = _touches(rows, book)
    is_set_aside = is_broken & starts_or_reaches
    broken_elsewhere = is_broken & ~starts_or_reaches
    rows = rows.with_columns(touches=pl.Series(starts_or_reaches))
    sound = rows.filter(~is_broken)
    replaced = _replaced(sound)
    winners = sound.join(replaced.select("rank", "row"), on=["rank", "row"], how="anti")
    is_cloud = pl.col("deployment") == "cloud"
    touching = winners.filter(pl.col("touches"))
    good = touching.filter(is_cloud)
    fates = [
        _tally(rows.filter(is_set_aside), "quarantined"),
        _tally(rows.filter(broken_elsewhere), "outside"),
        _tally(replaced.filter(pl.col("is_same")), "duplicate"),
        _tally(replaced.filter(~pl.col("is_same")), "superseded"),
        _tally(winners.filter(~pl.col("touches")), "outside"),
        _tally(touching.filter(~is_cloud), "on_premises"),
    ]
    return Validated(
        good.select(
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
        ),
        rows.filter(is_set_aside).select(
            "rank", "row", "rules", raw=pl.coalesce("raw", _as_json()), tenant_id="tenant_id"
        ),
        replaced.filter(~pl.col("is_same")).select(
            "event_id", "tenant_id", "rank", "row", "by_rank", "by_row"
        ),
        pl.concat(fates).group_by(pl.exclude("rows")).agg(pl.col("rows").sum()),
    )


def code_of(column: str, names: list[str]) -> pl.Expr:
    """The position of each text in a list of names; -1 for null and for any other text."""
    if not names:
        return pl.lit(-1, pl.Int64)
    code = pl.col(column).cast(pl.Enum(names), strict=False).to_physical()
    return code.cast(pl.Int64).fill_null(-1)


def _looked_up(rows: pl.DataFrame, book: Book) -> pl.DataFrame:
    """The rows with the codes that `Book` knows them by, and every rule they break as `rules`."""
    rows = rows.with_columns(
        tenant=code_of("tenant_id", [tenant.id for tenant in book.tenants]),
        started=pl.col("started_at").to_physical().fill_null(0),
        ended=pl.col("ended_at").to_physical().fill_null(OPEN),
        meter_named=code_of("meter", book.meters),
    )
    named, is_foreign = _named_subscription(rows, book)
    assigned, licensed = _by_user(rows, named, book)
    meter = np.where(rows["meter"].is_null(), licensed, rows["meter_named"])
    is_judged = rows["meter"].is_not_null() | (
        rows["tenant_id"].is_not_null() & rows["started_at"].is_not_null()
    )
    measure = book.measure[rows["tenant"].to_numpy(), meter]
    rows = rows.with_columns(
        named=pl.Series(named),
        assigned=pl.Series(assigned),
        meter_text=pl.col("meter"),
        meter=pl.Series(meter),
        measure=pl.Series(measure),
        tenant_known=pl.when(pl.col("tenant_id").is_not_null()).then(pl.col("tenant") >= 0),
        meter_known=pl.when(is_judged).then(pl.Series(meter) >= 0),
        is_summed=pl.Series(measure == SUM),
        is_foreign=pl.Series(is_foreign) & pl.col("tenant_id").is_not_null(),
        quantity_unreadable=pl.Series(_has_defect(rows, "quantity_unreadable")),
    )
    is_whole = ~pl.Series(_has_defect(rows, "row_shape"))
    in_context = [
        pl.when(rule.broken & is_whole).then(pl.lit(rule.name)) for rule in USAGE_IN_CONTEXT
    ]
    is_any = pl.any_horizontal(
        (rule.broken & is_whole).fill_null(False) for rule in USAGE_IN_CONTEXT
    )
    return rows.with_columns(
        rules=pl.when(is_any | pl.col("defects").is_not_null()).then(
            pl.concat_str("defects", *in_context, separator=";", ignore_nulls=True)
        )
    )


def _named_subscription(rows: pl.DataFrame, book: Book) -> tuple[Ints, Flags]:
    """The code of the subscription that each row names, and whether it is another tenant's only."""
    names = list(book.subscription_names)
    text = rows.select(code_of("subscription_id", names)).to_series().to_numpy()
    position = {name: code for code, name in enumerate(names)}
    own = np.array(
        [tenant * len(names) + position[name] for tenant, name in book.subscriptions], np.int64
    )
    order = np.argsort(own)
    wanted = rows["tenant"].to_numpy() * len(names) + text
    found = np.minimum(np.searchsorted(own[order], wanted), max(len(own) - 1, 0))
    is_own = (text >= 0) & (rows["tenant"].to_numpy() >= 0)
    if len(own):
        is_own &= own[order][found] == wanted
        code = np.where(is_own, order[found], UNKNOWN_ID)
    else:
        is_own[:] = False
        code = np.full(len(rows), UNKNOWN_ID)
    named = np.where(rows["subscription_id"].is_null(), NOBODY, code)
    return named, (text >= 0) & ~is_own


def _by_user(rows: pl.DataFrame, named: Ints, book: Book) -> tuple[Ints, Ints]:
    """R3.1, R3.2: the subscription and the meter that rows get from their user, if they need to."""
    assigned = np.full(len(rows), NOBODY)
    licensed = np.full(len(rows), NOBODY)
    needs = (
        ((named == NOBODY) | rows["meter"].is_null().to_numpy())
        & rows["user_id"].is_not_null().to_numpy()
        & (rows["tenant"].to_numpy() >= 0)
    )
    if not book.users or not needs.any():
        return assigned, licensed
    tenants, names = zip(*book.users, strict=True)
    known = pl.DataFrame({"tenant": tenants, "user_id": names}).with_row_index("user")
    asked = np.flatnonzero(needs)
    user = (
        rows.select("tenant", "user_id")[asked]
        .join(known, on=["tenant", "user_id"], how="left", maintain_order="left")["user"]
        .cast(pl.Int64)
        .fill_null(NOBODY)
        .to_numpy()
    )
    asked, user = asked[user >= 0], user[user >= 0]
    started = rows["started"].to_numpy()[asked]
    assigned[asked] = book.assigned.at(user, started)
    licensed[asked] = book.licensed_meter.at(user, started)
    return assigned, licensed


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
        (measure == PEAK) & ~_has_defect(rows, "ended_at_unreadable"),
        (ended > begins) & (measure != SUM),
    )
    has_no_start = rows["started_at"].is_null().to_numpy()
    touches: Flags = starts_in | reaches_in | has_no_start
    return touches


def _replaced(sound: pl.DataFrame) -> pl.DataFrame:
    """R11.1: the rows whose event comes again later, the row that counts, and if it is the same.

    Candidates are found by a hash of the event; what decides is the real (tenant, event_id).
    """
    event = pl.col("event_id").hash(seed=1) ^ pl.col("tenant").hash(seed=2)
    candidates = sound.filter(event.is_duplicated()).sort("tenant", "event_id", "rank", "row")
    of_event = ["tenant", "event_id"]
    content = pl.struct(
        "started",
        "ended",
        "meter_text",
        *(name for name in CONTENT if name not in ("started_at", "ended_at", "meter")),
    )
    return candidates.with_columns(
        by_rank=pl.col("rank").last().over(of_event),
        by_row=pl.col("row").last().over(of_event),
        is_same=content == content.last().over(of_event),
    ).filter((pl.col("rank") != pl.col("by_rank")) | (pl.col("row") != pl.col("by_row")))


def _has_defect(rows: pl.DataFrame, rule: str) -> Flags:
    """Whether reading a row found it to break a rule."""
    found: Flags = rows["defects"].str.contains(rule, literal=True).fill_null(False).to_numpy()
    return found


def _tally(rows: pl.DataFrame, fate: str) -> pl.DataFrame:
    return (
        rows.group_by("tenant_id")
        .agg(rows=pl.len().cast(pl.Int64))
        .select("tenant_id", pl.lit(fate).alias("fate"), "rows")
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
        message = f"{rows} usage rows are corrected by a later export; the latest row counts."
        remedy = "Nothing to do; `tenantbill show superseded` lists them."
        found.append(finding("superseded", tenant, message, remedy))
    for tenant, rows in _rows_of(tally, "quarantined"):
        own = quarantine.filter(pl.col("tenant_id").eq_missing(pl.lit(tenant, pl.String)))
        broken = sorted(set(own["rules"].str.split(";").explode()))
        message = f"{rows} usage rows break the contract and are not billed: {', '.join(broken)}."
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
