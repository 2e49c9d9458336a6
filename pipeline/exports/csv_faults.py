"""What to say of a CSV file that cannot be used as a whole.

Belongs here: the wording of its errors. Does not belong here: noticing them (`csv_files.py`).
"""

from __future__ import annotations

from pathlib import Path

from pipeline.exports.faults import (
    EmptyExport,
    ExportError,
    NotUtf8,
    RecordTooLong,
    TruncatedExport,
    UnreadableHeader,
)
from pipeline.exports.streams import GZIP_MAGIC

_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MISTAKEN = {
    GZIP_MAGIC: (UnreadableHeader, "it is gzipped", "name it .csv.gz"),
    b"PAR1": (UnreadableHeader, "it is a Parquet file", "name it .parquet"),
    b"PK\x03\x04": (UnreadableHeader, "it is a zip file or a workbook", "export it as plain CSV"),
    _WIDE_MARKS[0]: (NotUtf8, "it is UTF-16 text, by its first bytes", "export it as UTF-8"),
    _WIDE_MARKS[1]: (NotUtf8, "it is UTF-16 text, by its first bytes", "export it as UTF-8"),
}


def misplaced_kind(path: Path, start: bytes) -> None:
    """Refuse a file whose first bytes say that it is something else than UTF-8 text."""
    for mark, (fault, what, remedy) in _MISTAKEN.items():
        if start.startswith(mark):
            raise fault(what, where=path, remedy=remedy)


def empty(path: Path) -> ExportError:
    """There is no header."""
    return EmptyExport(
        "the file is empty: it has no header",
        where=path,
        remedy="export again; an export of no rows still has a header",
    )


def unreadable_header(path: Path) -> ExportError:
    """The first record is not well formed."""
    return UnreadableHeader(
        "the header is not a line of names: its quotes or line ends are not those of CSV",
        where=f"{path}, header",
        remedy="export again as CSV with commas, double quotes and line feeds",
    )


def not_text(path: Path, byte: int, position: int, row: int) -> ExportError:
    """A byte that does not belong into UTF-8 text; position counts from 1, row 0 is the header."""
    what = "holds a zero byte: it is damaged, or UTF-16" if not byte else "is not UTF-8"
    place = f"row {row}" if row > 0 else "header"
    return NotUtf8(
        f"the text {what} (byte 0x{byte:02x}, the {position}th of the unpacked file)",
        where=f"{path}, {place}",
        remedy="export again as UTF-8",
    )


def truncated(path: Path, row: int, where: str) -> ExportError:
    """The last row is not whole, and no line end follows."""
    return TruncatedExport(
        f"the file stops {where}: the row, and any after it, are missing",
        where=f"{path}, row {row}",
        remedy="export again, or close the quote if the row has a stray one",
    )


def too_long(path: Path, row: int, limit: int) -> ExportError:
    """A line that goes on and on."""
    return RecordTooLong(
        f"a line is longer than {limit // 2**20} MiB",
        where=f"{path}, row {row}",
        remedy="export again with one row a line",
    )
