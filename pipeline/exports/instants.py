"""Moments in time as text, read exactly.

Belongs here: the forms a moment may be written in. Does not belong here: other kinds (`cells.py`).
"""

from __future__ import annotations

import polars as pl
from polars.expr.struct import ExprStructNameSpace

from schemas.columns import INSTANT

USUAL = (
    r"^(?:19|[2-9][0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]"
    r"(?:\.[0-9]{1,9})?Z$"
)
"""The form nearly every export has; it is read by position, all rows at once."""


def _unusual(dash: str, colon: str) -> str:
    """Every other form with these marks: a space for the T, no seconds, an offset, or none.

    No offset means UTC.
    """
    return (
        rf"^(?P<year>[0-9]{{4}}){dash}(?P<month>[0-9]{{2}}){dash}(?P<day>[0-9]{{2}})[T ]"
        rf"(?P<hour>[01][0-9]|2[0-3]){colon}(?P<minute>[0-5][0-9])"
        rf"(?:{colon}(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]{{1,9}}))?)?"
        r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3])(?::?(?P<minutes>[0-5][0-9]))?)?$"
    )


FORMS = (_unusual("-", ":"), _unusual("", ""))
"""With the marks, or without any: the extended and the basic form of ISO 8601."""

WHOLE = r"^[+-]?[0-9]{1,18}$"
"""Epoch milliseconds."""

FIRST_MS = -2_208_988_800_000
LAST_MS = 253_402_300_799_999
"""1900-01-01 to the end of 9999, in epoch milliseconds: outside of it nothing is a true moment."""

_TEXT_FORMAT = "%Y-%m-%dT%H:%M:%S"


def usual_instant(cell: pl.Expr) -> pl.Expr:
    """The moment that a text in the usual form names; null for any other text."""
    micros = cell.str.slice(20, 6).str.strip_chars_end("Z").str.pad_end(6, "0")
    seconds = cell.str.head(19).str.to_datetime(_TEXT_FORMAT, time_unit="us", strict=False)
    moment = seconds.cast(pl.Int64) + micros.cast(pl.Int64, strict=False)
    return pl.when(cell.str.contains(USUAL)).then(moment).cast(INSTANT)


def instants(cells: pl.Series) -> pl.Series:
    """The moments that texts of any form name, null where they name none.

    Fractions are cut to microseconds. A date alone names no moment: hours would be a guess.
    """
    texts = cells.to_frame("cell")
    written = [_written(pl.col("cell").str.extract_groups(form).struct) for form in FORMS]
    return texts.select(pl.coalesce(*written, _counted())).to_series().alias(cells.name)


def from_epoch_ms(ms: pl.Expr) -> pl.Expr:
    """Moments from whole milliseconds, null where they are outside the years that can be meant.

    The range is judged first: the product with 1000 would wrap around silently.
    """
    inside = pl.when(ms.is_between(FIRST_MS, LAST_MS)).then(ms).cast(pl.Int64)
    return (inside * 1000).cast(INSTANT)


def _in_range(micros: pl.Expr) -> pl.Expr:
    return pl.when((micros // 1000).is_between(FIRST_MS, LAST_MS)).then(micros)


def _counted() -> pl.Expr:
    whole = pl.when(pl.col("cell").str.contains(WHOLE)).then("cell")
    return from_epoch_ms(whole.cast(pl.Int64, strict=False))


def _written(part: ExprStructNameSpace) -> pl.Expr:
    date, clock = ("year", "month", "day"), ("hour", "minute")
    text = pl.format(
        "{}-{}-{}T{}:{}:{}", *map(part.field, (*date, *clock)), part.field("second").fill_null("00")
    )
    seconds = text.str.to_datetime(_TEXT_FORMAT, time_unit="us", strict=False).cast(pl.Int64)
    micros = part.field("fraction").fill_null("").str.head(6).str.pad_end(6, "0").cast(pl.Int64)
    hours = part.field("hours").cast(pl.Int64)
    minutes = hours * 60 + part.field("minutes").fill_null("0").cast(pl.Int64)
    ahead = pl.when(part.field("sign") == "-").then(-minutes).otherwise(minutes).fill_null(0)
    return _in_range(seconds + micros - ahead * 60_000_000).cast(INSTANT)
