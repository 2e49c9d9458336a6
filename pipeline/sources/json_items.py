"""The items of an API's answer as it was saved: JSON, item by item.

Belongs here: the forms such a file has, and one that is damaged. Does not belong here: what an item
is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from pipeline.exports import DamagedExport, EmptyExport, UnreadableExport

_BOM = b"\xef\xbb\xbf"

_ITEMS = "items"

_LINES = ".jsonl"


class DamagedJson(DamagedExport):
    """The file is cut or changed JSON, or none."""


def json_items(path: Path) -> Iterator[Any]:
    """The items of an answer `{"items": […]}`, or of a list, in order.

    A file may also hold several values, one after the other as in JSON lines: answers, lists, or
    bare items. Each of them is read whole; else memory does not grow with the file. Numbers are
    exact: an `int`, or a `Decimal` where they have a point. Raises `EmptyExport`, `DamagedJson` and
    `UnreadableExport`, before the first item or later.
    """
    with _opened(path) as file:
        prefix = "" if path.name.lower().endswith(_LINES) else _prefix(file)
    with _opened(path) as file:
        # Where one answer is looked into, another one behind it is an error: it would pass unread.
        values = ijson.items(file, prefix, multiple_values=not prefix)
        if prefix:
            yield from values
        else:
            yield from chain.from_iterable(map(_several, values))


def _several(value: Any) -> list[Any]:
    """The items that one of several values holds."""
    held = value.get(_ITEMS) if isinstance(value, dict) else value
    return held if isinstance(held, list) else [value]


def _prefix(file: BinaryIO) -> str:
    """Where the items lie: as ijson says it."""
    for prefix, event, _ in ijson.parse(file, multiple_values=True):
        match prefix, event:
            case "", "start_array":
                return "item"
            case "items", "start_array":
                return f"{_ITEMS}.item"
            case "", "start_map" | "map_key":
                continue
            case "", _:
                break
    return ""


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            start = file.read(2**16)
            if not start.removeprefix(_BOM).strip():
                raise EmptyExport("the file is empty", where=path, remedy="export again")
            file.seek(len(_BOM) if start.startswith(_BOM) else 0)
            yield file
    except (ijson.JSONError, UnicodeDecodeError) as error:
        what = str(error).partition("\n")[0]
        raise DamagedJson(
            f"the JSON is cut, damaged, or none: {what}",
            where=path,
            remedy="export or copy the file again, as UTF-8; name several answers in one .jsonl",
        ) from error
    except OSError as error:
        raise UnreadableExport(
            f"it cannot be read: {error.strerror or type(error).__name__}",
            where=path,
            remedy="correct the place or its permissions, and run again",
        ) from error
