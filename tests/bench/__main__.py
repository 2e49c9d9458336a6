"""What billing a month takes, against one DuckDB scan of all columns of the same files.

    python -m tests.bench --rows 1000000 10000000 --runs 3 --folder bench

Scan and cold run take turns, so that a slow moment of the machine meets both. Prints a table of
medians: wall and CPU seconds, peak memory of the largest process, rows a second, ratio to the scan.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic

from tests.bench.generate import PERIOD, Shape, generate

SCAN = """
import sys, duckdb
files = sys.argv[1] + "/usage/*.parquet"
duckdb.execute("select bit_xor(hash(columns(*))) from read_parquet(?)", [files]).fetchall()
"""


@dataclass(frozen=True)
class Taken:
    """What one process took."""

    wall: float
    cpu: float
    peak_mib: float


def take(command: list[str]) -> Taken:
    """Run a command to its end and say what it took."""
    begun = monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, used = os.wait4(process.pid, 0)
    wall = monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        words = process.stderr.read().decode() if process.stderr else ""
        raise SystemExit(f"{' '.join(command)} failed: {words}")
    return Taken(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def cold_run(feeds: Path, store: Path) -> Taken:
    """Bill the month from exports that were never seen before."""
    shutil.rmtree(store, ignore_errors=True)
    words = ["run", PERIOD, "--feeds", str(feeds), "--store", str(store)]
    return take([sys.executable, "-m", "pipeline.cli", *words])


def measure(folder: Path, rows: int, runs: int) -> None:
    """Print the rows of the table for a month of that size."""
    feeds, store = folder / f"month-{rows}", folder / "store"
    generate(feeds, rows, Shape())
    pairs = [
        (take([sys.executable, "-c", SCAN, str(feeds)]), cold_run(feeds, store))
        for _ in range(runs)
    ]
    for name, taken in (
        ("DuckDB scan", [a for a, _ in pairs]),
        ("cold run", [b for _, b in pairs]),
    ):
        ratio = median(one.wall / scan.wall for one, (scan, _) in zip(taken, pairs, strict=True))
        wall = median(one.wall for one in taken)
        print(
            f"| {rows:>11,} | {name:<11} | {wall:7.2f} | {median(one.cpu for one in taken):7.2f} | "
            f"{median(one.peak_mib for one in taken):6.0f} | {rows / wall:>12,.0f} | {ratio:5.1f} |"
        )


def main() -> None:
    """Measure the sizes that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, required=True)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print("| usage rows  | what        |  wall s |   CPU s | MiB    |   rows/s     | ratio |")
    print("|------------:|-------------|--------:|--------:|-------:|-------------:|------:|")
    for rows in asked.rows:
        measure(asked.folder, rows, asked.runs)


if __name__ == "__main__":
    main()
