"""Counts and sums that must tie after every stage; a run that does not tie stops (R11.2).

Belongs here: comparing what went in with what came out. Does not belong here: either of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from pipeline.errors import ControlsDoNotTie
from pipeline.money import plain
from schemas.datasets import CONTROLS


@dataclass(frozen=True, slots=True)
class Control:
    """One thing counted on both sides of a stage."""

    stage: str
    measure: str
    value_in: Decimal
    value_out: Decimal


def tied(controls: Iterable[Control]) -> pl.DataFrame:
    """The controls as the dataset of that name. Raises `ControlsDoNotTie` if any does not."""
    rows = list(controls)
    for one in rows:
        if one.value_in != one.value_out:
            raise ControlsDoNotTie(
                f"{one.measure}: {plain(one.value_in)} went in, {plain(one.value_out)} came out",
                where=f"stage {one.stage}",
                remedy="nothing was published; report this with the exports, it is a defect",
            )
    return pl.DataFrame(
        [
            (one.stage, one.measure, one.value_in, one.value_out, one.value_in - one.value_out)
            for one in rows
        ],
        schema=CONTROLS.dtypes,
        orient="row",
    )


def count(stage: str, measure: str, value_in: int, value_out: int) -> Control:
    """A control of whole numbers."""
    return Control(stage, measure, Decimal(value_in), Decimal(value_out))


def total(column: pl.Series) -> Decimal:
    """The exact sum of a decimal column; 0 for none."""
    value = column.sum()
    return value if isinstance(value, Decimal) else Decimal(value or 0)
