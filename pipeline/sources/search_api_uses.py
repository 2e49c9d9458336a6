"""What a task, or the session of an AI Agent, comes to as usage.

Belongs here: one record of `taskDetails` into rows and remarks. Does not belong here: where records
come from (`search_api`), and the kind itself (`search_api_tasks`, which says what counts as what).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.sources.kind import Options

_UNGROUPED = str.maketrans("", "", "+-(). ")


class Use(NamedTuple):
    """A row of usage, its cells still as they stand in the record."""

    event_id: str | None
    meter: str | None
    started_at: Any
    ended_at: Any = None
    is_active: Any = None
    quantity: str | None = None


Uses = tuple[list[Use], list[str]]
"""The rows that a record makes, and the remarks on it."""

_Found = Iterator[Use]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source says of tasks: names and numbers as they are compared."""

    ivr_events: frozenset[str]
    ai_agent_events: frozenset[str]
    toll_free: frozenset[str]
    campaign_meter: str

    @classmethod
    def of(cls, options: Options) -> Reading:
        """The settings, ready to be compared with."""
        ivr, ai, toll_free = (
            frozenset(filter(None, map(_comparable, options[name])))
            for name in ("ivr_events", "ai_agent_events", "toll_free")
        )
        return cls(ivr, ai, toll_free, options["campaign_meter"])


def uses_of(record: Any, reading: Reading) -> Uses:
    """The rows of one record, and the remarks on it: it has a row or a remark, or both.

    A record that is no object is one row of nothing, so that it is set aside and shown.
    """
    if not isinstance(record, dict):
        return [Use(None, None, None)], []
    if is_ai_session(record):
        return _of_ai_session(record, reading)
    activities = _activities(record)
    uses = list(_interactions(record, activities, reading)) if reading.ai_agent_events else []
    remarks = []
    channel = _comparable(record.get("channelType"))
    if channel == "telephony":
        uses += _ivr_sessions(record, activities, reading)
        if reading.toll_free:
            uses += _toll_free_call(record, activities, reading)
            if not any(_entries(record, activities)):
                remarks.append("task_without_entry_point")
    elif not channel:
        remarks.append("task_without_channel")
    if (channel == "telephony" or reading.ai_agent_events) and not any(map(_event, activities)):
        remarks.append("task_without_activities")
    elif _has_more(record):
        remarks.append("task_of_more_activities")
    if not (uses or remarks):
        remarks.append("task_without_ivr" if channel == "telephony" else "task_of_other_channel")
    return uses, remarks


def is_ai_session(record: Any) -> bool:
    """Whether it is the record of an AI Agent's session, and not of a task."""
    if not isinstance(record, dict):
        return False
    return "sessionStartTime" in record or ("sessionId" in record and "id" not in record)


def _of_ai_session(session: Mapping[str, Any], reading: Reading) -> Uses:
    if reading.ai_agent_events:
        return [], ["ai_agent_session_passed_over"]
    event_id = _word(session.get("sessionId"))
    start = session.get("sessionStartTime")
    return [Use(event_id, "ai_agent", start, quantity="1")], []


def _interactions(task: Mapping[str, Any], activities: Sequence[Any], reading: Reading) -> _Found:
    for position, activity in enumerate(activities, 1):
        names = {_event(activity), _comparable(field_of(activity, "activityType"))}
        if names & reading.ai_agent_events:
            start = field_of(activity, "createdTime")
            yield Use(_event_id(task, "ai", activity, position), "ai_agent", start, quantity="1")


def _ivr_sessions(task: Mapping[str, Any], activities: Sequence[Any], reading: Reading) -> _Found:
    meter = reading.campaign_meter if _is_of_campaign(task) else "ivr_port"
    for position, activity in enumerate(activities, 1):
        if _event(activity) in reading.ivr_events or not isinstance(activity, dict):
            yield Use(
                _event_id(task, "ivr", activity, position),
                meter,
                field_of(activity, "createdTime"),
                field_of(activity, "endedTime"),
                field_of(activity, "isActive"),
            )


def _toll_free_call(task: Mapping[str, Any], activities: Sequence[Any], reading: Reading) -> _Found:
    entries = map(_comparable, _entries(task, activities))
    if not _is_outbound(task) and any(entry in reading.toll_free for entry in entries):
        task_id = _word(task.get("id"))
        yield Use(
            task_id and f"{task_id}/toll-free",
            "toll_free_call",
            task.get("createdTime"),
            task.get("endedTime"),
            task.get("isActive"),
        )


def _activities(task: Mapping[str, Any]) -> Sequence[Any]:
    """The activities of a task; what is no list of objects is kept, so that it is set aside."""
    activities = task.get("activities")
    nodes = activities.get("nodes") if isinstance(activities, dict) else activities
    if nodes is None:
        return []
    return nodes if isinstance(nodes, list) else [nodes]


def _has_more(task: Mapping[str, Any]) -> bool:
    return field_of(field_of(task.get("activities"), "pageInfo"), "hasNextPage") is True


def _entries(task: Mapping[str, Any], activities: Sequence[Any]) -> Iterator[Any]:
    """How the contact came in, in every way that the task says it."""
    yield task.get("destination")
    for name in ("entryPoint", "lastEntryPoint"):
        yield from (field_of(task.get(name), field) for field in ("id", "name"))
    for activity in activities:
        yield from (field_of(activity, field) for field in ("entrypointId", "entrypointName"))


def _is_of_campaign(task: Mapping[str, Any]) -> bool:
    is_campaign = task.get("isCampaign")
    return _is_outbound(task) if is_campaign is None else is_campaign in (True, "true")


def _is_outbound(task: Mapping[str, Any]) -> bool:
    return _comparable(task.get("direction")) == "outbound"


def _event(activity: Any) -> str:
    return _comparable(field_of(activity, "eventName"))


def _event_id(task: Mapping[str, Any], use: str, activity: Any, position: int) -> str | None:
    task_id = _word(task.get("id"))
    return task_id and f"{task_id}/{use}/{_word(field_of(activity, 'id')) or position}"


def field_of(value: Any, field: str) -> Any:
    """A field of what may be no object."""
    return value.get(field) if isinstance(value, dict) else None


def _word(value: Any) -> str | None:
    """What can be an id: text or a whole number."""
    return str(value) if isinstance(value, str | int) and value != "" else None


def _comparable(value: Any) -> str:
    """A name in one case; a telephone number as its digits, however it is grouped."""
    return _folded(str(value)) if isinstance(value, str | int) else ""


@lru_cache(maxsize=4_096)
def _folded(text: str) -> str:
    digits = text.translate(_UNGROUPED)
    return digits if digits.isdecimal() else text.strip().casefold()
