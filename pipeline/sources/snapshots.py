"""Snapshots: exports that say what holds on the day they were taken, and intervals from several.

Belongs here: the day of a snapshot, and what several of them say of the days between. Does not
belong here: what is in one (the file of its kind), and rules across rows (`pipeline.stages`).

Nobody was there between two snapshots, so what one says holds until the next says otherwise. What
the first one says holds from the beginning: a user worked, and a contract counted, before somebody
first thought of exporting it, and either counts only while its subscription is active anyway. A
file says something of a tenant only if it has rows of it.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import polars as pl

from pipeline.exports import ExportError
from schemas.columns import Table

_DAY = re.compile(r"(?<!\d)(\d{4})(-?)(\d{2})\2(\d{2})(?!\d)")

LINEAGE = ("file", "row", "defects", "raw")
"""What a row of a feed has beside the feed's columns, once it was read."""

_MERELY_TOLD = ("name",)
"""Columns that decide nothing: where they alone change, the newest value stands for all."""


class SnapshotWithoutDay(ExportError):
    """The name of a snapshot's file says no day, or several, so nobody knows what it is of."""


def day_of(path: Path) -> date:
    """The day that a snapshot was taken: the one date in its file's name.

    Raises `SnapshotWithoutDay` where there is none, or more than one.
    """
    days = {day for day in map(_date, _DAY.finditer(path.name)) if day}
    if len(days) != 1:
        told = f"says {len(days)} days" if days else "does not say on which day it was taken"
        raise SnapshotWithoutDay(
            f"the name of this snapshot {told}",
            where=path,
            remedy="put that one date into its name, such as users-2026-10-01.csv",
        )
    return days.pop()


def intervals(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """What all snapshots of a source say, as rows that hold between two days.

    Takes the feed's columns with `start_date`, the day of the snapshot, and `LINEAGE`. The
    snapshots of a tenant are the days of which any file has rows of it. What stands in consecutive
    ones is one row: from the first of them (from the beginning, if that is the tenant's first)
    until the day before the one in which it no longer stands so. It is known by the file and row
    that said it first. What a snapshot says twice holds once; two files of a day that contradict
    each other break the feed's key, as two rows of a feed would. Broken rows stay as they are.
    """
    told = [name for name in table.names if name in _MERELY_TOLD]
    holds = [name for name in table.names if name not in ("start_date", "end_date", *told)]
    is_sound = pl.col("defects").is_null()
    once = (
        rows.with_row_index("index")
        .filter(is_sound)
        .select("index", "tenant_id", "start_date", what=pl.struct(holds).rank("dense"))
        .unique(["what", "start_date"], keep="first")
    )
    contradicting = _contradicting(rows, once, table)
    seen = (
        once.join(contradicting, on="index", how="anti")
        .join(_days(rows), on=["tenant_id", "start_date"])
        .select("index", "what", "at", "next")
        .sort("what", "at")
    )
    before = seen.select("what", "at").shift(1)
    begins = ((seen["what"] != before["what"]) | (seen["at"] != before["at"] + 1)).fill_null(True)
    first, last = seen.filter(begins), seen.filter(begins.shift(-1, fill_value=True))
    stretches = rows[first["index"]].with_columns(
        *(rows[name].gather(last["index"]) for name in told),
        start_date=pl.when(first["at"] > 0).then("start_date"),
        end_date=last["next"].dt.offset_by("-1d"),
    )
    against_key = rows[contradicting["index"]].with_columns(defects=pl.lit("repeated_key"))
    every = pl.concat([stretches, rows.filter(~is_sound), against_key])
    return every.sort("file", "row", maintain_order=True)


def _date(found: re.Match[str]) -> date | None:
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return None


def _days(rows: pl.DataFrame) -> pl.DataFrame:
    """The snapshots of each tenant: `start_date`, `at` (its position) and the day of the `next`."""
    return (
        rows.select("tenant_id", "start_date")
        .unique()
        .sort("tenant_id", "start_date")
        .with_columns(
            at=pl.int_range(pl.len(), dtype=pl.Int64).over("tenant_id"),
            next=pl.col("start_date").shift(-1).over("tenant_id"),
        )
    )


def _contradicting(rows: pl.DataFrame, once: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Where rows of one snapshot have one key and differ: `index`."""
    key = [name for name in table.key if name != "end_date"]
    if not key:
        return once.select("index").clear()
    return once.filter(rows.select(key)[once["index"]].is_duplicated()).select("index")
