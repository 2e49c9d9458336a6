"""Tasks of the Search API: IVR time, toll-free calls and AI Agents, and what cannot be told."""

from __future__ import annotations

import json
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.exports import ExportError
from pipeline.sources import search_api_cells, search_api_tasks
from pipeline.sources.remarks import REMARKS
from tests.sources.search_api import (
    NOON,
    WRAPPINGS,
    Found,
    answer,
    moment,
    naive,
    read,
    save,
    sessions_answer,
    tasks_answer,
    wrapped,
)

KIND = "search-api-tasks"
FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MINUTE = 60_000


def activity(event: str | None = "ivr-connected", at: int = 0, **fields: Any) -> dict[str, Any]:
    """An activity of a minute; a field that is None is not there."""
    usual = {
        "id": f"t1-{at}",
        "eventName": event,
        "createdTime": NOON + at * MINUTE,
        "endedTime": NOON + (at + 1) * MINUTE,
    }
    return {field: value for field, value in (usual | fields).items() if value is not None}


def task(*activities: Any, name: str | None = "t1", **fields: Any) -> dict[str, Any]:
    """A call of ten minutes; a field that is None is not there."""
    usual = {
        "id": name,
        "orgId": "org-1",
        "channelType": "telephony",
        "direction": "inbound",
        "createdTime": NOON,
        "endedTime": NOON + 10 * MINUTE,
        "isActive": False,
        "activities": {"nodes": list(activities), "pageInfo": {"hasNextPage": False}},
    }
    return {field: value for field, value in (usual | fields).items() if value is not None}


def of(tmp_path: Path, *records: Any, **options: Any) -> Found:
    path = save(tmp_path / "x.json", json.dumps(tasks_answer(records)))
    return read(KIND, path, **options)


def uses(found: Found) -> list[tuple[str | None, str | None]]:
    return found.rows.select("event_id", "meter").rows()


# The IVR.


def test_each_stay_in_the_ivr_is_a_session(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        task(activity("ended", 9), activity(at=5), activity("connected", 3), activity(at=1)),
        task(activity(at=2), name="t2"),
    )
    assert found.remarks == {}
    assert uses(found) == [
        ("t1/ivr/t1-5", "ivr_port"),
        ("t1/ivr/t1-1", "ivr_port"),
        ("t2/ivr/t1-2", "ivr_port"),
    ]
    assert found.column("row") == [1, 1, 2]
    assert found.column("tenant_id") == ["org-1"] * 3
    assert found.column("started_at")[0] == moment(NOON + 5 * MINUTE)
    assert found.column("ended_at")[0] == moment(NOON + 6 * MINUTE)
    for name in ("subscription_id", "user_id", "quantity", "defects"):
        assert found.column(name) == [None] * 3


@pytest.mark.parametrize(
    ("fields", "ended_at", "defects"),
    [
        ({"endedTime": None}, None, None),
        ({"isActive": True}, None, None),
        ({"isActive": False}, moment(NOON + MINUTE), None),
        ({"isActive": "perhaps"}, None, "ended_at_unreadable"),
        ({"endedTime": "later"}, None, "ended_at_unreadable"),
        ({"createdTime": None}, moment(NOON + MINUTE), "started_at_missing"),
        ({"createdTime": "then"}, moment(NOON + MINUTE), "started_at_unreadable"),
    ],
)
def test_times_of_a_stay_and_what_is_wrong_with_them(
    tmp_path: Path, fields: dict[str, Any], ended_at: Any, defects: str | None
) -> None:
    one = task(activity(**fields))
    found = of(tmp_path, one)
    assert found.column("ended_at") == [ended_at]
    assert found.column("defects") == [defects]
    assert found.column("raw") == [json.dumps(one) if defects else None]


def test_a_stay_without_an_id_is_named_by_its_position(tmp_path: Path) -> None:
    found = of(tmp_path, task(activity("new"), activity(id=None), activity(id="")))
    assert [event for event, _ in uses(found)] == ["t1/ivr/2", "t1/ivr/3"]


def test_a_stay_in_a_task_without_an_id_is_set_aside(tmp_path: Path) -> None:
    assert of(tmp_path, task(activity(), name=None)).column("defects") == ["event_id_missing"]


