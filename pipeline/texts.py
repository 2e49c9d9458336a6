"""Frames as plain text, exactly: what CSV and JSON can hold; and words that a terminal may show.

Belongs here: how a value of a dataset is written where there are only words. Does not belong here:
files, and what a dataset is called.
"""

from __future__ import annotations

import polars as pl


def texts(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with decimals as plain text and instants as UTC ISO 8601 with `Z`."""
    return rows.with_columns(text_of(name, dtype) for name, dtype in rows.schema.items())


def visible(text: str) -> str:
    """Words in one line, with whatever would steer a terminal spelled out: names may hold any."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def visible_lines(text: str) -> str:
    """Words in lines, likewise; the lines stay as they are."""
    return "\n".join(visible(line) for line in text.split("\n"))


def text_of(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as text, if it is one of decimals or of instants; else as it is."""
    column = pl.col(name)
    if isinstance(dtype, pl.Decimal):
        return column.cast(pl.String).str.replace(r"\.?0+$", "").alias(name)
    if isinstance(dtype, pl.Datetime):
        seconds = column.dt.strftime("%Y-%m-%dT%H:%M:%S")
        fraction = column.dt.strftime("%.6f").str.strip_chars_end("0").str.strip_chars_end(".")
        return (seconds + fraction + "Z").alias(name)
    return column
