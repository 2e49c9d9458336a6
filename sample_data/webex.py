"""What happened, as Webex says it: records of the Search API and of the licences API.

Belongs here: one record of each kind. Does not belong here: files (`make_exports.py`).
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from cedar import ORGANISATION, user_of
from story import Use
from terms import Cells

PAGE = 250
TOLL_FREE = "ep-0800"
"""The entry point of the toll-free number."""

LICENCES = {
    "standard_agent": ("CJPSTD", "Contact center Standard Agent"),
    "premium_agent": ("CJPPRM", "Contact Center Premium Agent"),
}
"""The code in the id of a licence, and its name as the API cases it."""

Record = dict[str, Any]


def name_of(*words: object) -> str:
    """An id as Webex writes them, always the same for the same words."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, (ORGANISATION, *words)))))


def epoch(at: datetime) -> int:
    """Milliseconds since 1970."""
    return int(at.timestamp()) * 1000


def midnight(day: date) -> datetime:
    """The UTC midnight at which a day begins."""
    return datetime.combine(day, time(), UTC)


def session(use: Use, ended: datetime | None, number: int) -> Record:
    """An agent session: channels as a list, as an object, or not at all."""
    voice = {"channelId": name_of(use.event_id, "voice"), "channelType": "telephony"}
    chat = {"channelId": name_of(use.event_id, "chat"), "channelType": "chat"}
    shapes: list[Record] = [{"channelInfo": [voice, chat]}, {"channelInfo": voice}, {}]
    record: Record = {
        "agentSessionId": name_of(use.event_id),
        "agentId": name_of(use.user_id),
        "userLoginId": user_of(use.user_id),
        "orgId": ORGANISATION,
        "startTime": epoch(use.started_at),
        "endTime": None if ended is None else epoch(ended),
        "isActive": ended is None,
    }
    return record | shapes[number % 3]


def task(use: Use, ended: datetime | None) -> Record:
    """A call: one to the toll-free number goes straight to the queue, others meet the IVR first."""
    is_toll_free = use.meter == "toll_free_call"
    lasted = {"createdTime": epoch(use.started_at)}
    lasted |= {} if ended is None else {"endedTime": epoch(ended)}
    event = "queued" if is_toll_free else "ivr-connected"
    return {
        "id": name_of(use.event_id),
        "channelType": "telephony",
        "direction": "inbound",
        "isActive": ended is None,
        "entryPoint": {"id": TOLL_FREE if is_toll_free else "ep-main", "name": "Front desk"},
        **lasted,
        "activities": {"nodes": [{"id": name_of(use.event_id, 1), "eventName": event, **lasted}]},
    }


def talk(use: Use) -> Record:
    """A conversation with the AI agent."""
    return {
        "interactionId": name_of(use.event_id, "call"),
        "sessionId": name_of(use.event_id),
        "sessionStartTime": epoch(use.started_at),
        "sessionEndTime": epoch(use.started_at + timedelta(minutes=3)),
    }


def licence(seat: Cells) -> Record:
    """A licence of a subscription."""
    code, name = LICENCES[seat["meter"]]
    units = int(seat["quantity"])
    return {
        "id": licence_id(code),
        "name": name,
        "totalUnits": units,
        "consumedUnits": units - 1,
        "consumedByUsers": None,
        "subscriptionId": seat["subscription_id"],
    }


def licence_id(code: str) -> str:
    """A licence's id as the API encodes it."""
    text = f"ciscospark://us/LICENSE/{ORGANISATION}:{code}_{name_of(code)}"
    return base64.b64encode(text.encode()).decode().rstrip("=")


def answers(query: str, records_in: str, records: list[Record]) -> Iterator[Record]:
    """The records as the answers to a query, page by page."""
    for first in range(0, max(len(records), 1), PAGE):
        has_next = first + PAGE < len(records)
        cursor = str(first + PAGE) if has_next else None
        page = {"hasNextPage": has_next, "endCursor": cursor}
        yield {"data": {query: {records_in: records[first : first + PAGE], "pageInfo": page}}}
