"""The options that several commands share, and the words that they take.

Belongs here: reading periods, instants, amounts of memory. Does not belong here: what is done with
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.period import Period
from pipeline.remote.place import place_of

DEFAULT_STORE = "tenantbill-store"

AUTO = "auto"
"""The word for the periods that are due, whichever those are."""

Command = TypeVar("Command", bound=Callable[..., Any])


class PeriodsParameter(click.ParamType[list[Period]]):
    """`2026-10`, or a range `2026-08..2026-10`."""

    name = "period"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Period]:
        """The months that the words name, in order."""
        return value if isinstance(value, list) else Period.parse_range(value)


class PeriodsOrAutoParameter(click.ParamType[list[Period] | None]):
    """Periods, or `auto`: those that are due."""

    name = "period"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Period] | None:
        """The months that the words name, in order; none that it names itself for `auto`."""
        return None if value == AUTO else PeriodsParameter().convert(value, param, ctx)


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


class InstantParameter(click.ParamType[datetime]):
    """`2026-11-05T12:00:00Z`, with any offset; without one, UTC."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The instant that the words name, in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            instant = datetime.fromisoformat(str(value).strip())
            return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no instant: write it like 2026-11-05T12:00:00Z", param, ctx)


class PlaceParameter(click.ParamType[Path]):
    """A folder, or an address in an object store: `s3://bucket/prefix`, `gs://…`, `az://…`."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path of the folder, or of what is here of the address."""
        return value if isinstance(value, Path) else place_of(str(value))


def option(name: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option of several commands, also set by `TENANTBILL_<NAME>` for all of them."""
    envvar = f"TENANTBILL_{name.removeprefix('--').replace('-', '_').upper()}"
    return click.option(name, envvar=envvar, show_envvar=True, **attributes)


period = click.argument("periods", metavar="PERIOD", type=PeriodsParameter())
period_or_all = click.argument(
    "periods", metavar="[PERIOD]", type=PeriodsParameter(), required=False
)
period_or_auto = click.argument("periods", metavar="PERIOD", type=PeriodsOrAutoParameter())
store = option(
    "--store",
    type=PlaceParameter(),
    default=DEFAULT_STORE,
    help="Where results lie: a folder, or an address such as s3://bucket/bills.",
)
feeds = option(
    "--feeds",
    type=PlaceParameter(),
    default=None,
    show_default="the settings' [[source]]s alone",
    help="Where the exports lie: a folder, or an address such as s3://bucket/exports.",
)
feeds_if_any = option(
    "--feeds",
    type=PlaceParameter(),
    default=None,
    show_default="the settings' [[source]]s alone; without any, what was taken in last",
    help="Where the exports lie: a folder, or an address such as s3://bucket/exports.",
)
feeds_of_plan = option(
    "--feeds",
    type=PlaceParameter(),
    default=None,
    show_default="where the plan found them",
    help="Where the exports lie: a folder, or an address such as s3://bucket/exports.",
)
tenant = option("--tenant", multiple=True, help="Only this tenant; may be given again.")
allow_shrink = option(
    "--allow-shrink", is_flag=True, help="Accept exports that are gone, and days that lose rows."
)
as_of = option(
    "--as-of",
    type=InstantParameter(),
    default=None,
    show_default="now",
    help="Count only what had arrived by this instant.",
)
output_format = click.option(
    "--format",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default=None,
    show_default="table on a terminal, else csv",
    help="How to write it.",
)
wait = option("--wait", type=click.IntRange(0), default=0, help="Seconds to wait for the lock.")
log_format = option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="json: one event a line, for schedulers.",
)


summary = option(
    "--summary",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=None,
    help="Write what came of it to this file, as JSON; - for stdout.",
)
metrics = option(
    "--metrics",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Write it to this file for Prometheus.",
)


def of_work(command: Command) -> Command:
    """Give a command the options of every command that does work."""
    for one in (
        option(
            "--workers",
            type=click.IntRange(1),
            default=None,
            show_default="the machine's cores",
            help="Tasks at a time.",
        ),
        option(
            "--memory",
            type=MemoryParameter(),
            default=None,
            show_default="half the machine's, at most 4GiB, or 700MiB a worker if more",
            help="What all of it may take, like 2GiB.",
        ),
        option(
            "--scheduler",
            default=None,
            show_default="this machine",
            metavar="ADDRESS",
            help="Do the work on a cluster: tcp://host:8786 (dask), spark://host:7077 (Spark).",
        ),
        wait,
        log_format,
    ):
        command = one(command)
    return command
