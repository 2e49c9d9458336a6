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
        "records_passed_over",
        "{records} are calls without any time in the IVR.",
        "Nothing to do, unless ivr_events of the source lacks an eventName of yours.",
    ),
    "task_of_other_channel": Remark(
        "records_passed_over",
        "{records} are no calls, and use nothing that is counted here.",
        "Nothing to do.",
    ),
    "ai_agent_session_passed_over": Remark(
        "records_passed_over",
        "{records} of AI Agent sessions were passed over, since ai_agent_events counts activities.",
        "Nothing to do; or leave ai_agent_events out, so that these records are counted instead.",
    ),
    "user_without_license": Remark(
        "records_passed_over",
        "{records} of users without a licence of the contact center, who are not users of it.",
        "Nothing to do; name in roles who works with it without a licence, such as administrators.",
    ),
    "user_not_active": Remark(
        "user_not_active",
        "{records} of users whose status is not Active or Verified; they count as all others.",
        "Nothing to do for billing; take the licences back that nobody uses.",
    ),
    "license_suspended": Remark(
        "license_suspended",
        "{records} with a suspended licence, which gives nothing.",
        "Move these users to a licence of an active subscription in Control Hub.",
    ),
    "license_not_mapped": Remark(
        "license_not_mapped",
        "{records} with a licence of the contact center that nobody knows; it gives nothing.",
        "Say in licenses of the [[source]] what its column is: standard, premium, or none.",
    ),
    "license_without_subscription": Remark(
        "license_without_subscription",
        "{records} with a licence of which nothing says the subscription.",
        "Set subscription, subscriptions or subscription_by in the [[source]]; else the usage of "
        "these users goes to the primary.",
    ),
    "license_passed_over": Remark(
        "records_passed_over",
        "{records} of licences of other products, or of contracts that passed_over names.",
        "Nothing to do.",
    ),
    "license_without_meter": Remark(
        "license_without_meter",
        "{records} of licences of the contact center that are no meter, so they include nothing.",
        "Say in meters of the [[source]] which meter they are, by name or by what the id begins "
        "with, if their usage is billed.",
    ),
    "license_contradicting": Remark(
        "license_contradicting",
        "{records} of licences whose name says another meter than their id.",
        "Export again; if the name is one that was changed, correct meters in the [[source]].",
    ),
    "connect_channel_unbilled": Remark(
        "channel_unbilled",
        "{records} of Webex Connect are of channels that no meter counts.",
        "Nothing to do if nobody pays for them; else name a meter in meters of the source.",
    ),
    "connect_channel_unknown": Remark(
        "channel_unknown",
        "{records} of Webex Connect are of channels that nobody has named: they are not billed.",
        'Name the meter of the channel in meters of the source, or "" if there is none.',
    ),
    "connect_provisional": Remark(
        "provisional_usage",
        "{records} of Webex Connect are of a month that was not final when it was exported.",
        "Export the month again from the 4th of the next (UTC): later counts replace these.",
    ),
}
"""Every remark there is, by its code."""
