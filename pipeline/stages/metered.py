"""What a bucket's meters come to, in names: from codes to the datasets' columns.

Belongs here: naming. Does not belong here: measuring anything (`stages.month`, `stages.daily`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.period import EPOCH_DAY
from pipeline.stages.book import MEASURES, Book
from schemas.columns import INSTANT, MONEY
from schemas.datasets import DAILY, OCCUPANCY

IN_STRETCH = ["group", "stretch"]


class Stretch(NamedTuple):
    """What was measured in a stretch: a row of `occupancy`, in codes."""

    group: int
    stretch: int
    first_day: int
    entitlement: Decimal
    usage: Decimal
    at: int
    tenant_usage: Decimal


class Metered(NamedTuple):
    """What the meters of one measure come to."""

    parts: pl.DataFrame
    occupancy: pl.DataFrame
    daily: pl.DataFrame
    by_day: pl.DataFrame


class Naming:
    """Names what was measured, in the words of a book."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._meters = max(len(book.meters), 1)
        self._tenants = pl.Series([tenant.id for tenant in book.tenants], dtype=pl.String)

    def metered(
        self,
        parts: pl.DataFrame,
        stretches: Sequence[Stretch],
        daily: pl.DataFrame,
        measure: int,
    ) -> Metered:
        """All of it of one measure; `daily` is in codes, as `stages.daily` gives it."""
        ends = daily.group_by(IN_STRETCH).agg(pl.col("so_far").last())
        by_day = {"measure": [MEASURES[measure]], "usage": [ends["so_far"].sum()]}
        return Metered(
            parts,
            self._occupancy(stretches, measure),
            self._daily(stretches, daily),
            pl.DataFrame(by_day, schema={"measure": pl.String(), "usage": MONEY}),
        )

    def parts(self, own: pl.Series, quantity: pl.Series, alone: pl.Series) -> pl.DataFrame:
        """What each subscription used of a meter; `alone` is what it would be by itself (R4.4)."""
        return pl.DataFrame(
            {
                **self._book.named(own.to_numpy()),
                "quantity": quantity.cast(MONEY),
                "own_quantity": alone.cast(MONEY),
            }
        )

    def _dates(self, on: pl.Series) -> pl.Series:
        first = self._book.period.days.first - EPOCH_DAY
        return (on + first).cast(pl.Int32).cast(pl.Date)

    def _occupancy(self, rows: Sequence[Stretch], measure: int) -> pl.DataFrame:
        columns = list(zip(*rows, strict=True)) or [()] * len(Stretch._fields)
        of: Mapping[str, Sequence[object]] = dict(zip(Stretch._fields, columns, strict=True))
        return pl.DataFrame(
            {
                **self._named(pl.Series(of["group"], dtype=pl.Int64)),
                "first_day": [date.fromordinal(int(str(day))) for day in of["first_day"]],
                "entitlement": of["entitlement"],
                "usage": of["usage"],
                "at": pl.Series(np.array(of["at"], np.int64)).cast(INSTANT),
                "tenant_usage": of["tenant_usage"],
                "measure": pl.repeat(MEASURES[measure], len(rows), dtype=pl.String, eager=True),
            },
            schema=OCCUPANCY.dtypes,
        )

    def _daily(self, stretches: Sequence[Stretch], daily: pl.DataFrame) -> pl.DataFrame:
        included = pl.DataFrame(
            [(one.group, one.stretch, one.entitlement) for one in stretches],
            schema={**dict.fromkeys(IN_STRETCH, pl.Int64()), "entitlement": MONEY},
            orient="row",
        )
        rows = daily.join(included, on=IN_STRETCH, how="left", maintain_order="left")
        return pl.DataFrame(
            {
                **self._named(rows["group"]),
                "day": self._dates(rows["on"]),
                "usage": rows["usage"],
                "so_far": rows["so_far"],
                "entitlement": rows["entitlement"],
                "at": rows["at"].cast(INSTANT),
            },
            schema=DAILY.dtypes,
        )

    def _named(self, group: pl.Series) -> dict[str, pl.Series]:
        tenant, meter = np.divmod(group.to_numpy(), self._meters)
        return {
            "tenant_id": self._tenants.gather(tenant),
            "meter": pl.Series(self._book.meters, dtype=pl.String).gather(meter),
        }