@pytest.mark.parametrize(
    ("fields", "meter"),
    [
        ({}, "ivr_port"),
        ({"isCampaign": False}, "ivr_port"),
        ({"isCampaign": True}, "ivr_outbound_port"),
        ({"isCampaign": True, "direction": "outbound"}, "ivr_outbound_port"),
        # An agent dialled, or called back: no campaign has a port for it.
        ({"isCampaign": False, "direction": "outbound"}, "ivr_port"),
        # Nobody asked whether it was a campaign's.
        ({"direction": "OUTBOUND"}, "ivr_outbound_port"),
        ({"direction": None}, "ivr_port"),
    ],
)
def test_the_meter_of_a_stay(tmp_path: Path, fields: dict[str, Any], meter: str) -> None:
    assert of(tmp_path, task(activity(), **fields)).column("meter") == [meter]


def test_events_and_the_meter_of_campaigns_can_be_said(tmp_path: Path) -> None:
    call = task(activity("Self-Service"), activity(at=1), isCampaign=True)
    found = of(tmp_path, call, ivr_events=["self-service"], campaign_meter="dialled")
    assert uses(found) == [("t1/ivr/t1-0", "dialled")]


@pytest.mark.parametrize(
    ("record", "remark"),
    [
        (task(activity("connected")), "task_without_ivr"),
        (task(), "task_without_activities"),
        (task(activities=None), "task_without_activities"),
        (task(activities={"nodes": None}), "task_without_activities"),
        (task(activities={"totalCount": 3}), "task_without_activities"),
        (task(activity(None)), "task_without_activities"),
        (task(activities=[]), "task_without_activities"),
        (task(activity(), channelType="email"), "task_of_other_channel"),
        (task(channelType="chat"), "task_of_other_channel"),
        (task(activity(), channelType=None), "task_without_channel"),
        (
            task(activities={"nodes": [activity("x")], "pageInfo": {"hasNextPage": True}}),
            "task_of_more_activities",
        ),
    ],
)
def test_a_task_that_gives_no_row_is_counted(tmp_path: Path, record: Any, remark: str) -> None:
    found = of(tmp_path, record, record)
    assert uses(found) == []
    assert found.remarks == {remark: 2}
    assert REMARKS[remark]


def test_activities_without_the_object_around_them_are_read(tmp_path: Path) -> None:
    assert uses(of(tmp_path, task(activities=[activity()]))) == [("t1/ivr/t1-0", "ivr_port")]


@pytest.mark.parametrize("odd", ["none", 3, [None], {"nodes": "x"}, {"nodes": [[]]}])
def test_activities_that_are_none_are_set_aside(tmp_path: Path, odd: Any) -> None:
    found = of(tmp_path, task(activities=odd))
    assert uses(found) == [("t1/ivr/1", "ivr_port")]
    assert found.column("defects") == ["started_at_missing"]
    assert json.loads(found.column("raw")[0])["activities"] == odd


@pytest.mark.parametrize("odd", [None, "text", 7, []])
def test_a_record_that_is_no_task_is_set_aside(tmp_path: Path, odd: Any) -> None:
    found = of(tmp_path, odd, task(activity()))
    assert found.column("event_id") == [None, "t1/ivr/t1-0"]
    assert found.column("raw") == [json.dumps(odd), None]


# Toll-free calls.


@pytest.mark.parametrize(
    ("fields", "is_free"),
    [
        ({"destination": "+18005550100"}, True),
        ({"destination": "+1 (800) 555-0100"}, True),
        ({"destination": "+18005550199"}, False),
        ({"entryPoint": {"id": "ep-1"}}, True),
        ({"entryPoint": {"id": "ep-2", "name": "Orders"}}, True),
        ({"lastEntryPoint": {"name": "orders"}}, True),
        ({"lastEntryPoint": {"id": "ep-1"}, "direction": "outbound"}, False),
        ({"entryPoint": {"id": "ep-1"}, "channelType": "chat"}, False),
        ({"entryPoint": None, "destination": "x"}, False),
    ],
)
def test_a_call_that_came_in_toll_free(
    tmp_path: Path, fields: dict[str, Any], is_free: bool
) -> None:
    toll_free = ["1-800-555-0100", "ep-1", "Orders"]
    found = of(tmp_path, task(activity("connected"), **fields), toll_free=toll_free)
    if not is_free:
        assert uses(found) == []
        assert set(found.remarks) <= {"task_without_ivr", "task_of_other_channel"}
        return
    assert uses(found) == [("t1/toll-free", "toll_free_call")]
    assert found.column("started_at") == [moment(NOON)]
    assert found.column("ended_at") == [moment(NOON + 10 * MINUTE)]
    assert found.remarks == {}


