"""Small random worlds for property tests: a period, valid terms and a crowd of usage rows.

`world(seed)` is the same world for ever; `worlds()` is the hypothesis strategy over it. Terms
are always valid. Usage is as bad as exports get: rows repeat, change, cross days and months,
name what does not exist and break every rule of the feed. Times are round, so that sessions
collide, users overlap themselves and peaks tie.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.oracle_terms import SHIPPED_CATALOGUE, Period, Row

COLUMNS = {
    "usage": "event_id tenant_id subscription_id meter user_id started_at ended_at quantity "
    "deployment",
    "subscriptions": "tenant_id subscription_id name offer license_model deployment telephony "
    "status start_date end_date currency term_months billing_frequency partner_id",
    "entitlements": "tenant_id subscription_id meter quantity start_date end_date deployment",
    "rates": "subscription_id tenant_id meter charge unit_price currency model tier_from "
    "start_date end_date",
    "users": "tenant_id user_id name role license subscription_id start_date end_date",
    "partners": "tenant_id partner_id added_on role",
    "tenants": "tenant_id name time_zone primary_override",
    "meters": "meter measure counts routing charge overage_to included_with included_ratio unit "
    "label",
}
REQUIRED = ("subscriptions", "entitlements", "rates")
PERIODS = ("2026-03", "2026-04", "2026-10", "2026-11")
ZONES = (
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Kolkata",
    "Pacific/Auckland",
)
CURRENCIES = ("USD", "EUR", "JPY", "KWD")
FREQUENCIES = ("monthly", "monthly", "", "quarterly", "annual", "prepaid")
AGENTS = ("standard_agent", "premium_agent")
PORTS = ("ivr_port", "toll_free_call", "ivr_outbound_port")
SUMS = ("ai_agent", "ai_assistant", "recording_storage")
CONNECT = ("connect_sms", "connect_whatsapp", "connect_email")
METERS = AGENTS + PORTS + SUMS + CONNECT
PRICES = ("150", "210.50", "33.333", "0.95", "12.345", "1.005", "0.0075", "0.5", "7.0005", "0")
MINUTES = (0, 0, 1, 30, 60, 60, 120, 240, 480, 1560, 4320)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """What one run reads: a period, the feeds, and the usage files in the order of their names."""

    period: str
    feeds: dict[str, list[Row]]
    usage_files: list[tuple[str, list[Row]]]


@dataclass(frozen=True)
class Place:
    """What the usage rows of one tenant are drawn from."""

    tenant_id: str
    zone: ZoneInfo
    period: Period
    subscriptions: list[str]
    foreign: list[str]
    users: list[str]
    meters: list[str]
    busy: list[datetime]


def worlds() -> st.SearchStrategy[World]:
    """Draw any world; a failing example shrinks to a small seed, not to a small world."""
    return st.integers(min_value=0, max_value=2**32 - 1).map(world)


def world(seed: int) -> World:
    """Make the world of this seed."""
    rng = Random(seed)
    period = Period(rng.choice(PERIODS))
    names = ["T1", "T2", "T3"][: rng.choice([1, 2, 2, 3])]
    feeds: dict[str, list[Row]] = {name: [] for name in COLUMNS if name != "usage"}
    if rng.random() < 0.15:
        feeds["meters"] = other_catalogue(rng)
    meters = [row["meter"] for row in feeds["meters"]] or list(METERS)
    shared = rng.random() < 0.3
    for name in names:
        add_tenant(rng, feeds, name, period, shared)
    add_rates(rng, feeds, names, meters)

    rows: list[Row] = []
    for name in names:
        place = look_around(rng, feeds, name, period, meters)
        rows += usage_of(rng, place, rng.randint(30, 60) if len(names) < 3 else 40)
    return World(period.name, feeds, into_files(rng, rows))


def write(of: World, directory: Path) -> None:
    """Write the feeds of a world as CSV, usage as a folder of files."""
    for feed, rows in of.feeds.items():
        if rows or feed in REQUIRED:
            write_csv(directory / f"{feed}.csv", COLUMNS[feed].split(), rows)
    for name, rows in of.usage_files:
        write_csv(directory / "usage" / name, COLUMNS["usage"].split(), rows)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write one feed file; an absent value is empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


# Terms ---------------------------------------------------------------------------------------


def other_catalogue(rng: Random) -> list[Row]:
    """Make a catalogue that replaces the shipped one: all of its settings are data."""
    names, *lines = SHIPPED_CATALOGUE.strip().splitlines()
    rows = [dict(zip(names.split(","), line.split(","), strict=True)) for line in lines]
    for row in rows:
        if row["charge"] == "overage" and rng.random() < 0.4:
            row["overage_to"] = rng.choice(["primary", "responsible"])
        if row["meter"] == "ivr_port":
            row["included_ratio"] = rng.choice(["1", "2", "3", "0.5", "0.333333"])
        if row["meter"] == "toll_free_call":
            row["measure"] = rng.choice(["distinct", "peak"])
            row["counts"] = rng.choice(["users", "sessions"])
        if row["meter"] == "connect_email":
            row |= {"charge": "overage", "overage_to": rng.choice(["primary", "responsible"])}
    return rows


def near(rng: Random, period: Period) -> date:
    """Pick a day in the month, rather often an edge of it."""
    return rng.choice([*period.days[1:-1], period.first, period.first, period.last, period.last])


def long_ago(rng: Random, period: Period) -> date:
    """Pick a day before the month; few different ones, so that ages tie."""
    return rng.choice(
        [
            date(2024, 1, 1),
            date(2024, 1, 1),
            date(2025, 1, 31),
            date(2025, 8, 31),
            date(2025, period.first.month, 15),
            date(2025, period.first.month, 1),
            period.first - timedelta(days=40),
            period.first - DAY,
        ]
    )


def service_spans(rng: Random, period: Period) -> list[tuple[str, date, date | None]]:
    """Pick the intervals of one subscription: (status, start, end), in order, not overlapping."""
    old, near_day = long_ago(rng, period), near(rng, period)
    gone = rng.choice(["expired", "cancelled"])
    later = near_day + timedelta(days=rng.choice([1, 1, 3, 9, 45]))
    before, after = period.first - timedelta(days=20), period.last + timedelta(days=5)
    ended = max(old, near_day)
    back = [("active", max(later, ended) + 2 * DAY, None)] if rng.random() < 0.6 else []
    lapsed = max(old, rng.choice([near_day, before, period.first - DAY]))
    shapes: dict[str, list[tuple[str, date, date | None]]] = {
        "steady": [("active", old, rng.choice([None, None, None, after, after + 60 * DAY]))],
        "ends": [(gone, old, ended)],
        "starts": [("active", near_day, rng.choice([None, None, later, after]))],
        "renewed": [(gone, old, lapsed), ("active", max(later, lapsed + DAY), None)],
        "trial": [(rng.choice(["trial", "pending"]), old, near_day), *back],
        "suspended": [(gone, old, ended), ("suspended", ended + DAY, later + DAY), *back],
        "rolls": [
            ("active", old, after),
            ("active", after + DAY, rng.choice([None, after + 9 * DAY])),
        ],
        "past": [(gone, date(2023, 5, 1), before)],
        "future": [("active", after, None)],
    }
    usual = ["ends", "starts", "renewed", "trial", "suspended"] * 2
    return shapes[rng.choice(["steady"] * 6 + usual + ["rolls", "past", "future"])]


def add_tenant(
    rng: Random, feeds: dict[str, list[Row]], tenant_id: str, period: Period, shared: bool
) -> None:
    """Add one tenant with its subscriptions, entitlements, users and partners."""
    ids = [f"{tenant_id}-S{n}" for n in range(1, rng.choice([1, 2, 2, 3, 3, 4]) + 1)]
    if shared:
        ids[0] = "COMMON"
    models = rng.choice(["concurrent"] * 5 + ["named"] * 3 + ["switch"] * 2 + ["any"])
    switch, first_model = near(rng, period), rng.choice(["concurrent", "named"])
    second_model = "named" if first_model == "concurrent" else "concurrent"
    no_service = rng.random() < 0.04
    for subscription_id in [] if no_service else ids:
        model = rng.choice(["concurrent", "named"]) if models == "any" else models
        base = {
            "tenant_id": tenant_id,
            "subscription_id": subscription_id,
            "name": f"{subscription_id} of {tenant_id}",
            "offer": rng.choice(["flex", "flex3"]),
            "deployment": rng.choice(["cloud", "hybrid", ""]),
            "currency": rng.choice(CURRENCIES),
        }
        for status, start, end in service_spans(rng, period):
            row = base | {
                "status": status,
                "start_date": str(start),
                "end_date": str(end or ""),
                "license_model": first_model if models == "switch" else model,
                "telephony": rng.choice(["webex_calling"] * 6 + ["bundled_pstn", "vpop", ""]),
                "term_months": rng.choice(["1", "12", "24", "36"]),
                "billing_frequency": rng.choice(FREQUENCIES),
            }
            if models != "switch" or (end is not None and end < switch):
                feeds["subscriptions"].append(row)
            elif start >= switch:
                feeds["subscriptions"].append(row | {"license_model": second_model})
            else:
                ended = "expired" if status == "active" else status
                feeds["subscriptions"] += [
                    row | {"status": ended, "end_date": str(switch - DAY)},
                    row | {"start_date": str(switch), "license_model": second_model},
                ]
        for meter in METERS:
            if rng.random() < (0.6 if meter in AGENTS else 0.05 if meter in CONNECT else 0.35):
                add_entitlement(rng, feeds, base, meter, period)
    if no_service or rng.random() < 0.85:
        feeds["tenants"].append(
            {
                "tenant_id": tenant_id,
                "name": tenant_id,
                "time_zone": rng.choice(ZONES),
                "primary_override": ("" if no_service or rng.random() < 0.8 else rng.choice(ids)),
            }
        )
    for number in range(rng.randint(4, 7)):
        named = [""] if no_service else [*ids, *ids, ""]
        feeds["users"] += user_rows(rng, tenant_id, f"u{number}", named, period)
    partner_days = [date(2025, 3, 1), date(2025, 3, 1), period.last + DAY]
    for number in range(rng.choice([0, 0, 1, 2, 3])):
        feeds["partners"].append(
            {
                "tenant_id": tenant_id,
                "partner_id": f"P{number}",
                "added_on": str(rng.choice([*partner_days, near(rng, period)])),
                "role": rng.choice(["full_admin", "provisioning_admin", ""]),
            }
        )


def add_entitlement(
    rng: Random, feeds: dict[str, list[Row]], base: Row, meter: str, period: Period
) -> None:
    """Add what a subscription includes of a meter: one row, or two that follow each other."""
    own = [row for row in feeds["subscriptions"] if row["tenant_id"] == base["tenant_id"]]
    born = min(
        date.fromisoformat(row["start_date"])
        for row in own
        if row["subscription_id"] == base["subscription_id"]
    )

    def row(start: date | None, end: date | None) -> Row:
        few = ["0", "1", "1", "2", "2", "3", "1.5"]
        return {
            "tenant_id": base["tenant_id"],
            "subscription_id": base["subscription_id"],
            "meter": meter,
            "quantity": rng.choice(["0", "5", "31", "62.5", "100"] if meter in SUMS else few),
            "start_date": str(start or ""),
            "end_date": str(end or ""),
            "deployment": rng.choice(["", "", "", "", "cloud", "cloud", "on_premises"]),
        }

    start = rng.choice([None, None, born, long_ago(rng, period)])
    step = near(rng, period)
    shape = rng.choice(["steady", "steady", "steps", "steps", "begins", "ends"])
    if shape == "steps" and max(start or born, born) < step:
        feeds["entitlements"] += [row(start, step - DAY), row(step, None)]
    elif shape == "begins":
        feeds["entitlements"].append(row(step, None))
    elif shape == "ends" and max(start or born, born) <= step:
        feeds["entitlements"].append(row(start, step))
    else:
        feeds["entitlements"].append(row(start, None))


def user_rows(
    rng: Random, tenant_id: str, user_id: str, subscriptions: Sequence[str], period: Period
) -> list[Row]:
    """Make a user's assignments: one, one after the other, or two at the same time."""

    def row(start: date | None, end: date | None, subscription_id: str) -> Row:
        return {
            "tenant_id": tenant_id,
            "user_id": user_id,
            "name": user_id.upper(),
            "role": rng.choice(["agent", "agent", "agent", "supervisor", "admin"]),
            "license": rng.choice(["standard"] * 4 + ["premium"] * 3 + ["none", ""]),
            "subscription_id": subscription_id,
            "start_date": str(start or ""),
            "end_date": str(end or ""),
        }

    change = near(rng, period)
    one, other = rng.choice(subscriptions), rng.choice(subscriptions)
    shape = rng.choice(["steady", "steady", "moves", "gap", "both", "tie"])
    long_since = date(2025, 1, 1)
    if shape == "moves":
        return [row(None, change - DAY, one), row(change, None, other)]
    if shape == "gap":
        return [row(None, change - DAY, one), row(change + 4 * DAY, None, other)]
    if shape == "both":
        return [row(long_since, None, one), row(change, None, other)]
    if shape == "tie" and one != other:
        return [row(long_since, None, one), row(long_since, None, other)]
    return [row(rng.choice([None, long_since]), None, one)]


