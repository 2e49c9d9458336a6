"""Reading exports: CSV, gzipped CSV and Parquet files into exact typed batches.

Belongs here: finding the files of a feed, and turning what they hold into the feed's declared
columns, with every row that cannot be read named and none lost. Does not belong here: what the
feeds are (`schemas.feeds`), rules across rows or feeds (`pipeline.stages`), and keeping what was
read (`pipeline.store`).
"""

from pipeline.exports.batch import Batch
from pipeline.exports.faults import (
    DamagedExport,
    DamagedGzip,
    DamagedJson,
    DamagedParquet,
    EmptyExport,
    ExportError,
    FeedsNotADirectory,
    MissingColumn,
    NotUtf8,
    RecordTooLong,
    RepeatedColumn,
    TruncatedExport,
    UnknownFileKind,
    UnreadableExport,
    UnreadableHeader,
    UnusableColumn,
)
from pipeline.exports.find import Export, find_exports
from pipeline.exports.judge import Cells, judge
from pipeline.exports.reader import read_export, unknown_columns

__all__ = [
    "Batch",
    "Cells",
    "DamagedExport",
    "DamagedGzip",
    "DamagedJson",
    "DamagedParquet",
    "EmptyExport",
    "Export",
    "ExportError",
    "FeedsNotADirectory",
    "MissingColumn",
    "NotUtf8",
    "RecordTooLong",
    "RepeatedColumn",
    "TruncatedExport",
    "UnknownFileKind",
    "UnreadableExport",
    "UnreadableHeader",
    "UnusableColumn",
    "find_exports",
    "judge",
    "read_export",
    "unknown_columns",
]
