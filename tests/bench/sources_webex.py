"""Answers of the Search API of any size, for measuring.

Belongs here: writing them. Does not belong here: measuring (`sources`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.made import Made, Writer

PAGE = 250
FIRST_MS = 1_790_000_000_000


def _pages(query: str, listed: str, record: Callable[[int], Any], span: int) -> Writer:
    """Answers a line each; the last page of each `span` records says that it is the last."""

    def write(path: Path, records: int) -> None:
        with path.open("w", encoding="utf-8") as file:
            for begin in range(0, records, PAGE):
                end = min(begin + PAGE, records)
                info = {"hasNextPage": end < records and end % span != 0, "endCursor": str(end)}
                body = {listed: [record(number) for number in range(begin, end)], "pageInfo": info}
                file.write(json.dumps({"data": {query: body}}) + "\n")

    return write


def _id(number: int, of: str) -> str:
    return f"{of}{number:07x}-0000-4000-8000-000000000000"


def _session(number: int) -> dict[str, Any]:
    start = FIRST_MS + number * 997 % 2_592_000_000
    return {
        "agentSessionId": _id(number, "a"),
        "agentId": _id(number % 5_003, "b"),
        "teamId": _id(number % 53, "c"),
        "siteId": _id(number % 7, "d"),
        "startTime": start,
        "endTime": start + number * 7_919 % 36_000_000,
        "isActive": number % 101 == 0,
        "channelInfo": [
            {
                "channelId": _id(number * 3 + channel, "e"),
                "channelType": name,
                "idleCount": 3,
                "idleDuration": number % 100_000,
                "ringingCount": channel,
                "ringingDuration": 0,
                "totalDuration": 600_000,
            }
            for channel, name in enumerate(("telephony", "chat", "email"))
        ],
    }


_EVENTS = ("ended", "connected", "connect", "parked", "flow-activity", "ivr-connected", "new")


def _task(number: int) -> dict[str, Any]:
    start = FIRST_MS + number * 997 % 2_592_000_000
    return {
        "id": _id(number, "a"),
        "channelType": "telephony" if number % 5 else "chat",
        "direction": "inbound",
        "destination": f"+1800555{number % 100:04}",
        "isActive": False,
        "isCampaign": False,
        "createdTime": start,
        "endedTime": start + 300_000,
        "activities": {
            "nodes": list(_activities(number, start)),
            "pageInfo": {"hasNextPage": False, "endCursor": None},
        },
    }


def _activities(number: int, start: int) -> Iterator[dict[str, Any]]:
    for position, event in enumerate(_EVENTS):
        begin = start + (len(_EVENTS) - position) * 10_000
        yield {
            "id": f"{_id(number, 'a')}-{begin}-{event}",
            "eventName": event,
            "createdTime": begin,
            "endedTime": begin + 10_000,
        }


MADE: Mapping[str, Made] = {
    "search-api-agent-sessions": Made(
        "search-api-agent-sessions",
        ".jsonl",
        _pages("agentSession", "agentSessions", _session, 2**62),
        {"tenant": "acme"},
    ),
    "search-api-tasks": Made(
        "search-api-tasks",
        ".jsonl",
        _pages("taskDetails", "tasks", _task, 50_000),
        {"tenant": "acme", "toll_free": ["+18005550007"]},
    ),
}
"""What is measured, by its name."""
