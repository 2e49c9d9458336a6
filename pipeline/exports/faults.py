"""The errors of exports that cannot be used as a whole: each ends the command and says where.

Belongs here: errors of a file. Does not belong here: defects of single rows, which end nothing and
travel with the row in the column `defects`.
"""

from __future__ import annotations

from pipeline.errors import BillingError


class ExportError(BillingError):
    """An export, or the directory of exports, cannot be used as it is."""


class FeedsNotADirectory(ExportError):
    """The feeds directory does not exist, or is something other than a directory."""


class UnknownFileKind(ExportError):
    """Something lies where exports are expected that is not one, so a month might be incomplete."""


class UnreadableExport(ExportError):
    """The operating system does not let us read a file or directory."""


class EmptyExport(ExportError):
    """A file without even a header: an export that wrote nothing, rather than one of no rows."""


class UnreadableHeader(ExportError):
    """The first line is not a row of column names."""


class MissingColumn(ExportError):
    """The header lacks columns that the feed cannot do without."""


class RepeatedColumn(ExportError):
    """Two columns have one name, so that it is a guess which of them counts."""


class UnusableColumn(ExportError):
    """A Parquet column has a type that cannot be read exactly as what the feed declares."""


class NotUtf8(ExportError):
    """The bytes are not UTF-8 text."""


class TruncatedExport(ExportError):
    """The file stops in the middle of a row: rows after it are missing too, and money with them."""


class RecordTooLong(ExportError):
    """One line is longer than anything we are willing to hold in memory."""


class DamagedExport(ExportError):
    """What the file holds is not what its own checks say it should."""


class DamagedGzip(DamagedExport):
    """The gzip stream is cut, changed, or none."""


class DamagedParquet(DamagedExport):
    """The Parquet file is cut, changed, or none."""


class DamagedJson(DamagedExport):
    """The text is not JSON, or is something else."""


class DamagedWorkbook(DamagedExport):
    """The workbook is cut, protected, of an old form, or none."""


class UnknownSheet(ExportError):
    """Which sheet of a workbook is meant is not said, or it has none of that name."""


class UnknownColumn(ExportError):
    """A source is told to read a column that the file does not have."""


class UndecidedColumn(ExportError):
    """Which column of the file is meant is not said, and would be a guess."""
