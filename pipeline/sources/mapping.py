"""From the columns of any table to those of a feed, as the settings of a source say.

Belongs here: the settings of a mapping, what may be said in them, and the columns that they give.
Does not belong here: the files that tables come in (`generic.py`).

A column that is not mapped passes under its own name, if the feed has one of that name; all others
are kept out. Words are looked up, in `values`, `meters` and `tenants`; a word that is not listed
stays as it is, except where tenants are listed: usage of an organisation that is not among them is
nobody's, so its tenant is empty and the row is set aside.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from pipeline.errors import did_you_mean
from pipeline.exports.faults import MissingColumn, UnknownColumn, UnusableColumn
from pipeline.sources.kind import TENANTS, Key, Options
from schemas.columns import Kind, Table
from schemas.feeds import FEEDS

_FEEDS = {table.name: table for table in FEEDS}

KEYS: Mapping[str, Key] = {
    "feed": Key(str, f"the feed that it gives: {', '.join(_FEEDS)}", required=True),
    "columns": Key(dict, "the file's columns by the feed's, where names differ", default={}),
    "constants": Key(dict, "values that hold for every row, by the feed's columns", default={}),
    "values": Key(
        dict,
        'the feed\'s words by column and the file\'s word: "status.in use" = "active"',
        default={},
    ),
    "meters": Key(dict, "meters by the file's words for them", default={}),
    "tenants": TENANTS,
}
"""What every mapping may say."""


def feed_of(options: Options) -> Table:
    """The feed that the settings name. Raises `ValueError`."""
    name = options["feed"]
    if name not in _FEEDS:
        names = ", ".join(_FEEDS)
        raise ValueError(
            f"there is no feed {name!r}; {did_you_mean(name, _FEEDS, f'feeds are {names}')}"
        )
    return _FEEDS[name]


def check_mapping(options: Options) -> None:
    """Raise `ValueError`, in words, for settings that the feed cannot have."""
    table = feed_of(options)
    for key in ("columns", "constants"):
        for name in options[key]:
            _check_known(name, key, table)
    for name in options["values"]:
        column, _, word = name.partition(".")
        _check_known(column, "values", table)
        if not word:
            raise ValueError(
                f'values has {name!r}; write the column and the file\'s word: "{column}.WORD"'
            )
    for key, column in (("meters", "meter"), ("tenants", "tenant_id")):
        if options[key]:
            _check_known(column, key, table)
    for name, value in options["constants"].items():
        if name in options["columns"]:
            raise ValueError(f"{name} is in columns and in constants; leave it in one of them")
        if not value:
            raise ValueError(f"the constant {name} is empty; say a value, or leave it out")


def _check_known(column: str, key: str, table: Table) -> None:
    if column not in table.names:
        known = f"its columns are {', '.join(table.names)}"
        raise ValueError(
            f"{key} speaks of {column!r}, which {table.name} does not have; "
            f"{did_you_mean(column, table.names, known)}"
        )


def feed_columns(place: Path | str, schema: pl.Schema, options: Options) -> list[pl.Expr]:
    """The columns of the feed, each an expression on those of a file at `place`.

    Raises `UnknownColumn` and `MissingColumn` for names that do not fit, `UnusableColumn` for words
    that are looked up among other things than words.
    """
    table = feed_of(options)
    columns, constants = options["columns"], options["constants"]
    for name, source in columns.items():
        check_there(source, schema, place, f"columns says that {name} is")
    passing = {name: name for name in schema if name not in columns.values()}
    named = {**passing, **columns}
    missing = [c.name for c in table if c.required and c.name not in {**named, **constants}]
    if missing:
        raise MissingColumn(
            f"nothing gives {', '.join(missing)}",
            where=f"{place}, header",
            remedy=f"say in columns or constants what {missing[0]} is; {_seen(schema)}",
        )
    return [
        pl.lit(constants[column.name]).alias(column.name)
        if column.name in constants
        else _read(place, schema, named[column.name], column.name, options).alias(column.name)
        for column in table
        if column.name in constants or column.name in named
    ]


def check_there(column: str, header: Collection[str], place: Path | str, what: str) -> None:
    """Raise `UnknownColumn` for a column that settings speak of and the file does not have."""
    if column not in header:
        raise UnknownColumn(
            f"{what} {column!r}, which the file does not have",
            where=f"{place}, header",
            remedy=did_you_mean(column, header, _seen(header)),
        )


def _seen(header: Collection[str]) -> str:
    names = list(header)
    if len(names) == 1:
        for mark, said in ((";", ";"), ("\t", "\\t"), ("|", "|")):
            if mark in names[0]:
                return f'its fields seem to be apart by another mark: say separator = "{said}"'
    return f"the file has {', '.join(map(repr, names))}"


def _read(
    place: Path | str, schema: pl.Schema, source: str, name: str, options: Options
) -> pl.Expr:
    """What a column of the file says, in the words of the feed."""
    cell = pl.col(_only(source))
    words = _words(name, options)
    is_closed = name == "tenant_id" and bool(options["tenants"])
    if words:
        dtype = schema[source]
        if not (dtype.is_integer() or isinstance(dtype, pl.String | pl.Null)):
            raise UnusableColumn(
                f"words for {name} are looked up in a column of type {dtype}",
                where=f"{place}, column {source}",
                remedy="export it as text",
            )
        text = cell.cast(pl.String)
        return text.replace_strict(
            list(words),
            list(words.values()),
            default=None if is_closed else text,
            return_dtype=pl.String,
        )
    kind = feed_of(options)[name].kind
    if kind is Kind.QUANTITY and options.get("decimal_comma"):
        return cell.str.replace_many([",", "."], [".", ","])
    return cell


def _only(name: str) -> str:
    """A name for the engine, which takes `^…$` for a pattern and `*` for every column."""
    return f"^{pl.escape_regex(name)}$" if name.startswith("^") or name == "*" else name


def _words(name: str, options: Options) -> dict[str, str]:
    """The feed's words in a column by those of the file."""
    begin = f"{name}."
    words = {
        said.removeprefix(begin): word
        for said, word in options["values"].items()
        if said.startswith(begin)
    }
    for key, column in (("meters", "meter"), ("tenants", "tenant_id")):
        if name == column:
            words |= options[key]
    return words
