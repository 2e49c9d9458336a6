"""A bundle: every published dataset of a month as a file, and a manifest that says what it is.

Belongs here: CSV and Parquet files of datasets, exactly as published. Does not belong here: which
rows they hold (`export`).
"""

from __future__ import annotations

import json
from hashlib import file_digest
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.documents.export import Export, totals_of
from pipeline.errors import writing
from pipeline.store.ledger import Entry
from pipeline.store.results import Run
from pipeline.texts import texts

MANIFEST = "manifest.json"


def write_bundle(export: Export, form: str, folder: Path) -> None:
    """Write a file for each dataset, and the manifest. The same export is the same bytes."""
    files = []
    for name, rows in export.datasets.items():
        path = folder / f"{name}.{form}"
        _write_rows(rows, path)
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        files.append({"file": path.name, "dataset": name, "rows": len(rows), "sha256": digest})
    manifest = {
        "period": str(export.period),
        "documents": {
            "issued": sum(one.is_issued for one in export.invoices),
            "draft": sum(not one.is_issued for one in export.invoices),
        },
        "totals": {code: str(value) for code, value in totals_of(export.invoices).items()},
        "files": files,
        "ledger": [_of_entry(entry) for entry in export.entries],
        "run": _of_run(export.run) if export.run else None,
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    (folder / MANIFEST).write_text(f"{text}\n", encoding="utf-8")


def _write_rows(rows: pl.DataFrame, path: Path) -> None:
    with writing(path):
        if path.suffix == ".csv":
            texts(rows).write_csv(path)
        else:
            rows.write_parquet(path)


def _of_entry(entry: Entry) -> dict[str, Any]:
    """An entry of the ledger that issued some of the documents, and what it was based on."""
    return {
        "entry": entry.entry_id,
        "action": entry.act.action,
        "at": entry.act.at.isoformat(),
        "actor": entry.act.actor,
        "reason": entry.act.reason,
        "plan": entry.act.plan,
        "based_on": {
            str(period): {"run": basis.run_id, "listing": basis.listing, "code": basis.code}
            for period, basis in sorted(entry.act.bases.items())
        },
    }


def _of_run(run: Run) -> dict[str, Any]:
    """The run that made the drafts."""
    return {
        "run": run.run_id,
        "published_at": run.published_at.isoformat(),
        "listing": run.listing,
        "code": run.code,
    }
