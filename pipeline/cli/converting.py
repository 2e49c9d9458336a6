"""The command that reads exports of other systems as files of a feed.

Belongs here: its options, words and exit codes. Does not belong here: reading (`sources`) and
writing (`convert`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from pipeline.cli import options
from pipeline.cli.group import DONE, DONE_WITH_ERRORS, examples, main
from pipeline.errors import UsageError

KINDS = (
    "search-api-agent-sessions",
    "search-api-tasks",
    "control-hub-users",
    "licenses-api",
    "connect-usage",
    "csv",
    "parquet",
    "xlsx",
)


@main.command(
    epilog=examples(
        "tenantbill convert search-api-agent-sessions pages/*.json -o usage.parquet --tenant acme",
        "tenantbill convert control-hub-users users-2026-10-01.csv -o users.csv --tenant acme "
        "--set subscription=Sub119911",
        "tenantbill convert csv calls.csv -o usage.csv --set feed=usage "
        "--set columns.event_id=CallId",
    )
)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write, CSV or Parquet by its name; it is replaced.",
)
@options.option("--tenant", multiple=True, help="The tenant that the exports are of.")
@click.option(
    "--set",
    "said",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key of the kind, as in its [[source]]; KEY.NAME=VALUE in a table; may be given again.",
)
@options.log_format
def convert(
    kind: str,
    files: tuple[Path, ...],
    output: Path,
    tenant: tuple[str, ...],
    said: tuple[str, ...],
    log_format: str,
) -> None:
    """Read exports of another system as a feed, and write that as a file.

    KIND is what they are, as in a [[source]] of the settings. Rows that cannot be read are written
    beside the file, as FILE.quarantine.csv (exit code 3).
    """
    from pipeline.convert import convert as converted  # noqa: PLC0415
    from pipeline.exports.find import Export, in_order  # noqa: PLC0415
    from pipeline.findings import counted  # noqa: PLC0415
    from pipeline.sources import Source, check_ending  # noqa: PLC0415
    from pipeline.sources.remarks import REMARKS  # noqa: PLC0415
    from pipeline.tell import teller  # noqa: PLC0415

    with teller(log_format) as tell:
        source = Source.of(kind, "", _said(said, kind, tenant), "--set")
        for file in files:
            check_ending(file, source.kind)
        exports = in_order(Export(file, file.as_posix()) for file in dict.fromkeys(files))
        done = converted(source, exports, output, tell.progress)
        for name, remarks in done.remarks.items():
            for code, count in sorted(remarks.items()):
                remark = REMARKS[code]
                tell.warned(f"{remark.told(name, count)} {remark.remedy}", code)
        if done.set_aside:
            words = f"{counted(done.broken, 'row')} cannot be read: see {done.set_aside}"
            tell.warned(words, "quarantined")
        words = f"{counted(done.rows, 'row')} of {source.table.name} in {output}"
        tell.said(words, "converted", rows=done.rows, file=str(output))
    sys.exit(DONE_WITH_ERRORS if done.set_aside else DONE)


def _said(words: tuple[str, ...], kind: str, tenants: tuple[str, ...]) -> dict[str, Any]:
    """What `--set` and `--tenant` say, by key: texts as the key's type."""
    from pipeline.sources import kinds  # noqa: PLC0415

    keys = kinds.KINDS[kind].keys
    said: dict[str, Any] = {}
    for word in words:
        name, is_said, value = word.partition("=")
        if not is_said:
            raise UsageError(f"{word!r} sets nothing", where="--set", remedy="write KEY=VALUE")
        key, dot, inner = name.partition(".")
        of = keys[key].type if key in keys else str
        if dot and not isinstance(said.setdefault(key, {}), dict):
            raise UsageError(f"{key} is said twice", where="--set", remedy="set it once")
        if dot:
            said[key][inner] = value
        elif of is list:
            said.setdefault(key, []).append(value)
        elif of is bool:
            said[key] = _truth(name, value)
        else:
            said[key] = value
    if tenants and (_is_typed("tenant") or ("tenant" in keys and not said.keys() & _WHOSE)):
        said["tenant"] = _only(tenants)
    return said


_WHOSE = {"tenant", "tenants"}
"""The keys that say whose exports are; settings that hold for every command come after them."""


def _is_typed(option: str) -> bool:
    said_by = click.get_current_context().get_parameter_source(option)
    return said_by is ParameterSource.COMMANDLINE


def _only(tenants: tuple[str, ...]) -> str:
    """The tenant that exports are of; raises `UsageError` where several are named."""
    if len(tenants) > 1:
        raise UsageError(
            f"exports are of one tenant, and here are {len(tenants)}: {', '.join(tenants)}",
            where="--tenant",
            remedy="name the one with --tenant ID, once",
        )
    return tenants[0]


def _truth(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise UsageError(
            f"{name} is {value!r}", where="--set", remedy=f"write {name}=true or {name}=false"
        )
    return value == "true"
