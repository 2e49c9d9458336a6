"""What it takes to read a million records of each kind of source, in a fresh process.

    python -m tests.bench.sources --rows 100000 1000000 --folder bench

Belongs here: for each kind, a file of made-up records, and how a source of it is set up. Does not
belong here: billing what was read (`scenarios`).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.sources import Source
from tests.bench.take import Taken, python, take

FOLDER = Path(tempfile.gettempdir()) / "tenantbill-bench"
PAGE = 250
FIRST_MS = 1_790_000_000_000


_Writer = Callable[[Path, int], None]


@dataclass(frozen=True)
class Made:
    """A file of so many records of a kind: its ending, what writes it, and the source's options."""

    ending: str
    write: _Writer
    options: Mapping[str, Any] = field(default_factory=dict)


def main() -> None:
    """Make what is not there yet, read each file once, and print a table."""
    asked = _asked()
    if asked.read:
        print(read(asked.kinds[0], asked.read))
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    print("| kind | records | MB | seconds | CPU seconds | records/s | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    for kind in asked.kinds:
        for records in sorted(asked.rows):
            path = made(asked.folder, kind, records)
            taken = take(python("tests.bench.sources", "--kinds", kind, "--read", path))
            print(_line(kind, records, path, taken), flush=True)


def made(folder: Path, kind: str, records: int) -> Path:
    """A file of so many records of the kind, made if it is not there yet."""
    path = folder / f"{kind}-{records}{MADE[kind].ending}"
    if not path.exists():
        print(f"generating {path}", file=sys.stderr, flush=True)
        unfinished = path.with_name(f".{path.name}")
        MADE[kind].write(unfinished, records)
        unfinished.rename(path)
    return path


def read(kind: str, path: Path) -> int:
    """Read a file to its end, batch by batch; gives how many rows it came to."""
    source = Source.of(kind, str(path), MADE[kind].options, "the benchmark")
    return sum(batch.rows.height for batch in source.read(path))


def _pages(query: str, listed: str, record: Callable[[int], Any], span: int) -> _Writer:
    """Answers a line each; the last page of each `span` records says that it is the last."""

    def write(path: Path, records: int) -> None:
        with path.open("w", encoding="utf-8") as file:
            for begin in range(0, records, PAGE):
                end = min(begin + PAGE, records)
                info = {"hasNextPage": end < records and end % span != 0, "endCursor": str(end)}
                body = {listed: [record(number) for number in range(begin, end)], "pageInfo": info}
                file.write(json.dumps({"data": {query: body}}) + "\n")

    return write


def _id(number: int, of: str) -> str:
    return f"{of}{number:07x}-0000-4000-8000-000000000000"


def _session(number: int) -> dict[str, Any]:
    start = FIRST_MS + number * 997 % 2_592_000_000
    return {
        "agentSessionId": _id(number, "a"),
        "agentId": _id(number % 5_003, "b"),
        "teamId": _id(number % 53, "c"),
        "siteId": _id(number % 7, "d"),
        "startTime": start,
        "endTime": start + number * 7_919 % 36_000_000,
        "isActive": number % 101 == 0,
        "channelInfo": [
            {
                "channelId": _id(number * 3 + channel, "e"),
                "channelType": name,
                "idleCount": 3,
                "idleDuration": number % 100_000,
                "ringingCount": channel,
                "ringingDuration": 0,
                "totalDuration": 600_000,
            }
            for channel, name in enumerate(("telephony", "chat", "email"))
        ],
    }


_EVENTS = ("ended", "connected", "connect", "parked", "flow-activity", "ivr-connected", "new")


def _task(number: int) -> dict[str, Any]:
    start = FIRST_MS + number * 997 % 2_592_000_000
    return {
        "id": _id(number, "a"),
        "channelType": "telephony" if number % 5 else "chat",
        "direction": "inbound",
        "destination": f"+1800555{number % 100:04}",
        "isActive": False,
        "isCampaign": False,
        "createdTime": start,
        "endedTime": start + 300_000,
        "activities": {
            "nodes": list(_activities(number, start)),
            "pageInfo": {"hasNextPage": False, "endCursor": None},
        },
    }


def _activities(number: int, start: int) -> Iterator[dict[str, Any]]:
    for position, event in enumerate(_EVENTS):
        begin = start + (len(_EVENTS) - position) * 10_000
        yield {
            "id": f"{_id(number, 'a')}-{begin}-{event}",
            "eventName": event,
            "createdTime": begin,
            "endedTime": begin + 10_000,
        }


MADE: Mapping[str, Made] = {
    "search-api-agent-sessions": Made(
        ".jsonl", _pages("agentSession", "agentSessions", _session, 2**62), {"tenant": "acme"}
    ),
    "search-api-tasks": Made(
        ".jsonl",
        _pages("taskDetails", "tasks", _task, 50_000),
        {"tenant": "acme", "toll_free": ["+18005550007"]},
    ),
}
"""What is measured, by kind."""


def _line(kind: str, records: int, path: Path, taken: Taken) -> str:
    mb = path.stat().st_size / 1e6
    speed = records / taken.wall
    return (
        f"| {kind} | {records:,} | {mb:,.0f} | {taken.wall:.1f} | {taken.cpu:.1f} "
        f"| {speed:,.0f} | {taken.peak_mib:,.0f} |"
    )


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.sources",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kinds", nargs="+", choices=list(MADE), default=list(MADE))
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
