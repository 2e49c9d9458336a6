"""How many rows the footer of a Parquet file counts.

Belongs here: as much of the footer's encoding (Thrift's compact protocol) as leads to that number.
Does not belong here: everything else in a footer, which the engine reads.

The engine could be asked, at the cost of another scan of every file; and a second reading of the
number can differ from what the engine then finds, which is the point of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

MAGIC = b"PAR1"
_TAIL = 8
"""The last bytes of a file: the length of its footer, and the magic."""

_ROWS = 3
"""The number of the field of a footer that counts the rows."""

_BOOLEANS, _BYTE, _WHOLES, _DOUBLE, _BINARY, _LISTS, _STRUCT = (
    (1, 2),
    3,
    (4, 5, 6),
    7,
    8,
    (9, 10),
    12,
)
"""How the protocol numbers its types; footers have no maps."""


def rows_counted(file: BinaryIO) -> int:
    """The number of rows. Raises ValueError, IndexError or OSError where there is none to read."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _TAIL, 0))
    tail = file.read(_TAIL)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or length > size - _TAIL:
        raise ValueError("it does not end as a Parquet file does")
    file.seek(size - _TAIL - length)
    footer = _Compact(file.read(length))
    for field, kind in footer.fields():
        if field == _ROWS:
            return footer.whole()
        footer.skip(kind)
    raise ValueError("its footer counts no rows")


class _Compact:
    """A reader of Thrift's compact protocol, as far as it has come."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and type of each field of a struct; each must be read or skipped in between."""
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self.whole()
            yield field, head & 0x0F

    def whole(self) -> int:
        """A whole number."""
        value = self._natural()
        return (value >> 1) ^ -(value & 1)

    def skip(self, kind: int) -> None:
        """Pass over a value of this type."""
        if kind in _WHOLES:
            self._natural()
        elif kind == _BINARY:
            length = self._natural()
            self._at += length
        elif kind in _LISTS:
            self._skip_list()
        elif kind == _STRUCT:
            for _, inner in self.fields():
                self.skip(inner)
        elif kind in {_BYTE, _DOUBLE}:
            self._at += 1 if kind == _BYTE else 8
        elif kind not in _BOOLEANS:
            raise ValueError(f"its footer holds a value of the unknown type {kind}")

    def _skip_list(self) -> None:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._natural()
        for _ in range(count):
            self._at += head & 0x0F in _BOOLEANS
            self.skip(head & 0x0F)

    def _natural(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]
