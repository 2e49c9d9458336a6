"""Months with everything in them that documents find hard: corrections, odd prices, bad names."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.cli import billing, closing, correcting, reading
from tests.good_feeds import Feeds, good, save
from tests.support import Row, bill, shown, tenantbill

PERIOD, AFTER, OPEN = "2026-10", "2026-11", "2026-12"
CLOCK = datetime(2026, 12, 10, 8, tzinfo=UTC)

HOSTILE = (
    "=cmd()",
    "<script>alert(1)</script>",
    "../x",
    "\u202e\u200fevil",
    "+1;\"'\\,\t$(reboot)",
    "long-" * 2_000,
)
"""Ids that try to be something else: a formula, a program, a path, another order, far too much."""

ROOMS: tuple[ModuleType, ...] = (billing, closing, correcting, reading)


class Months:
    """A store in which October and November are issued; November has October's corrections.

    acme got a supplementary invoice in USD, bolt a credit note in EUR; kyoto pays in JPY for a part
    of the month, yearly pays in advance, bahrain with three digits; stuck is blocked. December is
    a draft. The tenants of `HOSTILE` are billed like any other.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.feeds, self.store = folder, folder / "in", folder / "store"
        self.rows = _feeds()
        save(self.rows, self.feeds)
        bill(self.feeds, self.store, PERIOD)
        self._close(PERIOD)
        for rate in self.rows["rates"]:
            if rate["tenant_id"] == "acme" and rate["charge"] == "overage":
                rate["unit_price"] = "9.125"
            if rate["tenant_id"] == "bolt" and rate["charge"] == "committed":
                rate["unit_price"] = "8.4"
        save(self.rows, self.feeds)
        plan = folder / "plan.json"
        words = ("plan", PERIOD, "--feeds", self.feeds, "--store", self.store, "--output", plan)
        assert tenantbill(*words).exit_code == 0
        applied = tenantbill("apply", plan, "--store", self.store, "--reason", "prices were wrong")
        assert applied.exit_code == 0, applied.output
        for period in (AFTER, OPEN):
            bill(self.feeds, self.store, period)
        self._close(AFTER)

    def _close(self, period: str) -> None:
        closed = tenantbill("close", period, "--store", self.store)
        assert closed.exit_code in (0, 3), closed.output

    def export(self, period: str, form: str, folder: Path, *options: object) -> Path:
        """Export a month as users do, and give the directory."""
        words = ("export", period, "--as", form, "-o", folder, "--store", self.store)
        result = tenantbill(*words, *options)
        assert result.exit_code in (0, 3), result.output
        return folder

    def invoices(self, period: str, status: str = "issued") -> list[Row]:
        """The invoices of a month with a status, as `show` has them."""
        return [row for row in shown("invoices", period, self.store) if row["status"] == status]

    def totals(self, period: str, status: str = "issued") -> dict[str, Decimal]:
        """What every format must come to."""
        sums: dict[str, Decimal] = {}
        for row in self.invoices(period, status):
            sums[row["currency"]] = sums.get(row["currency"], Decimal(0)) + Decimal(row["total"])
        return sums


def _feeds() -> Feeds:
    """Agents are committed to at 10, and overage of them costs 7.125; not everywhere in USD."""
    names = ("acme", "bolt", "kyoto", "yearly", "bahrain", "stuck", *HOSTILE)
    feeds = good(*names)
    overage = [{**row, "charge": "overage", "unit_price": "7.125"} for row in feeds["rates"]]
    feeds["rates"] += [row for row in overage if row["tenant_id"] != "stuck"]
    for subscription in feeds["subscriptions"]:
        tenant = subscription["tenant_id"]
        subscription["name"] = f"the contract of {tenant}"
        changes = {
            "bolt": {"currency": "EUR"},
            "kyoto": {"currency": "JPY", "start_date": "2026-10-03"},
            "bahrain": {"currency": "BHD"},
            "yearly": {"billing_frequency": "annual", "start_date": "2026-10-01"},
        }
        subscription.update(changes.get(tenant, {}))
    money = {row["tenant_id"]: row["currency"] for row in feeds["subscriptions"]}
    for rate in feeds["rates"]:
        rate["currency"] = money[rate["tenant_id"]]
    for row in feeds["tenants"]:
        row["name"] = f"{row['tenant_id']} Ltd"
    for name in ("acme", "stuck"):
        own = next(row for row in feeds["usage"] if row["tenant_id"] == name)
        feeds["usage"].append({**own, "event_id": f"more-{name}", "user_id": "u2"})
    later = [
        {**row, "event_id": f"{row['event_id']}-{month}"}
        | {key: row[key].replace("2026-10", month) for key in ("started_at", "ended_at")}
        for row in feeds["usage"]
        for month in (AFTER, OPEN)
    ]
    feeds["usage"] += later
    return feeds


def ticking(since: datetime, patch: pytest.MonkeyPatch) -> None:
    """Make the clock that commands see go on by a minute whenever it is looked at."""
    minutes = itertools.count()
    for room in ROOMS:
        patch.setattr(room, "now", lambda: since + timedelta(minutes=next(minutes)))
