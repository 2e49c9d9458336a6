"""What a bucket's meters come to, in names: from codes to the datasets' columns.

Belongs here: naming. Does not belong here: measuring anything (`stages.month`, `stages.daily`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.period import EPOCH_DAY
from pipeline.stages.book import MEASURES, Book
from schemas.columns import INSTANT, MONEY
from schemas.datasets import DAILY, OCCUPANCY

IN_STRETCH = ["group", "stretch"]


USED = ["group", "stretch", "first_day", "entitlement", "usage", "at", "tenant_usage"]
"""What was measured in a stretch: a row of `occupancy`, in codes; the first day is an ordinal."""


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
        used: pl.DataFrame,
        daily: pl.DataFrame,
        measure: int,
    ) -> Metered:
        """All of it of one measure: of USED, and `daily` in codes, as `stages.daily` gives it."""
        ends = daily.group_by(IN_STRETCH).agg(pl.col("so_far").last())
        by_day = {"measure": [MEASURES[measure]], "usage": [ends["so_far"].sum()]}
        return Metered(
            parts,
            self._occupancy(used, measure),
            self._daily(used, daily),
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
        return _as_dates(on + self._book.period.days.first)

    def _occupancy(self, used: pl.DataFrame, measure: int) -> pl.DataFrame:
        return pl.DataFrame(
            {
                **self._named(used["group"]),
                "first_day": _as_dates(used["first_day"]),
                "entitlement": used["entitlement"],
                "usage": used["usage"].cast(MONEY),
                "at": used["at"].cast(INSTANT),
                "tenant_usage": used["tenant_usage"].cast(MONEY),
                "measure": pl.repeat(MEASURES[measure], len(used), dtype=pl.String, eager=True),
            },
            schema=OCCUPANCY.dtypes,
        )

    def _daily(self, used: pl.DataFrame, daily: pl.DataFrame) -> pl.DataFrame:
        included = used.select(*IN_STRETCH, "entitlement")
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


def _as_dates(days: pl.Series) -> pl.Series:
    """Ordinals of days as dates."""
    return (days - EPOCH_DAY).cast(pl.Int32).cast(pl.Date)
