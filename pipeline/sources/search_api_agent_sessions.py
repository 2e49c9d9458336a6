"""Agent sessions of the Search API (`agentSession`), as usage without a meter (R3.2).

Belongs here: what a session's row is made of. Does not belong here: the form of answers
(`search_api`), and which licence a session takes.

One session is one row, on however many channels: `channelInfo` is never counted. Exports repeat
sessions: the API finds them by their start alone, so a query begins a day or two before its month
and the next day's export has again what was open. Nothing is done about that here, since the row of
the latest export counts (R11.1): it rests on the order of file names, so let them begin with the
day of the export.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from pipeline.errors import did_you_mean
from pipeline.exports import Cells
from pipeline.exports.csv_files import csv_cells, read_header
from pipeline.exports.faults import MissingColumn, RepeatedColumn
from pipeline.sources.kind import TENANT, TENANTS, Key, Kind, Options
from pipeline.sources.search_api import JSON_ENDINGS, Asked, answers
from pipeline.sources.search_api_cells import chunks, column, ended, said, tenant
from schemas.feeds import USAGE

ASKED = Asked("agentSession", "agentSessions", ("agentSessionId", "startTime"))
USERS = ("agentId", "agentName", "userLoginId")
NEEDED = ("agentSessionId", "startTime", "endTime")
FIELDS = (*NEEDED, "isActive", "orgId", *USERS)

_CHANNEL = "channelinfo"


def _cells(path: Path, options: Options) -> Iterator[Cells]:
    columns = list(_columns(options))
    is_csv = path.name.lower().endswith((".csv", ".csv.gz"))
    read = _csv(path, options["user"]) if is_csv else _json(path)
    for cells in read:
        yield cells.read_as(columns)


def _json(path: Path) -> Iterator[Cells]:
    """The sessions of answers, as cells by their fields."""
    for records, remarks in chunks(answers(path, ASKED)):
        objects = [one.value if isinstance(one.value, dict) else {} for one in records]
        frame = pl.DataFrame([column(name, [one.get(name) for one in objects]) for name in FIELDS])
        numbers = pl.Series([one.number for one in records], dtype=pl.Int64)
        yield Cells(frame, numbers=numbers, remarks=remarks, said=said(records))


def _csv(path: Path, user: str) -> Iterator[Cells]:
    """The rows of a table of sessions, a row a session or a row a session and channel.

    Rows of one session say the same of it, so that all but one are duplicates (R11.1).
    """
    packed = path.name.lower().endswith(".gz")
    header = read_header(path, packed=packed)
    names = _fields_in(path, header, user)
    for cells in csv_cells(path, packed=packed):
        columns = [pl.col(names[field]).alias(field) for field in FIELDS if field in names]
        lacking = [pl.lit(None, pl.String).alias(field) for field in FIELDS if field not in names]
        yield cells.read_as([*columns, *lacking])


def _fields_in(path: Path, header: Sequence[str], user: str) -> dict[str, str]:
    """The columns of a table by the fields that they hold; those of channels hold none.

    A column is named as its field, or with the names before it: `agentSession.agentId`.
    """
    fields = {field.casefold(): field for field in FIELDS}
    names: dict[str, str] = {}
    for name in header:
        *before, last = (part.strip() for part in name.casefold().split("."))
        if _CHANNEL in before or last not in fields:
            continue
        if fields[last] in names:
            raise RepeatedColumn(
                f"{names[fields[last]]!r} and {name!r} both hold {fields[last]}",
                where=f"{path}, header",
                remedy="export again with each field once",
            )
        names[fields[last]] = name
    missing = [field for field in (*NEEDED, user) if field not in names]
    if missing:
        near = [name for name in header if _CHANNEL not in name.casefold()]
        raise MissingColumn(
            f"the header lacks {', '.join(missing)}",
            where=f"{path}, header",
            remedy=did_you_mean(missing[0], near, f"export it with {missing[0]} too"),
        )
    return names


def _columns(options: Options) -> Iterator[pl.Expr]:
    """The feed's columns, made of a session's fields."""
    yield pl.col("agentSessionId").alias("event_id")
    yield tenant(options).alias("tenant_id")
    user = pl.col(options["user"]).cast(pl.String)
    # The same person is written in either case; an id has no @.
    lowered = pl.when(user.str.contains("@", literal=True)).then(user.str.to_lowercase())
    yield lowered.otherwise(user).alias("user_id")
    yield pl.col("startTime").alias("started_at")
    yield ended("endTime", "isActive").alias("ended_at")


def _check(options: Options) -> None:
    if options["user"] not in USERS:
        remedy = did_you_mean(options["user"], USERS, f"it is one of {', '.join(USERS)}")
        raise ValueError(f"user is {options['user']!r}; {remedy}")


KIND = Kind(
    name="search-api-agent-sessions",
    what="agent sessions, as the Search API of Webex Contact Center answers `agentSession`",
    feed=lambda _: USAGE,
    endings=(*JSON_ENDINGS, ".csv", ".csv.gz"),
    cells=_cells,
    selects_by_start=True,
    keys={
        "tenant": TENANT,
        "tenants": TENANTS,
        "user": Key(
            str,
            f"the field that says whose session it is, as users say it: {', '.join(USERS)}",
            "agentId",
        ),
    },
    check=_check,
)
