"""Count what became of rows, and put those that nobody pays for into words (R3.4, R3.5, R11.2).

Belongs here: from decided rows to counts and to the rows that people will want to see. Does not
belong here: deciding (`stages.cases`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.measures.arrays import Ints, Whole
from pipeline.rules import split as rule
from pipeline.rules.split import NOBODY, REASONS
from pipeline.stages.book import Book
from pipeline.stages.cases import BILLED, FATES, OUTSIDE, QUARANTINED, UNBILLED, Decided, Judge
from pipeline.stages.kinds import Kinds
from pipeline.stages.lookup import has_defect, rules_broken
from pipeline.stages.meter import Frames
from pipeline.stages.row import Rows
from pipeline.stages.rows import BucketRows
from schemas.datasets import UNBILLED as UNBILLED_ROWS
from schemas.feeds import USAGE

MISNAMED = (REASONS.index(rule.UNKNOWN), REASONS.index(rule.INACTIVE))
"""Reasons of which people want to know which subscriptions were named (R3.4)."""


class Fates:
    """Counts the rows of a bucket by what became of them."""

    def __init__(self, rows: BucketRows, kinds: Kinds, book: Book, judge: Judge) -> None:
        self._rows = rows
        self._kinds = kinds
        self._book = book
        self._judge = judge

    def counted(self, rows: Rows, decided: Decided) -> Frames:
        """What the rows of a part came to; frames with nothing to say are left out.

        Frames: `tally` (tenant, fate, rows), `strangers` (tenant_id, fate, rows), `shares` (own,
        reason, rows), `named` (own, reason, subscription_id), `unbilled`, `quarantine`.
        """
        cases = decided.cases
        count = np.bincount(decided.case, minlength=len(cases))
        met = np.flatnonzero(count)
        billed = met[cases.fate[met] == BILLED]
        own = cases.owner[billed] * len(self._book.meters) + cases.meter[billed]
        reason = cases.reason[billed]
        frames = self.tally(cases.kind[met], cases.fate[met], count[met])
        frames["shares"] = _summed("own", own, "reason", reason, len(REASONS), count[billed])
        if np.isin(reason, MISNAMED).any():
            frames["named"] = self._named(cases.kind[billed], own, reason)
        if len(billed) < len(met):
            unbilled, refused = (
                np.flatnonzero((cases.fate == one).take(decided.case))
                for one in (UNBILLED, QUARANTINED)
            )
            if len(unbilled):
                meter = cases.meter[decided.case[unbilled]]
                frames["unbilled"] = self._unbilled(rows.at(unbilled), meter)
            if len(refused):
                frames["quarantine"] = self._refused(rows.number[refused])
        return frames

    def tally(self, kind: Ints, fate: Ints, count: Ints) -> Frames:
        """Rows by tenant and fate: `tally` of known tenants, `strangers` of unknown ones."""
        tenant = self._kinds.tenant[kind]
        known, unknown = np.flatnonzero(tenant != NOBODY), np.flatnonzero(tenant == NOBODY)
        frames = {
            "tally": _summed("tenant", tenant[known], "fate", fate[known], len(FATES), count[known])
        }
        if len(unknown):
            texts = self._rows.kinds["tenant_id"].gather(pl.Series(kind[unknown]))
            frames["strangers"] = pl.DataFrame(
                {"tenant_id": texts, "fate": fate[unknown], "rows": count[unknown]}
            )
        return frames

    def nothing(self) -> Frames:
        """The frames that may be left out, without a row."""
        return {
            "strangers": pl.DataFrame(
                schema={"tenant_id": pl.String, "fate": pl.Int64, "rows": pl.Int64}
            ),
            "named": pl.DataFrame(
                schema={"own": pl.Int64, "reason": pl.Int64, "subscription_id": pl.String}
            ),
            "unbilled": pl.DataFrame(schema=UNBILLED_ROWS.dtypes),
            "quarantine": pl.DataFrame(schema=REFUSED_ROW),
        }

    def outside(self, kind: Whole) -> Frames:
        """The count of rows of these kinds, all outside the period."""
        count = np.bincount(kind, minlength=len(self._kinds))
        met = np.flatnonzero(count)
        return self.tally(met, np.full(len(met), OUTSIDE), count[met])

    def broken(self) -> Frames:
        """What became of the rows that break a rule by themselves."""
        rows = rules_broken(self._rows.broken, self._book)
        touches = (
            self._judge.touches(
                rows["tenant"].to_numpy(),
                rows["measure"].to_numpy(),
                rows["started"].to_numpy(),
                rows["ended"].to_numpy(),
                has_defect(rows, "ended_at_unreadable"),
            )
            | rows["started_at"].is_null().to_numpy()
        )
        fate = np.where(touches, QUARANTINED, OUTSIDE)
        met = rows.select("tenant_id", "tenant", fate=pl.Series(fate, dtype=pl.Int64))
        is_known = pl.col("tenant") >= 0
        return {
            "tally": met.filter(is_known).group_by("tenant", "fate").agg(_count()),
            "strangers": met.filter(~is_known)
            .group_by("tenant_id", "fate")
            .agg(_count())
            .select("tenant_id", "fate", "rows"),
            "quarantine": _in_quarantine(rows.filter(pl.Series(touches, dtype=pl.Boolean))),
        }

    def _named(self, kind: Ints, own: Ints, reason: Ints) -> pl.DataFrame:
        is_misnamed = np.flatnonzero(np.isin(reason, MISNAMED))
        texts = self._rows.kinds["subscription_id"].gather(pl.Series(kind[is_misnamed]))
        frame = pl.DataFrame(
            {"own": own[is_misnamed], "reason": reason[is_misnamed]},
            schema={"own": pl.Int64, "reason": pl.Int64},
        )
        return frame.with_columns(subscription_id=texts).drop_nulls().unique()

    def _unbilled(self, rows: Rows, meter: Ints) -> pl.DataFrame:
        """R3.5: rows that nobody can pay for yet, and why."""
        tenant = self._kinds.tenant[rows.kind]
        why = [self._book.set_aside[code] or "no_active_subscription" for code in tenant.tolist()]
        return pl.DataFrame(
            {
                "event_id": self._rows.by_number.event_names(rows.number),
                "tenant_id": [self._book.tenants[code].id for code in tenant.tolist()],
                "meter": [self._book.meters[code] for code in meter.tolist()],
                "started_at": rows.started,
                "reason": why,
            },
            schema=UNBILLED_ROWS.dtypes,
        )

    def _refused(self, numbers: Ints) -> pl.DataFrame:
        """Rows that are sound by themselves and break a rule that needs the terms."""
        nothing = pl.lit(None, pl.String)
        words = self._rows.by_number.in_words(numbers).with_columns(defects=nothing, raw=nothing)
        refused = rules_broken(words, self._book)
        if refused["rules"].null_count():
            raise AssertionError("a row was refused that breaks no rule")
        return _in_quarantine(refused)


REFUSED_ROW = pl.Schema(
    {
        "rank": pl.Int32,
        "row": pl.Int64,
        "rules": pl.String,
        "raw": pl.String,
        "tenant_id": pl.String,
    }
)


def in_names(frames: Frames, book: Book) -> Frames:
    """The counts of all days by name: `tally` and `fates`, `shares`."""
    tenants = pl.Series([tenant.id for tenant in book.tenants], dtype=pl.String)
    fates, reasons = pl.Series(FATES), pl.Series(REASONS)
    known = frames["tally"].group_by("tenant", "fate").agg(pl.col("rows").sum())
    unknown = frames["strangers"].group_by("tenant_id", "fate").agg(pl.col("rows").sum())
    tally = pl.concat(
        [
            known.select(tenants.gather(known["tenant"]).alias("tenant_id"), "fate", "rows"),
            unknown.select("tenant_id", "fate", "rows"),
        ]
    )
    is_good = tally["fate"].is_in([BILLED, UNBILLED])
    named_tally = tally.with_columns(fate=fates.gather(tally["fate"]))
    return {
        "tally": named_tally.filter(~is_good),
        "fates": named_tally.filter(is_good),
        "good": pl.DataFrame({"rows": [int(tally.filter(is_good)["rows"].sum())]}),
        "shares": _shares_in_names(frames, book, reasons),
    }


def _shares_in_names(frames: Frames, book: Book, reasons: pl.Series) -> pl.DataFrame:
    key = ["own", "reason"]
    named = frames["named"].group_by(key).agg(pl.col("subscription_id").unique().sort())
    shares = (
        frames["shares"]
        .group_by(key)
        .agg(pl.col("rows").sum())
        .join(named, on=key, how="left")
        .sort(key)
    )
    return pl.DataFrame(
        {
            **book.named(shares["own"].to_numpy()),
            "reason": reasons.gather(shares["reason"]),
            "rows": shares["rows"],
            "named": shares["subscription_id"].fill_null([]),
        }
    )


def _summed(
    name: str, codes: Ints, other_name: str, others: Ints, other_count: int, count: Ints
) -> pl.DataFrame:
    """Counts by two small codes, added up."""
    key = codes * other_count + others
    added = np.zeros(int(key.max(initial=-1)) + 1, np.int64)
    np.add.at(added, key, count)
    present = np.flatnonzero(added)
    code, other = np.divmod(present, other_count)
    return pl.DataFrame({name: code, other_name: other, "rows": added[present]})


def _count() -> pl.Expr:
    return pl.len().cast(pl.Int64).alias("rows")


def _in_quarantine(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "rank", "row", "rules", raw=pl.coalesce("raw", _as_json()), tenant_id="tenant_id"
    )


def _as_json() -> pl.Expr:
    """A row that could be read but not used, as JSON text of its values."""
    instants = [
        pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ").alias(name)
        for name in ("started_at", "ended_at")
    ]
    texts = [
        pl.col(name) for name in USAGE.names if name not in ("started_at", "ended_at", "quantity")
    ]
    return pl.struct(*texts, pl.col("quantity").cast(pl.String), *instants).struct.json_encode()
