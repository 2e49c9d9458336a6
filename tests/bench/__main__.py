"""What billing a month takes, against one DuckDB scan of all columns of the same files.

    python -m tests.bench all --rows 1000000 10000000 --runs 3 --folder bench --save bench.md

Every figure is of fresh processes that took turns, so that a slow moment of the machine meets all
of them; medians over the runs. Months are generated into the folder once, and the figures that
different ways come to are compared: where they differ, that is said and the exit code is 1.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from tests.bench.agree import Disagreement
from tests.bench.bench import Bench, tell
from tests.bench.scenarios import ALL, SCENARIOS
from tests.bench.table import Measured, render
from tests.bench.take import CommandFailed

FOLDER = Path(tempfile.gettempdir()) / "tenantbill-bench"


def main() -> None:
    """Measure what is asked for; the table is saved after each scenario."""
    asked = _asked()
    months = asked.folder.resolve()
    months.mkdir(parents=True, exist_ok=True)
    table: list[Measured] = []
    complaints: list[str] = []
    # Below the months, since feeds are linked from them: links do not leave a file system.
    with tempfile.TemporaryDirectory(prefix=".scratch-", dir=months) as scratch:
        ours = tuple(shlex.split(asked.ours))
        bench = Bench(months, Path(scratch), asked.runs, asked.core_rows, ours)
        for name in ALL if asked.scenario == "all" else [asked.scenario]:
            for rows in sorted(asked.rows):
                try:
                    table += SCENARIOS[name](bench, rows)
                except (Disagreement, CommandFailed) as problem:
                    complaints.append(f"{name}, {rows:,} rows: {problem}")
                    tell(f"FAILED {complaints[-1]}")
                if asked.save:
                    asked.save.write_text(render(table, complaints), encoding="utf-8")
    print(render(table, complaints))
    sys.exit(1 if complaints else 0)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="?", choices=[*SCENARIOS, "all"], default="all")
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[1_000_000, 10_000_000], help="sizes of months"
    )
    parser.add_argument("--runs", type=int, default=3, help="times that each is measured")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="for months and stores (default: %(default)s)"
    )
    parser.add_argument("--save", type=Path, help="write the table there too")
    parser.add_argument(
        "--core-rows", type=int, default=10_000_000, help="the largest month for the plain cores"
    )
    parser.add_argument("--ours", default="", help='options of ours, such as "--workers 2"')
    return parser.parse_args()


if __name__ == "__main__":
    main()