def add_rates(
    rng: Random, feeds: dict[str, list[Row]], tenants: Sequence[str], meters: Sequence[str]
) -> None:
    """Add prices of three scopes; a few are missing, and some had their time."""
    owners = {(row["subscription_id"], row["tenant_id"]) for row in feeds["subscriptions"]}
    alone = {s for s, _ in owners if len([t for other, t in owners if other == s]) == 1}
    missing = rng.choice([0.0, 0.0, 0.1])
    used = sorted({row["currency"] for row in feeds["subscriptions"]})
    for currency in used:
        for meter in meters:
            usual = "per_unit" if meter.startswith("connect_") else "overage"
            charges = [usual, "committed"]
            if meter == "connect_email":
                charges.append("overage")
            for charge in charges:
                scopes = []
                if rng.random() >= (0.4 if charge == "committed" else missing):
                    scopes.append(("*", ""))
                scopes += [("*", tenant) for tenant in tenants if rng.random() < 0.1]
                for subscription_id, tenant_id in sorted(owners):
                    if rng.random() < 0.12:
                        silent = subscription_id in alone and rng.random() < 0.3
                        scopes.append((subscription_id, "" if silent else tenant_id))
                for scope in scopes:
                    feeds["rates"] += tiers(rng, scope, meter, charge, currency)


