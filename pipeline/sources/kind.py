"""The port of sources: what a kind of export is.

Belongs here: what every kind says of itself. Does not belong here: any kind (a file each), and
which there are (`kinds`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.exports import Cells
from schemas.columns import Table

Options = Mapping[str, Any]
"""How a source is set up: its keys, each with the value said or its default."""


@dataclass(frozen=True, slots=True)
class Key:
    """What can be said of a source: the type of the value, what it means, and what holds else.

    A `dict` is a table of texts by name, a `list` one of texts.
    """

    type: type
    meaning: str
    default: Any = None
    required: bool = False


TENANT = Key(str, "the tenant that the export is of")
TENANTS = Key(dict, "tenants by the name that the export has for them", default={})


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of export: the feed it gives, the files it comes in, and how its records are read.

    `cells` gives the rows of a file as raw cells by the names of the feed's columns; it raises
    `ExportError` where the file cannot be used as a whole. `check` raises `ValueError`, in words,
    for options that contradict each other. A snapshot states what holds on the one day that its
    file's name says, as `start_date`; intervals come from several (`snapshots`). Where an export
    `selects_by_start`, what began before its first day is not in it, even if still open then.
    """

    name: str
    what: str
    feed: Callable[[Options], Table]
    endings: tuple[str, ...]
    cells: Callable[[Path, Options], Iterator[Cells]]
    keys: Mapping[str, Key] = field(default_factory=dict)
    check: Callable[[Options], None] = lambda _: None
    is_snapshot: bool = False
    selects_by_start: bool = False
