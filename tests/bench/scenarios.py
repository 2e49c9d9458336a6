"""What is measured: each scenario of a month of so many rows gives rows of the table."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench.agree import (
    check_figures,
    check_shown,
    comparable,
    our_figures,
    read_figures,
)
from tests.bench.bench import DAILY, Bench, linked, measured, scan
from tests.bench.generate import HOURS, Shape
from tests.bench.table import Measured, ratio
from tests.bench.take import Taken, python, take

SCAN = "DuckDB scan"
SQL = "core in DuckDB SQL"
POLARS = "core in polars"

Scenario = Callable[[Bench, int], list[Measured]]


def core(bench: Bench, rows: int) -> list[Measured]:
    """Cold, beside a scan and, while they finish in sensible time, two plain ways to the core."""
    feeds, ours = bench.feeds(rows, DAILY), f"ours, cold{bench.options}"
    if rows > bench.core_rows:
        turns = bench.take_turns(
            rows, {SCAN: partial(scan, feeds), ours: partial(bench.cold, feeds)}
        )
        return measured(rows, turns, turns[SCAN], {})
    by_sql, by_polars = bench.scratch / "sql.csv", bench.scratch / "polars.csv"
    turns = bench.take_turns(
        rows,
        {
            SCAN: partial(scan, feeds),
            SQL: partial(take, python("tests.bench.core_sql", feeds, by_sql)),
            POLARS: partial(take, python("tests.bench.core_polars", feeds, by_polars)),
            ours: partial(bench.cold, feeds),
        },
    )
    figures = read_figures(by_sql)
    same = check_figures(figures, read_figures(by_polars), f"{SQL} and {POLARS}")
    own = our_figures(bench.scratch / "store", feeds)
    shared = check_figures(comparable(figures, feeds), own, f"{SQL} and {ours}")
    notes = {
        POLARS: f"{same:,} figures as in SQL",
        ours: f"{shared:,} figures as in SQL",
    }
    return measured(rows, turns, turns[SCAN], notes)


def cold(bench: Bench, rows: int) -> list[Measured]:
    """Cold, beside a scan."""
    return core(replace(bench, core_rows=0), rows)


def from_csv(bench: Bench, rows: int) -> list[Measured]:
    """Cold from CSV, beside DuckDB's typed scan of it; the same comes out as from Parquet."""
    found = _layout(bench, rows, "CSV", Shape(kind="csv"))
    same = check_figures(
        our_figures(bench.scratch / "CSV", bench.feeds(rows, DAILY)),
        our_figures(bench.scratch / "daily", bench.feeds(rows, DAILY)),
        "CSV and Parquet",
    )
    return [*found[:-1], replace(found[-1], note=f"{found[-1].note}; {same:,} figures the same")]


def hourly(bench: Bench, rows: int) -> list[Measured]:
    """Cold from 744 hourly exports, beside their scan."""
    return _layout(bench, rows, "hourly", Shape(files=HOURS))


def by_tenant(bench: Bench, rows: int) -> list[Measured]:
    """Cold from one export that is sorted by tenant, beside its scan."""
    return _layout(bench, rows, "sorted", Shape(by_tenant=True))


def _layout(bench: Bench, rows: int, name: str, shape: Shape) -> list[Measured]:
    """Cold from exports cut in another way, beside their scan and a cold run from daily Parquet."""
    feeds, daily = bench.feeds(rows, shape), bench.feeds(rows, DAILY)
    scanned, ours = f"{name}: {SCAN}", f"{name}: ours, cold{bench.options}"
    turns = bench.take_turns(
        rows,
        {
            scanned: partial(scan, feeds),
            ours: partial(bench.cold, feeds, name),
            "daily": partial(bench.cold, daily, "daily"),
        },
    )
    note = f"×{ratio(turns[ours], turns.pop('daily')):.2f} of daily Parquet"
    return measured(rows, turns, turns[scanned], {ours: note})


def warm(bench: Bench, rows: int) -> list[Measured]:
    """Again on the same store: nothing changed, one price changed, one contract changed."""
    month, store = bench.feeds(rows, DAILY), bench.fresh("store")
    feeds = linked(month, bench.fresh("feeds"))
    first = bench.run(feeds, store)
    kept = len(_kept(store))
    redone: dict[str, int] = {}

    def changed(file: str) -> Taken:
        _raise_a_number(feeds / file)
        before = _kept(store)
        taken = bench.run(feeds, store)
        redone[file] = len(_kept(store) - before)
        return taken

    files = {"nothing": None, "one price": "rates.csv", "one contract": "entitlements.csv"}
    turns = bench.take_turns(
        rows,
        {SCAN: partial(scan, month)}
        | {
            f"ours, warm: {what} changed{bench.options}": partial(changed, file)
            if file
            else partial(bench.run, feeds, store)
            for what, file in files.items()
        },
    )
    scans = turns.pop(SCAN)
    notes = {}
    for (name, taken), file in zip(turns.items(), files.values(), strict=True):
        notes[name] = f"{median(one.wall for one in taken) / first.wall:.2f} of the cold run"
        if kept and file:
            notes[name] += f"; {redone[file]} of {kept} pieces of work anew"
    return measured(rows, turns, scans, notes)


def _raise_a_number(path: Path) -> None:
    """Add 1 to the price or quantity in the first row. The file is replaced: others link to it."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    at = next(at for at, name in enumerate(lines[0]) if name in ("unit_price", "quantity"))
    whole, dot, part = lines[1][at].partition(".")
    lines[1][at] = f"{int(whole) + 1}{dot}{part}"
    path.unlink()
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)


def _kept(store: Path) -> set[str]:
    """The names of what is kept of buckets and their days: everything that it was made from."""
    return {path.name for path in (store / "work").glob("*/*")}


def night(bench: Bench, rows: int) -> list[Measured]:
    """The month's last day arrives: billed beside the other thirty, against all at once."""
    month = bench.feeds(rows, DAILY)
    feeds = linked(month, bench.fresh("feeds"))
    last = max((feeds / "usage").iterdir())
    last.unlink()
    evening = bench.fresh("evening")
    bench.run(feeds, evening)
    (feeds / "usage" / last.name).hardlink_to(month / "usage" / last.name)

    def after() -> Taken:
        store = bench.fresh("night")
        shutil.copytree(evening, store)
        return bench.run(feeds, store)

    ours, at_once = f"ours, a night{bench.options}", f"ours, cold{bench.options}"
    turns = bench.take_turns(
        rows,
        {SCAN: partial(scan, month), ours: after, at_once: partial(bench.cold, month, "at once")},
    )
    same = check_shown(
        bench.scratch / "night", bench.scratch / "at once", "a night and all at once"
    )
    scans, whole = turns.pop(SCAN), turns.pop(at_once)
    note = f"{ratio(turns[ours], whole):.2f} of the cold run; {same:,} bytes shown the same"
    return measured(rows, turns, scans, {ours: note})


SCENARIOS: dict[str, Scenario] = {
    "cold": cold,
    "core": core,
    "csv": from_csv,
    "hourly": hourly,
    "sorted": by_tenant,
    "warm": warm,
    "night": night,
}
"""What can be asked for."""

ALL = ("core", "csv", "hourly", "sorted", "warm", "night")
"""What `all` asks for: a cold run is part of the core."""
