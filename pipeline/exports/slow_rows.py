"""CSV records one at a time: the reading that says what is wrong, and judges the fast one.

Belongs here: what a record is, and which physical lines belong to it. Does not belong here: files.

A record ends at a line feed that is not inside quotes. A quote opens a field only at its beginning;
anywhere else in an unquoted field it is a character like others. Where a quoted field goes on after
its closing quote, or a record of several lines has the wrong number of fields, its first line
alone is set aside and reading goes on with the next one: a stray quote must not swallow the rows
behind it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Row = list[str]

FAR = 5_000
"""Where a stray quote swallowed more lines than this, the fast reading shall try them again."""


@dataclass(slots=True)
class Records:
    """What a block of lines holds.

    `rows` are the fields of each record in order, empty for those in `broken`, which has their raw
    JSON by position. `used` counts the lines that are done with; a record that is still open at the
    end of the block begins at that line. `width` is the number of fields of the last record.
    """

    rows: list[Row] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)
    used: int = 0
    width: int = 0


class Lines:
    """An iterator over lines that knows, and may be told, where it is."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0
        self.ran_out = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.at >= len(self.lines):
            self.ran_out = True
            raise StopIteration
        self.at += 1
        return self.lines[self.at - 1]


def split_lines(text: str) -> list[str]:
    """The physical lines with their ends; a line ends at a line feed and nowhere else."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def first_record(lines: list[str], separator: str = ",") -> tuple[Row, int] | None:
    """The first record that is not a blank line, and how many lines it ends after.

    None if the lines hold no whole record. Raises csv.Error if the first is not well formed.
    """
    feed = Lines(lines)
    with _any_length():
        try:
            return next(
                (
                    (row, feed.at)
                    for row in csv.reader(feed, delimiter=separator, strict=True)
                    if row
                ),
                None,
            )
        except csv.Error:
            if feed.ran_out:
                return None
            raise


def set_aside(line: str) -> Records:
    """One line as a broken row."""
    found = Records(used=1)
    _break(found, [line.rstrip("\r\n")])
    return found


def records(lines: list[str], width: int, separator: str = ",") -> Records:
    """The whole records of the lines; every row must have `width` fields (0: any number).

    A record that the lines leave open stays unused, and so may lines behind a stray quote.
    """
    found = Records()
    feed = Lines(lines)
    with _any_length():
        while found.used < len(lines):
            feed.at, feed.ran_out = found.used, False
            try:
                _follow(feed, width, found, separator)
                break
            except csv.Error:
                if feed.ran_out:
                    break
                swallowed = feed.at - found.used
                _break(found, [lines[found.used].rstrip("\r\n")])
                found.used += 1
                if swallowed > FAR:
                    break
    return found


def _follow(feed: Lines, width: int, found: Records, separator: str) -> None:
    """Take records until the lines end, or one of them is not well formed."""
    for row in csv.reader(feed, delimiter=separator, strict=True):
        if row and (not width or len(row) == width):
            found.rows.append(row)
        elif row and feed.at - found.used > 1:
            raise csv.Error
        elif row:
            _break(found, row)
        if row:
            found.width = len(row)
        found.used = feed.at


def _break(found: Records, fields: Row) -> None:
    found.broken[len(found.rows)] = json.dumps({"fields": fields}, ensure_ascii=False)
    found.rows.append([])


@contextmanager
def _any_length() -> Iterator[None]:
    """Cells of any length. The csv module keeps its limit for the whole process: put it back."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)
