"""Tables by the million: usage of Webex Connect, and usage under other names, in every form.

Belongs here: writing them. Does not belong here: measuring (`sources`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import polars as pl
import xlsxwriter

from tests.bench.made import Made

CONNECT = ["subscription_id", "Client ID", "cpass_orgid", "Group Name", "TeamName"]
CONNECT += ["Service Name", "Node ID", "usage_start_time", "usage_end_time", "Count"]
SESSIONS = ["Id", "Org", "Contract", "Kind", "User", "Begin", "End", "Amount", "Site", "Team"]
MAPPED = {
    "feed": "usage",
    "columns": {
        "event_id": "Id",
        "tenant_id": "Org",
        "subscription_id": "Contract",
        "meter": "Kind",
        "user_id": "User",
        "started_at": "Begin",
        "ended_at": "End",
        "quantity": "Amount",
    },
    "meters": {"IVR": "ivr_port", "Agent": "standard_agent"},
}
CHANNEL = {"channel": "SMS Outbound"}
_AT_ONCE = 100_000


def _stamp(number: int) -> str:
    day, second = divmod(number * 7, 86_400)
    return f"2026-10-{day % 31 + 1:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def _connect(rows: int) -> Iterator[list[object]]:
    for n in range(rows):
        who = ["PLATFORM-9", f"{n % 40}", f"org-{n % 40}", f"group {n % 7}", f"team {n % 90}"]
        yield [*who, f"service {n % 900}", f"{n % 3}", _stamp(n), _stamp(n + 1), n % 500]


def _sessions(rows: int) -> Iterator[list[object]]:
    for n in range(rows):
        what = [f"event-{n:010}", f"tenant-{n % 40}", f"S-{n % 90}", ("IVR", "Agent")[n % 2]]
        yield [
            *what,
            f"user-{n % 5000}",
            _stamp(n),
            _stamp(n + 60),
            n % 50,
            "Main",
            f"team {n % 9}",
        ]


def _csv(path: Path, header: list[str], rows: Iterator[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _workbook(path: Path, header: list[str], rows: Iterator[list[object]], name: str) -> None:
    """Texts stand in the rows, as in exports that are written as a stream."""
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, header)
        for number, row in enumerate(rows, 1):
            sheet.write_row(number, 0, row)


def connect_csv(path: Path, rows: int) -> None:
    """A channel of Webex Connect as CSV."""
    _csv(path, CONNECT, _connect(rows))


def connect_xlsx(path: Path, rows: int) -> None:
    """A channel of Webex Connect as a workbook; at most 1,048,575 rows."""
    _workbook(path, CONNECT, _connect(rows), "SMS Outbound")


def mapped_csv(path: Path, rows: int) -> None:
    """Usage under other names as CSV."""
    _csv(path, SESSIONS, _sessions(rows))


def mapped_xlsx(path: Path, rows: int) -> None:
    """Usage under other names as a workbook; at most 1,048,575 rows."""
    _workbook(path, SESSIONS, _sessions(rows), "Usage")


def mapped_parquet(path: Path, rows: int) -> None:
    """Usage under other names as Parquet: texts, and whole numbers."""
    every, parts = _sessions(rows), []
    while part := list(islice(every, _AT_ONCE)):
        parts.append(pl.DataFrame(part, schema=SESSIONS, orient="row"))
    pl.concat(parts).write_parquet(path, row_group_size=_AT_ONCE)


MADE: Mapping[str, Made] = {
    "connect-usage": Made("connect-usage", "-sms.csv", connect_csv, CHANNEL),
    "connect-usage-xlsx": Made("connect-usage", ".xlsx", connect_xlsx),
    "csv": Made("csv", ".csv", mapped_csv, MAPPED),
    "parquet": Made("parquet", ".parquet", mapped_parquet, MAPPED),
    "xlsx": Made("xlsx", ".xlsx", mapped_xlsx, MAPPED),
}
"""What is measured, by its name."""
