"""What a command takes: wall and CPU seconds, and memory, with all of its children.

Memory is the highest sum over the process and its children that was seen at one moment, and no less
than the peak that the system noted for one of them alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic

EVERY = 0.05
"""Seconds between two looks at the memory."""

PATIENCE = 10
"""Looking takes at most one part in so many of the time: it must not slow what it looks at."""

ROOT = Path(__file__).parents[2]
MIB = 1 << 20


class CommandFailed(Exception):
    """A measured command did not end as it should: nothing can be said about what it takes."""


@dataclass(frozen=True)
class Taken:
    """What one process and its children took."""

    wall: float
    cpu: float
    peak_mib: float


def python(*words: object) -> list[str]:
    """A command that runs a module of this project in a fresh process."""
    return [sys.executable, "-m", *map(str, words)]


def take(command: Sequence[str], fine: Sequence[int] = (0,)) -> Taken:
    """Run a command to its end and say what it took. Raises `CommandFailed`."""
    with tempfile.TemporaryFile() as said:
        begun = monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)
        with Watch(process.pid) as watch:
            _, status, used = os.wait4(process.pid, 0)
            wall = monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in fine:
            said.seek(0)
            words = said.read().decode(errors="replace")
            raise CommandFailed(f"{' '.join(command)}: exit code {process.returncode}\n{words}")
    # The system tells kibibytes, but for macOS.
    alone = used.ru_maxrss / (MIB if sys.platform == "darwin" else 1024)
    return Taken(wall, used.ru_utime + used.ru_stime, max(watch.peak / MIB, alone))


class Watch:
    """Looks at the memory of a process and its children for as long as it is open."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._over = Event()
        self._thread = Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look_on(self) -> None:
        pause = EVERY
        while not self._over.wait(pause):
            begun = monotonic()
            self.peak = max(self.peak, memory_of(list(family_of(self._pid))))
            pause = max(EVERY, (monotonic() - begun) * PATIENCE)


def family_of(pid: int) -> Iterator[int]:
    """The process and all its descendants, where the system tells them."""
    yield pid
    for thread in _entries(Path(f"/proc/{pid}/task")):
        for child in _text(thread / "children").split():
            yield from family_of(int(child))


def memory_of(family: list[int]) -> int:
    """The bytes that they hold together. What several share counts once, where the system knows."""
    if len(family) == 1:
        return _resident(family[0])
    return sum(_proportional(pid) or _resident(pid) for pid in family)


def _proportional(pid: int) -> int:
    for line in _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _resident(pid: int) -> int:
    pages = _text(Path(f"/proc/{pid}/statm")).split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # it has ended meanwhile
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended meanwhile
        return ""
