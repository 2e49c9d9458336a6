"""Delta tables below one folder: what is in them now, and writing to them.

Belongs here: the Delta library, and reading files by the names that its log gives. Does not belong
here: what the tables mean (`results`, `ledger`).

In an object store a table's log lies there alone, and so it counts; its other files are immutable,
have names of their own, and are brought here to be read.

A table may gain columns from one version of the program to the next: what was written before reads
as empty there. No version of a table is ever cleaned away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from pipeline.errors import BillingError, StoreDamaged, SystemFailed
from pipeline.remote.faults import ChangedMeanwhile, by_our_names, failed, without_secrets
from pipeline.remote.objects import bring_all
from pipeline.remote.place import Mirrored, name_of
from pipeline.store.files import about_to_write, reading

_KEEP = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}

_UNUSABLE = frozenset("[]\\^|%*?")
"""Characters that Delta takes for parts of a URL, or DuckDB for wildcards."""


PATIENCE = {"max_retries": "4", "retry_timeout": "60s"}
"""How long an object store may fail to answer."""


_RESTORE = "restore it from a backup, or bill into a new --store from the exports"


class StoreNameUnusable(BillingError):
    """The store cannot lie in a folder of that name."""


class DeltaTables:
    """The tables of a store."""

    def __init__(self, store: Path) -> None:
        unusable = sorted(_UNUSABLE.intersection(name_of(store.absolute())))
        if unusable:
            raise StoreNameUnusable(
                f"{' '.join(unusable)} in the path of the store, which its files cannot have",
                where=store,
                remedy="choose another folder with --store",
            )
        self._root = store / "results"

    def has(self, name: str) -> bool:
        """Whether anything was ever written to a table."""
        return self.version(name) is not None

    def version(self, name: str) -> int | None:
        """The number of a table's newest version; None where nothing was ever written to it."""
        table = self._table(name)
        return table.version() if table else None

    def read(self, name: str, schema: pl.Schema, is_wanted: pl.Expr | None = None) -> pl.DataFrame:
        """The rows of a table's current files, of the partitions that are wanted.

        The log names the files; reading them by their real paths works for any folder, while
        polars' own `scan_delta` fails where its name has a space or an accent.
        """
        path, table = self._root / name, self._table(name)
        if table is None:
            return pl.DataFrame(schema=schema)
        log = pl.DataFrame(table.get_add_actions(flatten=True))
        if is_wanted is not None:
            log = log.filter(is_wanted)
        files = [path / unquote(file) for file in log["path"]]
        missing = bring_all(files)
        if missing:
            raise StoreDamaged(
                "a published file is gone",
                where=missing[0],
                remedy=_RESTORE,
            )
        if not files:
            return pl.DataFrame(schema=schema)
        # All in one call: runs have a file each, and one by one they would take long.
        try:
            return _rows_of(files, schema)
        except pl.exceptions.PolarsError:
            for file in files:
                with reading(file, _RESTORE):
                    _rows_of([file], schema)
            raise

    def append(self, name: str, rows: pl.DataFrame, name_of_commit: str, after: int | None) -> None:
        """Add rows to the version `after`: in the table whole, or not at all.

        Raises `ChangedMeanwhile` if that is not the newest version any more: of several that add to
        the same version, one succeeds.
        """
        commit = CommitProperties({"name": name_of_commit}, max_commit_retries=0)
        if after is None:
            self._write(name, rows, "error", commit_properties=commit)
        else:
            self._write(name, rows, "append", self._table(name, after), commit_properties=commit)

    def put(self, name: str, rows: pl.DataFrame, partition_by: list[str], predicate: str) -> None:
        """Make these the rows of some partitions; the same again changes nothing to a reader."""
        table = self._table(name)
        if table is None:
            self._write(name, rows, "append", partition_by=partition_by)
        else:
            options = {"partition_by": partition_by, "predicate": predicate}
            self._write(name, rows, "overwrite", table, **options)

    def _write(
        self,
        name: str,
        rows: pl.DataFrame,
        mode: Any,
        table: DeltaTable | None = None,
        **options: Any,
    ) -> None:
        path = self._root / name
        about_to_write(path)
        with _told(path):
            rows.write_delta(
                table or name_of(path),
                mode=mode,
                storage_options=_options(path),
                credential_provider=None,
                delta_write_options={"configuration": _KEEP, "schema_mode": "merge", **options},
            )

    def _table(self, name: str, version: int | None = None) -> DeltaTable | None:
        """A table as it is now, or was at a version; None where nothing was ever written to it."""
        path = self._root / name
        try:
            with _told(path):
                return DeltaTable(name_of(path), version, storage_options=_options(path))
        except TableNotFoundError:
            return None


def _rows_of(files: list[Path], schema: pl.Schema) -> pl.DataFrame:
    rows = pl.scan_parquet(
        files,
        schema=schema,
        glob=False,
        hive_partitioning=False,
        missing_columns="insert",
        extra_columns="ignore",
    )
    return rows.collect()


def _options(path: Path) -> dict[str, str] | None:
    return PATIENCE if isinstance(path, Mirrored) else None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Failures of the library by our names; `ChangedMeanwhile` where another wrote first.

    Raises `TableNotFoundError` where nothing was ever written.
    """
    try:
        if isinstance(path, Mirrored):
            with by_our_names(path):
                yield
        else:
            yield
    except TableNotFoundError:
        raise
    except CommitFailedError as error:
        raise ChangedMeanwhile from error
    except DeltaError as error:
        if "already exists" in str(error):
            raise ChangedMeanwhile from error
        if isinstance(path, Mirrored):
            raise failed(path, str(error)) from None
        raise _local(error, path) from error
    except (OSError, ValueError) as error:
        raise _local(error, path) from error


def _local(error: Exception, path: Path) -> BillingError:
    """What the library said of a table that lies here, as an error of ours."""
    return SystemFailed.behind(error, path) or StoreDamaged(
        f"this table cannot be used: {without_secrets(str(error))}", where=path, remedy=_RESTORE
    )
