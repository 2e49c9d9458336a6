"""The benchmark's tenants: what they bought, how big they are, and how many agents they have."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

TENANTS = 2_000
SUBSCRIPTIONS = 5_000

ZIPF = 1.05
"""How fast tenants get smaller: the n-th has a share of 1 / n ** ZIPF; the first has about 14 %."""

DECK = 1 << 20
"""So many cards are dealt to the tenants by share; drawing one is drawing a tenant."""

METERS = (
    ("standard_agent", 0.30),
    ("premium_agent", 0.15),
    ("ivr_port", 0.25),
    ("toll_free_call", 0.08),
    ("ivr_outbound_port", 0.02),
    ("ai_agent", 0.08),
    ("ai_assistant", 0.02),
    ("recording_storage", 0.02),
    ("connect_sms", 0.05),
    ("connect_whatsapp", 0.03),
)
"""Each meter and its part of the rows."""

AGENTS = 2
"""The first so many meters are logins of agents."""

SESSIONS = 5
"""The first so many meters are sessions, the others are summed."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Market:
    """Who uses how much: what usage rows are drawn from.

    `tenants` and `meters` are decks of cards; `first` and `held` say which subscriptions a tenant
    has, `staff` how many agents.
    """

    tenants: Ints
    meters: Ints
    first: Ints
    held: Ints
    staff: Ints


def write_terms(
    folder: Path, rows: int, random: np.random.Generator, largest: float | None = None
) -> Market:
    """Write the feeds other than usage, and give the market for a month of that many rows.

    With `largest`, the largest tenant has that part of all rows.
    """
    owner = np.sort(
        np.concatenate([np.arange(TENANTS), random.integers(0, TENANTS, SUBSCRIPTIONS - TENANTS)])
    )
    models = random.choice(["concurrent", "named"], TENANTS, p=[0.8, 0.2])
    subscriptions: list[list[str]] = []
    entitlements: list[list[str]] = []
    for number, tenant in enumerate(owner.tolist()):
        is_first = number == 0 or owner[number - 1] != tenant
        whose = [f"tenant-{tenant:04d}", f"sub-{number:05d}"]
        terms = [whose[1], "flex3", str(models[tenant]), "cloud", "webex_calling"]
        subscriptions += [
            [*whose, *terms, *lived, "USD", "36", "monthly", ""]
            for lived in _lives(number, is_first)
        ]
        for meter, _ in METERS[:8]:
            entitlements.append([*whose, meter, str(int(random.integers(1, 12))), "", "", ""])
    _write(folder / "subscriptions.csv", _SUBSCRIPTIONS, subscriptions)
    _write(folder / "entitlements.csv", _ENTITLEMENTS, entitlements)
    _write(folder / "rates.csv", _RATES, _rates())
    return _market(owner, rows, random, largest)


def _lives(number: int, is_first: bool) -> list[list[str]]:
    """Status, start and end of a subscription's rows. A tenant's first one runs all through."""
    start = f"{2020 + number % 6}-{1 + number % 12:02d}-01"
    match None if is_first else number % 20:
        case 0:
            return [["active", "2026-10-12", ""]]
        case 1:
            return [["cancelled", start, "2026-10-20"]]
        case 2:
            return [["expired", start, "2026-10-15"], ["active", "2026-10-16", ""]]
        case _:
            return [["active", start, ""]]


def _rates() -> list[list[str]]:
    return [
        *(["*", "", meter, "overage", "12.345", "USD"] for meter, _ in METERS[:8]),
        *(["*", "", meter, "per_unit", "0.0075", "USD"] for meter, _ in METERS[8:]),
        ["*", "", "standard_agent", "committed", "99.995", "USD"],
    ]


def _market(owner: Ints, rows: int, random: np.random.Generator, largest: float | None) -> Market:
    weight = 1 / np.arange(1, TENANTS + 1) ** ZIPF
    if largest is not None:
        weight[0] = weight[1:].sum() * largest / (1 - largest)
    share = random.permutation(weight / weight.sum())
    bounds = np.searchsorted(owner, np.arange(TENANTS + 1))
    return Market(
        tenants=_deck(share),
        meters=_deck(np.array([part for _, part in METERS])),
        first=bounds[:-1],
        held=np.diff(bounds),
        # Staff grows with the work: a login a day each, about, whatever the size of the month.
        staff=20 + (0.002 * rows * share).astype(np.int64),
    )


def _deck(share: npt.NDArray[np.float64]) -> Ints:
    ends = np.rint(np.cumsum(share) * DECK).astype(np.int64)
    return np.repeat(np.arange(len(share)), np.diff(ends, prepend=0))


_SUBSCRIPTIONS = (
    "tenant_id subscription_id name offer license_model deployment telephony status start_date "
    "end_date currency term_months billing_frequency partner_id"
)
_ENTITLEMENTS = "tenant_id subscription_id meter quantity start_date end_date deployment"
_RATES = "subscription_id tenant_id meter charge unit_price currency"


def _write(path: Path, columns: str, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns.split())
        writer.writerows(rows)
