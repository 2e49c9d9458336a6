"""Make the sample exports: a month of one tenant as Webex writes it, and the same as feeds.

    python sample_data/make_exports.py [--out DIR]

Belongs here: which export holds what. What happened is told in `cedar.py`, what a record looks like
in `webex.py`. The same seed makes the same files, byte for byte. With `--out`,
`DIR/cedar-feeds` has the same month as feeds, to compare with.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import xlsxwriter
from cedar import (
    CHANGE,
    CONTRACTS,
    FIRST,
    LAST,
    ORGANISATION,
    PRICES,
    PROMOTED,
    SEATS,
    TENANT,
    ZONE,
    cedar_health,
    user_of,
)
from files import write, write_csv
from story import Story, Use
from terms import Cells, table
from webex import Record, answers, licence, licence_id, midnight, session, talk, task

DAY = timedelta(days=1)

EXTRACTS = [
    (date(2026, 9, 29), date(2026, 10, 7), "json"),
    (date(2026, 10, 7), date(2026, 10, 14), "jsonl"),
    (date(2026, 10, 14), date(2026, 10, 21), "csv.gz"),
    (date(2026, 10, 21), date(2026, 10, 31), "json"),
]
"""First and last day of each extract, which share a day, and the form it is written in."""

CHANNELS = {
    "SMS Outbound": "connect_sms",
    "WhatsApp": "connect_whatsapp",
    "Automated Interactions": "connect_interaction",
}


def seen(uses: Iterable[Use], first: date, last: date) -> Iterator[tuple[Use, datetime | None]]:
    """What an extract shows: what started in its days, and its end if that had come by then."""
    for use in sorted(uses, key=lambda one: (one.started_at, one.event_id)):
        if midnight(first) <= use.started_at < midnight(last) + DAY:
            is_over = use.ended_at is not None and use.ended_at < midnight(last) + DAY
            yield use, use.ended_at if is_over else None


def write_answers(path: Path, query: str, records_in: str, records: list[Record]) -> None:
    """Write answers: a line each, or all in an array."""
    pages = answers(query, records_in, records)
    lines = [json.dumps(page, separators=(",", ":")) for page in pages]
    text = "\n".join(lines) if path.suffix == ".jsonl" else f"[{','.join(lines)}]"
    write(path, f"{text}\n".encode())


def write_sessions(story: Story, folder: Path) -> None:
    """Agent sessions, an extract a week or so."""
    uses = [use for use in story.uses if use.user_id]
    for first, last, ending in EXTRACTS:
        shown = enumerate(seen(uses, first, last))
        records = [session(use, ended, number) for number, (use, ended) in shown]
        path = folder / "agent-sessions" / f"agent-sessions-{first}..{last}.{ending}"
        if ending == "csv.gz":
            header = [name for name in records[0] if name != "channelInfo"]
            write_csv(path, header, ([_cell(one[name]) for name in header] for one in records))
        else:
            write_answers(path, "agentSession", "agentSessions", records)


def write_tasks(story: Story, folder: Path) -> None:
    """Calls, two extracts; and the sessions of the AI agent."""
    calls = [use for use in story.uses if use.meter in ("ivr_port", "toll_free_call")]
    talks = [talk(use) for use in story.uses if use.meter == "ai_agent"]
    for first, last in ((date(2026, 9, 29), CHANGE), (CHANGE, LAST)):
        records = [task(use, ended) for use, ended in seen(calls, first, last)]
        path = folder / "tasks" / f"tasks-{first}..{last}.json"
        write_answers(path, "taskDetails", "tasks", records)
    path = folder / f"ai-agent-{FIRST}..{LAST}.json"
    write_answers(path, "aiAgentSession", "aiAgentSessions", talks)


def write_users(story: Story, folder: Path) -> None:
    """Two exports of Control Hub's users; the promoted agent changes between them."""
    header = ["First Name", "Last Name", "Display Name", "User ID/Email (Required)"]
    header += ["User Status", "Department", "Webex Contact Center Standard Agent"]
    header += ["Webex Contact Center Premium Agent"]
    for day in (FIRST, CHANGE):
        rows = []
        for user in users_on(story, day):
            holds = [str(user["license"] == one).upper() for one in ("standard", "premium")]
            kind, number = user["user_id"].split("-")[1:]
            address = user_of(user["user_id"]).replace("ch-", "CH-")
            at_hospital = user["subscription_id"] == "CH-HOSPITAL"
            department = "Hospital" if at_hospital else "Billing office"
            names = [kind.title(), number, f"{kind.title()} {number}"]
            rows.append([*names, address, "Active", department, *holds])
        write_csv(folder / f"users-{day}.csv", header, rows)


def users_on(story: Story, day: date) -> list[Cells]:
    """The users as they are on a day."""
    promoted = {"license": "premium", "subscription_id": "CH-BILLING"} if day >= CHANGE else {}
    return [one | (promoted if one["user_id"] == PROMOTED else {}) for one in story.users]


def write_licences(folder: Path) -> None:
    """Two answers of the licences API, each with a licence that is free."""
    for day in (FIRST, CHANGE):
        free = {"id": licence_id("MS"), "name": "Basic Messaging", "totalUnits": 40}
        paid = [licence(seat) for seat in table(SEATS) if seat["from"] == str(day)]
        text = json.dumps({"items": [free, *paid]}, indent=1)
        write(folder / f"licenses-{day}.json", f"{text}\n".encode())