def test_the_entry_point_of_an_activity_counts_once_a_call(tmp_path: Path) -> None:
    stays = [activity(at=at, entrypointId="ep-1", entrypointName="Orders") for at in (0, 1)]
    found = of(tmp_path, task(*stays), toll_free=["ep-1", "orders"])
    assert [meter for _, meter in uses(found)] == ["ivr_port", "ivr_port", "toll_free_call"]


def test_a_call_that_goes_on_has_no_end(tmp_path: Path) -> None:
    call = task(activity("connected"), isActive=True, destination="800")
    assert of(tmp_path, call, toll_free=["800"]).column("ended_at") == [None]


def test_a_call_that_does_not_say_how_it_came_in_is_counted(tmp_path: Path) -> None:
    found = of(tmp_path, task(activity()), task(), toll_free=["800"])
    assert found.remarks == {"task_without_entry_point": 2, "task_without_activities": 1}


# AI Agents.


def ai_session(name: str = "ai-1", **fields: Any) -> dict[str, Any]:
    usual = {
        "interactionId": "t1",
        "sessionId": name,
        "sessionStartTime": NOON,
        "sessionEndTime": NOON + MINUTE,
        "orgId": "org-1",
    }
    return {field: value for field, value in (usual | fields).items() if value is not None}


def test_the_session_of_an_ai_agent_is_one_interaction(tmp_path: Path) -> None:
    content = answer("contactAIAgentSession", "sessions", [ai_session(), ai_session("ai-2")])
    found = read(KIND, save(tmp_path / "x.json", json.dumps(content)))
    assert uses(found) == [("ai-1", "ai_agent"), ("ai-2", "ai_agent")]
    assert found.column("quantity") == [Decimal(1), Decimal(1)]
    assert found.column("started_at") == [moment(NOON)] * 2
    assert found.remarks == {}


def test_sessions_of_ai_agents_may_stand_among_tasks(tmp_path: Path) -> None:
    found = of(tmp_path, task(activity()), ai_session(), ai_session(sessionStartTime=None))
    assert uses(found)[1:] == [("ai-1", "ai_agent")] * 2
    assert found.column("defects") == [None, None, "started_at_missing"]


def test_interactions_are_never_counted_by_sessions_and_by_activities(tmp_path: Path) -> None:
    chat = task(activity("x", activityType="Ask-Agent"), activity("asked", 1), channelType="chat")
    found = of(tmp_path, chat, ai_session(), ai_agent_events=["ask-agent", "Asked"])
    assert uses(found) == [("t1/ai/t1-0", "ai_agent"), ("t1/ai/t1-1", "ai_agent")]
    assert found.column("quantity") == [Decimal(1), Decimal(1)]
    assert found.remarks == {"ai_agent_session_passed_over": 1}


def test_whether_a_chat_met_an_ai_agent_cannot_be_told_without_activities(tmp_path: Path) -> None:
    found = of(tmp_path, task(channelType="chat"), ai_agent_events=["asked"])
    assert found.remarks == {"task_without_activities": 1}


# Exports that are cut off.


def _spans(*spans: list[int]) -> str:
    """Spans of time one after the other, each as the numbers of tasks on its pages."""
    pages = [
        json.dumps(tasks_answer([{"id": "t", "channelType": "chat"}] * count, number < len(span)))
        for span in spans
        for number, count in enumerate(span, 1)
    ]
    return "\n".join(pages)


@pytest.mark.parametrize(
    ("text", "is_cut"),
    [
        (_spans([5, 5]), True),
        (_spans([5, 6]), True),
        (_spans([5, 4]), False),
        (_spans([5, 4], [9]), False),
        (_spans([9], [5, 5], [1]), True),
        (_spans([5, 5, 1])[: -len(_spans([1])) - 1], False),
        (json.dumps(tasks_answer([{"id": "t", "channelType": "chat"}] * 10, None)), True),
        (json.dumps([{"id": "t", "channelType": "chat"}] * 10), True),
        (json.dumps([{"id": "t", "channelType": "chat"}] * 11), False),
        (json.dumps([{"id": "t", "channelType": "chat"}] * 9 + [ai_session()]), False),
    ],
)
def test_as_many_tasks_as_the_api_gives_are_not_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, is_cut: bool
) -> None:
    monkeypatch.setattr(search_api_tasks, "CUT_OFF", 10)
    path = save(tmp_path / "x.json", text)
    if not is_cut:
        assert read(KIND, path).remarks["task_of_other_channel"] >= 9
        return
    with pytest.raises(ExportError, match="shorter spans") as raised:
        read(KIND, path)
    assert raised.value.name == "ExportCutOff"


