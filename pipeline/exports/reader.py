"""Reading one export, whatever kind of file it is, into typed batches of its feed.

Belongs here: the one way in, the same for every kind of file. Does not belong here: any kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.exports.batch import Batch
from pipeline.exports.csv_files import csv_table, read_header
from pipeline.exports.faults import UnknownFileKind
from pipeline.exports.find import ENDINGS, kind_of
from pipeline.exports.headers import check_header, strangers
from pipeline.exports.judge import Cells, judge
from pipeline.exports.parquet_files import parquet_cells, read_columns
from schemas.columns import Table

BATCH_ROWS = 131_072


def read_export(path: Path, table: Table, *, batch_rows: int = BATCH_ROWS) -> Iterator[Batch]:
    """Every data row of the file, in order, in batches of at most `batch_rows`, none of them empty.

    Raises ExportError, before the first batch or later, if the file cannot be used as a whole: then
    no batch of it may be used.
    """
    first = 1
    for cells in _cells(path, table, batch_rows):
        batch = judge(cells, table, first)
        first += batch.rows.height
        yield from batch.slices(batch_rows)


def unknown_columns(path: Path, table: Table) -> list[str]:
    """The columns of the file that the feed does not declare; they are kept out."""
    return strangers(_header(path), table)


def _header(path: Path) -> list[str]:
    kind = _kind(path)
    return read_columns(path) if kind == ".parquet" else read_header(path, packed=kind == ".csv.gz")


def _cells(path: Path, table: Table, batch_rows: int) -> Iterator[Cells]:
    kind = _kind(path)
    if kind == ".parquet":
        return parquet_cells(path, table, batch_rows)
    header, cells = csv_table(path)
    check_header(path, header, table)
    return cells


def _kind(path: Path) -> str:
    if kind := kind_of(path):
        return kind
    raise UnknownFileKind(
        f"{path.name} has no ending that says what it is",
        where=path,
        remedy=f"exports end in {', '.join(ENDINGS)}: rename it",
    )
