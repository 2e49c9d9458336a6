"""The formats of exports: which word writes what.

Belongs here: the one list of them. Does not belong here: how any of them looks (the files beside).
"""

from __future__ import annotations

from pathlib import Path

from pipeline.documents.export import Export
from pipeline.documents.folder import filling


def write_export(export: Export, form: str, folder: Path) -> int:
    """Write an export in a format; all of its files appear, or none. Gives their number."""
    with filling(folder) as scratch:
        _write(export, form, scratch)
        return len(list(scratch.iterdir()))


def _write(export: Export, form: str, folder: Path) -> None:
    match form:
        case "csv" | "parquet":
            from pipeline.documents.bundle import write_bundle  # noqa: PLC0415

            write_bundle(export, form, folder)
        case "journal":
            from pipeline.documents.journal import write_journal  # noqa: PLC0415

            write_journal(export, folder)
        case "xlsx":
            from pipeline.documents.workbook import write_workbook  # noqa: PLC0415

            write_workbook(export, folder)
        case "ubl":
            from pipeline.documents.ubl import write_ubl  # noqa: PLC0415

            write_ubl(export, folder)
        case "focus":
            from pipeline.documents.focus import write_focus  # noqa: PLC0415

            write_focus(export, folder)
        case _:
            raise AssertionError(f"{form} is offered and cannot be written")
