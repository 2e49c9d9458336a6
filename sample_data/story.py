"""What a sample tenant did: the rows of its usage, and how they are told.

Belongs here: one row, a tenant's diary of rows, and plain counts over it. Does not belong here: any
particular tenant, or how rows are exported (both in `make.py`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate
from zoneinfo import ZoneInfo

from terms import Cells

SEED = 2026
FIRST_DAY, LAST_DAY = date(2026, 9, 1), date(2026, 10, 31)
WEEK = timedelta(days=7)
ON_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class Use:
    """One usage row as it truly was; exports may show it early, late or twice."""

    event_id: str
    tenant_id: str
    subscription_id: str
    meter: str
    user_id: str
    started_at: datetime
    ended_at: datetime | None
    quantity: Decimal | None
    deployment: str
    late: timedelta = ON_TIME


COLUMNS = [field.name for field in fields(Use) if field.name != "late"]


class Story:
    """What happens at one tenant, in its own time zone and from its own seed."""

    def __init__(self, tenant: str, zone: str, prefix: str) -> None:
        self.tenant, self.zone, self.prefix = tenant, ZoneInfo(zone), prefix
        self.rng = random.Random(f"{SEED} {tenant}")
        self.uses: list[Use] = []
        self.users: list[Cells] = []

    def hire(
        self, kind: str, numbers: Iterable[int], subscription: str, license: str, end: str = ""
    ) -> list[str]:
        """Assign users to a subscription; `kind` is agent, lead, … and part of their ids."""
        ids = [f"{self.prefix}-{kind}-{number:02}" for number in numbers]
        role = {"lead": "supervisor", "admin": "admin"}.get(kind, "agent")
        for user in ids:
            row = {"tenant_id": self.tenant, "user_id": user, "role": role, "license": license}
            self.users.append(row | {"subscription_id": subscription, "end_date": end})
        return ids

    def at(self, day: date, minute: int) -> datetime:
        """The instant at which the tenant's clocks show this minute of the day (or of the next)."""
        wall = datetime.combine(day, time()) + timedelta(minutes=minute)
        return wall.replace(tzinfo=self.zone).astimezone(UTC)

    def add(
        self,
        meter: str,
        subscription: str,
        start: datetime,
        end: datetime | None = None,
        *,
        user: str = "",
        quantity: Decimal | None = None,
        deployment: str = "",
        late: timedelta = ON_TIME,
    ) -> Use:
        """Record one usage row under the tenant's next event id."""
        event = f"{self.prefix}-{len(self.uses) + 1:05}"
        names = (event, self.tenant, subscription, meter, user)
        self.uses.append(Use(*names, start, end, quantity, deployment, late))
        return self.uses[-1]

    def correct(self, use: Use, quantity: Decimal) -> None:
        """The same event a week later, with another quantity."""
        self.uses.append(replace(use, quantity=quantity, late=WEEK))

    def shift(
        self, day: date, user: str, subscription: str, meter: str, late: timedelta = ON_TIME
    ) -> None:
        """A working day: three logins around lunch and a break; everyone is in from 9 to 11."""
        at, pick = self.at, self.rng.randrange
        lunch, tea = pick(660, 750), pick(855, 900)
        spans = ((pick(450, 525), lunch), (lunch + pick(30, 50), tea), (tea + 15, pick(990, 1040)))
        for start, end in spans:
            self.add(meter, subscription, at(day, start), at(day, end), user=user, late=late)

    def calls(
        self, day: date, count: int, meter: str, subscriptions: list[str], hours: tuple[int, int]
    ) -> None:
        """Sessions of some minutes each, spread over these hours."""
        for _ in range(count):
            minute = self.rng.randrange(hours[0] * 60, hours[1] * 60)
            start = self.at(day, minute) + timedelta(seconds=self.rng.randrange(60))
            end = start + timedelta(seconds=self.rng.randrange(40, 420))
            self.add(meter, self.rng.choice(subscriptions), start, end)

    def counted(
        self, day: date, count: int, meter: str, subscription: str, between: tuple[str, str]
    ) -> Use:
        """Counted uses between two quantities, as exact as these are written; returns the last."""
        least, most = map(Decimal, between)
        step = Decimal(1).scaleb(int(least.as_tuple().exponent))
        for _ in range(count):
            quantity = least + step * self.rng.randrange(int((most - least) / step) + 1)
            start = self.at(day, self.rng.randrange(360, 1320))
            use = self.add(meter, subscription, start, quantity=quantity)
        return use


def days(first: date = FIRST_DAY, last: date = LAST_DAY) -> Iterator[date]:
    """Every day from `first` to `last`, both included."""
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def most_at_once(story: Story, month: int) -> int:
    """The largest number of agents logged in at one instant; nobody is in two places (R4.2)."""
    first, end = (story.at(date(2026, number, 1), 0) for number in (month, month + 1))
    free: dict[str, datetime] = {}
    steps: list[tuple[datetime, int]] = []
    logins = [use for use in story.uses if use.user_id]
    for use in sorted(logins, key=lambda use: (use.started_at, use.event_id)):
        until = use.ended_at or end
        start = max(use.started_at, free.get(use.user_id, use.started_at))
        free[use.user_id] = max(start, until)
        if max(start, first) < min(until, end):
            steps += [(max(start, first), 1), (min(until, end), -1)]
    return max(accumulate(step for _, step in sorted(steps)))


def users_above(story: Story, first: date, last: date, entitlement: int) -> int:
    """How many more standard users than entitled had a session between these days (R6.3)."""
    start, end = story.at(first, 0), story.at(last, 1440)
    seen = {
        use.user_id
        for use in story.uses
        if use.user_id and use.ended_at and use.started_at < end and use.ended_at > start
    }
    return max(0, sum("-lead-" not in user for user in seen) - entitlement)
