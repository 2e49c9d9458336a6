"""What the name of an export says of the days that it holds.

Belongs here: reading dates in names. Does not belong here: what an export really holds (`starts`),
and what follows from it (`coverage`).
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import PurePosixPath

from pipeline.period import Days

_DATE = r"(?<!\d)(?:\d{4}-\d{2}-\d{2}|\d{8})(?!\d)"
_JOINT = r"(?:\.\.|_|-|[_-]to[_-]| to )"
_SPAN = re.compile(rf"({_DATE}){_JOINT}({_DATE})")
_ONE = re.compile(rf"({_DATE})")
_DATED_FOLDER = re.compile(r"[\d_.-]+")


def named_days(name: str) -> Days | None:
    """The days that a file's name says: a span of two dates, or the one day of a single date.

    Dates are `2026-10-01` or `20261001`; a span is `2026-10-01..2026-10-07`, also with `_`, `-` or
    `to` between. Several dates that make no one span say nothing, and neither does a span that ends
    before it begins.
    """
    file = PurePosixPath(name).name
    spans = [(_day(one), _day(two)) for one, two in _SPAN.findall(file)]
    if spans:
        first, last = spans[0]
        is_plain = len(spans) == 1 and first is not None and last is not None and first <= last
        return Days(first, last + 1) if is_plain and first and last else None
    days = {day for day in map(_day, _ONE.findall(file)) if day is not None}
    return Days(min(days), min(days) + 1) if len(days) == 1 else None


def series_of(name: str) -> str:
    """A name without its dates: exports of one series are of the same tenants, on other days."""
    path = PurePosixPath(name)
    folders = [one for one in path.parent.parts if not _DATED_FOLDER.fullmatch(one)]
    undated = _ONE.sub("", _SPAN.sub("", path.name))
    return "/".join([*folders, undated.split(".")[0]])


def _day(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None
