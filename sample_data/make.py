"""Make the sample feeds: three tenants, two months of usage, and every oddity real exports have.

    python sample_data/make.py [--out DIR]

Belongs here: what each tenant does in its two months, and how that reaches the exports. What the
tenants bought is in `terms.py`, how a story is told in `story.py`. The same seed makes the same
feeds, byte for byte in CSV.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
from files import write_csv
from story import (
    COLUMNS,
    FIRST_DAY,
    ON_TIME,
    WEEK,
    Story,
    Use,
    days,
    most_at_once,
    users_above,
)
from terms import (
    BILLING,
    BROKEN,
    ENTITLEMENTS,
    LIST_PRICES,
    PARTNERS,
    SPECIAL_PRICES,
    SUBSCRIPTIONS,
    table,
)

REPEATED = timedelta(hours=1)
"""Each export repeats the last hour of the one before."""

EXPORTS = {
    "harbor-city/2026-09-01": ("csv", "z"),
    "harbor-city/2026-09-15": ("csv.gz", "z"),
    "harbor-city/2026-10-06": ("csv", "offset"),
    "harbor-city/2026-10-27": ("csv", "z"),
    "northwind-energy/2026-09-08": ("csv", "epoch"),
    "northwind-energy/2026-10-20": ("csv", "offset"),
    "lakeside-university/2026-09-22": ("csv.gz", "epoch"),
    "lakeside-university/2026-10-13": ("csv", "epoch"),
}
"""Tenant and first day of the week: how that export is written. Every other one is Parquet."""

EXTRA_COLUMN = ("harbor-city/2026-10-06", "queue")
"""One export has a column that nobody declared."""


def harbor_city() -> Story:
    """Ten agents and fifteen: 25 at once cost nothing, 26 cost one, whoever caused it."""
    story = Story("harbor-city", "America/Los_Angeles", "hc")
    pick, both = story.rng.randint, ["HC-CLINICS", "HC-PERMITS"]
    clinics = story.hire("agent", range(1, 13), "HC-CLINICS", "standard")
    permits = story.hire("agent", range(13, 33), "HC-PERMITS", "standard")
    story.hire("admin", [1], "HC-CLINICS", "none")
    rush = {date(2026, 9, 17): (6, 19), date(2026, 10, 15): (6, 20)}
    for day in days():
        is_open = day.weekday() < 5 and day != date(2026, 9, 7)
        from_clinics, from_permits = rush.get(
            day, (pick(6, 8), pick(11, 15)) if is_open else (0, 0)
        )
        for agent in story.rng.sample(clinics, from_clinics):
            story.shift(day, agent, "HC-CLINICS", "standard_agent")
        on_permits = story.rng.sample(permits, from_permits)
        for agent in on_permits:  # this department's export names neither contract nor meter
            story.shift(day, agent, "", "")
        if day in rush:  # two browsers: still one agent
            story.add("", "", story.at(day, 560), story.at(day, 650), user=on_permits[0])
            story.calls(day, 80, "toll_free_call", ["HC-PERMITS"], (9, 11))
        if day.weekday() == 5:  # what Saturday 3 October did comes with the export of next week
            late = WEEK if day == date(2026, 10, 3) else ON_TIME
            story.shift(day, clinics[pick(0, 11)], "HC-CLINICS", "standard_agent", late)
        if day.weekday() in (2, 5):  # the night line, on 30 September and 31 October too
            night = story.at(day, 1290), story.at(day, 1530)
            story.add("standard_agent", "HC-CLINICS", *night, user=clinics[pick(0, 11)])
        if day.weekday() == 1:  # campaigns; the flu shots of 20 October take one line too many
            for line in range(5 if day == date(2026, 10, 20) else pick(2, 4)):
                call = story.at(day, 840 + line), story.at(day, 870 + pick(0, 40))
                story.add("ivr_outbound_port", "HC-DIGITAL", *call)
        story.calls(day, 80 if is_open else 15, "ivr_port", both, (7, 18))
        story.calls(day, 45 if is_open else 10, "toll_free_call", both, (8, 17))
        story.counted(day, 24 if day.month == 9 else 34, "ai_agent", "HC-DIGITAL", ("0.25", "3.00"))
        story.counted(day, 6, "ai_assistant", both[pick(0, 1)], ("1", "4"))
        story.counted(day, 8, "connect_sms", "HC-DIGITAL", ("1", "60"))
        story.counted(day, 3, "connect_whatsapp", "HC-PERMITS", ("1", "25"))
        held_by = both[pick(0, 1)]
        stored = story.counted(day, 1, "recording_storage", held_by, ("0.400000", "2.500000"))
        if day == date(2026, 10, 6):
            story.correct(stored, Decimal("9.125000"))
    for day in (date(2026, 9, 10), date(2026, 10, 8), date(2026, 10, 9)):
        story.calls(day, 2, "ivr_port", [""], (9, 16))
        story.calls(day, 2, "ivr_port", ["HC-LIBRARY"], (9, 16))
    forgotten = story.at(date(2026, 10, 30), 1125)
    story.add("standard_agent", "HC-CLINICS", forgotten, user=clinics[0])
    assert most_at_once(story, 9) == 25
    assert most_at_once(story, 10) == 26
    return story


def northwind_energy() -> Story:
    """Named users: a smaller contract from 16 October, and two more users than it pays for."""
    story = Story("northwind-energy", "Europe/Berlin", "nw")
    rng, both = story.rng, ["NW-RETAIL", "NW-GRID"]
    retail = story.hire("agent", range(1, 13), "NW-RETAIL", "standard")
    grid = story.hire("agent", range(13, 25), "NW-GRID", "standard")
    (temp,) = story.hire("agent", [25], "NW-GRID", "standard", end="2026-10-14")
    field = story.hire("field", range(1, 5), "NW-FIELD", "standard")
    leads = story.hire("lead", range(1, 4), "NW-RETAIL", "premium")
    story.hire("lead", [3], "NW-GRID", "standard")  # both licences: counts as premium
    story.hire("admin", [1], "NW-RETAIL", "none")
    story.hire("admin", [2], "", "none")
    for day in days(FIRST_DAY - timedelta(days=1)):
        night = story.at(day, 1320), story.at(day, 1800)  # 22 to 6, nine hours on 24 October
        story.add("standard_agent", "NW-GRID", *night, user=rng.choice(grid))
    for day in days():
        if day.weekday() < 5:
            for agent in rng.sample(retail, 10):
                story.shift(day, agent, "NW-RETAIL", "standard_agent")
            for agent in rng.sample(grid, 10):
                story.shift(day, agent, "NW-GRID", "standard_agent")
            for lead in leads:
                story.shift(day, lead, "", "")
            if date(2026, 9, 21) <= day <= date(2026, 10, 14):
                story.shift(day, temp, "", "standard_agent")
        if day <= date(2026, 9, 15):
            for agent in field:
                story.shift(day, agent, "NW-FIELD", "standard_agent")
        elif day in (date(2026, 9, 16), date(2026, 9, 17), date(2026, 10, 5)):
            story.shift(day, field[0], "NW-FIELD", "standard_agent")
        story.calls(day, 65, "ivr_port", both, (0, 24))
        story.calls(day, 25, "toll_free_call", both, (6, 22))
        story.counted(day, 18, "ai_agent", "NW-GRID", ("0.500000", "3.500000"))
        story.counted(day, 10, "connect_sms", "NW-GRID", ("20", "160"))
        story.counted(day, 4, "connect_email", "NW-RETAIL", ("5", "90"))
        story.counted(day, 1, "recording_storage", rng.choice(both), ("1.000", "6.000"))
    assert users_above(story, date(2026, 10, 1), date(2026, 10, 15), entitlement=26) == 0
    assert users_above(story, date(2026, 10, 16), date(2026, 10, 31), entitlement=22) == 2
    return story


def lakeside_university() -> Story:
    """Concurrent until a clinic buys named licences on 5 October: then nothing can be billed."""
    story = Story("lakeside-university", "America/Chicago", "lu")
    rng, both = story.rng, ["LU-CAMPUS", "LU-LIBRARY"]
    campus = story.hire("agent", range(1, 15), "LU-CAMPUS", "standard")
    library = story.hire("agent", range(15, 21), "LU-LIBRARY", "standard")
    medical = story.hire("agent", range(21, 27), "LU-MEDICAL", "standard")
    story.hire("admin", [1], "LU-CAMPUS", "none")
    for day in days():
        is_open = day.weekday() < 5 and day != date(2026, 9, 7)
        if is_open:
            for agent in rng.sample(campus, rng.randint(9, 13)) + rng.sample(library, 4):
                story.shift(day, agent, "", "")
            for agent in medical if day >= date(2026, 10, 5) else []:
                story.shift(day, agent, "LU-MEDICAL", "standard_agent")
        if day.day == 21:  # the old switchboard in the cellar, and a trial that gives no service
            start = story.at(day, 600)
            for _ in range(3):
                end = start + timedelta(minutes=4)
                story.add("ivr_port", "LU-CAMPUS", start, end, deployment="on_premises")
            story.calls(day, 2, "ivr_port", ["LU-ATHLETICS"], (9, 16))
        story.calls(day, 75 if is_open else 25, "ivr_port", both, (7, 20))
        story.calls(day, 40 if is_open else 8, "toll_free_call", both, (8, 18))
        story.counted(day, 6, "ai_assistant", "LU-CAMPUS", ("1", "5"))
        story.counted(day, 5, "connect_email", "LU-LIBRARY", ("1", "40"))
        story.counted(day, 1, "recording_storage", "LU-CAMPUS", ("0.200000", "1.800000"))
    return story


def exported(story: Story, first: date) -> list[Use]:
    """What the export of the week from `first` shows: what ended in it, and what is still open."""
    start = datetime.combine(first, time(), UTC) - REPEATED
    end = start + REPEATED + WEEK
    shown = []
    for use in sorted(story.uses, key=lambda use: (use.started_at, use.event_id)):
        over = use.ended_at or (end if use.quantity is None else use.started_at)
        if use.started_at + use.late < end and over + use.late >= start:
            shown.append(use if over < end else replace(use, ended_at=None))
    return shown


def text_of(use: Use, form: str, zone: ZoneInfo) -> list[str]:
    """The row as CSV text, timestamps in the form that this export uses."""
    forms: dict[str, Callable[[datetime], str]] = {
        "z": lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "offset": lambda at: at.astimezone(zone).isoformat(),
        "epoch": lambda at: str(int(at.timestamp()) * 1000),
    }
    values = (getattr(use, name) for name in COLUMNS)
    return [
        forms[form](value) if isinstance(value, datetime) else "" if value is None else str(value)
        for value in values
    ]


def write_usage(story: Story, folder: Path) -> None:
    """One export a week, in a folder of the month in which the week begins."""
    for first in days():
        if (first - FIRST_DAY) % WEEK:
            continue
        export = f"{story.tenant}/{first}"
        ending, form = EXPORTS.get(export, ("parquet", ""))
        path = folder / f"{first:%Y-%m}" / f"{story.tenant}-{first}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        uses = exported(story, first)
        if ending == "parquet":
            write_parquet(path, uses)
            continue
        rows = [text_of(use, form, story.zone) for use in uses]
        rows += [[row[name] for name in COLUMNS] for row in table(BROKEN.get(export, ""))]
        header = COLUMNS
        if export == EXTRA_COLUMN[0]:
            header, rows = [*COLUMNS, EXTRA_COLUMN[1]], [[*row, "main"] for row in rows]
        write_csv(path, header, rows)


def write_parquet(path: Path, uses: list[Use]) -> None:
    """The same content with types: exact decimals, instants in UTC, null where CSV is empty."""
    types = {"started_at": pl.Datetime("us", "UTC"), "ended_at": pl.Datetime("us", "UTC")}
    schema = {name: types.get(name, pl.String()) for name in COLUMNS}
    values = ([getattr(use, name) for name in COLUMNS] for use in uses)
    rows = [[None if value == "" else value for value in row] for row in values]
    frame = pl.DataFrame(rows, schema | {"quantity": pl.Decimal(18, 6)}, orient="row")
    frame.write_parquet(path, compression_level=19)


def write_terms(stories: list[Story], folder: Path) -> None:
    """Every feed but usage: one file each, all tenants in it."""
    billing = {row["subscription_id"]: row for row in table(BILLING)}
    listed = [
        {"subscription_id": "*", "meter": price["meter"], "charge": price["charge"]}
        | {"unit_price": price[currency], "currency": currency}
        for currency in ("USD", "EUR")
        for price in table(LIST_PRICES)
    ]
    feeds = {
        "subscriptions": [row | billing[row["subscription_id"]] for row in table(SUBSCRIPTIONS)],
        "entitlements": table(ENTITLEMENTS),
        "rates": table(SPECIAL_PRICES) + listed,
        "users": [user for story in stories for user in story.users],
        "partners": table(PARTNERS),
        "tenants": [{"tenant_id": s.tenant, "time_zone": s.zone.key} for s in stories],
    }
    for feed, rows in feeds.items():
        header = list(rows[0])
        write_csv(
            folder / f"{feed}.csv", header, ([row.get(c, "") for c in header] for row in rows)
        )


def main() -> None:
    """Write all feeds below DIR/feeds."""
    parser = argparse.ArgumentParser(description="Make the sample feeds.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    folder: Path = parser.parse_args().out / "feeds"
    stories = [harbor_city(), northwind_energy(), lakeside_university()]
    for story in stories:
        write_usage(story, folder / "usage")
    write_terms(stories, folder)


if __name__ == "__main__":
    main()
