"""The channels of a usage export of Webex Connect: where they stand, their meters and counts.

Belongs here: names of channels, and what settings say by them. Does not belong here: rows
(`connect_usage.py`).

A name of a channel stands for every channel that begins with the same words: `SMS` for `SMS
Outbound` and `sms-inbound`; the longest one counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.exports import Cells
from pipeline.exports.csv_files import csv_table
from pipeline.exports.faults import UndecidedColumn
from pipeline.exports.headers import check_repeats
from pipeline.exports.workbooks import workbook
from pipeline.sources.kind import Options
from pipeline.sources.mapping import check_there

WORKBOOK = ".xlsx"

METERS: Mapping[str, str] = {
    "SMS": "connect_sms",
    "WhatsApp": "connect_whatsapp",
    "Email": "connect_email",
    "Voice": "connect_voice",
    "Automated Interactions": "connect_interaction",
}
"""The meters of channels."""

WITHOUT_METER = (
    *("Facebook Messenger", "In-app", "Push", "RCS", "Apple Messages", "Number of users", "Media"),
    *("Numbers", "TPS", "10DLC", "Apps", "Logs", "Add-Ons"),
)
"""What else Webex Connect reports: no meter counts it, unless settings name one."""

SUMMARY = "summary"
"""What says again what the others say: it is passed over."""

COUNTS = frozenset(
    ("count", "total", "total count", "usage count", "billable count", "billable units", "quantity")
)
"""The names of columns that surely count, where a channel has exactly one of them."""


@dataclass(frozen=True, slots=True)
class Channel:
    """The usage of one channel: its name in words, where it stands, and its rows as they are."""

    words: Sequence[str]
    place: str
    header: Sequence[str]
    cells: Callable[[Collection[str]], Iterator[Cells]]

    @property
    def name(self) -> str:
        """Its name, however it was written."""
        return " ".join(self.words)

    def of(self, table: Mapping[str, str]) -> str | None:
        """What a table by names of channels says of this one; None where it says nothing."""
        said = {tuple(_words(name)): value for name, value in table.items()}
        begins = (tuple(self.words[:length]) for length in range(len(self.words), 0, -1))
        return next((said[begin] for begin in begins if begin in said), None)

    def meter(self, options: Options) -> str | None:
        """Its meter; empty where it is known to have none, None where nobody has named it."""
        return self.of({**dict.fromkeys(WITHOUT_METER, ""), **METERS, **options["meters"]})

    def count(self, options: Options) -> str:
        """The column that counts: the one that is said, or the only one whose name says so.

        Raises `UnknownColumn`, `UndecidedColumn`.
        """
        said = self.of(options["counts"])
        if said:
            check_there(said, self.header, self.place, "counts speaks of")
            return said
        found = [name for name in self.header if " ".join(_words(name)) in COUNTS]
        if len(found) == 1:
            return found[0]
        raise UndecidedColumn(
            f"it would be a guess which column counts: {', '.join(map(repr, self.header))}",
            where=f"{self.place}, header",
            remedy=f'say it in the [[source]]: counts = {{ "{self.name}" = "…" }}',
        )


def channels(path: Path, options: Options) -> Iterator[Channel]:
    """The channels of a file; not sheets that hold nothing, and not the summary.

    That of a CSV file is what settings or its name say, but for dates and other numbers.
    """
    if not path.name.lower().endswith(WORKBOOK):
        header, every = csv_table(path)
        check_repeats(path, header)
        stem = path.name.lower().removesuffix(".gz").removesuffix(".csv")
        words = _words(options["channel"] or re.sub(r"(?<![^\W_])[0-9]+(?![^\W_])", " ", stem))
        if words != [SUMMARY]:
            yield Channel(words, str(path), header, lambda _: every)
        return
    with workbook(path) as sheets:
        for sheet in sheets:
            words, names = _words(sheet.name), sheet.header()
            if names and words != [SUMMARY]:
                yield Channel(words, f"{path}, sheet {sheet.name!r}", names, sheet.cells)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", name.casefold()) if word]
