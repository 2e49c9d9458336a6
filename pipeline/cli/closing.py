"""The command that closes a month.

Belongs here: its options, words and exit codes. Does not belong here: whom to close (`close`).
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options
from pipeline.cli.group import DONE, DONE_WITH_ERRORS, examples, main
from pipeline.cli.work import Work, actor, at_work, check_is_store, now, words_of
from pipeline.period import Period

if TYPE_CHECKING:
    from pipeline.close import Closing


@main.command(
    epilog=examples(
        "tenantbill close 2026-10",
        "tenantbill close 2026-10 --after 3",
        "tenantbill close 2026-10 --tenant acme --provisional",
    )
)
@options.period
@options.store
@options.tenant
@click.option(
    "--after",
    type=click.IntRange(0),
    default=0,
    metavar="DAYS",
    help="Only once so many days have passed since the month's end.",
)
@click.option("--provisional", is_flag=True, help="Also where counts can still settle.")
@options.wait
@options.log_format
def close(
    periods: list[Period],
    store: Path,
    tenant: tuple[str, ...],
    after: int,
    provisional: bool,
    **surroundings: Any,
) -> None:
    """Issue a month's drafts, for good: of every tenant without error findings."""
    needs_somebody = False
    with at_work(store, check=lambda: check_is_store(store, periods[0]), **surroundings) as work:
        from pipeline.close import CloseRequest  # noqa: PLC0415
        from pipeline.close import close as close_period  # noqa: PLC0415

        tenants = [f"--tenant {name}" for name in tenant]
        words = words_of("close", *tenants, provisional and "--provisional")
        for period in periods:
            request = CloseRequest(
                period,
                store,
                now(),
                actor(),
                words,
                frozenset(tenant) or None,
                timedelta(days=after),
                provisional,
            )
            closing = close_period(request)
            _tell_closing(work, period, closing)
            needs_somebody |= bool(closing.stays_open)
    sys.exit(DONE_WITH_ERRORS if needs_somebody else DONE)


def _tell_closing(work: Work, period: Period, closing: Closing) -> None:
    from pipeline.findings import counted  # noqa: PLC0415
    from pipeline.status import money_of  # noqa: PLC0415
    from pipeline.texts import visible  # noqa: PLC0415

    issued = closing.invoices
    words = [f"{period}: nothing to issue"]
    if len(issued):
        tenants = counted(issued["tenant_id"].n_unique(), "tenant")
        words = [
            f"{period}: {counted(len(issued), 'invoice')} issued to {tenants} ({money_of(issued)})"
        ]
    words += [
        visible(f"  {tenant} stays open: {why}") for tenant, why in closing.stays_open.items()
    ]
    words += [visible(f"  {tenant} is not due: {why}") for tenant, why in closing.not_due.items()]
    if closing.has_newer_exports and len(issued):
        words.append(f"  newer exports have been taken in: see `tenantbill plan {period}`")
    work.tell.said(
        "\n".join(words),
        "closed",
        period=str(period),
        invoices=len(issued),
        stays_open=closing.stays_open,
        not_due=closing.not_due,
    )
