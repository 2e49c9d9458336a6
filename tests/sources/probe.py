"""A small kind of source: lines of `tenant event minutes…`, each number of minutes one row.

So one record gives several rows, or none, which is counted in a remark.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipeline.exports import Cells
from pipeline.sources.kind import TENANT, Key, Kind, Options
from pipeline.sources.remarks import Remark
from schemas.feeds import USAGE

REMARK = Remark("open_sessions", "{records} say no minutes.", "Say them.")
BATCH = 3


def probe_cells(path: Path, options: Options) -> Iterator[Cells]:
    """The rows of some lines at a time."""
    lines = [line.split() for line in path.read_text().splitlines()]
    for first in range(0, len(lines), BATCH):
        rows, numbers, silent = [], [], 0
        for number, (tenant, event, *minutes) in enumerate(lines[first : first + BATCH], first + 1):
            silent += not minutes
            for minute in minutes:
                at = f"2026-10-05T09:{minute}:00Z"
                rows.append((f"{event}/{minute}", options["tenant"] or tenant, "ivr_port", at))
                numbers.append(number)
        names = ["event_id", "tenant_id", "meter", "started_at"]
        frame = pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row")
        frame = frame.with_columns(ended_at=pl.col("started_at"))
        remarks = {"no_minutes": silent} if silent else {}
        yield Cells(frame, numbers=pl.Series(numbers, dtype=pl.Int64), remarks=remarks)


KIND = Kind(
    "probe",
    "lines of minutes",
    lambda _: USAGE,
    (".txt",),
    probe_cells,
    {
        "tenant": TENANT,
        "events": Key(list, "which events", default=[]),
        "names": Key(dict, "names of things", default={}),
        "strict": Key(bool, "whether to be strict", default=False),
    },
)
