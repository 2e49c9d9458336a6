"""The data dictionary: `schemas/README.md`, written from the declared feeds and datasets.

    python -m schemas.dictionary            writes schemas/README.md again
    python -m schemas.dictionary --check    exits 1 if it is not what the declarations say

Belongs here: how a table is told to people. Does not belong here: what it declares (`feeds.py`,
`datasets.py`). The rules that need other rows are judged in `pipeline.stages.terms`, of which
nothing is imported here; their names are told in `ACROSS_ROWS`, and a test compares the two.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.columns import Column, Kind, Rule, Table
from schemas.datasets import CHANGES, CHARGEBACK, CURVE, DATASETS
from schemas.feeds import FEEDS, USAGE, USAGE_IN_CONTEXT

FILE = Path(__file__).with_name("README.md")

KINDS = {
    Kind.TEXT: "text",
    Kind.QUANTITY: "exact decimal, 12+6 digits",
    Kind.MONEY: "exact decimal, 32+6 digits",
    Kind.INTEGER: "whole number",
    Kind.DATE: "date",
    Kind.INSTANT: "instant, UTC",
}
"""Each kind in plain words; `12+6` are the digits before and after the point."""

_ONCE = "state each key once; is an old export still in the folder?"
_ISO = "an ISO 4217 code that has a minor unit, such as USD"
_OWN = "name a subscription of this tenant, as in `subscriptions`"

ACROSS_ROWS: dict[str, dict[str, str]] = {
    "subscriptions": {
        "currency_unknown": _ISO,
        "overlapping_service": "in service once on a day: end one row before the next begins",
        "several_currencies": "one currency a subscription; another currency is another contract",
    },
    "entitlements": {
        "subscription_unknown": _OWN,
        "meter_unknown": "name a meter of the catalogue",
        "repeated_key": _ONCE,
    },
    "rates": {
        "currency_unknown": _ISO,
        "subscription_unknown": "where `tenant_id` is stated, " + _OWN,
        "meter_unknown": "a price for one tenant or subscription names a meter of the catalogue",
        "repeated_price": "end one price before the next begins; is an old export still there?",
        "mixed_models": "all tiers of a price have one model",
    },
    "partners": {"repeated_key": _ONCE},
    "tenants": {
        "subscription_unknown": "`primary_override`: " + _OWN,
        "time_zone_unknown": "an IANA name such as Europe/Madrid",
        "repeated_key": _ONCE,
    },
    "meters": {
        "included_with_unknown": "names meters of the catalogue, joined by `;`",
        "repeated_key": _ONCE,
    },
}
"""By feed: the rules that need other rows or feeds, each with its remedy."""

_HEAD = """\
# Data dictionary

Written by `python -m schemas.dictionary` from `feeds.py` and `datasets.py`; change those, not this
file. `python -m schemas.dictionary --check` says whether it is up to date.

This package owns what feeds and datasets look like: names, types, units, the rules of a row
(`columns.py`, `feeds.py`, `datasets.py`), whether a frame keeps them (`screen.py`), and what in it
does not, as pandera tells it (`checks.py`). It does not own how exports are read, what is computed,
or where it is kept: that is [`pipeline`](../pipeline/README.md), which explains the R-numbers, too.

## Where exports lie

A feeds directory holds, for each feed, one file `NAME.csv`, `NAME.csv.gz` or `NAME.parquet`, or a
directory `NAME/` of such files, at any depth and mixed. Exports count in the order of their file
names, which matters for `usage` alone: of two rows of one event the later one counts (R11.1).
A file under `NAME/` that is none of these ends the run; hidden files are passed over.

## How values are written

- CSV: a header row, commas, double quotes, UTF-8. An empty cell is no value: the default holds.
  Columns may stand in any order; unknown ones are kept out and named in a notice.
- Text: as it stands. Nothing is trimmed, and upper and lower case differ.
- Exact decimal `12+6`: up to 12 digits, a point, up to 6 digits: `1250`, `0.0075`. No exponent, no
  comma, never a float (a float column of a Parquet file is refused).
- Instant: ISO 8601 with `Z` or an offset; without either it is UTC; whole numbers are epoch
  milliseconds. A fraction has up to 9 digits, and those beyond microseconds are cut. A date alone
  is not an instant.
- Date: `YYYY-MM-DD`, a local day of the tenant.
- Whole number: digits, with a sign or without.

## What happens to a broken row

