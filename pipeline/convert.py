"""Exports of other systems as files of a feed, without a store: for a look, or for other programs.

Belongs here: writing what a source reads, whole or not at all, and what it set aside beside it.
Does not belong here: reading (`sources`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from pipeline.errors import UsageError, writing
from pipeline.exports import BESIDE, Export
from pipeline.exports.find import kind_of
from pipeline.sources import Source
from pipeline.sources.snapshots import intervals
from pipeline.steps import Progress, Step
from pipeline.texts import text_of
from schemas.datasets import QUARANTINE

SET_ASIDE = "quarantine.csv"
"""What rows that cannot be read are written to, behind the name of the file."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion came to: rows written, rows set aside and where, remarks by export."""

    rows: int
    broken: int
    set_aside: Path | None
    remarks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def convert(source: Source, exports: Sequence[Export], into: Path, progress: Progress) -> Converted:
    """Write the rows of some exports to a file as the source's feed: CSV or Parquet, by its name.

    Rows come in order of the exports and are written as they are read, in bounded memory. Rows that
    break a rule by themselves are not among them: they are written beside it, as `quarantine`. Both
    files appear whole, or stay as they were.

    Raises `UsageError` for a name of another kind, `ExportError` for an export that cannot be used.
    """
    if kind_of(into) not in (".csv", ".parquet"):
        raise UsageError(
            f"{into.name} is neither CSV nor Parquet",
            where=into,
            remedy="name a file that ends in .csv or .parquet",
        )
    into.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{into.name}.", dir=into.parent) as folder:
        parts, remarks = _read(source, exports, Path(folder), progress)
        every = pl.scan_parquet(parts, glob=False)
        if source.kind.is_snapshot:
            every = intervals(every.collect(), source.table).lazy()
        sound = every.filter(pl.col("defects").is_null()).select(source.table.names)
        broken = every.filter(pl.col("defects").is_not_null())
        draft = Path(folder) / into.name
        rows = _write(sound, draft)
        set_aside = into.with_name(f"{into.stem}.{SET_ASIDE}")
        refused = _refused(broken, source).collect()
        if len(refused):
            aside = Path(folder) / set_aside.name
            refused.write_csv(aside)
            aside.replace(set_aside)
        else:
            set_aside.unlink(missing_ok=True)
        draft.replace(into)
    return Converted(rows, len(refused), set_aside if len(refused) else None, remarks)


def _read(
    source: Source, exports: Sequence[Export], folder: Path, progress: Progress
) -> tuple[list[Path], dict[str, Mapping[str, int]]]:
    """The rows of the exports as files, batch by batch, and the remarks of each export."""
    empty = pl.DataFrame(schema={**source.table.dtypes, **BESIDE, "file": pl.String})
    parts = [_part(empty, folder, 0)]
    remarks: dict[str, Mapping[str, int]] = {}
    rows = 0
    for done, export in enumerate(exports, 1):
        counts: Counter[str] = Counter()
        for batch in source.read(export.path):
            counts.update(batch.remarks)
            rows += len(batch.rows)
            whole = batch.whole().with_columns(file=pl.lit(export.name))
            parts.append(_part(whole, folder, len(parts)))
        remarks[export.name] = counts
        progress(Step("convert", done, len(exports), "files", rows))
    return parts, remarks


def _part(rows: pl.DataFrame, folder: Path, number: int) -> Path:
    part = folder / f"{number:06d}.parquet"
    with writing(part):
        rows.write_parquet(part, compression="lz4")
    return part


def _write(rows: pl.LazyFrame, draft: Path) -> int:
    """Write the rows and say how many they are."""
    with writing(draft):
        if kind_of(draft) == ".csv":
            texts = (text_of(name, dtype) for name, dtype in rows.collect_schema().items())
            rows.with_columns(texts).sink_csv(draft)
        else:
            rows.sink_parquet(draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    return int(rows.select(pl.len()).collect().item())


def _refused(broken: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """Rows that were set aside, as the dataset `quarantine`."""
    return broken.with_columns(
        feed=pl.lit(source.table.name), rules=pl.col("defects"), **_tenant(source)
    ).select(QUARANTINE.names)


def _tenant(source: Source) -> dict[str, pl.Expr]:
    has = "tenant_id" in source.table.names
    return {} if has else {"tenant_id": pl.lit(None, pl.String)}
