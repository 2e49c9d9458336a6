"""What the name of an export says of the days that it holds.

Belongs here: reading dates in names. Does not belong here: what an export really holds (`starts`),
and what follows from it (`coverage`).
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pipeline.exports.dates import DATE, date_of, dates_in
from pipeline.period import Days

_JOINT = r"(?:\.\.|_|-|[_-]to[_-]| to )"
_SPAN = re.compile(rf"({DATE}){_JOINT}({DATE})")
_ONE = re.compile(DATE)
_DATED_FOLDER = re.compile(r"[\d_.-]+")


def named_days(name: str) -> Days | None:
    """The days that a file's name says: a span of two dates, or the one day of a single date.

    Dates are `2026-10-01` or `20261001`; a span is `2026-10-01..2026-10-07`, also with `_`, `-` or
    `to` between. Several dates that make no one span say nothing, and neither does a span that ends
    before it begins.
    """
    file = PurePosixPath(name).name
    spans = [(date_of(one), date_of(two)) for one, two in _SPAN.findall(file)]
    [(first, last), *others] = spans or [(day, day) for day in dates_in(file)] or [(None, None)]
    if others or first is None or last is None or last < first:
        return None
    return Days(first.toordinal(), last.toordinal() + 1)


def series_of(name: str) -> str:
    """A name without its dates: exports of one series are of the same tenants, on other days."""
    path = PurePosixPath(name)
    folders = [one for one in path.parent.parts if not _DATED_FOLDER.fullmatch(one)]
    undated = _ONE.sub("", _SPAN.sub("", path.name))
    return "/".join([*folders, undated.split(".")[0]])
