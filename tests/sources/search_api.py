"""Answers of the Search API, made up from its documented fields, and what is read of them."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from pipeline.sources import Source

Records = Sequence[Any]

NOON = 1_790_000_000_000
"""A moment in epoch milliseconds, a whole second."""


class Found(NamedTuple):
    """The rows of an export, with `row`, `defects` and `raw`, and its remarks."""

    rows: pl.DataFrame
    remarks: dict[str, int]

    def column(self, name: str) -> list[Any]:
        return self.rows[name].to_list()


def read(kind: str, path: Path, **options: Any) -> Found:
    """Every batch of a file, put together."""
    remarks: Counter[str] = Counter()
    frames = []
    for batch in Source.of(kind, str(path), options, "a test").read(path):
        remarks.update(batch.remarks)
        frames.append(batch.whole())
    return Found(pl.concat(frames), dict(remarks))


def save(path: Path, content: str | bytes) -> Path:
    """Write a file, gzipped if its name says so."""
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data, mtime=0) if path.name.endswith(".gz") else data)
    return path


def answer(query: str, listed: str, records: Records, has_next: bool | None = False) -> Any:
    """One answer, as the API gives it."""
    body: dict[str, Any] = {listed: records}
    if has_next is not None:
        body["pageInfo"] = {"hasNextPage": has_next, "endCursor": "next" if has_next else None}
    return {"data": {query: body}}


def sessions_answer(records: Records, has_next: bool | None = False) -> Any:
    return answer("agentSession", "agentSessions", records, has_next)


def tasks_answer(records: Records, has_next: bool | None = False) -> Any:
    return answer("taskDetails", "tasks", records, has_next)


def moment(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


WRAPPINGS = ("one answer", "answers", "lines of answers", "list of answers", "list", "lines")


def wrapped(how: str, listing: Any, pages: Sequence[Records]) -> str:
    """Pages of records as a file: `listing` makes an answer of some records."""
    every = [record for page in pages for record in page]
    answers = [listing(page, number < len(pages)) for number, page in enumerate(pages, 1)]
    match how:
        case "one answer":
            return json.dumps(listing(every, False), indent=1)
        case "answers":
            return "".join(map(json.dumps, answers))
        case "lines of answers":
            return "".join(json.dumps(one) + "\n" for one in answers)
        case "list of answers":
            return json.dumps(answers)
        case "list":
            return json.dumps(every, ensure_ascii=False)
        case _:
            return "".join(json.dumps(record) + "\n" for record in every)


def naive(text: str) -> Iterator[Any]:
    """The records of a file by the standard library, value by value; ValueError for none or a cut.

    A twin that holds everything in memory and looks at nothing but the form.
    """
    decoder = json.JSONDecoder()
    at = 0
    if not text.strip():
        raise ValueError("empty")
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping) and "data" in one:
                (query,) = one["data"].values()
                (listed,) = (members for members in query.values() if isinstance(members, list))
                yield from listed
            else:
                yield one
