"""The commands that bill: a whole run, or one of its stages.

Belongs here: their options and exit codes. Does not belong here: what a stage does (`stages`).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options
from pipeline.cli.group import examples, main
from pipeline.cli.report import Report
from pipeline.cli.work import Work, actor, at_work, check_told_where, now, sources, words_of
from pipeline.errors import UsageError
from pipeline.period import Period

if TYPE_CHECKING:
    from pipeline.request import Request

TAKE_IN = ("run", "ingest")
"""The commands that take exports in."""


@main.command(
    epilog=examples(
        "tenantbill run 2026-10 --feeds exports",
        "tenantbill run 2026-08..2026-10 --feeds exports --tenant acme",
        "tenantbill run 2026-10 --feeds exports --as-of 2026-11-05T06:00:00Z",
        "tenantbill run 2026-10 --feeds s3://webex/exports --store s3://billing/bills",
        "tenantbill run auto --feeds exports --wait 600 --summary last-run.json",
    )
)
@options.period_or_auto
@options.feeds
@options.store
@options.tenant
@options.as_of
@options.allow_shrink
@options.summary
@options.metrics
@options.of_work
def run(
    periods: list[Period] | None,
    feeds: Path | None,
    store: Path,
    summary: Path | None,
    metrics: Path | None,
    **rest: Any,
) -> None:
    """Bill a month: every stage, in order.

    With the word auto for PERIOD, bill every month that is due and not closed: this one, the last
    one, those billed before, and those of the last twelve that the exports hold usage of.
    """
    report = Report("run" if periods else "run auto", store, now, summary, metrics)
    _execute("run", periods, store, feeds, report=report, **rest)


@main.command(epilog=examples("tenantbill ingest 2026-10 --feeds exports"))
@options.period
@options.feeds
@options.store
@options.allow_shrink
@options.of_work
def ingest(periods: list[Period], feeds: Path | None, store: Path, **rest: Any) -> None:
    """Take exports in: read the new ones once, list those that count."""
    _execute("ingest", periods, store, feeds, **rest)


@main.command(epilog=examples("tenantbill access 2026-10 --day 2026-10-15"))
@options.period
@options.store
@click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), default=None, help="As of this day, not the last."
)
@options.of_work
def access(periods: list[Period], store: Path, day: datetime | None, **rest: Any) -> None:
    """Say who may still use which surface (R9)."""
    _execute("access", periods, store, None, day=day.toordinal() if day else None, **rest)


def _stage_command(name: str, does: str) -> None:
    """Add the command of a stage that runs on what the store holds."""

    @main.command(name, help=does, epilog=examples(f"tenantbill {name} 2026-10"))
    @options.period
    @options.store
    @options.of_work
    def command(periods: list[Period], store: Path, **rest: Any) -> None:
        _execute(name, periods, store, None, **rest)


for _name, _does in (
    ("validate", "Set broken rows aside and keep one row an event (R11)."),
    ("split", "Give every usage row to one subscription, with the reason (R3)."),
    ("meter", "Measure every meter, whole and split (R4)."),
    ("rate", "Find the overage and its payer, and price every line (R6, R7, R10)."),
    ("invoice", "Draw up the invoices (R10)."),
):
    _stage_command(_name, _does)


def _execute(
    command: str,
    asked: list[Period] | None,
    store: Path,
    feeds: Path | None,
    *,
    report: Report | None = None,
    tenant: tuple[str, ...] = (),
    as_of: datetime | None = None,
    allow_shrink: bool = False,
    day: int | None = None,
    **surroundings: Any,
) -> None:
    """Run a command's stages for each period in order, and leave with its exit code.

    Where no periods are asked for, for those that are due.
    """
    report = report or Report(command, store, now)

    def check() -> None:
        if command in TAKE_IN:
            check_told_where(feeds)
        if asked is None and as_of:
            raise UsageError(
                "auto is about what is due now, and --as-of about what was known then",
                remedy="name the months to bill as of an instant, such as 2026-10",
            )

    with at_work(store, report=report, check=check, **surroundings) as work:
        from pipeline.run import execute, take_in  # noqa: PLC0415

        request = _request(command, asked, store, feeds, tenant, as_of, allow_shrink, day, work)
        if request.takes_in:
            take_in(request, work.executor, work.tell.progress)
        request = replace(request, feeds=None, sources=())
        _tell_news(store, work, report, is_said=asked is None)
        for period in asked or _due(request):
            report.begin(period)
            done = execute(replace(request, period=period), work.executor, work.tell.progress)
            report.done(period, done)
            work.tell.done(period, command, done)
    sys.exit(report.exit_code())


def _request(
    command: str,
    asked: list[Period] | None,
    store: Path,
    feeds: Path | None,
    tenant: tuple[str, ...],
    as_of: datetime | None,
    allow_shrink: bool,
    day: int | None,
    work: Work,
) -> Request:
    """What is asked for of the first period, or of this month."""
    from pipeline.request import Request  # noqa: PLC0415
    from pipeline.stages.order import STAGES  # noqa: PLC0415

    began = now()
    past = as_of if as_of and as_of < began else None
    tenants = [f"--tenant {name}" for name in tenant]
    until = past and f"--as-of {past:%Y-%m-%dT%H:%M:%SZ}"
    shrink = allow_shrink and "--allow-shrink"
    return Request(
        asked[0] if asked else Period(began.year, began.month),
        tuple(stage for stage in STAGES if command in ("run", stage.name)),
        store,
        feeds,
        words_of(command, not asked and options.AUTO, *tenants, until, shrink),
        began,
        frozenset(tenant) or None,
        day,
        work.budget,
        as_of=past,
        actor=actor(),
        allow_shrink=allow_shrink,
        sources=sources() if command in TAKE_IN else (),
    )


def _due(request: Request) -> list[Period]:
    from pipeline.nightly import find_due  # noqa: PLC0415

    return find_due(request.store, request.period)


def _tell_news(store: Path, work: Work, report: Report, *, is_said: bool) -> None:
    """Report the closed months that exports may have changed, where anybody is told of them."""
    if not (is_said or report.is_wanted):
        return
    from pipeline.nightly import find_closed_with_news  # noqa: PLC0415

    report.closed_with_news = find_closed_with_news(store)
    names = [str(period) for period in report.closed_with_news]
    if names and is_said:
        words = f"closed, with other exports since: {', '.join(names)}; see `tenantbill plan`"
        work.tell.said(words, "closed_with_news", periods=names)
