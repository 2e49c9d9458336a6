"""A seeded month of contract feeds of any size, for measuring.

2,000 tenants of heavy-tailed size with 5,000 subscriptions, some of which start, end or renew
within the month; agents whose logins overlap; daily exports in order of emission, with 1 % repeats
and 0.2 % corrections of rows of the export before, and 0.1 % broken rows.

    python -m tests.bench.generate FOLDER ROWS [--files 744] [--kind csv] [--by-tenant]
        [--largest 0.3]

Rows are drawn in lanes, each from its own seed: no more than an export is ever in memory, and the
same month comes out whatever the number of threads.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from tests.bench.terms import Market, write_terms
from tests.bench.usage import Lane, again, broken, draw, shuffled

PERIOD = "2026-10"
DAYS = 31
HOURS = DAYS * 24
SEED = 20261001

BEGIN = 1_790_812_800_000_000
"""2026-10-01T00:00Z in microseconds."""

MONTH = DAYS * 86_400_000_000

LANE_ROWS = 250_000
"""An export is drawn in lanes of about so many rows."""

GROUP_ROWS = 131_072
"""Rows in a row group of Parquet."""

SORTING_MEMORY = "2GB"


@dataclass(frozen=True)
class Shape:
    """How the same rows are cut into files."""

    files: int = DAYS
    kind: str = "parquet"
    by_tenant: bool = False


def generate(folder: Path, rows: int, shape: Shape, largest: float | None = None) -> None:
    """Write a feeds directory of about that many usage rows. An existing one is left as it is.

    With `largest`, one tenant has that part of all rows.
    """
    if folder.exists():
        return
    draft = folder.with_name(f".{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    exports = draft / ("scattered" if shape.by_tenant else "usage")
    exports.mkdir(parents=True)
    market = write_terms(draft, rows, np.random.default_rng(SEED), largest)
    for number, export in enumerate(_exports(rows, shape.files, market)):
        _write(export, exports / f"export-{number:04d}", shape.kind)
    if shape.by_tenant:
        (draft / "usage").mkdir()
        _sort(exports, draft / "usage" / "export-0000.parquet")
        shutil.rmtree(exports)
    draft.rename(folder)


def _exports(rows: int, files: int, market: Market) -> Iterator[pl.DataFrame]:
    """The usage of each export, in order."""
    lanes = max(1, rows // files // LANE_ROWS)
    parts = files * lanes
    old = [pl.DataFrame()] * lanes
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for number in range(files):
            begin = BEGIN + MONTH * number // files
            drawn = [
                Lane(rows * (part + 1) // parts - rows * part // parts, begin, MONTH // files)
                for part in range(number * lanes, (number + 1) * lanes)
            ]
            made = list(threads.map(partial(_lane, market, number), range(lanes), drawn, old))
            old = [following for _, following in made]
            yield pl.concat([rows for rows, _ in made])


def _lane(
    market: Market, export: int, number: int, lane: Lane, old: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A lane of an export, with old rows among the new, and what comes again in the next one."""
    random = np.random.default_rng((SEED, export, number))
    new = draw(lane, market, random)
    following = again(new, random)
    mixed = pl.concat([broken(new, random), old]) if len(old) else broken(new, random)
    return shuffled(mixed, random), following


def _write(rows: pl.DataFrame, path: Path, kind: str) -> None:
    if kind == "csv":
        rows.write_csv(path.with_suffix(".csv"), datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ")
    else:
        rows.write_parquet(path.with_suffix(".parquet"), row_group_size=GROUP_ROWS)


def _sort(exports: Path, target: Path) -> None:
    """All rows of the exports in one file, by tenant and start, without holding them in memory."""
    sorted_file = target.with_suffix(".sorted")
    with duckdb.connect() as engine:
        engine.execute(f"set memory_limit = '{SORTING_MEMORY}'")
        engine.execute(f"set temp_directory = '{exports / 'spill'}'")
        engine.read_parquet(f"{exports}/*.parquet").order(
            "tenant_id nulls first, started_at, event_id"
        ).write_parquet(str(sorted_file))
    # Written again so that it differs from the daily exports in the order of its rows alone, and
    # not also in how the file was written.
    pl.scan_parquet(sorted_file).sink_parquet(target, row_group_size=GROUP_ROWS)
    sorted_file.unlink()


def main() -> None:
    """Generate the month that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("--files", type=int, default=DAYS)
    parser.add_argument("--kind", choices=["parquet", "csv"], default="parquet")
    parser.add_argument("--by-tenant", action="store_true")
    parser.add_argument("--largest", type=float, help="part of all rows that is one tenant's")
    asked = parser.parse_args()
    shape = Shape(asked.files, asked.kind, asked.by_tenant)
    generate(asked.folder, asked.rows, shape, asked.largest)


if __name__ == "__main__":
    main()
