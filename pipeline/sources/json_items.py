"""The items of an API's answer as it was saved: `{"items": […]}`, a list, or one after the other.

Belongs here: the forms such a file has. Does not belong here: JSON (`exports.json_files`), and what
an item is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.exports.json_files import ENDED, json_members

_ITEMS = "items"


def json_items(path: Path) -> Iterator[Any]:
    """The items of the file, in order, in bounded memory.

    An answer that begins with something else than its items is read whole. Raises what
    `json_members` raises.
    """
    for member in json_members(path, _opens):
        if member.in_list and member.value is not ENDED:
            yield from _several(member.value)


def _opens(place: tuple[str, ...], key: str | None) -> bool:
    return key == _ITEMS if not place else place == (_ITEMS,) and key is None


def _several(value: Any) -> list[Any]:
    """The items that a value holds, or is."""
    held = value.get(_ITEMS) if isinstance(value, dict) else value
    return held if isinstance(held, list) else [value]
