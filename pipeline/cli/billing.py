"""The commands that bill: a whole run, or one of its stages.

Belongs here: their options and exit codes. Does not belong here: what a stage does (`stages`).
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.group import DONE, DONE_WITH_ERRORS, examples, main
from pipeline.cli.work import actor, at_work, now, words_of
from pipeline.period import Period


@main.command(
    epilog=examples(
        "tenantbill run 2026-10 --feeds exports",
        "tenantbill run 2026-08..2026-10 --feeds exports --tenant acme",
        "tenantbill run 2026-10 --feeds exports --as-of 2026-11-05T06:00:00Z",
    )
)
@options.period
@options.feeds
@options.store
@options.tenant
@options.as_of
@options.allow_shrink
@options.of_work
def run(periods: list[Period], feeds: Path, store: Path, **rest: Any) -> None:
    """Bill a month: every stage, in order."""
    _execute("run", periods, store, feeds, **rest)


@main.command(epilog=examples("tenantbill ingest 2026-10 --feeds exports"))
@options.period
@options.feeds
@options.store
@options.allow_shrink
@options.of_work
def ingest(periods: list[Period], feeds: Path, store: Path, **rest: Any) -> None:
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
    periods: list[Period],
    store: Path,
    feeds: Path | None,
    *,
    tenant: tuple[str, ...] = (),
    as_of: datetime | None = None,
    allow_shrink: bool = False,
    day: int | None = None,
    **surroundings: Any,
) -> None:
    """Run a command's stages for each period in order, and leave with its exit code."""
    has_errors = False
    with at_work(store, **surroundings) as work:
        from pipeline.request import Request  # noqa: PLC0415
        from pipeline.run import execute  # noqa: PLC0415
        from pipeline.stages.order import STAGES  # noqa: PLC0415

        began = now()
        past = as_of if as_of and as_of < began else None
        tenants = [f"--tenant {name}" for name in tenant]
        until = past and f"--as-of {past:%Y-%m-%dT%H:%M:%SZ}"
        words = words_of(command, *tenants, until, allow_shrink and "--allow-shrink")
        for period in periods:
            request = Request(
                period,
                tuple(stage for stage in STAGES if command in ("run", stage.name)),
                store,
                feeds,
                words,
                began,
                frozenset(tenant) or None,
                day,
                work.budget,
                as_of=past,
                actor=actor(),
                allow_shrink=allow_shrink,
            )
            done = execute(request, work.executor, work.tell.progress)
            work.tell.done(period, command, done)
            has_errors |= done.has_errors
    sys.exit(DONE_WITH_ERRORS if has_errors else DONE)
