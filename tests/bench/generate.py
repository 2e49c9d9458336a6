"""A seeded month of contract feeds of any size, for measuring.

2,000 tenants of heavy-tailed size with 5,000 subscriptions, some of which start, end or renew
within the month; agents whose logins overlap; 31 daily exports in order of emission, with 1 %
repeats from the day before, 0.2 % corrections of an earlier export, 0.1 % broken rows.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

PERIOD = "2026-10"
DAYS = 31
TENANTS = 2_000
SUBSCRIPTIONS = 5_000
SEED = 20261001

BEGIN = 1_790_812_800_000_000
"""2026-10-01T00:00Z in microseconds."""

DAY = 86_400_000_000
SECOND = 1_000_000

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
SESSIONS = 5
"""The first so many meters are sessions, the others are summed."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shape:
    """How the same rows are cut into files."""

    files: int = DAYS
    kind: str = "parquet"
    by_tenant: bool = False


def generate(folder: Path, rows: int, shape: Shape) -> None:
    """Write a feeds directory of about that many usage rows. An existing one is left as it is."""
    if folder.exists():
        return
    draft = folder.with_name(f".{folder.name}")
    draft.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(SEED)
    tenants, names = _terms(draft, random)
    _usage(draft / "usage", rows, shape, random, tenants, names)
    draft.rename(folder)


def _terms(folder: Path, random: np.random.Generator) -> tuple[Ints, list[str]]:
    """The terms; gives the tenant of each subscription and the subscriptions' names."""
    owner = np.sort(
        np.concatenate([np.arange(TENANTS), random.integers(0, TENANTS, SUBSCRIPTIONS - TENANTS)])
    )
    names = [f"sub-{number:05d}" for number in range(SUBSCRIPTIONS)]
    models = random.choice(["concurrent", "named"], TENANTS, p=[0.8, 0.2])
    subscriptions, entitlements = [], []
    for number, (tenant, name) in enumerate(zip(owner.tolist(), names, strict=True)):
        whose = [f"tenant-{tenant:04d}", name]
        start = f"{2020 + number % 6}-{1 + number % 12:02d}-01"
        terms = ["flex3", models[tenant], "cloud", "webex_calling"]
        ending = ["USD", "36", "monthly", ""]
        first = number == 0 or owner[number - 1] != tenant
        fate = 9 if first else number % 20
        if fate == 0:
            subscriptions.append([*whose, name, *terms, "active", "2026-10-12", "", *ending])
        elif fate == 1:
            subscriptions.append([*whose, name, *terms, "cancelled", start, "2026-10-20", *ending])
        elif fate == 2:
            subscriptions.append([*whose, name, *terms, "expired", start, "2026-10-15", *ending])
            subscriptions.append([*whose, name, *terms, "active", "2026-10-16", "", *ending])
        else:
            subscriptions.append([*whose, name, *terms, "active", start, "", *ending])
        for meter, _ in METERS[:8]:
            entitlements.append([*whose, meter, str(int(random.integers(1, 12))), "", "", ""])
    _write(folder / "subscriptions.csv", _SUBSCRIPTIONS, subscriptions)
    _write(folder / "entitlements.csv", _ENTITLEMENTS, entitlements)
    rates = [["*", "", meter, "overage", "12.345", "USD"] for meter, _ in METERS[:8]]
    rates += [["*", "", meter, "per_unit", "0.0075", "USD"] for meter, _ in METERS[8:]]
    rates += [["*", "", "standard_agent", "committed", "99.995", "USD"]]
    _write(folder / "rates.csv", _RATES, rates)
    return owner, names


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


def _usage(
    folder: Path,
    rows: int,
    shape: Shape,
    random: np.random.Generator,
    owner: Ints,
    names: list[str],
) -> None:
    folder.mkdir()
    weight = 1 / np.arange(1, TENANTS + 1) ** 1.05
    share = random.permutation(weight / weight.sum())
    of_tenant = np.searchsorted(owner, np.arange(TENANTS + 1))
    previous: pl.DataFrame | None = None
    gathered = []
    for number in range(shape.files):
        count = rows * (number + 1) // shape.files - rows * number // shape.files
        begin, span = BEGIN + DAYS * DAY * number // shape.files, DAYS * DAY // shape.files
        fresh = _rows(count, begin, span, random, share, of_tenant, names)
        export = _disturbed(fresh, previous, random)
        previous = fresh
        if shape.by_tenant:
            gathered.append(export)
        else:
            _export(export, folder / f"export-{number:04d}", shape.kind)
    if shape.by_tenant:
        whole = pl.concat(gathered).sort("tenant_id", "started_at", nulls_last=False)
        _export(whole, folder / "export-0000", shape.kind)


