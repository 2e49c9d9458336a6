"""Whether a month has the snapshots that it needs: one that holds at its start, none too old.

Belongs here: what is to be said of the days of snapshots. Does not belong here: making intervals of
them, and extracts of usage (`coverage`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from pipeline.findings import Finding, finding
from pipeline.period import Period
from pipeline.stages.file_days import named_days, series_of
from pipeline.store.landing import ListedExport


def snapshot_findings(
    label: str, exports: Sequence[ListedExport], period: Period, seen: int
) -> Iterator[Finding]:
    """`snapshot_too_old` and `snapshot_after_begin`, one a series of snapshots.

    Nothing is said of a month before its first day is over (`seen` is the day that is not).
    """
    if seen <= period.days.first:
        return
    series: dict[str, list[int]] = {}
    for one in exports:
        days = named_days(one.name)
        if days is not None:
            series.setdefault(series_of(one.name), []).append(days.first)
    for name, taken in sorted(series.items()):
        subject = f"{label}: {name}" if len(series) > 1 else label
        first, newest = date.fromordinal(min(taken)), date.fromordinal(max(taken))
        begin = date.fromordinal(period.days.first)
        if newest < begin:
            yield finding(
                "snapshot_too_old",
                None,
                f"The newest snapshot of {subject} is of {newest}: what changed since is not "
                f"known, and all of {period} is as it was then.",
                "Export it again and run again; monthly is enough, nightly tells the days.",
                subject=subject,
            )
        if first > begin:
            yield finding(
                "snapshot_after_begin",
                None,
                f"The first snapshot of {subject} is of {first}: it is taken to hold from "
                f"{begin} on, too.",
                "Nothing to do if nothing changed in those days; else add a snapshot of before.",
                subject=subject,
            )
