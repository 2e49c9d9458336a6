"""CSV exports, plain or gzipped, as blocks of raw cells in the order of the file.

Belongs here: the way through a file. Does not belong here: how a block is read (`fast_block.py`,
`slow_rows.py`) and what cells mean (`judge.py`).

Blocks of whole records are read fast; a block that is not in perfect order, and only that block, is
read again record by record. So a broken row costs one block, and no row is read twice.
"""

from __future__ import annotations

import csv
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import polars as pl

from pipeline.exports.ahead import one_ahead
from pipeline.exports.csv_faults import (
    empty,
    misplaced_kind,
    too_long,
    truncated,
    unreadable_header,
)
from pipeline.exports.fast_block import fast_cells, last_record_end
from pipeline.exports.judge import Cells, without_empties
from pipeline.exports.slow_rows import Records, first_record, records, set_aside, split_lines
from pipeline.exports.streams import byte_blocks
from pipeline.exports.window import Window

BLOCK_BYTES = 8 * 2**20
LIMIT_BYTES = 96 * 2**20
"""How long one record may be before we stop looking for its end."""

IN_QUOTES = "inside a quoted field"


def read_header(path: Path, *, packed: bool, separator: str = ",") -> list[str]:
    """The column names of the file. Raises the errors of a header that cannot be read."""
    with closing(byte_blocks(path, BLOCK_BYTES, packed=packed)) as blocks:
        return _header(Window(path, blocks, BLOCK_BYTES, separator))


def csv_table(path: Path, separator: str = ",") -> tuple[list[str], Generator[Cells, None, None]]:
    """The column names of the file, and its rows as `csv_cells` gives them.

    Where there is something to read ahead, that is done.
    """
    packed = path.name.lower().endswith(".gz")
    header = read_header(path, packed=packed, separator=separator)
    cells = csv_cells(path, packed=packed, separator=separator)
    # A file of one block has nothing to read ahead.
    is_long = packed or path.stat().st_size > BLOCK_BYTES
    return header, one_ahead(cells) if is_long else cells


def csv_cells(
    path: Path,
    *,
    packed: bool,
    block_bytes: int = BLOCK_BYTES,
    slow: bool = False,
    separator: str = ",",
) -> Generator[Cells, None, None]:
    """The rows of the file, in order, as cells; `slow` reads record by record throughout."""
    with (
        closing(byte_blocks(path, block_bytes, packed=packed)) as read,
        closing(one_ahead(read) if packed else read) as blocks,
    ):
        window = Window(path, blocks, block_bytes, separator)
        header = _header(window)
        while window.fill():
            cells = None if slow else _fast(window, header)
            cells = cells or _slow(window, header)
            window.rows += cells.frame.height
            if cells.frame.height:
                yield cells


def _fast(window: Window, header: list[str]) -> Cells | None:
    """The whole records in the next block, and be done with them; None if they are not in order."""
    end = _end(window)
    block = window.buffer[:end]
    frame = fast_cells(block, header, window.separator) if end else None
    if frame is None:
        return None
    window.drop(end)
    return Cells(without_empties(frame) if b'"' in block else frame)


def _end(window: Window) -> int:
    most = 2 * window.size
    if window.ended and len(window.buffer) <= most:
        return len(window.buffer)
    return last_record_end(window.buffer, most)


def _slow(window: Window, header: list[str]) -> Cells:
    """The records in the next block one by one; reads on where one is longer than the block.

    A quote that nothing closes, as far as we look, is a stray one: its line alone is set aside.
    """
    size, known_open = window.size, 0
    while True:
        window.more(size)
        last = window.ended and len(window.buffer) <= size
        stop = len(window.buffer) if last else window.buffer.rfind(b"\n", 0, size) + 1
        if not known_open or window.buffer.find(b'"', known_open, stop) >= 0:
            found = _whole_records(window, stop, len(header), last=last)
            if found.used:
                return Cells(_frame(found, header), found.broken)
            known_open = stop
        if last or size >= LIMIT_BYTES:
            found = _first_line(window, stop, last=last)
            return Cells(_frame(found, header), found.broken)
        size *= 2


def _whole_records(window: Window, stop: int, width: int, *, last: bool) -> Records:
    """The whole records before `stop`, and be done with them; refuses a cut end of the file."""
    lines = split_lines(window.text(stop))
    found = records(lines, width, window.separator)
    if last and not window.buffer.endswith(b"\n"):
        if found.used < len(lines):
            raise truncated(window.path, window.rows + len(found.rows) + 1, IN_QUOTES)
        if len(found.rows) - 1 in found.broken and found.width < width:
            what = f"after {found.width} of {width} fields"
            raise truncated(window.path, window.rows + len(found.rows), what)
    window.drop(stop if found.used == len(lines) else _length(lines[: found.used]))
    return found


def _first_line(window: Window, stop: int, *, last: bool) -> Records:
    """The first line as a broken row, and be done with it."""
    if not stop:
        raise too_long(window.path, window.rows + 1, LIMIT_BYTES)
    if last and not window.buffer.endswith(b"\n"):
        raise truncated(window.path, window.rows + 1, IN_QUOTES)
    line = window.text(window.buffer.find(b"\n") + 1)
    window.drop(len(line.encode()))
    return set_aside(line)


def _frame(found: Records, header: list[str]) -> pl.DataFrame:
    nothing = [""] * len(header)
    rows = [row or nothing for row in found.rows] if found.broken else found.rows
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    series = [
        pl.Series(name, column, pl.String) for name, column in zip(header, columns, strict=True)
    ]
    return without_empties(pl.DataFrame(series))


def _header(window: Window) -> list[str]:
    """The first record that is not a blank line; the window is done with it afterwards."""
    misplaced_kind(window.path, window.buffer)
    size = 1
    while True:
        window.more(size)
        last = window.ended
        stop = len(window.buffer) if last else window.buffer.rfind(b"\n") + 1
        lines = split_lines(window.text(stop))
        try:
            first = first_record(lines, window.separator)
        except csv.Error as error:
            raise unreadable_header(window.path) from error
        if first:
            break
        if last and not "".join(lines).strip("\r\n"):
            raise empty(window.path)
        if last or size >= LIMIT_BYTES:
            raise unreadable_header(window.path)
        size = max(2 * size, window.size)
    header, used = first
    window.drop(_length(lines[:used]))
    window.rows = 0
    return header


def _length(lines: list[str]) -> int:
    return sum(len(line.encode()) for line in lines)