def tiers(rng: Random, scope: tuple[str, str], meter: str, charge: str, currency: str) -> list[Row]:
    """Make the rows of one price: flat, or two or three tiers."""
    model = rng.choice(["flat", "flat", "volume", "graduated"])
    bounds = rng.choice([["0", "2"], ["", "1", "3"], ["0", "2.5", "50"]])
    if charge == "committed" or model == "flat":
        model, bounds = "flat", [""]
    if model != "flat" and rng.random() < 0.05:
        bounds = ["1", "3"]  # the first unit has no price of its own
    start, end = rng.choice([("", "")] * 12 + [("2025-01-01", ""), ("", "2026-02-15")])
    return [
        {
            "subscription_id": scope[0],
            "tenant_id": scope[1],
            "meter": meter,
            "charge": charge,
            "unit_price": rng.choice(PRICES),
            "currency": currency,
            "model": "" if model == "flat" and rng.random() < 0.5 else model,
            "tier_from": bound,
            "start_date": start,
            "end_date": end,
        }
        for bound in bounds
    ]


# Usage ---------------------------------------------------------------------------------------


def look_around(
    rng: Random,
    feeds: dict[str, list[Row]],
    tenant_id: str,
    period: Period,
    meters: list[str],
) -> Place:
    """Collect what a tenant's usage rows can name, and its few busy moments."""
    zone = "UTC"
    for row in feeds["tenants"]:
        if row["tenant_id"] == tenant_id:
            zone = row["time_zone"]
    subscriptions = {
        row["subscription_id"] for row in feeds["subscriptions"] if row["tenant_id"] == tenant_id
    }
    others = {row["subscription_id"] for row in feeds["subscriptions"]} - subscriptions
    changes = [
        date.fromisoformat(row["start_date"])
        for feed in ("subscriptions", "entitlements", "users")
        for row in feeds[feed]
        if row["tenant_id"] == tenant_id and row["start_date"].startswith(period.name)
    ]
    busy = [at(ZoneInfo(zone), near(rng, period), rng.choice([9, 13, 22])) for _ in range(3)]
    busy += [at(ZoneInfo(zone), d, 0) for d in rng.sample(changes, min(2, len(changes)))]
    return Place(
        tenant_id,
        ZoneInfo(zone),
        period,
        sorted(subscriptions),
        sorted(others),
        sorted({row["user_id"] for row in feeds["users"] if row["tenant_id"] == tenant_id}),
        meters,
        busy,
    )


