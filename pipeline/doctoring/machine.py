"""Questions about the machine: cores and memory, time zones, packages.

Belongs here: what a run would find around it. Does not belong here: exports and the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.doctoring.check import ERROR, OK, WARNING, Check, size_in_words
from pipeline.executors.embedded import cores, usual_memory
from pipeline.extras import EXTRAS, is_there
from pipeline.request import BASE_BYTES, BYTES_A_ROW, SMALLEST_DAY
from pipeline.stages.terms_rules import time_zones

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""Where Linux says what a container may take."""

MEMORY_INFO = Path("/proc/meminfo")
"""Where Linux says what is free."""


def resources(workers: int | None, memory: int | None) -> Iterator[Check]:
    """How many workers a run would have, and whether there is the memory that it may take."""
    workers = workers or cores()
    memory = memory or usual_memory(workers)
    told = (
        f"a run has {workers} workers on {cores()} cores, and takes up to {size_in_words(memory)}"
    )
    least = BASE_BYTES + workers * SMALLEST_DAY * BYTES_A_ROW
    free = _available()
    if memory < least:
        yield Check(
            WARNING,
            "machine",
            f"{told}: less than {workers} workers need ({size_in_words(least)})",
            "allow it more with --memory, or fewer workers with --workers",
        )
    elif free is not None and memory > free:
        yield Check(
            WARNING,
            "machine",
            f"{told}: more than there is free now ({size_in_words(free)})",
            "end other programs, or allow it less with --memory",
        )
    else:
        yield Check(OK, "machine", told)


def zones() -> Iterator[Check]:
    """Whether the machine knows time zones: every day and month is in one."""
    known = time_zones()
    if known:
        yield Check(OK, "time zones", f"{len(known)} are known")
    else:
        yield Check(
            ERROR,
            "time zones",
            "this machine knows none, so no month has a begin",
            "pip install tzdata, or install the system's tz database",
        )


def extras() -> Iterator[Check]:
    """Which packages of extras are installed; without them a run goes on."""
    for extra, packages in EXTRAS.items():
        missing = {name: use for name, use in packages.items() if not is_there(name)}
        if missing:
            told = ", ".join(f"{name} (for {use})" for name, use in missing.items())
            remedy = f"where you need it: pip install 'tenantbill[{extra}]'"
            yield Check(OK, "extras", f"{extra} is not installed whole: {told} is missing", remedy)
        else:
            yield Check(OK, "extras", f"{extra} is installed")


def _available() -> int | None:
    """The bytes of memory that are free now, by the system and by a container's limit."""
    limits = []
    if MEMORY_INFO.is_file():
        lines = MEMORY_INFO.read_text(encoding="ascii").splitlines()
        facts = dict(line.split(":", 1) for line in lines if ":" in line)
        if "MemAvailable" in facts:
            limits.append(int(facts["MemAvailable"].split()[0]) << 10)
    if CGROUP_LIMIT.is_file():
        limit = CGROUP_LIMIT.read_text(encoding="ascii").strip()
        if limit.isdigit():
            limits.append(int(limit))
    return min(limits, default=None)
