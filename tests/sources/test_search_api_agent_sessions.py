"""Agent sessions of the Search API: one row a session, whatever pages and channels it stands on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.exports import ExportError
from pipeline.sources import Source, search_api_cells
from tests.sources.search_api import (
    NOON,
    WRAPPINGS,
    Found,
    moment,
    naive,
    read,
    save,
    sessions_answer,
    tasks_answer,
    wrapped,
)

KIND = "search-api-agent-sessions"
FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def session(name: str = "s1", **fields: Any) -> dict[str, Any]:
    """A session of an hour; a field that is None is not there."""
    usual = {
        "agentSessionId": name,
        "agentId": "agent-7",
        "orgId": "org-1",
        "startTime": NOON,
        "endTime": NOON + 3_600_000,
        "isActive": False,
        "channelInfo": [{"channelType": "telephony"}, {"channelType": "chat"}],
    }
    return {field: value for field, value in (usual | fields).items() if value is not None}


def of(tmp_path: Path, *records: Any, **options: Any) -> Found:
    path = save(tmp_path / "x.json", json.dumps(sessions_answer(records)))
    return read(KIND, path, **options)


def test_a_session_becomes_a_row_without_meter_or_subscription(tmp_path: Path) -> None:
    found = of(tmp_path, session())
    assert found.remarks == {}
    assert found.rows.row(0, named=True) == {
        "event_id": "s1",
        "tenant_id": "org-1",
        "subscription_id": None,
        "meter": None,
        "user_id": "agent-7",
        "started_at": moment(NOON),
        "ended_at": moment(NOON + 3_600_000),
        "quantity": None,
        "deployment": "cloud",
        "row": 1,
        "defects": None,
        "raw": None,
    }


@pytest.mark.parametrize(
    ("fields", "ended_at", "defects"),
    [
        ({}, moment(NOON + 3_600_000), None),
        ({"isActive": None}, moment(NOON + 3_600_000), None),
        ({"endTime": None}, None, None),
        ({"isActive": True, "endTime": None}, None, None),
        # The end that an active session names is when it was looked at.
        ({"isActive": True}, None, None),
        ({"isActive": "TRUE"}, None, None),
        ({"isActive": "perhaps"}, None, "ended_at_unreadable"),
        ({"endTime": "soon"}, None, "ended_at_unreadable"),
        ({"endTime": NOON - 1}, moment(NOON - 1), "ended_before_started"),
        ({"endTime": 10**30}, None, "ended_at_unreadable"),
        ({"endTime": "2026-09-21T14:13:21Z"}, moment(NOON + 1_000), None),
        ({"startTime": None}, moment(NOON + 3_600_000), "started_at_missing"),
        ({"startTime": {"at": 1}}, moment(NOON + 3_600_000), "started_at_unreadable"),
        ({"startTime": True}, moment(NOON + 3_600_000), "started_at_unreadable"),
        ({"agentSessionId": None}, moment(NOON + 3_600_000), "event_id_missing"),
        ({"agentSessionId": ""}, moment(NOON + 3_600_000), "event_id_missing"),
        ({"orgId": None}, moment(NOON + 3_600_000), "tenant_id_missing"),
    ],
)
def test_times_and_what_is_wrong_with_them(
    tmp_path: Path, fields: dict[str, Any], ended_at: Any, defects: str | None
) -> None:
    # A session in order beside it, so that a column holds both numbers and texts.
    found = of(tmp_path, session("other"), session(**fields))
    row = found.rows.row(1, named=True)
    assert row["defects"] == defects
    assert row["ended_at"] == ended_at
    assert row["raw"] == (json.dumps(session(**fields)) if defects else None)
    assert found.column("defects")[0] is None


@pytest.mark.parametrize("odd", [None, 7, "text", [], [session()], {}])
def test_a_record_that_is_no_session_is_set_aside_with_what_it_says(
    tmp_path: Path, odd: Any
) -> None:
    found = of(tmp_path, session(), odd, session("s3"))
    assert found.column("event_id") == ["s1", None, "s3"]
    assert found.column("row") == [1, 2, 3]
    assert found.column("raw") == [None, json.dumps(odd), None]


@pytest.mark.parametrize(
    ("org", "options", "tenant"),
    [
        ("org-1", {}, "org-1"),
        ("org-1", {"tenant": "acme"}, "acme"),
        (None, {"tenant": "acme"}, "acme"),
        ("org-1", {"tenants": {"org-1": "acme"}}, "acme"),
        ("org-1", {"tenants": {"org-1": "acme"}, "tenant": "other"}, "acme"),
        ("org-2", {"tenants": {"org-1": "acme"}, "tenant": "other"}, "other"),
        (None, {"tenants": {"org-1": "acme"}, "tenant": "other"}, "other"),
        # An organisation that nobody named must not become a tenant by accident.
        ("org-2", {"tenants": {"org-1": "acme"}}, None),
        (None, {"tenants": {"org-1": "acme"}}, None),
        (None, {}, None),
    ],
)
def test_whose_it_is(
    tmp_path: Path, org: str | None, options: dict[str, Any], tenant: str | None
) -> None:
    found = of(tmp_path, session(orgId=org), **options)
    assert found.column("tenant_id") == [tenant]
    assert found.column("defects") == [None if tenant else "tenant_id_missing"]


@pytest.mark.parametrize(
    ("options", "fields", "user"),
    [
        ({}, {}, "agent-7"),
        ({}, {"agentId": "Agent-7"}, "Agent-7"),
        ({}, {"agentId": None}, None),
        ({"user": "userLoginId"}, {"userLoginId": "Ann@Example.com"}, "ann@example.com"),
        ({"user": "agentName"}, {"agentName": "Ann O'Neill"}, "Ann O'Neill"),
    ],
)
def test_who_it_was(
    tmp_path: Path, options: dict[str, Any], fields: dict[str, Any], user: str | None
) -> None:
    assert of(tmp_path, session(**fields), **options).column("user_id") == [user]


def test_a_user_by_a_field_that_sessions_do_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'agentId'"):
        Source.of(KIND, "x.json", {"user": "agentID"}, "a test")


@pytest.mark.parametrize("channels", [None, [], {"channelType": "chat"}, [{}, {}, {}], "chat"])
def test_channels_are_never_counted(tmp_path: Path, channels: Any) -> None:
    found = of(tmp_path, session(channelInfo=channels))
    assert found.column("event_id") == ["s1"]


def test_a_subscription_of_the_configuration_is_no_contract(tmp_path: Path) -> None:
    found = of(tmp_path, session(subscriptionId="5c0ffee0-0000-4000-8000-000000000000"))
    assert found.column("subscription_id") == [None]


def test_texts_with_odd_characters_survive(tmp_path: Path) -> None:
    names = ["\0\x1f", 'say "hi"', "é€😀\u2028", " s ", "\\n", "1", "null"]
    found = of(tmp_path, *(session(name, agentId=name) for name in names))
    assert found.column("event_id") == found.column("user_id") == names


def test_half_a_character_ends_nothing(tmp_path: Path) -> None:
    path = save(tmp_path / "x.json", '[{"agentSessionId": "s\\ud800", "startTime": "x"}]')
    found = read(KIND, path)
    assert found.column("event_id") == ["s?"]
    assert json.loads(found.column("raw")[0])["agentSessionId"] == "s?"


# Pages.


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.ndjson", "x.json.gz", "x.jsonl.gz"])
@pytest.mark.parametrize("how", WRAPPINGS)
def test_every_way_to_keep_pages_gives_the_same_rows(tmp_path: Path, how: str, name: str) -> None:
    pages = [[session("a"), session("b")], [], [session("c")]]
    found = read(KIND, save(tmp_path / name, wrapped(how, sessions_answer, pages)))
    assert found.column("event_id") == ["a", "b", "c"]
    assert found.column("row") == [1, 2, 3]
    assert found.remarks == {}


def test_an_export_that_stops_before_its_last_page_says_so(tmp_path: Path) -> None:
    pages = [sessions_answer([session("a")], True), sessions_answer([session("b")], True)]
    path = save(tmp_path / "x.json", "\n".join(map(json.dumps, pages)))
    assert read(KIND, path).remarks == {"more_pages": 2}
    path = save(tmp_path / "x.json", json.dumps(sessions_answer([], True)))
    assert read(KIND, path).remarks == {"more_pages": 0}


def test_an_answer_without_sessions_is_an_export_of_none(tmp_path: Path) -> None:
    assert of(tmp_path).rows.height == 0


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ({"errors": [{"message": "too wide"}], "data": None}, "FailedQuery", "too wide"),
        ({"data": None, "errors": [{"message": "too wide"}]}, "FailedQuery", "too wide"),
        (sessions_answer([session()]) | {"errors": ["x"]}, "FailedQuery", "x"),
        ({"data": None}, "FailedQuery", "agentSessions"),
        ({"data": {}}, "FailedQuery", "agentSessions"),
        ({"data": {"agentSession": None}}, "FailedQuery", "agentSessions"),
        ({"data": {"agentSession": {"agentSessions": None}}}, "FailedQuery", "agentSessions"),
        (tasks_answer([{"id": "t"}]), "AnotherQuery", "search-api-tasks"),
        (tasks_answer([]), "AnotherQuery", "search-api-tasks"),
        ({"data": {"taskLegDetails": {"taskLegs": []}}}, "AnotherQuery", "move it away"),
        ([{"id": "t", "channelType": "chat"}], "AnotherQuery", "search-api-tasks"),
        (sessions_answer([{"aggregation": []}]), "AnotherQuery", "not aggregations"),
        ({"message": "unauthorized", "trackingId": "x"}, "AnotherQuery", "message, trackingId"),
        ([session(), {"message": "rate limit"}], "AnotherQuery", "record 2"),
    ],
)
def test_what_holds_no_sessions_is_refused(
    tmp_path: Path, content: Any, name: str, words: str
) -> None:
    path = save(tmp_path / "x.json", json.dumps(content))
    with pytest.raises(ExportError) as raised:
        read(KIND, path)
    assert raised.value.name == name
    assert words in str(raised.value)


def test_a_page_with_errors_after_good_ones_is_found(tmp_path: Path) -> None:
    pages = [sessions_answer([session()], True), {"errors": [{"message": "late"}]}]
    path = save(tmp_path / "x.json", "\n".join(map(json.dumps, pages)))
    with pytest.raises(ExportError, match="late"):
        read(KIND, path)


# A table.

HEADER = "agentSessionId,agentId,orgId,startTime,endTime,isActive"


def table(tmp_path: Path, header: str, *lines: str, **options: Any) -> Found:
    path = save(tmp_path / "x.csv", "\n".join([header, *lines, ""]))
    return read(KIND, path, **options)


def test_a_table_gives_the_rows_of_the_answer(tmp_path: Path) -> None:
    lines = [f"s1,agent-7,org-1,{NOON},{NOON + 3_600_000},false", f"s2,agent-7,org-1,{NOON},,TRUE"]
    found = table(tmp_path, HEADER, *lines)
    expected = of(tmp_path, session(), session("s2", endTime=None, isActive=True))
    assert found.rows.equals(expected.rows)


def test_rows_of_the_channels_of_a_session_say_the_same_of_it(tmp_path: Path) -> None:
    header = f"{HEADER},channelInfo.channelId,channelInfo.channelType,channelInfo.startTime"
    start = f"s1,agent-7,org-1,{NOON},{NOON + 3_600_000},false"
    found = table(tmp_path, header, f"{start},c1,chat,1", f"{start},c2,email,2")
    usage = found.rows.drop("row")
    assert usage.height == 2
    assert usage.unique().height == 1


@pytest.mark.parametrize(
    "header",
    [HEADER.upper(), ",".join(f"agentSession.{name}" for name in HEADER.split(","))],
)
def test_headers_in_any_case_and_with_what_they_are_of(tmp_path: Path, header: str) -> None:
    found = table(tmp_path, header, f"s1,agent-7,org-1,{NOON},{NOON + 3_600_000},false")
    assert found.rows.equals(of(tmp_path, session()).rows)


@pytest.mark.parametrize(
    ("header", "name", "words"),
    [
        ("agentSessionID2,agentId,startTime,endTime", "MissingColumn", "agentSessionID2"),
        ("agentSessionId,agentId,startTime", "MissingColumn", "endTime"),
        ("agentSessionId,startTime,endTime", "MissingColumn", "agentId"),
        ("agentSessionId,agentId,startTime,a.startTime,endTime", "RepeatedColumn", "startTime"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(
    tmp_path: Path, header: str, name: str, words: str
) -> None:
    with pytest.raises(ExportError) as raised:
        table(tmp_path, header)
    assert raised.value.name == name
    assert words in str(raised.value)


def test_a_broken_row_of_a_table_is_shown_as_it_stands(tmp_path: Path) -> None:
    found = table(tmp_path, f"{HEADER},team", f"s1,agent-7,org-1,soon,{NOON},false,blue", "s2")
    assert found.column("defects") == ["started_at_unreadable", "row_shape"]
    assert json.loads(found.column("raw")[0])["team"] == "blue"


# By chance, against a twin.

TIMES = st.none() | st.integers(NOON, NOON + 10**9)
CHANNEL = st.dictionaries(st.sampled_from(["channelType", "channelId"]), st.text(max_size=5))
SESSIONS = st.builds(
    session,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
    agentId=st.sampled_from([None, "a", "B@x"]),
    orgId=st.sampled_from([None, "org-1", "org-2"]),
    endTime=st.none() | st.integers(NOON + 10**9, NOON + 10**10),
    startTime=TIMES,
    isActive=st.sampled_from([None, True, False]),
    channelInfo=st.none() | CHANNEL | st.lists(CHANNEL, max_size=3),
)


def naive_row(record: dict[str, Any]) -> tuple[Any, ...]:
    """A session as a careful person reads it."""
    user = record.get("agentId")
    start, end = record.get("startTime"), record.get("endTime")
    end = None if record.get("isActive") else end
    return (
        record.get("agentSessionId"),
        record.get("orgId"),
        user.lower() if user and "@" in user else user,
        None if start is None else moment(start),
        None if end is None else moment(end),
    )


def ours(found: Found) -> list[tuple[Any, ...]]:
    return found.rows.select("event_id", "tenant_id", "user_id", "started_at", "ended_at").rows()


@FEW
@given(
    st.lists(st.lists(SESSIONS, max_size=3), min_size=1, max_size=4),
    st.sampled_from(WRAPPINGS),
    st.integers(1, 5),
)
def test_rows_are_those_of_a_naive_reading(
    tmp_path: Path, pages: list[list[Any]], how: str, chunk: int
) -> None:
    text = wrapped(how, sessions_answer, pages)
    path = save(tmp_path / "x.json", text)
    if not text:
        with pytest.raises(ExportError):
            read(KIND, path)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_api_cells, "CHUNK_RECORDS", chunk)
        found = read(KIND, path)
    expected = [naive_row(record) for record in naive(text)]
    assert ours(found) == expected
    assert found.column("row") == list(range(1, len(expected) + 1))


@pytest.mark.parametrize("how", WRAPPINGS)
def test_a_file_that_is_cut_at_any_byte_is_refused_or_whole(tmp_path: Path, how: str) -> None:
    pages = [[session("a", channelInfo=None)], [session("b", isActive=None, channelInfo=None)]]
    text = wrapped(how, sessions_answer, pages)
    path = tmp_path / "x.json"
    quiet = 0
    for end in range(len(text)):
        path.write_text(text[:end], encoding="utf-8")
        try:
            expected = [naive_row(record) for record in naive(text[:end])]
        except ValueError:
            with pytest.raises(ExportError):
                read(KIND, path)
            continue
        found = read(KIND, path)
        assert ours(found) == expected
        # Whole pages are missing: the last one says so. Lines of records cannot.
        is_whole = len(expected) == 2
        assert is_whole or how == "lines" or found.remarks == {"more_pages": 1}
        quiet += not is_whole and how != "lines" and not found.remarks
    assert quiet == 0


@pytest.mark.parametrize("end", range(1, 200, 7))
def test_a_packed_file_that_is_cut_anywhere_is_refused(tmp_path: Path, end: int) -> None:
    text = wrapped("lines", sessions_answer, [[session(str(n)) for n in range(50)]])
    path = save(tmp_path / "x.jsonl.gz", text)
    path.write_bytes(path.read_bytes()[:-end])
    with pytest.raises(ExportError):
        read(KIND, path)


# Published samples.

SAMPLES = Path(os.environ.get("TENANTBILL_SAMPLES", "")) / "webex-search-api"


@pytest.mark.skipif(
    "TENANTBILL_SAMPLES" not in os.environ or not SAMPLES.is_dir(),
    reason="TENANTBILL_SAMPLES names no folder of samples",
)
@pytest.mark.parametrize("name", ["agent-sessions.json", "agent-sessions-filtered.json"])
def test_every_session_of_a_published_sample_comes_through_once(name: str) -> None:
    found = read(KIND, SAMPLES / name, tenant="acme")
    text = (SAMPLES / name).read_text(encoding="utf-8")
    expected = [naive_row(record | {"orgId": "acme"}) for record in naive(text)]
    assert ours(found) == expected
    assert len(set(found.column("event_id"))) == len(expected) > 40
    assert found.rows["defects"].null_count() == len(expected)