def at(zone: ZoneInfo, on: date, hour: int) -> datetime:
    """Turn a local hour into an instant."""
    return datetime.combine(on, time(hour), tzinfo=zone).astimezone(UTC)


def moment(rng: Random, place: Place) -> datetime:
    """Pick a start: mostly near a busy moment, else at an edge of the month, or anywhere."""
    edges = [place.period.start(place.zone), place.period.end(place.zone)]
    shift = timedelta(minutes=rng.choice([-480, -60, -30, 0, 0, 0, 0, 30, 60]))
    kind = rng.random()
    if kind < 0.6:
        return rng.choice(place.busy) + shift
    if kind < 0.75:
        return rng.choice(edges) + shift
    if kind < 0.8:
        return rng.choice(edges) + rng.choice([-25, 25]) * DAY
    hour = rng.choice([0, 1, 2, 3, 8, 17, 23])
    return at(place.zone, rng.choice(place.period.days), hour)


def stamp(rng: Random, instant: datetime, place: Place) -> str:
    """Write an instant in one of the ways in which exports write it."""
    way = rng.choice(["Z", "Z", "Z", "offset", "naive", "epoch", "fraction"])
    if way == "epoch":
        return str(round(instant.timestamp() * 1000))
    if way == "naive":
        return instant.strftime("%Y-%m-%dT%H:%M:%S")
    if way == "offset":
        return instant.astimezone(place.zone).isoformat()
    if way == "fraction":
        return instant.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def usage_row(rng: Random, place: Place, number: int) -> Row:
    """Make one good row (or one that only the terms can refuse)."""
    weights = {"standard_agent": 5, "premium_agent": 3, "ivr_port": 3}
    meters = ["", *place.meters]
    meter = rng.choices(meters, [2] + [weights.get(m, 1) for m in place.meters])[0]
    agent = meter in ("", *AGENTS)
    summed = meter in SUMS or meter.startswith("connect_")
    start = moment(rng, place)
    end = None
    if rng.random() < (0.2 if summed else 0.92):
        end = start + timedelta(minutes=rng.choice(MINUTES), milliseconds=rng.choice([0] * 9 + [1]))
    names = [*(place.subscriptions * 4), *([""] * 6), "NOWHERE"]
    foreign = place.foreign and rng.random() < 0.01
    users = [*place.users, *place.users, "ghost", ""] if agent else ["", "", *place.users[:2]]
    amount = rng.choice(["1", "0", "12.5", "100.000001", "7.25", "333.333333"])
    return {
        "event_id": f"e{number}",
        "tenant_id": place.tenant_id,
        "subscription_id": rng.choice(place.foreign) if foreign else rng.choice(names),
        "meter": meter,
        "user_id": rng.choice(users),
        "started_at": stamp(rng, start, place),
        "ended_at": stamp(rng, end, place) if end else "",
        "quantity": amount if summed or rng.random() < 0.05 else "",
        "deployment": rng.choice([""] * 8 + ["cloud", "on_premises"]),
    }


