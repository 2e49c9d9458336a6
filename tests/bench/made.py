"""What a benchmark of a source is made of.

Belongs here: the form. Does not belong here: any source (`sources_webex`, `sources_control`,
`sources_tables`), and measuring (`sources`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Writer = Callable[[Path, int], None]


@dataclass(frozen=True)
class Made:
    """A file of so many records of a kind: its name's end, what writes it, the source's options."""

    kind: str
    ending: str
    write: Writer
    options: Mapping[str, Any] = field(default_factory=dict)
