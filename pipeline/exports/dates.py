"""Dates in the names of files: `2026-10-01`, or `20261001`.

Belongs here: finding them. Does not belong here: what they say of a file (`sources.snapshots`,
`stages.file_days`).
"""

from __future__ import annotations

import re
from datetime import date

DATE = r"(?<!\d)(?:\d{4}-\d{2}-\d{2}|\d{8})(?!\d)"
"""The form of a date in a name; not every text of it is one."""

_DATE = re.compile(DATE)


def dates_in(name: str) -> set[date]:
    """Every date that a name says."""
    return {day for day in map(date_of, _DATE.findall(name)) if day is not None}


def date_of(text: str) -> date | None:
    """The date that a text of that form is; None for one such as `2026-13-01`."""
    digits = text.replace("-", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
