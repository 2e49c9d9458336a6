"""Whether two ways of billing a month come to the same figures: a fast wrong answer is worth none.

A figure is known by its kind (`sum`, `users`, `peak`, `excess`), tenant, meter and subscription.
"""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from tests.bench.generate import PERIOD
from tests.bench.take import ROOT, CommandFailed, python
from tests.bench.terms import METERS, SESSIONS

Figure = tuple[str, str, str, str]
Figures = dict[Figure, Decimal]

SUMS = {meter for meter, _ in METERS[SESSIONS:]}
AGENTS = {"standard_agent", "premium_agent"}
SHOWN = ("invoice_lines", "overage", "usage_split", "findings", "quarantine", "superseded")
"""The datasets that must not depend on how exports arrived."""


class Disagreement(Exception):
    """Two ways of billing the same month come to different results."""


def read_figures(path: Path) -> Figures:
    """The figures that a competitor wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (row["figure"], row["tenant_id"], row["meter"], row["subscription_id"]): Decimal(
                row["value"]
            )
            for row in csv.DictReader(file)
        }


def our_figures(store: Path, feeds: Path) -> Figures:
    """What of our published results the core computes too, and in the same way.

    Agents' peaks are not among it: we count a user once, however often logged in (R4.2). Where
    agents are named their different users are counted, as the core does.
    """
    figures: Figures = {}
    for row in _rows(show(store, "usage_split")):
        if row["meter"] in SUMS:
            whose = ("sum", row["tenant_id"], row["meter"], row["subscription_id"])
            figures[whose] = Decimal(row["quantity"])
    named = _named_tenants(feeds)
    for row in _rows(show(store, "overage")):
        tenant, meter = row["tenant_id"], row["meter"]
        if meter in AGENTS and tenant in named:
            figures["users", tenant, meter, ""] = Decimal(row["usage"])
        elif meter not in SUMS | AGENTS:
            figures["peak", tenant, meter, ""] = Decimal(row["usage"])
            figures["excess", tenant, meter, ""] = Decimal(row["overage"])
    return figures


def comparable(core: Figures, feeds: Path) -> Figures:
    """Those of the core's figures that `our_figures` gives too."""
    named = _named_tenants(feeds)
    return {
        key: value
        for key, value in core.items()
        if (key[2] not in AGENTS or (key[0] == "users" and key[1] in named))
    }


def check_figures(one: Figures, other: Figures, who: str) -> int:
    """Raise `Disagreement` unless all figures are equal; one that is absent is 0.

    Gives how many there are.
    """
    keys = one.keys() | other.keys()
    wrong = sorted(key for key in keys if one.get(key, 0) != other.get(key, 0))
    _raise_for(
        who,
        len(keys),
        (f"{' '.join(key)}: {one.get(key)} and {other.get(key)}" for key in wrong),
        len(wrong),
    )
    return len(keys)


def check_shown(one: Path, other: Path, who: str) -> int:
    """Raise `Disagreement` unless two stores show the same, byte by byte. Gives how many bytes."""
    size = 0
    for dataset in SHOWN:
        ours, theirs = show(one, dataset), show(other, dataset)
        if ours != theirs:
            pairs = zip(ours.splitlines(), theirs.splitlines(), strict=False)
            different = [f"{a}\n    {b}" for a, b in pairs if a != b]
            _raise_for(f"{who}, {dataset}", len(ours.splitlines()), iter(different), len(different))
        size += len(ours)
    return size


def show(store: Path, dataset: str) -> str:
    """A published dataset as CSV."""
    command = python("pipeline.cli", "show", dataset, PERIOD, "--store", store, "--format", "csv")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def _rows(text: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(io.StringIO(text))


def _named_tenants(feeds: Path) -> set[str]:
    text = (feeds / "subscriptions.csv").read_text(encoding="utf-8")
    return {row["tenant_id"] for row in _rows(text) if row["license_model"] == "named"}


def _raise_for(who: str, count: int, examples: Iterator[str], wrong: int) -> None:
    if wrong or count == 0:
        shown = "\n  ".join(example for _, example in zip(range(5), examples, strict=False))
        raise Disagreement(f"{who}: {wrong} of {count} differ\n  {shown}")
