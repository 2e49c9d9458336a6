"""What is to be said of exports themselves: columns that nobody reads, records that no row is of.

Belongs here: their findings. Does not belong here: which days exports cover (`coverage`), and when
there is something to be said of a record (`sources`).
"""

from __future__ import annotations

from pathlib import PurePath

from pipeline.findings import Finding, counted, finding
from pipeline.sources.remarks import REMARKS
from pipeline.store.landing import ListedExport, Listing


def ingest_findings(listing: Listing) -> list[Finding]:
    """`unknown_columns`, one an export: what is in it and is not read."""
    found = []
    for export in listing.exports:
        if export.unknown_columns:
            columns = ", ".join(export.unknown_columns)
            message = (
                f"{export.name} has columns that the feed {export.feed} does not know: {columns}."
            )
            remedy = (
                "Nothing to do if nobody needs them; else name them as the data dictionary does."
            )
            found.append(finding("unknown_columns", None, message, remedy, subject=export.name))
    return found


def remark_findings(listing: Listing) -> list[Finding]:
    """What is to be said of the records of sources, one an export and code."""
    last = {_folder(export): export for export in listing.exports}
    return [
        finding(
            REMARKS[code].finding,
            None,
            f"{export.name}: {REMARKS[code].message.format(records=counted(count, 'record'))}",
            REMARKS[code].remedy,
            subject=export.name,
        )
        for export in listing.exports
        for code, count in export.remarks
        if last[_folder(export)] is export or not REMARKS[code].of_last
    ]


def _folder(export: ListedExport) -> tuple[str, str, str]:
    """What the pages of one export have in common that lie in a file each."""
    return export.kind, export.source, str(PurePath(export.name).parent)