def test_the_api_stops_at_a_hundred_thousand() -> None:
    assert search_api_tasks.CUT_OFF == 100_000


@pytest.mark.parametrize(
    "content", [sessions_answer([]), [{"agentSessionId": "s"}], tasks_answer([{"aggregation": 1}])]
)
def test_what_holds_no_tasks_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(ExportError) as raised:
        read(KIND, save(tmp_path / "x.json", json.dumps(content)))
    assert raised.value.name == "AnotherQuery"


# By chance, against a twin.

EVENTS = st.sampled_from([None, "ivr-connected", "connected"])
ACTIVITIES = st.lists(st.builds(activity, EVENTS, st.integers(0, 9)), max_size=3)
TASKS = st.builds(
    lambda activities, form, **fields: task(
        **fields, activities={"nodes": activities} if form else activities or None
    ),
    ACTIVITIES,
    st.booleans(),
    name=st.sampled_from(["a", "b"]),
    channelType=st.sampled_from([None, "telephony", "telephony", "chat"]),
    isCampaign=st.sampled_from([None, True, False]),
    destination=st.sampled_from([None, "800", "900"]),
    isActive=st.booleans(),
)


def naive_rows(record: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What a careful person counts of a task: event, meter, start and end."""
    if record.get("channelType") != "telephony":
        return []
    activities = record.get("activities") or []
    activities = activities["nodes"] if isinstance(activities, dict) else activities
    meter = "ivr_outbound_port" if record.get("isCampaign") else "ivr_port"
    rows: list[tuple[Any, ...]] = [
        (f"{record['id']}/ivr/{one['id']}", meter, one["createdTime"], one["endedTime"])
        for one in activities
        if one.get("eventName") == "ivr-connected"
    ]
    if record.get("destination") == "800":
        end = None if record["isActive"] else record["endedTime"]
        rows.append((f"{record['id']}/toll-free", "toll_free_call", record["createdTime"], end))
    return rows


def naive_remarks(record: dict[str, Any]) -> set[str]:
    """What a careful person says of a task, besides what they count."""
    channel = record.get("channelType")
    if channel != "telephony":
        return {"task_of_other_channel" if channel else "task_without_channel"}
    activities = record.get("activities") or []
    activities = activities["nodes"] if isinstance(activities, dict) else activities
    said = set()
    if "destination" not in record:
        said.add("task_without_entry_point")
    if not any("eventName" in one for one in activities):
        said.add("task_without_activities")
    return said if said or naive_rows(record) else {"task_without_ivr"}


@FEW
@given(
    st.lists(st.lists(TASKS, max_size=3), min_size=1, max_size=3),
    st.sampled_from(WRAPPINGS),
    st.integers(1, 4),
)
def test_rows_and_remarks_are_those_of_a_naive_reading(
    tmp_path: Path, pages: list[list[Any]], how: str, chunk: int
) -> None:
    text = wrapped(how, tasks_answer, pages)
    if not text:
        return
    path = save(tmp_path / "x.json", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_api_cells, "CHUNK_RECORDS", chunk)
        found = read(KIND, path, toll_free=["800"])
    expected = []
    remarks: Counter[str] = Counter()
    for number, record in enumerate(naive(text), 1):
        rows, said = naive_rows(record), naive_remarks(record)
        assert rows or said
        remarks.update(said)
        for event, meter, start, end in rows:
            ended_at = None if end is None else moment(end)
            expected.append((number, event, meter, moment(start), ended_at))
    columns = ("row", "event_id", "meter", "started_at", "ended_at")
    assert found.rows.select(columns).rows() == expected
    assert found.remarks == remarks


SAMPLES = Path(os.environ.get("TENANTBILL_SAMPLES", "")) / "webex-search-api"


@pytest.mark.skipif(
    "TENANTBILL_SAMPLES" not in os.environ or not SAMPLES.is_dir(),
    reason="TENANTBILL_SAMPLES names no folder of samples",
)
def test_every_task_of_a_published_sample_is_accounted_for() -> None:
    path = SAMPLES / "tasks-filtered.json"
    found = read(KIND, path, tenant="acme")
    every = list(naive(path.read_text(encoding="utf-8")))
    assert found.rows.height == 0
    assert sum(found.remarks.values()) == len(every) == 24