A `usage` row that breaks a rule is set aside in `quarantine` under the rule's name, and the rest of
its file is billed. A broken row of any other feed changes what somebody owes: the tenants it names
are not invoiced (`broken_terms`), and where it names none the run stops.
"""

_SHAPE = (
    "| `row_shape` | export the row with as many fields as the header, its quotes closed; in a "
    "workbook, mend its errors and have its formulas calculated |"
)


def render() -> str:
    """The whole data dictionary, as the text of its file."""
    parts = [_HEAD, "## The feeds\n", _contents(FEEDS)]
    parts += [_feed(table) for table in FEEDS]
    parts += ["## The datasets\n", _DATASETS, _contents(DATASETS)]
    parts += [_dataset(table) for table in DATASETS]
    parts += ["## What is worked out when it is asked for\n", _dataset(CHARGEBACK), _dataset(CURVE)]
    parts += ["## What plan and diff print\n", _dataset(CHANGES)]
    return "\n".join(parts)


def is_fresh(path: Path = FILE) -> bool:
    """Whether the file says what is declared."""
    return path.is_file() and path.read_text(encoding="utf-8") == render()


def rule_names(table: Table) -> list[str]:
    """Every rule that a row of the feed can be set aside by, in the order they are told."""
    return [name for names, _ in _rules(table) for name in names]


def main(words: Sequence[str]) -> int:
    """Write the file, or check it. Gives the exit code."""
    if words == ["--check"]:
        if is_fresh():
            return 0
        sys.stderr.write(f"{FILE.name} is stale: run `python -m schemas.dictionary`\n")
        return 1
    if words:
        sys.stderr.write("usage: python -m schemas.dictionary [--check]\n")
        return 2
    FILE.write_text(render(), encoding="utf-8")
    return 0


_DATASETS = """\
What a run publishes; `tenantbill show NAME PERIOD` prints it, in the order of its key. As CSV and
JSON, decimals are plain (`10155.7`) and instants are UTC with `Z`. "Always there": never empty.
"""


def _contents(tables: Sequence[Table]) -> str:
    links = (f"[`{table.name}`](#{table.name})" for table in tables)
    return ", ".join(links) + "\n"


def _feed(table: Table) -> str:
    need = "optional" if table.optional else "required"
    lines = [
        f"### {table.name}\n",
        f"One row per {table.grain}. The feed is {need}.{_key(table)}\n",
        "| column | type | must be there | default | allowed values | meaning |",
        "|---|---|---|---|---|---|",
        *(_column(column) for column in table),
        "",
        "| rule | remedy |",
        "|---|---|",
        *(f"| {_codes(names)} | {_cell(remedy)} |" for names, remedy in _rules(table)[:-1]),
        _SHAPE,
        "",
    ]
    return "\n".join(lines)


def _key(table: Table) -> str:
    """The key that is stated once, where a rule says so."""
    is_stated_once = "repeated_key" in ACROSS_ROWS.get(table.name, {})
    return f" Key: {_codes(table.key)}." if is_stated_once else ""


def _column(column: Column) -> str:
    default = f"`{column.default}`" if column.default is not None else ""
    cells = (
        f"`{column.name}`",
        KINDS[column.kind],
        "yes" if column.required else "",
        default,
        _codes(column.choices),
        _cell(column.meaning),
    )
    return f"| {' | '.join(cells)} |"


def _dataset(table: Table) -> str:
    keyed = f" Key: {_codes(table.key)}." if table.key else ""
    lines = [
        f"### {table.name}\n",
        f"One row per {table.grain}.{keyed}\n",
        "| column | type | always there | allowed values | meaning |",
        "|---|---|---|---|---|",
        *(
            f"| `{column.name}` | {KINDS[column.kind]} | {'yes' if column.required else ''} "
            f"| {_codes(column.choices)} | {_cell(column.meaning)} |"
            for column in table
        ),
        "",
    ]
    return "\n".join(lines)


def _rules(table: Table) -> list[tuple[list[str], str]]:
    """The rules of a feed, those of one remedy together: their names, and the remedy."""
    return [
        *_of_columns(table),
        *(([rule.name], rule.remedy) for rule in table.rules),
        *(([rule.name], rule.remedy) for rule in _in_context(table)),
        *(([name], remedy) for name, remedy in ACROSS_ROWS.get(table.name, {}).items()),
        (["row_shape"], ""),
    ]


def _of_columns(table: Table) -> Iterator[tuple[list[str], str]]:
    """The rules that follow from the columns: missing, unreadable, unknown values."""
    yield [f"{column.name}_missing" for column in table if column.required], "state a value"
    unreadable = [f"{column.name}_unreadable" for column in table if column.kind is not Kind.TEXT]
    if unreadable:
        yield unreadable, "write the value as said above"
    unknown = [f"{column.name}_unknown" for column in table if column.choices]
    if unknown:
        yield unknown, "use one of the allowed values"


def _in_context(table: Table) -> tuple[Rule, ...]:
    """The rules of a usage row that need the terms."""
    return USAGE_IN_CONTEXT if table is USAGE else ()


def _codes(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _cell(text: str) -> str:
    """Text that cannot end its table cell."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
