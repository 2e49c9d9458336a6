"""The limit: one DuckDB scan that reads and hashes every column of the usage exports.

python -m tests.bench.scan FEEDS
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

COLUMNS = {
    "event_id": "varchar",
    "tenant_id": "varchar",
    "subscription_id": "varchar",
    "meter": "varchar",
    "user_id": "varchar",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
    "quantity": "decimal(18,6)",
}
"""What CSV does not say of itself."""


def scan(feeds: Path) -> None:
    """Hash all usage, from Parquet or from CSV."""
    is_csv = any((feeds / "usage").glob("*.csv"))
    with duckdb.connect() as engine:
        usage = (
            engine.read_csv(f"{feeds}/usage/*.csv", header=True, columns=COLUMNS)
            if is_csv
            else engine.read_parquet(f"{feeds}/usage/*.parquet")
        )
        usage.aggregate("bit_xor(hash(columns(*)))").fetchall()


if __name__ == "__main__":
    scan(Path(sys.argv[1]))
