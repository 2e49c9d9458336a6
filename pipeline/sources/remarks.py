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
}
"""Every remark there is, by its code."""
