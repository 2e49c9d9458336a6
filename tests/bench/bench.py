"""What all scenarios share: months, stores, fresh processes that take turns."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.generate import DAYS, PERIOD, Shape
from tests.bench.table import Measured
from tests.bench.take import Taken, python, take

DONE = (0, 3)
"""Exit codes of a run that published; 3: with error findings."""

DAILY = Shape()


@dataclass(frozen=True)
class Bench:
    """Where months lie and where stores may be made, how often it is measured, and how we run."""

    months: Path
    scratch: Path
    runs: int
    core_rows: int = 0
    ours: tuple[str, ...] = ()

    def feeds(self, rows: int, shape: Shape) -> Path:
        """The feeds of a month of that many rows, made if they are not there yet."""
        folder = self.months / f"{_kind(shape)}-{rows}"
        if not folder.exists():
            tell(f"generating {folder}")
            words = ["--files", shape.files, "--kind", shape.kind]
            words += ["--by-tenant"] if shape.by_tenant else []
            # In a process of its own, since a process starts with its parent's peak of memory.
            take(python("tests.bench.generate", folder, rows, *words))
        return folder

    def fresh(self, name: str) -> Path:
        """A path for a store, for feeds or figures, on which nothing is."""
        shutil.rmtree(self.scratch / name, ignore_errors=True)
        return self.scratch / name

    def run(self, feeds: Path, store: Path) -> Taken:
        """Bill the month with what the store already holds."""
        return take(
            python("pipeline.cli", "run", PERIOD, "--feeds", feeds, "--store", store, *self.ours),
            DONE,
        )

    def cold(self, feeds: Path, name: str = "store") -> Taken:
        """Bill the month from exports that were never seen before."""
        return self.run(feeds, self.fresh(name))

    def take_turns(self, rows: int, entrants: Mapping[str, Callable[[], Taken]]) -> Turns:
        """Let each run once, then each again: a slow moment of the machine meets all of them."""
        turns: Turns = {name: [] for name in entrants}
        for number in range(self.runs):
            for name, entrant in entrants.items():
                taken = entrant()
                turns[name].append(taken)
                tell(
                    f"{rows:,} rows, run {number + 1} of {self.runs}, {name}: {taken.wall:.2f} s, "
                    f"{taken.peak_mib:.0f} MiB"
                )
        return turns

    @property
    def options(self) -> str:
        """Our options, as the table names them."""
        return f" ({' '.join(self.ours)})" if self.ours else ""


Turns = dict[str, list[Taken]]


def scan(feeds: Path) -> Taken:
    """Read and hash all usage once: the limit."""
    return take(python("tests.bench.scan", feeds))


def measured(
    rows: int, turns: Turns, scans: Sequence[Taken], notes: Mapping[str, str]
) -> list[Measured]:
    """A row of the table for each that took its turn."""
    return [
        Measured(name, rows, taken, scans, notes.get(name, "")) for name, taken in turns.items()
    ]


def linked(feeds: Path, folder: Path) -> Path:
    """The same feeds in another folder, whose files can be replaced one by one."""
    shutil.copytree(feeds, folder, copy_function=os.link)
    return folder


def tell(what: str) -> None:
    """Say how it goes on."""
    print(what, file=sys.stderr, flush=True)


def _kind(shape: Shape) -> str:
    if shape.by_tenant:
        return "sorted"
    if shape.kind == "csv":
        return "csv"
    return "month" if shape.files == DAYS else "hourly"
