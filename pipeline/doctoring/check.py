"""A check: what was looked at, how it is, and what to do.

Belongs here: the form of an answer. Does not belong here: any question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import polars as pl

from pipeline.errors import BillingError, SystemFailed

OK, WARNING, ERROR = "ok", "warning", "error"


class Check(NamedTuple):
    """One line of the doctor: an error is what a run would fail on, or bill wrongly."""

    severity: str
    check: str
    what: str
    remedy: str = ""


def asked(check: str, question: Callable[[], Iterable[Check]]) -> list[Check]:
    """The answers to a question; where asking fails, that is the answer."""
    try:
        return list(question())
    except BillingError as error:
        return [failed(check, error)]
    except OSError as error:
        return [failed(check, SystemFailed.of(error))]


def failed(check: str, error: BillingError) -> Check:
    """An error as a run would tell it."""
    place = f"{error.where}: " if error.where else ""
    return Check(ERROR, check, f"{place}{error.what} [{error.name}]", error.remedy)


def to_frame(checks: Iterable[Check]) -> pl.DataFrame:
    """Checks as rows, in order."""
    return pl.DataFrame(list(checks), schema=dict.fromkeys(Check._fields, pl.String), orient="row")


def size_in_words(size: int) -> str:
    """Bytes as people write them: `1.5 GiB`."""
    amount, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{size:,} bytes" if unit == "bytes" else f"{amount:,.1f} {unit}"
