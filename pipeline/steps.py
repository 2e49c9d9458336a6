"""What a run is doing right now, for whoever is watching.

Belongs here: the words between work and `tell`. Does not belong here: showing them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Step(NamedTuple):
    """So much of some work is done: `done` of `due` things of a `unit`, and rows where they count.

    `due_rows` is 0 where nobody knows yet how many there will be.
    """

    stage: str
    done: int = 0
    due: int = 1
    unit: str = ""
    rows: int = 0
    due_rows: int = 0


Progress = Callable[[Step], None]
"""Told what is being done, and how much of how much is done."""
