"""Answers of the Search API: the records in them, and whether they are whole.

Belongs here: the form that every answer has, whatever was queried.
Does not belong here: what the records of one query mean (a file a kind), how
they become cells (`search_api_cells`), and JSON itself (`exports.json_files`).

A file holds one answer, several one after the other or in a list (pages), or bare records. An
answer is `{"data": {QUERY: {LIST: [record, …], "pageInfo": {"hasNextPage": …}}}}`. GraphQL gives an
answer no other keys than `data`, `errors` and `extensions`: so its first key tells it from a
record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.exports import ExportError
from pipeline.exports.json_files import ENDED, json_members
from pipeline.findings import counted

JSON_ENDINGS = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")

_ANSWER = ("data", "errors", "extensions")


class FailedQuery(ExportError):
    """An answer that says that the query failed, or that holds no list of records."""


class AnotherQuery(ExportError):
    """Records of another query than the kind reads, or of none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a kind expects: the query, its list, and the fields by which its records are known."""

    query: str
    listed: str
    known_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The end of an answer, and what it says of a next one: None if it does not say."""

    has_next: bool | None


class Record(NamedTuple):
    """A record, as it stands in the file, its number there, from 1, and where about it ends."""

    value: Any
    number: int
    offset: int


_KIND_OF_LIST = {
    "agentSessions": "search-api-agent-sessions",
    "tasks": "search-api-tasks",
    "taskLegs": "",
}
_KIND_OF_FIELD = {
    "agentSessionId": "search-api-agent-sessions",
    "channelType": "search-api-tasks",
    "sessionStartTime": "search-api-tasks",
}


def answers(path: Path, asked: Asked) -> Iterator[Record | Page]:
    """The records of the file, and after those of each answer its end.

    Raises `FailedQuery` for an answer with errors, even if it has data too: then it is not whole;
    `AnotherQuery`; and what `json_members` raises.
    """
    has_next, has_list = None, False
    for place, value, number, in_list, offset in json_members(path, _opens):
        if in_list and value is not ENDED:
            _check_list(path, place, asked)
            _check_fields(path, value, number, asked)
            yield Record(value, number, offset)
        elif in_list and place:
            _check_list(path, place, asked)
            has_list = True
        elif place[2:] == ("pageInfo",) and isinstance(value, dict):
            has_next = value.get("hasNextPage")
        elif place == ("errors",) and value:
            raise _failed(path, number, f"the query failed: {_messages(value)}")
        elif not (place or in_list):
            if not has_list:
                raise _failed(path, number, f"an answer holds no list {asked.listed!r}")
            yield Page(has_next)
            has_next, has_list = None, False


def as_json(value: object) -> str:
    """A record as text, for people to read."""
    return encodable(json.dumps(value, ensure_ascii=False, default=str))


def _opens(place: tuple[str, ...], key: str | None) -> bool:
    """An answer down to its lists is opened; records are not, and `errors` are not."""
    if not place:
        return key is None or key in _ANSWER
    return place[0] == "data" and len(place) < (4 if key is None else 3)


def _check_list(path: Path, place: tuple[str, ...], asked: Asked) -> None:
    """Refuse records that are listed as those of another query."""
    if not place or place[-1] == asked.listed:
        return
    kind = _KIND_OF_LIST.get(place[-1])
    if kind is not None:
        raise AnotherQuery(
            f"it answers {place[1]!r} with {place[-1]!r}, not {asked.query!r}",
            where=path,
            remedy=_read_as(kind),
        )


def _check_fields(path: Path, record: Any, number: int, asked: Asked) -> None:
    """Refuse a record with none of the fields that those of the query are known by."""
    if not isinstance(record, dict) or not record or any(map(record.__contains__, asked.known_by)):
        return
    found = ", ".join(list(record)[:5])
    kinds = [kind for field, kind in _KIND_OF_FIELD.items() if field in record]
    if "aggregation" in record:
        remedy = "query the records themselves, not aggregations of them"
    elif kinds:
        remedy = _read_as(kinds[0])
    else:
        remedy = f"query {asked.known_by[0]} too, or move the file away"
    raise AnotherQuery(
        f"it is no record of {asked.query!r}: its fields are {found}",
        where=f"{path}, record {number}",
        remedy=remedy,
    )


def _read_as(kind: str) -> str:
    if kind:
        return f'it is read by a [[source]] with kind = "{kind}"'
    return "nothing is billed by it: move it away"


def _failed(path: Path, number: int, what: str) -> FailedQuery:
    return FailedQuery(
        what,
        where=f"{path}, after {counted(number, 'record')}",
        remedy="query again, and keep the answer only where it has no errors",
    )


def _messages(errors: Any) -> str:
    """What GraphQL says of errors: the message of each."""
    listed = errors if isinstance(errors, list) else [errors]
    return "; ".join(
        str(error["message"]) if isinstance(error, dict) and "message" in error else as_json(error)
        for error in listed[:3]
    )


def encodable(text: str) -> str:
    """The text, with a question mark for half a character: a pair of escapes that lacks one."""
    return text.encode("utf-8", "replace").decode()
