"""What a header must be, whatever kind of file it stands in.

Belongs here: the check of column names against the feed. Does not belong here: reading them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from pipeline.exports.faults import MissingColumn, RepeatedColumn
from schemas.columns import Table

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def check_header(path: Path, header: Sequence[str], table: Table) -> None:
    """Refuse a header that repeats a name or lacks a required column of the feed."""
    check_repeats(path, header)
    missing = [c.name for c in table if c.required and c.name not in header]
    if missing:
        raise MissingColumn(
            f"the header lacks {_listed(missing)}",
            where=f"{path}, header",
            remedy=_remedy(missing, header),
        )


def check_repeats(place: Path | str, header: Sequence[str]) -> None:
    """Refuse a header that repeats a name."""
    repeated = [name for name, times in Counter(header).items() if times > 1]
    if repeated:
        raise RepeatedColumn(
            f"the header repeats {_listed(repeated)}",
            where=f"{place}, header",
            remedy="export again with each column once, under a name of its own",
        )


def strangers(header: Sequence[str], table: Table) -> list[str]:
    """The columns that the feed does not declare, in the order of the header."""
    known = set(table.names)
    return [name for name in header if name not in known]


def _remedy(missing: list[str], header: Sequence[str]) -> str:
    if len(header) == 1:
        for mark, word in _SEPARATORS.items():
            if mark in header[0]:
                return f"the fields seem to be separated by {word}: export with commas"
    folded = {name.strip().casefold(): name for name in header}
    guesses = [
        f"did you mean it by {folded[match[0]]!r}? then rename that to {near!r}"
        for near in missing
        if (match := get_close_matches(near, list(folded), n=1))
    ]
    return "; ".join(guesses) if guesses else f"export again with {_listed(missing)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
