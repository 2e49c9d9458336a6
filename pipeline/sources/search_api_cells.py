"""Records of the Search API as raw cells, and the columns that its kinds share.

Belongs here: records into frames, the tenant and the end of a record. Does not belong here: where
records come from (`search_api`), and what those of one query mean (a file a kind).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl

from pipeline.sources.kind import Options
from pipeline.sources.search_api import Page, Record, as_json, encodable

MORE_PAGES = "more_pages"
"""The remark on an export that ends before its last page; it counts the records that are there."""

CHUNK_RECORDS, CHUNK_BYTES = 4_096, 8 * 2**20
"""How much is made into one frame: of records, or of the file."""


def chunks(found: Iterator[Record | Page]) -> Iterator[tuple[list[Record], dict[str, int]]]:
    """The records, so many at a time, with the remarks on the file beside the last.

    An export whose last page says that there are more has a remark; earlier pages are followed.
    """
    records: list[Record] = []
    count = begin = 0
    has_next = None
    for one in found:
        if isinstance(one, Page):
            has_next = one.has_next
            continue
        records.append(one)
        if len(records) == CHUNK_RECORDS or one.offset - begin > CHUNK_BYTES:
            yield records, {}
            count, begin, records = count + len(records), one.offset, []
    yield records, {MORE_PAGES: count + len(records)} if has_next is True else {}


def column(name: str, values: Sequence[Any]) -> pl.Series:
    """Values of JSON as raw cells: whole numbers where all are, else texts; the empty text is null.

    An object or a list is its JSON, so that it is set aside where something else is expected.
    """
    if all(type(value) is int for value in values if value is not None):
        try:
            return pl.Series(name, values, pl.Int64)
        except (OverflowError, TypeError):
            pass
    return pl.Series(name, [_text(value) for value in values], pl.String)


def said(records: Sequence[Record]) -> Callable[[pl.Series], list[str]]:
    """What the file says of rows, each of which was made of the record at its position."""
    return lambda at: [as_json(records[position].value) for position in at]


def tenant(options: Options) -> pl.Expr:
    """The tenant of `orgId`: by `tenants`, else `tenant`; with neither set up, its own id."""
    org = pl.col("orgId").cast(pl.String)
    if not (options["tenants"] or options["tenant"]):
        return org
    named = list(options["tenants"])
    known = pl.when(org.is_in(named)).then(org.replace(options["tenants"]))
    return pl.coalesce(known, pl.lit(options["tenant"], pl.String))


def ended(end: str, active: str) -> pl.Expr:
    """The end; none of what is active, whatever time it names: it goes on.

    What is neither active nor not has no end that can be read.
    """
    is_active = pl.col(active).cast(pl.String).str.to_lowercase()
    return (
        pl.when(is_active == "true")
        .then(pl.lit(None, pl.String))
        .when(is_active.is_null() | (is_active == "false"))
        .then(pl.col(end).cast(pl.String))
        .otherwise(pl.format("isActive is {}", is_active))
    )


def _text(value: Any) -> str | None:
    match value:
        case None | "":
            return None
        case str():
            return encodable(value)
        case bool():
            return "true" if value else "false"
        case dict() | list():
            return as_json(value)
        case _:
            return str(value)
