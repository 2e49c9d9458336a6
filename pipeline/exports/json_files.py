"""JSON files, plain or gzipped, as a stream of their members, in bounded memory.

Belongs here: taking a document apart, and naming what is wrong with its bytes. Does not belong
here: what the members mean (`pipeline.sources`), and how cells are judged (`judge.py`).

A file may hold one value or several, one after the other: JSON lines, or pages put together. A file
that ends between two of them cannot be told from a whole one; one that ends anywhere else can.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline.exports.faults import (
    DamagedJson,
    EmptyExport,
    ExportError,
    RecordTooLong,
    TruncatedExport,
)
from pipeline.exports.streams import GZIP_MAGIC, byte_blocks

BLOCK_BYTES = 2**15
LIMIT_BYTES = 96 * 2**20
"""How long one member may be."""

DEEPEST = 64
"""How deep a member may be nested; records of an export are nested a few levels."""

BOM = b"\xef\xbb\xbf"

ENDED: Final = object()
"""The value of the member that says that an opened object or list is at its end."""

Opens = Callable[[tuple[str, ...], str | None], bool]
"""Whether the members of an object (by its place and first key) or of a list (None) come singly."""

_UNREADABLE = (ValueError, ArithmeticError, SystemError)
"""What comes of a number beyond any number, and of half a character; by some backends, of more."""

_STARTS: Final = {"start_map": dict, "start_array": list}
_ENDS: Final = ("end_map", "end_array")

_Events = Iterator[tuple[str, Any]]


class Member(NamedTuple):
    """A value, and its place: the keys that lead to it; lists on the way do not count.

    `in_list`: it stands in an opened list, or in nothing: so records do. `number` counts these from
    1; of any other member it is that of the record before it. `offset` is how many bytes were read
    by then.
    """

    place: tuple[str, ...]
    value: Any
    number: int
    in_list: bool
    offset: int


def json_members(
    path: Path, opens: Opens, *, block_bytes: int = BLOCK_BYTES
) -> Generator[Member, None, None]:
    """The members of the file, in order; a list that is in nothing is always opened.

    Whole numbers are `int`, others `Decimal`: exactly what stands there. Raises `ExportError` for a
    file that is empty, cut, damaged or not JSON.
    """
    packed = path.name.lower().endswith(".gz")
    with closing(byte_blocks(path, block_bytes, packed=packed)) as blocks:
        yield from _Document(path, blocks).members(opens)


class _Document:
    """A file on its way: how many records it gave, and where the last member ended."""

    def __init__(self, path: Path, blocks: Iterator[bytes]) -> None:
        self.path = path
        self.blocks = blocks
        self.number = 0
        self.offset = 0
        self.begin = 0

    def members(self, opens: Opens) -> Iterator[Member]:
        events = chain.from_iterable(self._events())
        outer: list[tuple[tuple[str, ...], bool]] = []
        # Values that are in nothing stand one after the other, as in a list.
        place, in_list, key = (), True, ""  # type: tuple[str, ...], bool, str
        for event, value in events:
            if event == "map_key":
                key = value
                continue
            if event in _ENDS:
                yield Member(place, ENDED, self.number, in_list, self.offset)
                place, in_list = outer.pop()
                continue
            here = place if in_list else (*place, key)
            whole = value
            if event == "start_map":
                first, name = next(events)
                if first == "map_key" and opens(here, name):
                    outer.append((place, in_list))
                    place, in_list, key = here, False, name
                    continue
                whole = self._whole({}, events, name) if first == "map_key" else {}
            elif event == "start_array":
                if not here or (not in_list and opens(here, None)):
                    outer.append((place, in_list))
                    place, in_list = here, True
                    continue
                whole = self._whole([], events, "")
            self.number += in_list
            self.begin = self.offset
            yield Member(here, whole, self.number, in_list, self.offset)

    def _whole(self, holder: Any, events: _Events, key: str) -> Any:
        """The object or list that has just begun; `key` is the first of an object."""
        outer: list[tuple[Any, str]] = []
        for event, plain in events:
            value = plain
            if event == "map_key":
                key = plain
                continue
            if plain is None and event != "null":
                if event in _STARTS:
                    if len(outer) == DEEPEST:
                        raise self._damaged(f"a value is nested more than {DEEPEST} deep")
                    outer.append((holder, key))
                    holder = _STARTS[event]()
                    continue
                value = holder
                if not outer:
                    break
                holder, key = outer.pop()
            if type(holder) is dict:
                holder[key] = value
            else:
                holder.append(value)
        return holder

    def _events(self) -> Iterator[list[tuple[str, Any]]]:
        """What the parser sees, block by block; a list is good until the next one comes.

        Raises the errors of bytes that are no JSON.
        """
        import ijson  # noqa: PLC0415 - most commands read no JSON

        found: Any = ijson.sendable_list()
        parser = ijson.basic_parse_coro(found, multiple_values=True, use_float=False)
        is_empty = True
        for number, block in enumerate(self.blocks):
            if not number:
                _refuse_other_kinds(self.path, block)
            text = block.removeprefix(BOM) if not number else block
            if is_empty := is_empty and not text.strip():
                continue
            self.offset += len(block)
            if self.offset - self.begin > LIMIT_BYTES:
                raise self._too_long()
            try:
                parser.send(text)
            except ijson.JSONError as error:
                raise self._damaged(str(error).partition("\n")[0]) from error
            except _UNREADABLE as error:
                raise self._damaged("a number has too many digits, or a text is none") from error
            yield found
            found.clear()
        if is_empty:
            raise EmptyExport(
                "the file is empty",
                where=self.path,
                remedy="export again; an answer without any record still says so",
            )
        try:
            parser.close()
        except (ijson.JSONError, *_UNREADABLE) as error:
            raise self._cut() from error
        # A number that is in nothing ends with the file.
        yield found

    def _place(self) -> str:
        return f"{self.path}, after {self.number} records"

    def _damaged(self, what: str) -> ExportError:
        return DamagedJson(
            f"it is not JSON: {what}", where=self._place(), remedy="export or copy the file again"
        )

    def _cut(self) -> ExportError:
        return TruncatedExport(
            "the file stops in the middle of a value: what follows is missing",
            where=self._place(),
            remedy="export or copy the file again",
        )

    def _too_long(self) -> ExportError:
        return RecordTooLong(
            f"a record is longer than {LIMIT_BYTES // 2**20} MiB, or a quote is never closed",
            where=self._place(),
            remedy="export again, with fewer fields",
        )


def _refuse_other_kinds(path: Path, start: bytes) -> None:
    """Refuse a file whose first bytes say that it is something else than JSON."""
    for mark, what, remedy in _MISTAKEN:
        if start.startswith(mark):
            raise DamagedJson(what, where=path, remedy=remedy)


_MISTAKEN = (
    (GZIP_MAGIC, "it is gzipped", "let its name end in .gz"),
    (b"PK\x03\x04", "it is a zip file or a workbook", "take the JSON file out of it"),
    (b"\xff\xfe", "it is UTF-16 text, by its first bytes", "export it as UTF-8"),
    (b"\xfe\xff", "it is UTF-16 text, by its first bytes", "export it as UTF-8"),
)
