"""The core in plain DuckDB SQL (`core.sql`).

python -m tests.bench.core_sql FEEDS FIGURES.csv
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb


def core(feeds: Path, figures: Path) -> None:
    """Compute the core of a month and write its figures."""
    with duckdb.connect() as engine:
        engine.execute("set TimeZone = 'UTC'")
        engine.execute("set variable feeds = ?", [str(feeds)])
        engine.execute(Path(__file__).with_name("core.sql").read_text(encoding="utf-8"))
        engine.table("figures").write_csv(str(figures), header=True)


if __name__ == "__main__":
    core(Path(sys.argv[1]), Path(sys.argv[2]))