def _rows(
    count: int,
    begin: int,
    span: int,
    random: np.random.Generator,
    share: npt.NDArray[np.float64],
    of_tenant: Ints,
    names: list[str],
) -> pl.DataFrame:
    tenant = random.choice(TENANTS, count, p=share)
    first, after = of_tenant[tenant], of_tenant[tenant + 1]
    subscription = first + random.integers(0, 1 << 30, count) % (after - first)
    meter = random.choice(len(METERS), count, p=[part for _, part in METERS])
    is_session = meter < SESSIONS
    is_agent = meter < 2
    started = begin + random.integers(0, span // SECOND, count) * SECOND
    started += np.where(is_agent, 0, random.integers(0, 1000, count) * 1000)
    lasts = np.where(
        is_agent,
        random.integers(600, 8 * 3600, count) * SECOND,
        random.integers(5_000, 900_000, count) * 1000,
    )
    user = (random.random(count) ** 2 * (20 + 20_000 * share[tenant])).astype(np.int64)
    quantity = random.integers(1, 20_000_000, count)
    bits = random.integers(0, 1 << 32, (4, count))
    parts = pl.DataFrame(
        {
            "a": bits[0],
            "b": bits[1],
            "c": bits[2],
            "d": bits[3],
            "tenant": tenant,
            "subscription": subscription,
            "meter": meter,
            "user": user,
            "is_session": is_session,
            "is_agent": is_agent,
            "started_at": started,
            "ended_at": started + lasts,
            "quantity": quantity,
        }
    )
    hexadecimal = [_hexadecimal(part) for part in "abcd"]
    return parts.select(
        event_id=pl.concat_str(
            hexadecimal[0],
            pl.lit("-"),
            hexadecimal[1].str.slice(0, 4),
            pl.lit("-"),
            hexadecimal[1].str.slice(4, 4),
            pl.lit("-"),
            hexadecimal[2].str.slice(0, 4),
            pl.lit("-"),
            hexadecimal[2].str.slice(4, 4),
            hexadecimal[3],
        ),
        tenant_id=pl.format("tenant-{}", pl.col("tenant").cast(pl.String).str.zfill(4)),
        subscription_id=pl.col("subscription").replace_strict(
            range(len(names)), names, return_dtype=pl.String
        ),
        meter=pl.col("meter").replace_strict(
            range(len(METERS)), [name for name, _ in METERS], return_dtype=pl.String
        ),
        user_id=pl.when("is_agent").then(pl.format("user-{}", "user")),
        started_at=pl.col("started_at").cast(pl.Datetime("us", "UTC")),
        ended_at=pl.when("is_session").then(pl.col("ended_at").cast(pl.Datetime("us", "UTC"))),
        quantity=pl.when(~pl.col("is_session"))
        .then(
            pl.col("quantity").cast(pl.Decimal(18, 6)) * pl.lit("0.000001").cast(pl.Decimal(18, 6))
        )
        .cast(pl.Decimal(18, 6)),
    )


_DIGITS = [f"{number:04x}" for number in range(1 << 16)]


def _hexadecimal(part: str) -> pl.Expr:
    """A 32-bit number as 8 hexadecimal digits."""
    halves = (pl.col(part) // (1 << 16), pl.col(part) % (1 << 16))
    digits = pl.Series(_DIGITS)
    high, low = (pl.lit(digits).gather(half) for half in halves)
    return pl.concat_str(high, low)


def _disturbed(
    fresh: pl.DataFrame, previous: pl.DataFrame | None, random: np.random.Generator
) -> pl.DataFrame:
    """Fresh rows, 0.1 % of them broken, with repeats and corrections of the export before."""
    count = len(fresh)
    kind = pl.Series(random.integers(0, 3000, count))
    fresh = fresh.with_columns(
        tenant_id=pl.when(kind != 0).then("tenant_id"),
        ended_at=pl.when(kind == 1)
        .then(pl.col("started_at") - pl.duration(hours=1))
        .otherwise("ended_at"),
        quantity=pl.when(kind == 2)
        .then(-pl.lit("1").cast(pl.Decimal(18, 6)))
        .otherwise("quantity"),
    )
    if previous is None or previous.is_empty():
        return fresh
    again = previous[random.integers(0, len(previous), count // 100)]
    corrected = previous[random.integers(0, len(previous), count // 500)].with_columns(
        started_at=pl.col("started_at") - pl.duration(seconds=7)
    )
    mixed = pl.concat([fresh, again, corrected])
    return mixed[random.permutation(len(mixed))]


def _export(rows: pl.DataFrame, path: Path, kind: str) -> None:
    if kind == "csv":
        rows.write_csv(path.with_suffix(".csv"), datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ")
    else:
        rows.write_parquet(path.with_suffix(".parquet"), row_group_size=131_072)
