"""What holds for every history of exports, terms, closings and corrections.

Whatever order things come in: what is issued stays as it was issued, everything issued together
says what a fresh run with all data says, and any past state can be shown and made again.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.period import Period
from schemas.datasets import DATASETS
from tests.oracle_terms import Row
from tests.support import shown, tenantbill
from tests.worlds import World, world, write

seeds = st.integers(1_000, 1_000_000)
some = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))

Sums = dict[tuple[str, ...], tuple[Decimal, Decimal]]
"""(tenant, subscription, kind, meter, currency) to its quantity and amount, where not both 0."""


@dataclass
class History:
    """A store in which things happen, by chance; usage arrives in parts, terms change."""

    folder: Path
    crowd: World
    random: Random
    waiting: list[tuple[str, list[Row]]]
    arrived: list[tuple[str, list[Row]]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, folder: Path, seed: int) -> History:
        """Nothing has arrived yet; every row will, in one of some exports."""
        crowd, random = world(seed), Random(seed)
        rows = [row for _, rows in crowd.usage_files for row in rows]
        parts: list[list[Row]] = [[] for _ in range(4)]
        for row in rows:
            parts[random.randrange(len(parts))].append(row)
        waiting = [(f"part-{number}.csv", part) for number, part in enumerate(parts)]
        random.shuffle(waiting)
        return cls(folder, crowd, random, waiting)

    @property
    def feeds(self) -> Path:
        return self.folder / "feeds"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def period(self) -> str:
        return self.crowd.period

    def save(self) -> None:
        write(World(self.period, self.crowd.feeds, self.arrived), self.feeds)

    def do(self, *words: object, codes: tuple[int, ...] = (0, 3)) -> str:
        result = tenantbill(*words, "--store", self.store)
        assert result.exit_code in codes, (words, result.output)
        return result.stdout

    def export_arrives(self) -> None:
        if self.waiting:
            self.arrived.append(self.waiting.pop())
            self.save()

    def terms_change(self) -> None:
        """A price, an entitlement, a time zone or an override: of rows that stay valid."""
        feed, column, values = self.random.choice(
            [
                ("rates", "unit_price", ["7", "0.25", "133.335"]),
                ("entitlements", "quantity", ["0", "1", "4"]),
                ("tenants", "time_zone", ["Europe/Berlin", "Pacific/Auckland", "UTC"]),
                ("tenants", "primary_override", [""]),
                ("users", "license", ["standard", "premium", "none"]),
            ]
        )
        rows = self.crowd.feeds[feed]
        if rows:
            self.random.choice(rows)[column] = self.random.choice(values)
            self.save()

    def runs(self) -> None:
        self.do("run", self.period, "--feeds", self.feeds)

    def closes(self) -> None:
        if tenantbill("status", self.period, "--store", self.store).exit_code == 0:
            tenants = sorted({row["tenant_id"] for row in self.crowd.feeds["subscriptions"]})
            only = [("--tenant", name) for name in tenants]
            one = self.random.choice([(), *only])
            self.do("close", self.period, "--provisional", *one, codes=(0, 1, 3))

    def corrects(self) -> None:
        file = self.folder / "plan.json"
        file.unlink(missing_ok=True)
        self.do("plan", "--feeds", self.feeds, "--output", file)
        if file.exists():
            self.do("apply", file, "--reason", "by chance")

    def issued(self, dataset: str) -> list[Row]:
        """Every issued row of any period, with its columns in text."""
        found = []
        for period in self.periods():
            result = tenantbill("show", dataset, period, "--store", self.store, "--format", "csv")
            if result.exit_code == 0:
                found += list(csv.DictReader(io.StringIO(result.stdout)))
        if dataset == "invoices":
            return [row for row in found if row["status"] == "issued"]
        issued = {row["invoice_id"] for row in self.issued("invoices")}
        return [row for row in found if row["invoice_id"] in issued]

    def periods(self) -> list[str]:
        first = Period.parse(self.period)
        return [str(first), str(first.following)]


def sums(lines: list[Row]) -> Sums:
    of: dict[tuple[str, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for line in lines:
        kind = line["corrected_kind"] or line["kind"]
        key = (line["tenant_id"], line["subscription_id"], kind, line["meter"], line["currency"])
        of[key][0] += Decimal(line["quantity"])
        of[key][1] += Decimal(line["amount"])
    return {key: (quantity, amount) for key, (quantity, amount) in of.items() if quantity or amount}


def in_error(store: Path, period: str) -> set[str]:
    found = shown("findings", period, store)
    return {row["tenant_id"] for row in found if row["severity"] == "error"}


@some
@given(seeds)
def test_everything_issued_says_what_a_fresh_run_says_and_nothing_issued_ever_changes(
    seed: int,
) -> None:
    with TemporaryDirectory() as folder:
        history = History.begin(Path(folder), seed)
        history.export_arrives()
        history.save()
        history.runs()
        deeds: list[Callable[[], None]] = [
            history.export_arrives,
            history.terms_change,
            history.runs,
            history.closes,
            history.corrects,
            history.corrects,
        ]
        history.closes()
        before = {dataset: history.issued(dataset) for dataset in ("invoices", "invoice_lines")}
        assume(before["invoices"])
        for deed in history.random.choices(deeds, k=7):
            deed()
            for dataset, rows in before.items():
                now = history.issued(dataset)
                assert [row for row in now if row in rows] == rows, deed.__name__
                before[dataset] = now
        history.terms_change()
        history.corrects()
        while history.waiting:
            history.export_arrives()
        history.corrects()
        fresh = Path(folder) / "fresh"
        period = history.period
        tenantbill("run", period, "--feeds", history.feeds, "--store", fresh)
        invoices = history.issued("invoices")
        closed = {row["tenant_id"] for row in invoices} - in_error(fresh, period)
        issued = [row for row in history.issued("invoice_lines") if row["tenant_id"] in closed]
        wanted = [
            row for row in shown("invoice_lines", period, fresh) if row["tenant_id"] in closed
        ]
        assert sums(issued) == sums(wanted)
        assert_gapless(invoices)
        assert_totals(invoices, history.issued("invoice_lines"))


def assert_gapless(invoices: list[Row]) -> None:
    """Numbers run from 1 in every tenant, in order of issue, and none comes twice."""
    by_tenant: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in invoices:
        by_tenant[row["tenant_id"]].append((int(row["number"]), row["issued_at"]))
    for numbered in by_tenant.values():
        numbered.sort()
        assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
        assert [at for _, at in numbered] == sorted(at for _, at in numbered)
    assert len({row["invoice_id"] for row in invoices}) == len(invoices)


def assert_totals(invoices: list[Row], lines: list[Row]) -> None:
    """Every invoice is the sum of its lines, and a credit note where that is negative."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        totals[line["invoice_id"]] += Decimal(line["amount"])
    for row in invoices:
        assert Decimal(row["total"]) == totals[row["invoice_id"]]
        is_correction = row["document"] != "invoice"
        assert (row["document"] == "credit_note") == (
            is_correction and totals[row["invoice_id"]] < 0
        )