def write_connect(story: Story, folder: Path) -> None:
    """The usage workbook of Webex Connect, a sheet a channel; final since the 4th."""
    header = ["subscription_type", "subscription_id", "Client ID", "Client Name"]
    header += ["cpass_orgid", "cpass_orgname", "usage_start_time", "usage_end_time"]
    sheets: dict[str, list[list[object]]] = {"Summary": [["Channel", "Total"]]}
    for channel, meter in CHANNELS.items():
        service = ["Service Name"] if channel == "SMS Outbound" else []
        rows: list[list[object]] = [[*header, *service, "Count"]]
        uses = [use for use in story.uses if use.meter == meter]
        for use in uses:
            span = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (use.started_at, use.started_at + DAY))
            who = ["paid", "CONNECT-77", "77", "Cedar", ORGANISATION, "Cedar Health"]
            rows.append([*who, *span, *(["Reminders"] if service else []), int(use.quantity or 0)])
        sheets[channel] = rows
        sheets["Summary"].append([channel, sum(int(use.quantity or 0) for use in uses)])
    write_workbook(folder / "connect-usage-2026-11-04.xlsx", sheets)


def write_sheets(folder: Path) -> None:
    """The tenant's own sheets: its contracts, its time zone and the price list."""
    named = ("subscription_id", "offer", "license_model", "status", "start_date", "currency")
    contracts = [[ORGANISATION, *(one[name] for name in named)] for one in table(CONTRACTS)]
    header = ["Organisation", "Contract", "Product", "Licensing", "State", "From", "Currency"]
    write_csv(folder / "contracts.csv", header, contracts)
    write_csv(folder / "organisation.csv", ["Organisation", "Zone"], [[ORGANISATION, ZONE]])
    prices: list[list[object]] = [["Item", "Charge", "Price"]]
    for price in table(PRICES):
        label = price["meter"].replace("_", " ").capitalize()
        prices.append([label, price["charge"], float(price["unit_price"])])
    write_workbook(folder / "prices.xlsx", {"Price list 2026": prices})


def write_feeds(story: Story, folder: Path) -> None:
    """The same month as feeds: one file each."""
    begin, end = midnight(EXTRACTS[0][0]), midnight(LAST) + DAY
    header = ["event_id", "tenant_id", "meter", "user_id", "started_at", "ended_at", "quantity"]
    usage = [
        [
            *(use.event_id, TENANT, use.meter, user_of(use.user_id) if use.user_id else ""),
            *(str(use.started_at), str(use.ended_at or ""), str(use.quantity or "")),
        ]
        for use in story.uses
        if begin <= use.started_at < end
    ]
    write_csv(folder / "usage.csv", header, usage)
    write_csv(folder / "tenants.csv", ["tenant_id", "time_zone"], [[TENANT, ZONE]])
    contracts = [{"tenant_id": TENANT, **one} for one in table(CONTRACTS)]
    rows = [list(one.values()) for one in contracts]
    write_csv(folder / "subscriptions.csv", list(contracts[0]), rows)
    held = {str(FIRST): ["", str(CHANGE - DAY)], str(CHANGE): [str(CHANGE), ""]}
    days_of: dict[tuple[str, ...], list[str]] = {}
    for seat in table(SEATS):
        what = (seat["subscription_id"], seat["meter"], seat["quantity"])
        begin, end = held[seat["from"]]
        days_of[what] = [days_of.get(what, [begin])[0], end]
    header = ["tenant_id", "subscription_id", "meter", "quantity", "start_date", "end_date"]
    seats = [[TENANT, *what, *days] for what, days in days_of.items()]
    write_csv(folder / "entitlements.csv", header, seats)
    prices = [["*", one["meter"], one["charge"], one["unit_price"], "GBP"] for one in table(PRICES)]
    header = ["subscription_id", "meter", "charge", "unit_price", "currency"]
    write_csv(folder / "rates.csv", header, prices)
    users = [
        [TENANT, user_of(one["user_id"]), "agent", one["license"], one["subscription_id"], *days]
        for day, days in held.items()
        for one in users_on(story, date.fromisoformat(day))
    ]
    header = ["tenant_id", "user_id", "role", "license", "subscription_id"]
    write_csv(folder / "users.csv", [*header, "start_date", "end_date"], users)


def write_workbook(path: Path, sheets: dict[str, list[list[object]]]) -> None:
    """Write sheets of rows."""
    book = xlsxwriter.Workbook(str(path))
    book.set_properties({"created": datetime(2026, 11, 4)})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def main() -> None:
    """Write the exports and, elsewhere than here, the feeds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where to write")
    out = parser.parse_args().out
    story = cedar_health()
    exports = out / "exports"
    write_sessions(story, exports)
    write_tasks(story, exports)
    write_users(story, exports)
    write_licences(exports)
    write_connect(story, exports)
    write_sheets(exports)
    if out != Path(__file__).parent:
        write_feeds(story, out / "cedar-feeds")


if __name__ == "__main__":
    main()
