"""Words in, words out: the commands.

Belongs here: options, help, messages, exit codes. Does not belong here: frames, rules, paths of the
store. Heavy imports wait until a command needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import errno
import gc
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.errors import BillingError
from pipeline.period import Period
from pipeline.settings import read_settings

DONE, FAILED, DONE_WITH_ERRORS = 0, 1, 3

DEFAULT_STORE = "tenantbill-store"

ALLOCATIONS_A_COLLECTION = 100_000
"""What a run makes mostly stays, and looking for garbage among it again and again takes long."""

Command = TypeVar("Command", bound=Callable[..., Any])


class PeriodsParameter(click.ParamType[list[Period]]):
    """`2026-10`, or a range `2026-08..2026-10`."""

    name = "period"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Period]:
        """The months that the words name, in order."""
        return value if isinstance(value, list) else Period.parse_range(value)


class MemoryParameter(click.ParamType[int]):
    """`2GiB`, `1500MiB`, or bytes."""

    name = "memory"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes that the words name."""
        found = re.fullmatch(r"(\d+)\s*(?:([KMGT])i?B?|B)?", str(value).strip(), re.IGNORECASE)
        if not found:
            self.fail(f"{value!r} is no amount of memory: write it like 2GiB", param, ctx)
        size = int(found[1]) << (10 * "KMGT".index(found[2].upper()) + 10 if found[2] else 0)
        if not size:
            self.fail("some memory is needed: write it like 2GiB", param, ctx)
        return size


class Commands(click.Group):
    """The commands, with one way for errors to reach people: named, placed, with a remedy."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; whatever it cannot do is told in words and with its exit code."""
        try:
            return super().invoke(ctx)
        except BillingError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            click.echo(
                f"error: {error.filename or 'the system'}: {error.strerror or error} "
                "[SystemFailed]\n"
                "  nothing was published; mend it (space? permission?) and run again",
                err=True,
            )
            ctx.exit(FAILED)


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "TENANTBILL",
        "show_default": True,
    },
    epilog=_examples(
        "tenantbill run 2026-10 --feeds sample_data/feeds --store bills",
        "tenantbill show invoices 2026-10 --store bills",
    ),
)
@click.version_option(package_name="tenantbill")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Bill Webex Contact Center tenants that hold several subscriptions.

    Exit codes: 0 done; 1 failed, nothing published; 2 wrong use; 3 done, with error findings.
    """
    settings = read_settings()
    ctx.default_map = dict.fromkeys(main.commands, settings)


def _option(name: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option of several commands, also set by `TENANTBILL_<NAME>` for all of them."""
    envvar = f"TENANTBILL_{name.removeprefix('--').replace('-', '_').upper()}"
    return click.option(name, envvar=envvar, show_envvar=True, **attributes)


_period = click.argument("periods", metavar="PERIOD", type=PeriodsParameter())
_store = _option(
    "--store", type=click.Path(path_type=Path), default=DEFAULT_STORE, help="Where results lie."
)
_feeds = _option(
    "--feeds", type=click.Path(path_type=Path), required=True, help="Where the exports lie."
)
_allow_shrink = _option(
    "--allow-shrink", is_flag=True, help="Accept exports that are gone, and days that lose rows."
)
_tenant = _option("--tenant", multiple=True, help="Only this tenant; may be given again.")


def _work_options(command: Command) -> Command:
    """Give a command the options of every command that does work."""
    for option in (
        _option(
            "--workers",
            type=click.IntRange(1),
            default=None,
            show_default="the machine's cores",
            help="Tasks at a time.",
        ),
        _option(
            "--memory",
            type=MemoryParameter(),
            default=None,
            show_default="half the machine's, at most 4GiB",
            help="What all of it may take, like 2GiB.",
        ),
        _option("--wait", type=click.IntRange(0), default=0, help="Seconds to wait for the lock."),
        _option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            help="json: one event a line, for schedulers.",
        ),
    ):
        command = option(command)
    return command


@main.command(
    epilog=_examples(
        "tenantbill run 2026-10 --feeds exports",
        "tenantbill run 2026-08..2026-10 --feeds exports --tenant acme",
    )
)
@_period
@_feeds
@_store
@_tenant
@_allow_shrink
@_work_options
def run(periods: list[Period], feeds: Path, store: Path, **options: Any) -> None:
    """Bill a month: every stage, in order."""
    _execute("run", periods, store, feeds, **options)