def broken(rng: Random, place: Place, row: Row) -> Row:
    """Break one rule of the feed, or two."""
    bad = dict(row)
    summed = rng.choice([m for m in place.meters if m in SUMS])
    first = place.period.start(place.zone)
    start = rng.choice([*place.busy, first, first - 3 * DAY])
    ways: list[Row] = [
        {"event_id": ""},
        {"tenant_id": "", "meter": "ivr_port"},
        {"tenant_id": "GHOST", "meter": "ivr_port", "subscription_id": ""},
        {"meter": "fax_page"},
        {"meter": "", "user_id": ""},
        {"meter": "", "user_id": "ghost"},
        {"started_at": "", "meter": "ivr_port"},
        {"started_at": rng.choice(["soon", "2026-02-30T10:00:00Z", "2026-10-05T25:00:00Z"])}
        | {"meter": "ivr_port"},
        {"ended_at": rng.choice(["later", "2026-13-01T00:00:00Z"])},
        {"started_at": stamp(rng, start, place), "ended_at": stamp(rng, start - DAY, place)},
        {"meter": summed, "quantity": ""},
        {"quantity": rng.choice(["many", "1,5", "1.2.3", "1e3", "1.2345678"])},
        {"quantity": "-3"},
        {"deployment": "moon"},
    ]
    if place.foreign:
        ways.append({"subscription_id": rng.choice(place.foreign)})
    if not place.subscriptions:
        ways = [way for way in ways if way.get("tenant_id") != "GHOST"]
    bad |= rng.choice(ways)
    if rng.random() < 0.3:
        bad |= rng.choice([{"quantity": "-1"}, {"deployment": "moon"}, {"event_id": ""}])
    return bad