def everything(store: Path, period: str, *options: object) -> dict[str, str]:
    """Every dataset of a period as it is shown, to the byte."""
    return {
        table.name: tenantbill(
            "show", table.name, period, "--store", store, "--format", "csv", *options
        ).stdout
        for table in DATASETS
    }


@some
@given(seeds)
def test_any_past_state_is_shown_again_and_made_again_to_the_byte(seed: int) -> None:
    with TemporaryDirectory() as folder:
        history = History.begin(Path(folder), seed)
        seen: list[tuple[str, dict[str, str]]] = []
        for deed in (history.export_arrives, history.terms_change, history.export_arrives):
            deed()
            history.save()
            history.runs()
            at = datetime.now(UTC).isoformat()
            seen.append((at, everything(history.store, history.period)))
        history.closes()
        history.export_arrives()
        history.corrects()
        for at, then in seen:
            assert everything(history.store, history.period, "--as-of", at) == then
        for at, then in seen:
            history.do("run", history.period, "--feeds", history.feeds, "--as-of", at)
            assert everything(history.store, history.period, "--as-of", at) == then
            candidate = everything(history.store, history.period)
            if "issued" not in candidate["invoices"]:
                assert candidate == then


def test_an_instant_before_the_first_export_has_nothing(tmp_path: Path) -> None:
    history = History.begin(tmp_path, 5)
    history.export_arrives()
    history.save()
    history.runs()
    words = ("run", history.period, "--feeds", history.feeds, "--as-of", "2020-01-01")
    result = tenantbill(*words, "--store", history.store)
    assert result.exit_code == 1
    assert "no export has been taken in by 2020-01-01T00:00:00Z" in result.stderr
    assert tenantbill("show", "invoices", history.period, "--as-of", "2020-01-01").exit_code == 1


@pytest.mark.parametrize("words", ["yesterday", "2026-13-01", "12:00", ""])
def test_a_wrong_instant_is_wrong_use(tmp_path: Path, words: str) -> None:
    result = tenantbill("show", "invoices", "2026-10", "--as-of", words, "--store", tmp_path)
    assert result.exit_code == 2
    assert "2026-11-05T12:00:00Z" in result.stderr
