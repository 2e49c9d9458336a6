"""Where the rows of a day lie: blocks of landings that are read together.

Belongs here: finding and cutting them. Does not belong here: reading rows (`stages.rows`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from pipeline.store.usage import Stretch


@dataclass(frozen=True, slots=True)
class Block:
    """Some stretches of a landing, which is given as its place among those of the bucket."""

    landing: int
    stretches: tuple[Stretch, ...]

    def __len__(self) -> int:
        return sum(one.rows for one in self.stretches)

    def cut(self, most_rows: int) -> Iterator[Block]:
        """The same rows in order, in blocks of so many at most."""
        taken: list[Stretch] = []
        room = most_rows
        for one in self.stretches:
            first, rows = one.first, one.rows
            while rows:
                now = min(rows, room)
                taken.append(Stretch(first, now))
                first, rows, room = first + now, rows - now, room - now
                if not room:
                    yield Block(self.landing, tuple(taken))
                    taken, room = [], most_rows
        if taken:
            yield Block(self.landing, tuple(taken))


def stretches_by_day(cells: pl.DataFrame, slots: range) -> dict[int, tuple[Stretch, ...]]:
    """Where the rows of some slots lie that start on each day: a stretch a chunk."""
    stretches = (
        cells.with_columns(first=pl.col("rows").cum_sum() - pl.col("rows"))
        .filter(pl.col("slot").is_between(slots.start, slots.stop - 1))
        .group_by("chunk", "day", maintain_order=True)
        .agg(pl.col("first").min(), pl.col("rows").sum())
    )
    by_day: dict[int, list[Stretch]] = {}
    for day, first, rows in stretches.select("day", "first", "rows").iter_rows():
        by_day.setdefault(day, []).append(Stretch(first, rows))
    return {day: tuple(of_day) for day, of_day in by_day.items()}