def again(rng: Random, place: Place, row: Row) -> Row:
    """Make a later export of the same event: the same, the same in other words, or corrected."""
    start = moment(rng, place)
    quantity = row["quantity"]
    same = {"deployment": row["deployment"] or "cloud"}
    if quantity.replace(".", "", 1).isdigit():
        same["quantity"] = str(Decimal(quantity).quantize(Decimal("0.000001")))
    if row["started_at"].endswith(":00Z"):
        same["started_at"] = row["started_at"][:-1] + rng.choice(["", ".000Z", "+00:00"])
    corrected: list[Row] = [
        {"started_at": stamp(rng, start, place)}
        | {"ended_at": stamp(rng, start + timedelta(minutes=rng.choice(MINUTES)), place)},
        {"subscription_id": rng.choice([*place.subscriptions, ""])},
        {"user_id": rng.choice([*place.users, ""])},
        {"quantity": "42.42"},
        {"deployment": "on_premises"},
    ]
    if not row["ended_at"]:
        return row | {"ended_at": stamp(rng, place.period.end(place.zone) + DAY, place)}
    return row | rng.choice([{}, {}, same, same, *corrected])


def usage_of(rng: Random, place: Place, count: int) -> list[Row]:
    """Make the usage rows of one tenant, in the order in which they were exported."""
    rows: list[Row] = []
    for number in range(count):
        kind = rng.random()
        if rows and kind < 0.12:
            rows.append(again(rng, place, rng.choice(rows)))
        elif rows and kind < 0.15:
            rows.append(broken(rng, place, rng.choice(rows)))
        elif kind < 0.21:
            rows.append(broken(rng, place, usage_row(rng, place, number)))
        else:
            rows.append(usage_row(rng, place, number))
    return rows


def into_files(rng: Random, rows: list[Row]) -> list[tuple[str, list[Row]]]:
    """Deal the rows of all tenants, mixed, into one to three export files."""
    rng.shuffle(rows)
    count = rng.choice([1, 2, 3])
    cuts = sorted(rng.randint(0, len(rows)) for _ in range(count - 1))
    edges = [0, *cuts, len(rows)]
    return [(f"export-{n:03}.csv", rows[edges[n] : edges[n + 1]]) for n in range(count)]
