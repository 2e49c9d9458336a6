"""The commands that look: what is published, how it stands, and who did what.

Belongs here: their options. Does not belong here: finding rows (`published`) and writing (`show`).
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.group import examples, main
from pipeline.cli.work import check_is_store, now
from pipeline.period import Period


@main.command(
    epilog=examples(
        "tenantbill show invoices 2026-10",
        "tenantbill show findings 2026-10 --tenant acme",
        "tenantbill show invoice_lines 2026-08..2026-10 --format csv > lines.csv",
        "tenantbill show invoices 2026-10 --as-of 2026-11-05T06:00:00Z",
    )
)
@click.argument("dataset")
@options.period
@options.store
@options.tenant
@options.as_of
@click.option("--candidate", is_flag=True, help="What the newest run has, also of closed tenants.")
@options.output_format
def show(
    dataset: str,
    periods: list[Period],
    store: Path,
    tenant: tuple[str, ...],
    as_of: datetime | None,
    candidate: bool,
    format: str | None,
) -> None:
    """Show a published dataset of a month, or of a range of months."""
    from pipeline.show import datasets_of, write_rows  # noqa: PLC0415

    check_is_store(store, periods[0])
    rows = datasets_of(store, dataset, periods, tenant, as_of, is_candidate=candidate)
    write_rows(rows, format or usual_shape())


@main.command(epilog=examples("tenantbill status", "tenantbill status 2026-10"))
@options.period_or_all
@options.store
def status(periods: list[Period] | None, store: Path) -> None:
    """Say what is published: when, from how many exports, and how it stands."""
    from pipeline.show import write_rows  # noqa: PLC0415
    from pipeline.status import status_of  # noqa: PLC0415

    check_is_store(store, periods[0] if periods else "PERIOD")
    write_rows(status_of(store, periods, now()), usual_shape())


@main.command(epilog=examples("tenantbill log", "tenantbill log 2026-10 --format json"))
@options.period_or_all
@options.store
@options.output_format
def log(periods: list[Period] | None, store: Path, format: str | None) -> None:
    """Say who ran, closed, planned and applied what, when, why, and from which exports."""
    from pipeline.show import write_rows  # noqa: PLC0415
    from pipeline.status import log_of  # noqa: PLC0415

    check_is_store(store, periods[0] if periods else "PERIOD")
    write_rows(log_of(store, periods), format or usual_shape())


def usual_shape() -> str:
    """How rows are written where nobody says: for eyes on a terminal, for programs elsewhere."""
    return "table" if sys.stdout.isatty() else "csv"
