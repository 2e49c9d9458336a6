"""Parquet exports as batches of raw cells, in the order of the file.

Belongs here: files, schemas and batches. Does not belong here: reading values (`physical.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import polars as pl

from pipeline.exports.faults import (
    DamagedParquet,
    RepeatedColumn,
    UnreadableExport,
    UnusableColumn,
)
from pipeline.exports.footers import MAGIC, rows_counted
from pipeline.exports.headers import check_header
from pipeline.exports.judge import Cells, without_empties
from pipeline.exports.physical import usable
from schemas.columns import Kind, Table

_REMEDIES = {
    Kind.TEXT: "export it as text",
    Kind.QUANTITY: "export it as DECIMAL(18,6) or as text: a float is not the number meant",
    Kind.INTEGER: "export it as a whole number or as text",
    Kind.DATE: "export it as DATE or as text (YYYY-MM-DD)",
    Kind.INSTANT: "export it as TIMESTAMP, epoch milliseconds, or text with date and time",
}


def read_columns(path: Path) -> list[str]:
    """The column names of the file."""
    with _opened(path) as file:
        return list(pl.scan_parquet(file).collect_schema())


Columns = Callable[[pl.Schema], Sequence[pl.Expr]]
"""From the columns of a file to those of a feed."""


def parquet_cells(
    path: Path, table: Table, batch_rows: int, columns: Columns | None = None
) -> Iterator[Cells]:
    """The rows of the file, in order, as cells; every row its footer counts, or an error.

    Every column is read, since the rows that are set aside show all that the file says of them.
    `columns` makes the feed's columns of them, where they are not that already.
    """
    with _opened(path) as file:
        scan = pl.scan_parquet(file)
        schema = _plain(scan.collect_schema().to_frame()).schema
        made = columns(schema) if columns else None
        read = schema.to_frame().select(made).schema if made else schema
        check_header(path, list(read), table)
        _check_types(path, read, table, _origins(made or ()))
        due, done = _rows_due(path), 0
        batches = scan.collect_batches(
            chunk_size=batch_rows, maintain_order=True, engine="streaming"
        )
        for batch in batches:
            done += batch.height
            cells = Cells(without_empties(_plain(batch)))
            yield cells.read_as(made) if made else cells
        if done != due:
            raise _damaged(path, f"it holds {done} rows, its footer says {due}")


def _origins(columns: Sequence[pl.Expr]) -> dict[str, str]:
    """Of which columns of the file those of a feed are made."""
    return {
        column.meta.output_name(): ", ".join(map(repr, column.meta.root_names()))
        for column in columns
    }


def _check_types(path: Path, schema: pl.Schema, table: Table, origins: Mapping[str, str]) -> None:
    """Refuse a column whose type cannot be read exactly as the feed's kind."""
    for column in table:
        dtype = schema.get(column.name)
        if dtype is not None and not usable(dtype, column.kind):
            made = f" (the file's {origins[column.name]})" if origins else ""
            raise UnusableColumn(
                f"the type {dtype} cannot be read exactly as {column.kind.name.lower()}",
                where=f"{path}, column {column.name}{made}",
                remedy=_REMEDIES.get(column.kind, "export it as text"),
            )


def _rows_due(path: Path) -> int:
    """The rows that the footer counts."""
    with path.open("rb") as file:
        try:
            return rows_counted(file)
        except (ValueError, IndexError) as error:
            raise _damaged(path, f"its footer cannot be read: {error}") from error


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts that the file stores as codes, as the texts they are."""
    coded = [s for s in frame if isinstance(s.dtype, pl.Categorical | pl.Enum)]
    return frame.with_columns(series.cast(pl.String) for series in coded)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file for the engine, which is never given a path: in that it takes `[` for a glob."""
    with _named_faults(path), path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise _damaged(path, "it does not begin as a Parquet file does")
        file.seek(0)
        yield file


@contextmanager
def _named_faults(path: Path) -> Iterator[None]:
    """The engine's errors by our names."""
    try:
        yield
    except pl.exceptions.DuplicateError as error:
        raise RepeatedColumn(
            f"the file repeats a column: {_first_line(error)}",
            where=path,
            remedy="export again with each column once, under a name of its own",
        ) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _damaged(path, f"it cannot be read: {_first_line(error)}") from error
    except OSError as error:
        raise UnreadableExport(
            f"it cannot be read: {error.strerror or _first_line(error)}",
            where=path,
            remedy="correct the place or its permissions, and run again",
        ) from error


def _damaged(path: Path, what: str) -> DamagedParquet:
    return DamagedParquet(
        f"the Parquet file is cut, damaged, or none: {what}",
        where=path,
        remedy="export or copy the file again",
    )


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
