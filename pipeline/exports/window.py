"""The part of a CSV file that is in memory, and where in the file it is.

Belongs here: bytes, their place, and whether they are text. Does not belong here: rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.exports.csv_faults import not_text
from pipeline.exports.slow_rows import records, split_lines

BOM = b"\xef\xbb\xbf"


class Window:
    """The part of a file that is in memory: unread bytes, and where in the file they begin.

    `blocks` bring the bytes of the file, about `size` at a time; `separator` is between fields.
    """

    def __init__(
        self, path: Path, blocks: Iterator[bytes], size: int, separator: str = ","
    ) -> None:
        self.path = path
        self.blocks = blocks
        self.size = size
        self.separator = separator
        self.buffer = b""
        self.ended = False
        self.offset = 0
        self.rows = -1  # the header is not a row
        self.more(len(BOM))
        if self.buffer.startswith(BOM):
            self.drop(len(BOM))

    def drop(self, count: int) -> None:
        """Be done with the first bytes of the buffer."""
        self.buffer = self.buffer[count:]
        self.offset += count

    def more(self, size: int) -> None:
        """Read on until at least `size` bytes are there, or the file ends."""
        parts = [self.buffer] if self.buffer else []
        there = len(self.buffer)
        while there < size and not self.ended:
            part = next(self.blocks, b"")
            self.ended = not part
            there += len(part)
            parts.append(part)
        self.buffer = b"".join(parts)

    def fill(self) -> bool:
        """Read on if less than half a block is there; false if there is nothing more in the file.

        What is left of a block is copied when the next one comes: so it must not be much.
        """
        self.more(max(self.size // 2, 1))
        return bool(self.buffer)

    def text(self, count: int) -> str:
        """The first bytes of the buffer as text. Raises NotUtf8."""
        block = self.buffer[:count]
        at = block.find(b"\0")
        try:
            text = block[: at if at >= 0 else count].decode()
            if at < 0:
                return text
        except UnicodeDecodeError as error:
            at = error.start
        lines = split_lines(block[:at].decode() + "?")
        before = records(lines, 0, self.separator)
        row = self.rows + len(before.rows) + (before.used < len(lines))
        raise not_text(self.path, block[at], self.offset + at + 1, row)
