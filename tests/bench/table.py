"""The table of what was measured, and the machine that it was measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from tests.bench.take import Taken

LIBRARIES = ("polars", "duckdb", "numpy")


@dataclass(frozen=True)
class Measured:
    """What something took, run by run, beside the DuckDB scans of the same runs.

    The scan stands beside itself. `note` says what else came out.
    """

    what: str
    rows: int
    taken: Sequence[Taken]
    scans: Sequence[Taken]
    note: str = ""

    @property
    def wall(self) -> float:
        """Seconds, the median."""
        return median(one.wall for one in self.taken)

    @property
    def ratio(self) -> float:
        """How many times as long as the scan."""
        return ratio(self.taken, self.scans)

    @property
    def cpu_ratio(self) -> float:
        """How many times as much work as the scan: steadier than time on a busy machine."""
        pairs = zip(self.taken, self.scans, strict=True)
        return median(one.cpu / scan.cpu for one, scan in pairs)


def ratio(taken: Sequence[Taken], others: Sequence[Taken]) -> float:
    """How many times as long as the others: the median over pairs that were taken in turn."""
    return median(one.wall / other.wall for one, other in zip(taken, others, strict=True))


HEADINGS = (
    "what",
    "rows",
    "wall s",
    "CPU s",
    "peak MiB",
    "rows/s",
    "× scan",
    "CPU × scan",
    "growth",
    "note",
)


def render(measured: Iterable[Measured], complaints: Sequence[str] = ()) -> str:
    """Markdown: the machine, a row for everything measured, and what went wrong."""
    cells = _cells(measured)
    widths = [max(len(row[at]) for row in (HEADINGS, *cells)) for at in range(len(HEADINGS))]
    rule = [
        "-" * width if _is_text(at) else "-" * (width - 1) + ":" for at, width in enumerate(widths)
    ]
    lines = [f"| {' | '.join(_padded(row, widths))} |" for row in (HEADINGS, rule, *cells)]
    told = [f"\n**Failed:** {complaint}" for complaint in complaints]
    return "\n".join([machine(), "", *lines, *told, ""])


def _cells(measured: Iterable[Measured]) -> list[tuple[str, ...]]:
    before: dict[str, Measured] = {}
    rows: list[tuple[str, ...]] = []
    for one in measured:
        rows.append(
            (
                one.what,
                f"{one.rows:,}",
                f"{one.wall:.2f}",
                f"{median(run.cpu for run in one.taken):.2f}",
                f"{median(run.peak_mib for run in one.taken):.0f}",
                f"{one.rows / one.wall:,.0f}",
                f"{one.ratio:.2f}",
                f"{one.cpu_ratio:.2f}",
                _growth(one, before.get(one.what)),
                one.note,
            )
        )
        before[one.what] = one
    return rows


def _growth(one: Measured, before: Measured | None) -> str:
    """How much longer it takes than with fewer rows, and how many times as many rows it bills."""
    if before is None or before.rows >= one.rows:
        return ""
    return f"×{one.wall / before.wall:.1f} for ×{one.rows / before.rows:g}"


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if _is_text(at) else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _is_text(at: int) -> bool:
    return HEADINGS[at] in ("what", "growth", "note")


def machine() -> str:
    """Where and with what it was measured, in a line."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{os.cpu_count()} cores ({_processor()}), {_memory_gib():.0f} GiB; "
        f"Python {platform.python_version()}, {libraries}; {datetime.now(UTC):%Y-%m-%d}; "
        f"load {os.getloadavg()[0]:.1f} at the end"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
