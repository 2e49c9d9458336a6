"""What is to be said of the records of an export, counted while it is read.

Belongs here: every code, and the sentence and remedy it stands for. Does not belong here: when one
arises; that is said in the file of the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Remark(NamedTuple):
    """A finding's code, what it says of so many records (`{records}`), and what to do.

    `of_last`: it means something only of the last export, by name, of a folder: before it, the next
    one makes it good.
    """

    finding: str
    message: str
    remedy: str
    of_last: bool = False


_QUERY_ACTIVITIES = (
    "Query them: activities { nodes { id createdTime endedTime isActive eventName } pageInfo "
    "{ hasNextPage endCursor } }."
)

REMARKS: Mapping[str, Remark] = {
    "more_pages": Remark(
        "export_not_whole",
        "after {records} its last page says that more follow.",
        "Fetch on from the endCursor of that page, into the same file or into one whose name comes "
        "after it.",
        of_last=True,
    ),
    "task_without_activities": Remark(
        "usage_not_queried",
        "whether {records} used the IVR cannot be told, since no activity says what it was.",
        _QUERY_ACTIVITIES,
    ),
    "task_of_more_activities": Remark(
        "export_not_whole",
        "the activities of {records} go on after the page of them that is there.",
        "Query them on from the endCursor of their own pageInfo, or more of them at once.",
    ),
    "task_without_channel": Remark(
        "usage_not_queried",
        "whether {records} are calls cannot be told.",
        "Query channelType too.",
    ),
    "task_without_entry_point": Remark(
        "usage_not_queried",
        "whether {records} came in toll-free cannot be told.",
        "Query destination too, and entryPoint { id name }.",
    ),
    "task_without_ivr": Remark(
        "records_without_usage",
        "{records} are calls without any time in the IVR.",
        "Nothing to do, unless ivr_events of the source lacks an eventName of yours.",
    ),
    "task_of_other_channel": Remark(
        "records_without_usage",
        "{records} are no calls, and use nothing that is counted here.",
        "Nothing to do.",
    ),
    "ai_agent_session_passed_over": Remark(
        "records_without_usage",
        "{records} of AI Agent sessions were passed over, since ai_agent_events counts activities.",
        "Nothing to do; or leave ai_agent_events out, so that these records are counted instead.",
    ),
}
"""Every remark there is, by its code."""
