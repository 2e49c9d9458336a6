"""The commands that write documents for people: invoices with cover pages, and reports.

Belongs here: their options and words. Does not belong here: what the documents say
(`documents.paper`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.group import DONE, DONE_WITH_ERRORS, examples, main
from pipeline.period import Period

_output = click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The directory to write to; of a range of months, one within it for each.",
)
_locale = click.option(
    "--locale", type=click.Choice(["en", "es"]), default="en", help="The language to write in."
)


@main.command(
    "print",
    epilog=examples(
        "tenantbill print 2026-10 -o paper",
        "tenantbill print 2026-10 -o paper --tenant acme --as pdf --locale es",
        "tenantbill print 2026-10 -o preview --draft",
    ),
)
@options.period
@options.store
@options.tenant
@_output
@click.option(
    "--as",
    "form",
    type=click.Choice(["html", "pdf"]),
    default="html",
    help="html: one file, complete in itself; pdf needs tenantbill[pdf].",
)
@_locale
@click.option("--draft", is_flag=True, help="Also the drafts of what is open, marked as such.")
def print_(
    periods: list[Period],
    store: Path,
    tenant: tuple[str, ...],
    folder: Path,
    form: str,
    locale: str,
    draft: bool,
) -> None:
    """Write a month's invoices for people, with a cover page for each tenant.

    Files of the same names are replaced. A blocked invoice is not written.
    """
    from pipeline.documents.paper.printing import Order, print_documents  # noqa: PLC0415
    from pipeline.findings import counted  # noqa: PLC0415
    from pipeline.settings import read_tables  # noqa: PLC0415
    from pipeline.texts import visible  # noqa: PLC0415

    tables, is_blocked = read_tables(), False
    for period in periods:
        order = Order(store, period, tables, frozenset(tenant) or None, form, locale, draft)
        into = folder / str(period) if len(periods) > 1 else folder
        done = print_documents(order, into)
        what = f"{counted(done.invoices, 'document')} and {counted(done.covers, 'cover page')}"
        click.echo(f"{period}: {what} in {into}")
        for invoice in done.left_out:
            click.echo(f"  {visible(invoice.invoice_id)} is left out: it is blocked", err=True)
            is_blocked = True
    sys.exit(DONE_WITH_ERRORS if is_blocked else DONE)


@main.command(
    epilog=examples(
        "tenantbill report 2026-10 -o reports",
        "tenantbill report 2026-08..2026-10 -o reports --tenant acme --locale es",
    )
)
@options.period
@options.store
@options.tenant
@_output
@_locale
def report(
    periods: list[Period], store: Path, tenant: tuple[str, ...], folder: Path, locale: str
) -> None:
    """Write a month's report for each tenant: usage in pictures, overage, findings, access.

    Tenants whose month is still open are in it too, marked as drafts.
    """
    from pipeline.documents.paper.printing import Order, write_reports  # noqa: PLC0415
    from pipeline.explaining.curve import curve  # noqa: PLC0415
    from pipeline.findings import counted  # noqa: PLC0415
    from pipeline.published import Published  # noqa: PLC0415

    only = frozenset(tenant) or None

    for period in periods:
        order = Order(store, period, {}, only, locale=locale)
        drawn = curve(store, Published(store), period, only)
        into = folder / str(period) if len(periods) > 1 else folder
        click.echo(f"{period}: {counted(write_reports(order, into, drawn), 'report')} in {into}")
