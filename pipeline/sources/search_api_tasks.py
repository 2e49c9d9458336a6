"""Tasks of the Search API (`taskDetails`): time in the IVR, toll-free calls, AI Agent interactions.

Belongs here: what rows a task is made into. Does not belong here: the form of answers
(`search_api`), and the agents of a task, whose licences are counted by their own sessions.

* **IVR.** One session for each activity of a telephony task whose `eventName` is in `ivr_events`,
  from its `createdTime` to its `endedTime`. Of a task whose activities were not queried, or not all
  of them, nothing is guessed from durations: it is counted as such. In a campaign call
  (`isCampaign`; where that was not queried, an outbound one) the meter is `campaign_meter`, since
  the platform dialled it for the IVR; a callback, or a call that an agent dials, is none.
* **Toll-free.** One session for each telephony task, not an outbound one, that came by one of
  `toll_free`: from its own `createdTime` to its `endedTime`, queue and agent included.
* **AI Agents.** One interaction for each record of an AI Agent session (`sessionId`,
  `sessionStartTime`), or, where `ai_agent_events` names any, for each activity of those. Never by
  both: they would count one interaction twice, so records are then passed over and counted as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from pipeline.exports import Cells, ExportError
from pipeline.sources.kind import TENANT, TENANTS, Key, Kind, Options
from pipeline.sources.search_api import JSON_ENDINGS, Asked, Page, Record, answers
from pipeline.sources.search_api_cells import chunks, column, ended, said, tenant
from pipeline.sources.search_api_uses import Reading, Use, field_of, is_ai_session, uses_of
from schemas.feeds import USAGE

ASKED = Asked("taskDetails", "tasks", ("id", "createdTime", "sessionId", "sessionStartTime"))

CUT_OFF = 100_000
"""How many tasks the API gives at most for one query, without saying that there are more."""


class ExportCutOff(ExportError):
    """An export of so many tasks that the API may have left out others."""


def _cells(path: Path, options: Options) -> Iterator[Cells]:
    reading = Reading.of(options)
    columns = list(_columns(options))
    for records, file_remarks in chunks(_whole_spans(path, answers(path, ASKED))):
        rows: list[tuple[Record, Use]] = []
        remarks = Counter(file_remarks)
        for record in records:
            uses, said_of_it = uses_of(record.value, reading)
            rows += ((record, use) for use in uses)
            remarks.update(said_of_it)
        yield _rows(rows, remarks).read_as(columns)


def _rows(rows: Sequence[tuple[Record, Use]], remarks: Mapping[str, int]) -> Cells:
    records = [record for record, _ in rows]
    fields = [column("orgId", [field_of(record.value, "orgId") for record in records])]
    fields += [column(name, [use[n] for _, use in rows]) for n, name in enumerate(Use._fields)]
    numbers = pl.Series([record.number for record in records], dtype=pl.Int64)
    return Cells(pl.DataFrame(fields), numbers=numbers, remarks=remarks, said=said(records))


def _whole_spans(path: Path, found: Iterator[Record | Page]) -> Iterator[Record | Page]:
    """The same; raises `ExportCutOff` after so many tasks that the API stops.

    A span of time ends with the page that says that it is the last; a file may hold several. Where
    no page says anything, only the very number is suspicious: it may be spans put together.
    """
    count, has_next = 0, None
    for one in found:
        yield one
        if isinstance(one, Record):
            count += not is_ai_session(one.value)
            continue
        has_next = one.has_next
        if has_next is False:
            if count >= CUT_OFF:
                raise _cut_off(path, count)
            count = 0
    if count == CUT_OFF and has_next is None:
        raise _cut_off(path, count)


def _cut_off(path: Path, count: int) -> ExportCutOff:
    return ExportCutOff(
        f"it holds {count:,} tasks of one query, and the API stops at {CUT_OFF:,}: others may be "
        "missing",
        where=path,
        remedy="query shorter spans of time, so that each has fewer, and use those instead",
    )


def _columns(options: Options) -> Iterator[pl.Expr]:
    """The feed's columns, made of the fields of a use."""
    yield tenant(options).alias("tenant_id")
    yield from map(pl.col, ("event_id", "meter", "started_at", "quantity"))
    yield ended("ended_at", "is_active").alias("ended_at")


KIND = Kind(
    name="search-api-tasks",
    what="IVR time, toll-free calls and AI Agent interactions, as the Search API of Webex Contact "
    "Center answers `taskDetails`",
    feed=lambda _: USAGE,
    endings=JSON_ENDINGS,
    cells=_cells,
    selects_by_start=True,
    keys={
        "tenant": TENANT,
        "tenants": TENANTS,
        "ivr_events": Key(
            list, "the eventName of activities in which a call is in the IVR", ["ivr-connected"]
        ),
        "campaign_meter": Key(
            str, "the meter of IVR time in the calls of campaigns", "ivr_outbound_port"
        ),
        "toll_free": Key(
            list, "ids or names of entry points, or called numbers, that are toll-free", []
        ),
        "ai_agent_events": Key(
            list,
            "the eventName or activityType of activities that are each an AI Agent interaction; "
            "with none, the records of AI Agent sessions are counted",
            [],
        ),
    },
)
