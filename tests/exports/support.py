"""A feed with one column of each kind, and short ways to write and read files of it."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.exports import read_export
from pipeline.exports.batch import BROKEN
from schemas.columns import Column, Kind, Rule, Table

PROBE = Table(
    "probe",
    "row of one cell of each kind",
    (
        Column("key", Kind.TEXT, "the row", True),
        Column("text", Kind.TEXT, "any text"),
        Column("quantity", Kind.QUANTITY, "a decimal"),
        Column("whole", Kind.INTEGER, "a whole number"),
        Column("day", Kind.DATE, "a day"),
        Column("moment", Kind.INSTANT, "a moment"),
        Column("colour", Kind.TEXT, "a choice", choices=("red", "blue"), default="red"),
        Column("floor", Kind.QUANTITY, "a decimal with a default", default="0"),
    ),
    (
        Rule("quantity_negative", pl.col("quantity") < 0, "zero or more"),
        Rule("day_missing", pl.col("whole").is_not_null() & pl.col("day").is_null(), "say when"),
    ),
)

HEADER = "key,text,quantity,whole,day,moment,colour,floor"


def save(path: Path, content: str | bytes) -> Path:
    """Write a file, gzipped if its name says so."""
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def read(path: Path, table: Table = PROBE, batch_rows: int = 65_536) -> pl.DataFrame:
    """Every batch of the file in one frame, each of them checked for its form."""
    schema = pl.Schema(
        {**table.dtypes, "row": pl.Int64(), "defects": pl.String(), "raw": pl.String()}
    )
    frames = []
    first_row = 1
    for batch in read_export(path, table, batch_rows=batch_rows):
        frame = batch.whole()
        assert batch.first_row == first_row and 0 < frame.height <= batch_rows
        assert batch.rows.schema == table.dtypes and frame.schema == schema
        defective = frame.with_row_index("at").filter(pl.col("defects").is_not_null())
        assert batch.broken.equals(defective.select("at", "defects", "raw"))
        assert batch.broken.schema == BROKEN
        first_row += frame.height
        frames.append(frame)
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def read_column(folder: Path, column: str, cells: Sequence[str]) -> list[object]:
    """What the cells of one column, written to a CSV file without quotes, are read as."""
    lines = [f"{number},{cell}" for number, cell in enumerate(cells)]
    path = save(folder / "probe.csv", "\n".join([f"key,{column}", *lines, ""]))
    frame = read(path)
    assert frame["row"].to_list() == list(range(1, len(cells) + 1))
    values = frame[column].to_list()
    for cell, value, defects in zip(cells, values, frame["defects"], strict=True):
        names = (defects or "").split(";")
        assert (f"{column}_unreadable" in names) == (bool(cell) and value is None), (cell, value)
    return values
