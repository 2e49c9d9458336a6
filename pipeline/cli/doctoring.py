"""The command that looks before anything is done: doctor.

Belongs here: its options, and which of them a run would be told. Does not belong here: what is
looked at (`doctor`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.billing import run
from pipeline.cli.group import DONE, FAILED, examples, main
from pipeline.cli.reading import usual_shape
from pipeline.cli.work import now
from pipeline.period import Period


@main.command(
    epilog=examples(
        "tenantbill doctor 2026-10 --feeds exports",
        "tenantbill doctor 2026-10 --format json",
    )
)
@options.period
@options.feeds
@options.store
@options.output_format
@click.pass_context
def doctor(
    ctx: click.Context, periods: list[Period], feeds: Path | None, store: Path, format: str | None
) -> None:
    """Say whether a month can be billed here, and whether all exports for it are there.

    One line a check: ok, warning or error, and what to do. The days of the month are those of the
    exports that were taken in last. Nothing is changed. Exit codes: 0 without an error, 1 with one:
    a run would fail, or bill wrongly.
    """
    from pipeline.doctor import Surroundings, examine  # noqa: PLC0415
    from pipeline.doctoring.check import ERROR, Check, to_frame  # noqa: PLC0415
    from pipeline.show import write_rows  # noqa: PLC0415

    told, obstacle = _told_to_a_run(ctx, periods[0])
    around = Surroundings(store, feeds, told.get("workers"), told.get("memory"))
    checks = examine(around, periods, now())
    if obstacle:
        remedy = "correct it in tenantbill.toml, or in the environment"
        checks.insert(0, Check(ERROR, "settings", obstacle, remedy))
    write_rows(to_frame(checks), format or usual_shape())
    sys.exit(FAILED if any(one.severity == ERROR for one in checks) else DONE)


def _told_to_a_run(ctx: click.Context, period: Period) -> tuple[dict[str, Any], str]:
    """The options that settings and environment give a run; or why it would not take them."""
    try:
        return run.make_context("run", [str(period)], parent=ctx.parent).params, ""
    except click.UsageError as error:
        return {}, error.format_message()
