"""What is to be said of the records of an export, counted while it is read.

Belongs here: every code, and the sentence and remedy it stands for. Does not belong here: when one
arises; that is said in the file of the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Remark(NamedTuple):
    """A finding's code, what it says of so many records (`{records}`), and what to do."""

    finding: str
    message: str
    remedy: str


REMARKS: Mapping[str, Remark] = {
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