@main.command(epilog=_examples("tenantbill ingest 2026-10 --feeds exports"))
@_period
@_feeds
@_store
@_allow_shrink
@_work_options
def ingest(periods: list[Period], feeds: Path, store: Path, **options: Any) -> None:
    """Take exports in: read the new ones once, list those that count."""
    _execute("ingest", periods, store, feeds, **options)


@main.command(epilog=_examples("tenantbill access 2026-10 --day 2026-10-15"))
@_period
@_store
@click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), default=None, help="As of this day, not the last."
)
@_work_options
def access(periods: list[Period], store: Path, day: datetime | None, **options: Any) -> None:
    """Say who may still use which surface (R9)."""
    _execute("access", periods, store, None, day=day.date() if day else None, **options)


def _stage_command(name: str, does: str) -> None:
    """Add the command of a stage that runs on what the store holds."""

    @main.command(name, help=does, epilog=_examples(f"tenantbill {name} 2026-10"))
    @_period
    @_store
    @_work_options
    def command(periods: list[Period], store: Path, **options: Any) -> None:
        _execute(name, periods, store, None, **options)


for _name, _does in (
    ("validate", "Set broken rows aside and keep one row an event (R11)."),
    ("split", "Give every usage row to one subscription, with the reason (R3)."),
    ("meter", "Measure every meter, whole and split (R4)."),
    ("rate", "Find the overage and its payer, and price every line (R6, R7, R10)."),
    ("invoice", "Draw up the invoices (R10)."),
):
    _stage_command(_name, _does)


@main.command(
    epilog=_examples(
        "tenantbill show invoices 2026-10",
        "tenantbill show findings 2026-10 --tenant acme",
        "tenantbill show invoice_lines 2026-10 --format csv > lines.csv",
    )
)
@click.argument("dataset")
@_period
@_store
@_tenant
@click.option(
    "--format",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default=None,
    show_default="table on a terminal, else csv",
    help="How to write it.",
)
def show(
    dataset: str, periods: list[Period], store: Path, tenant: tuple[str, ...], format: str | None
) -> None:
    """Show a published dataset of a month, or of a range of months."""
    from pipeline.show import datasets_of, write_rows  # noqa: PLC0415

    rows = datasets_of(store, dataset, periods, tenant)
    write_rows(rows, format or ("table" if sys.stdout.isatty() else "csv"))


@main.command(epilog=_examples("tenantbill status", "tenantbill status 2026-10"))
@click.argument("periods", metavar="[PERIOD]", type=PeriodsParameter(), required=False)
@_store
def status(periods: list[Period] | None, store: Path) -> None:
    """Say what is published: when, from how many exports, and how it stands."""
    from pipeline.show import status_of, write_rows  # noqa: PLC0415

    write_rows(status_of(store, periods), "table" if sys.stdout.isatty() else "csv")


def _execute(
    command: str,
    periods: list[Period],
    store: Path,
    feeds: Path | None,
    *,
    tenant: tuple[str, ...] = (),
    workers: int | None = None,
    memory: int | None = None,
    wait: int = 0,
    log_format: str = "text",
    day: date | None = None,
    allow_shrink: bool = False,
) -> None:
    """Run a command's stages for each period in order, and leave with its exit code."""
    gc.set_threshold(ALLOCATIONS_A_COLLECTION)
    from pipeline.engines import prepare  # noqa: PLC0415
    from pipeline.executor import cores, embedded, usual_memory  # noqa: PLC0415

    workers = workers or cores()
    prepare(workers)
    from pipeline.request import Budget, Request  # noqa: PLC0415
    from pipeline.run import execute  # noqa: PLC0415
    from pipeline.stages.order import STAGES  # noqa: PLC0415
    from pipeline.store.lock import store_lock  # noqa: PLC0415
    from pipeline.tell import teller  # noqa: PLC0415

    budget = Budget(workers, memory or usual_memory())
    stages = tuple(stage for stage in STAGES if command in ("run", stage.name))
    accepted = ["--allow-shrink"] * allow_shrink
    has_errors = False
    with teller(log_format) as tell, store_lock(store, wait), embedded(budget.workers) as executor:
        for period in periods:
            request = Request(
                period,
                stages,
                store,
                feeds,
                " ".join([command, *(f"--tenant {name}" for name in tenant), *accepted]),
                datetime.now(UTC),
                frozenset(tenant) or None,
                day.toordinal() if day else None,
                budget,
                allow_shrink=allow_shrink,
            )
            done = execute(request, executor, tell.progress)
            tell.done(period, command, done)
            has_errors |= done.has_errors
    sys.exit(DONE_WITH_ERRORS if has_errors else DONE)


if __name__ == "__main__":
    main()
