"""Delta tables below one folder: what is in them now, and writing to them.

Belongs here: the Delta library, and reading files by the names that its log gives. Does not belong
here: what the tables mean (`results`, `ledger`).

A table may gain columns from one version of the program to the next: what was written before reads
as empty there. No version of a table is ever cleaned away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable

from pipeline.errors import BillingError, StoreDamaged
from pipeline.store.files import about_to_write

_KEEP = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}

_UNUSABLE = frozenset("[]\\^|%*?")
"""Characters that Delta takes for parts of a URL, or DuckDB for wildcards."""


class StoreNameUnusable(BillingError):
    """The store cannot lie in a folder of that name."""


class DeltaTables:
    """The tables of a store."""

    def __init__(self, store: Path) -> None:
        unusable = sorted(_UNUSABLE.intersection(str(store.absolute())))
        if unusable:
            raise StoreNameUnusable(
                f"{' '.join(unusable)} in the path of the store, which its files cannot have",
                where=store,
                remedy="choose another folder with --store",
            )
        self._root = store / "results"

    def has(self, name: str) -> bool:
        """Whether anything was ever written to a table."""
        return DeltaTable.is_deltatable(str(self._root / name))

    def read(self, name: str, schema: pl.Schema, is_wanted: pl.Expr | None = None) -> pl.DataFrame:
        """The rows of a table's current files, of the partitions that are wanted.

        The log names the files; reading them by their real paths works for any folder, while
        polars' own `scan_delta` fails where its name has a space or an accent.
        """
        path = self._root / name
        if not self.has(name):
            return pl.DataFrame(schema=schema)
        log = pl.DataFrame(DeltaTable(str(path)).get_add_actions(flatten=True))
        if is_wanted is not None:
            log = log.filter(is_wanted)
        files = [path / unquote(file) for file in log["path"]]
        missing = next((file for file in files if not file.exists()), None)
        if missing:
            raise StoreDamaged(
                "a published file is gone",
                where=missing,
                remedy="restore it from a backup, or bill into a new --store from the exports",
            )
        if not files:
            return pl.DataFrame(schema=schema)
        # All in one call: runs have a file each, and one by one they would take long.
        rows = pl.scan_parquet(
            files,
            schema=schema,
            glob=False,
            hive_partitioning=False,
            missing_columns="insert",
            extra_columns="ignore",
        )
        return rows.collect()

    def append(self, name: str, rows: pl.DataFrame, name_of_commit: str) -> None:
        """Add rows: in the table whole, or not at all."""
        self._write(
            name,
            rows,
            "append",
            commit_properties=CommitProperties(custom_metadata={"name": name_of_commit}),
        )

    def put(self, name: str, rows: pl.DataFrame, partition_by: list[str], predicate: str) -> None:
        """Make these the rows of some partitions; the same again changes nothing to a reader."""
        if self.has(name):
            self._write(name, rows, "overwrite", partition_by=partition_by, predicate=predicate)
        else:
            self._write(name, rows, "append", partition_by=partition_by)

    def _write(self, name: str, rows: pl.DataFrame, mode: Any, **options: Any) -> None:
        path = self._root / name
        about_to_write(path)
        rows.write_delta(
            str(path),
            mode=mode,
            delta_write_options={"configuration": _KEEP, "schema_mode": "merge", **options},
        )
