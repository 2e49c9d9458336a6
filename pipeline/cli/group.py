"""The program: its name, its exit codes, and the one way for errors to reach people.

Belongs here: what holds for every command. Does not belong here: any single command.
"""

from __future__ import annotations

import errno
from typing import Any

import click

from pipeline.errors import BillingError, SystemFailed, UsageError
from pipeline.settings import read_settings

DOCTOR = "doctor"
"""The command that tells what is wrong with settings, and so must go without them."""

DONE, FAILED, DONE_WITH_ERRORS, CHANGES = 0, 1, 3, 10


class Commands(click.Group):
    """The commands, with one way for errors to reach people: named, placed, with a remedy."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; whatever it cannot do is told in words and with its exit code."""
        try:
            return super().invoke(ctx)
        except BillingError as error:
            _tell(error)
            ctx.exit(error.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            _tell(SystemFailed.of(error))
            ctx.exit(FAILED)


def _tell(error: BillingError) -> None:
    from pipeline.texts import visible_lines  # noqa: PLC0415

    click.echo(f"error: {visible_lines(str(error))}", err=True)


def examples(*lines: str) -> str:
    """The end of a command's help: what to type."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "TENANTBILL",
        "show_default": True,
    },
    epilog=examples(
        "tenantbill run 2026-10 --feeds sample_data/feeds --store bills",
        "tenantbill show invoices 2026-10 --store bills",
        "tenantbill close 2026-10 --store bills",
    ),
)
@click.version_option(package_name="tenantbill")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Bill Webex Contact Center tenants that hold several subscriptions.

    Exit codes: 0 done; 1 failed, nothing published; 2 wrong use; 3 done, with error findings; 10
    something would change (plan and diff, with --exit-code); 75 another run holds the store,
    or was quicker: try again.
    """
    try:
        settings = read_settings()
    except UsageError:
        if ctx.invoked_subcommand != DOCTOR:
            raise
        settings = {}
    ctx.default_map = dict.fromkeys(main.commands, settings)
