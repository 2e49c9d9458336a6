"""The command that writes a month for other programs.

Belongs here: its options, words and exit codes. Does not belong here: any format
(`documents.formats`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.group import DONE, DONE_WITH_ERRORS, examples, main
from pipeline.period import Period

FORMATS = ("csv", "parquet", "xlsx", "journal", "ubl", "focus")


@main.command(
    epilog=examples(
        "tenantbill export 2026-10 --as xlsx -o books",
        "tenantbill export 2026-10 --as ubl -o invoices --tenant acme",
        "tenantbill export 2026-10 --as csv -o preview --draft",
    )
)
@options.period
@options.store
@options.tenant
@click.option(
    "--as",
    "form",
    type=click.Choice(FORMATS),
    required=True,
    help="csv and parquet: every dataset, with a manifest; xlsx: a workbook; journal: double "
    "entry; ubl: e-invoices (EN 16931); focus: FOCUS 1.4.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The directory to write to; of a range of months, one within it for each.",
)
@click.option("--draft", is_flag=True, help="Also the drafts of what is open.")
def export(
    periods: list[Period],
    store: Path,
    tenant: tuple[str, ...],
    form: str,
    folder: Path,
    draft: bool,
) -> None:
    """Write the issued documents of a month for other programs.

    Files of the same names are replaced. A blocked invoice is in no export.
    """
    from pipeline.documents.export import export_of, told  # noqa: PLC0415
    from pipeline.documents.formats import write_export  # noqa: PLC0415
    from pipeline.findings import counted  # noqa: PLC0415
    from pipeline.settings import read_tables  # noqa: PLC0415
    from pipeline.texts import visible  # noqa: PLC0415

    tables, only = read_tables(), frozenset(tenant) or None
    exports = [export_of(store, period, tables, only, with_drafts=draft) for period in periods]
    is_blocked = False
    for one in exports:
        into = folder / str(one.period) if len(exports) > 1 else folder
        files = write_export(one, form, into)
        click.echo(f"{one.period}: {told(one)} as {form}, {counted(files, 'file')} in {into}")
        for invoice in one.left_out:
            click.echo(f"  {visible(invoice.invoice_id)} is left out: it is blocked", err=True)
            is_blocked = True
    sys.exit(DONE_WITH_ERRORS if is_blocked else DONE)
