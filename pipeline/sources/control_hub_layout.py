"""The header of Control Hub's users CSV: which column is what.

Belongs here: names of columns, and what a licence's column says of it: `NAME`, `NAME [CONTRACT]`
and `NAME (Suspended)`. Does not belong here: rows (`control_hub_users`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import did_you_mean
from pipeline.exports import MissingColumn, RepeatedColumn
from pipeline.sources.kind import Options

USER = "User ID/Email (Required)"

_LICENSES = {
    f"{maker}contact center {license_} agent": license_
    for maker in ("webex ", "")
    for license_ in ("premium", "standard")
}
"""The feed's licence by the name of its column, folded."""

_ITS_NAME = "contact center"
"""What the name of every licence of the product has in it."""

_MARK = re.compile(r"\s*(?:\[\s*([^\[\]]+?)\s*\]|(\(suspended\)))\s*$", re.IGNORECASE)


class LicenseColumn(NamedTuple):
    """A licence's column: its header, the licence, and the subscription that the header names.

    A column with a `remark` gives nobody anything: that is what is said of its holders.
    """

    header: str
    license: str
    subscription: str | None
    remark: str | None


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that are read, by their names in the file; None for those it does not have."""

    user: str
    licenses: tuple[LicenseColumn, ...]
    display_name: str | None
    first_name: str | None
    last_name: str | None
    status: str | None
    subscription_by: str | None


def folded(name: str) -> str:
    """A name as it is compared: neither case nor the number of spaces matters."""
    return " ".join(name.split()).casefold()


def layout_of(path: Path, header: Sequence[str], options: Options) -> Layout:
    """Which column is what.

    Raises `RepeatedColumn` for two columns of one name, and `MissingColumn` where there is no
    column of the user, none of a licence, or not the one that `subscription_by` names.
    """
    found: dict[str, str] = {}
    for name in header:
        if found.setdefault(folded(name), name) is not name:
            raise RepeatedColumn(
                f"the header repeats {name!r}",
                where=f"{path}, header",
                remedy="export again with each column once",
            )
    by = options["subscription_by"]
    return Layout(
        _needed(path, found, options["user"], "user"),
        _licenses(path, header, options),
        found.get("display name"),
        found.get("first name"),
        found.get("last name"),
        found.get("user status"),
        _needed(path, found, by, "subscription_by") if by else None,
    )


def _needed(path: Path, found: Mapping[str, str], name: str, key: str) -> str:
    if folded(name) not in found:
        remedy = did_you_mean(name, found.values(), "export it with that column")
        raise MissingColumn(
            f"the header lacks {name!r}",
            where=f"{path}, header",
            remedy=f"{remedy}, or name another column as {key} of its [[source]]",
        )
    return found[folded(name)]


def _licenses(path: Path, header: Sequence[str], options: Options) -> tuple[LicenseColumn, ...]:
    own = {folded(name): license_ for name, license_ in options["licenses"].items()}
    columns = [_license(name, {**_LICENSES, **own}, options["subscriptions"]) for name in header]
    found = tuple(column for column in columns if column)
    if not any(column.license for column in found):
        looked_for = ", ".join(sorted({*_LICENSES, *own}))
        raise MissingColumn(
            f"the header has no licence of the contact center; looked for {looked_for}, also "
            "with [SUBSCRIPTION] or (Suspended) behind it",
            where=f"{path}, header",
            remedy="export the users again with their licences, or name the column in licenses "
            "of its [[source]]",
        )
    return found


def _license(
    header: str, licenses: Mapping[str, str], subscriptions: Mapping[str, str]
) -> LicenseColumn | None:
    """What a column is, if it is a licence of the contact center."""
    name, subscription, is_suspended = _parted(header)
    license_ = licenses.get(folded(header), licenses.get(folded(name), ""))
    if license_ == "none" or not (license_ or _ITS_NAME in folded(name)):
        return None
    by_header = {folded(one): to for one, to in subscriptions.items()}
    if folded(header) in by_header:
        subscription = by_header[folded(header)]
    elif subscription is not None:
        subscription = subscriptions.get(subscription, subscription)
    remark = "license_not_mapped" if not license_ else "license_suspended" if is_suspended else None
    return LicenseColumn(header, license_, subscription, remark)


def _parted(header: str) -> tuple[str, str | None, bool]:
    """The name in a header, the subscription in `[]` behind it, and whether it is suspended."""
    subscription, is_suspended = None, False
    while found := _MARK.search(header):
        header = header[: found.start()]
        subscription = found[1] or subscription
        is_suspended |= bool(found[2])
    return header, subscription, is_suspended
