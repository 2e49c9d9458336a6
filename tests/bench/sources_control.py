"""Exports of Control Hub of any size, for measuring: users, and answers of GET /v1/licenses.

Belongs here: writing them. Does not belong here: measuring (`sources`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from tests.bench.made import Made
from tests.sources.test_licenses_api import ORG, license_, license_id

STANDARD, PREMIUM = "Webex Contact Center Standard Agent", "Webex Contact Center Premium Agent"

_COLUMNS = (
    "First Name",
    "Last Name",
    "Display Name",
    "User ID/Email (Required)",
    "User Status",
    "Last Service Accessed Time",
    "Days since Last Service Accessed",
    "Extension",
    "Title",
    "Department",
    "Manager",
    "Phone Number",
    "Caller ID Number",
    "Caller ID First Name",
    "Caller ID Last Name",
    "Location",
    "Preferred Language",
    "Time zone",
    "Address type",
    "Webex Calling - Professional",
    "Webex Meetings",
    STANDARD,
    PREMIUM,
    f"{PREMIUM} [Sub2]",
    f"{STANDARD} (Suspended)",
)

_AT_ONCE = 10_000


def write_users(path: Path, rows: int) -> None:
    """Users, of whom nine in ten hold a licence of the contact center."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        users = map(_user, range(rows))
        while some := list(islice(users, _AT_ONCE)):
            writer.writerows(some)


def _user(number: int) -> list[str]:
    first, last, held = f"First{number}", f"Last{number % 977}", number % 10
    who = [first, last, f"{first} {last}", f"{first}.{last}@example.com", "Active"]
    seen = ["2026-09-30T18:53:09.064Z", "1", str(number), "Agent", f"Department {number % 40}"]
    more = ["", f"+1555{number:07}", "", first, last, "Head office", "en_US", "UTC", "work"]
    licenses = [held == 0, number % 2 == 0, 1 <= held <= 6, held in (7, 8), held == 9, False]
    return [*who, *seen, *more, *(str(one).upper() for one in licenses)]


def write_licenses(path: Path, rows: int) -> None:
    """Licences, half of them meters, of a contract each twenty."""
    ids = {beginning: license_id(beginning, ORG) for beginning in ("CJPPRM", "CJPSTD", "MS")}
    beginnings = ("CJPPRM", "MS", "CJPSTD", "MS")
    with path.open("w", encoding="utf-8") as file:
        file.write('{"items": [')
        for number in range(rows):
            beginning = beginnings[number % len(beginnings)]
            contract = f"Sub{number // 20:07}"
            item = license_(beginning, number % 90, id=ids[beginning], subscriptionId=contract)
            file.write(f"{',' if number else ''}{json.dumps(item)}\n")
        file.write("]}")


MADE: Mapping[str, Made] = {
    "control-hub-users": Made(
        "control-hub-users", "-2026-10-01.csv", write_users, {"tenant": "acme"}
    ),
    "licenses-api": Made("licenses-api", "-2026-10-01.json", write_licenses, {"tenant": "acme"}),
}
"""What is measured, by its name."""
