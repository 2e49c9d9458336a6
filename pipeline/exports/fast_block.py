"""Whole records of CSV, many at once: all of them exactly, or none.

Belongs here: the fast reading and the proof that it read everything. Does not belong here: blocks
that are not in perfect order; those go to `slow_rows.py`.

The engine is lenient (it drops carriage returns, fills short rows, and swallows a byte order mark),
so the block is only accepted if every byte of it is accounted for: as a cell, a separator, a line
end or a quote.
"""

from __future__ import annotations

import re
from functools import lru_cache
from io import BytesIO

import numpy as np
import polars as pl


@lru_cache
def quoted_field(separator: str) -> re.Pattern[bytes]:
    """A quoted field, from the separator before it to the one behind."""
    mark = re.escape(separator.encode())
    return re.compile(rb'(?:(?<=[%b\n])|\A)"[^"]*+(?:""[^"]*+)*+"(?=[%b\r\n]|\Z)' % (mark, mark))


_AT_ONCE = 2**16
"""Bytes that are counted at a time, so that they stay in the cache."""


def last_record_end(buffer: bytes, stop: int) -> int:
    """Where the last whole record within `stop` bytes ends; 0 if none does.

    A line feed ends a record if an even number of quotes comes before it. Where quotes are stray
    that may be wrong, but then the fast reading refuses the block and the slow one finds the end.
    """
    end = buffer.rfind(b"\n", 0, stop) + 1
    if buffer.find(b'"', 0, end) < 0:
        return end
    odd = buffer.count(b'"', 0, end) % 2
    while end and odd:
        before = buffer.rfind(b"\n", 0, end - 1) + 1
        odd = (odd + buffer.count(b'"', before, end)) % 2
        end = before
    return end


def fast_cells(block: bytes, header: list[str], separator: str = ",") -> pl.DataFrame | None:
    """The cells of whole records by header name, or None unless the reading is surely exact."""
    if b"\0" in block:
        return None
    if not block.endswith(b"\n"):
        block += b"\n"
    if b'"' in block:
        return _with_quotes(block, header, separator)
    return _checked(block, block, header, separator, 0)


def _with_quotes(block: bytes, header: list[str], separator: str) -> pl.DataFrame | None:
    if len(header) == 1:
        return None
    frame = _read(block, header, separator, quoted=True)
    if frame is None or _written_back(frame, block, separator):
        return frame
    rest, quoted = quoted_field(separator).subn(b"", block)
    if b'"' in rest:
        return None
    return _checked(block, rest, header, separator, quoted)


def _checked(
    block: bytes, rest: bytes, header: list[str], separator: str, quoted: int
) -> pl.DataFrame | None:
    """The cells of a block if all is there; `rest` is the block without its quoted fields."""
    returns = _count(block, ord("\r")) if b"\r" in block else 0
    if returns and _count_line_ends(rest) != returns:
        return None
    marks = (_count(block, ord('"')) + 2 * quoted) // 2 if quoted else 0
    frame = _read(block, header, separator, quoted=bool(quoted))
    size = len(block) - returns - marks
    if frame is None or not _all_there(frame, size, rest, separator, quoted):
        return None
    return frame


def _read(block: bytes, header: list[str], separator: str, *, quoted: bool) -> pl.DataFrame | None:
    try:
        frame = pl.read_csv(
            block,
            has_header=False,
            schema={f"c{i}": pl.String for i in range(len(header))},
            infer_schema=False,
            separator=separator,
            quote_char='"' if quoted else None,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        # The engine takes some beginnings, such as `x^`, for those of a compressed file.
        return None
    frame.columns = header
    return frame


def _written_back(frame: pl.DataFrame, block: bytes, separator: str) -> bool:
    """Whether the cells, written as CSV, are the block again: then there is no other reading.

    So it is for files that quote every field, or only those that must be.
    """
    again = BytesIO()
    frame.write_csv(
        again,
        include_header=False,
        separator=separator,
        quote_style="always" if block.startswith(b'"') else "necessary",
        line_terminator="\r\n" if block.endswith(b"\r\n") else "\n",
    )
    return again.getvalue() == block


def _count(block: bytes, byte: int) -> int:
    """As `bytes.count` does, which takes four times as long where there are many."""
    every = np.frombuffer(block, np.uint8)
    parts = (every[at : at + _AT_ONCE] for at in range(0, len(every), _AT_ONCE))
    return sum(int(np.count_nonzero(part == byte)) for part in parts)


def _count_line_ends(block: bytes) -> int:
    """The carriage returns before line feeds, if there are no others; the engine drops those."""
    every = np.frombuffer(block, np.uint8)
    at = np.flatnonzero(every == ord("\r"))
    return len(at) if (every[at + 1] == ord("\n")).all() else 0


def _all_there(frame: pl.DataFrame, size: int, rest: bytes, separator: str, quoted: int) -> bool:
    """Whether cells, separators and line feeds make up the `size` bytes that are nothing else."""
    # Without quotes each line feed makes a row; were one dropped, the sum below would not tie.
    lines = _count(rest, ord("\n")) if quoted else frame.height
    marks = _count(rest, ord(separator))
    if frame.height != lines or marks != lines * (frame.width - 1):
        return False
    if frame.width == 1 and frame.to_series().null_count():
        return False
    cells = frame.select(pl.all().str.len_bytes().sum().cast(pl.Int64)).row(0)
    return int(sum(cells)) + marks + lines == size
