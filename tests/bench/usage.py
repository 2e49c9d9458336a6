"""Usage rows of the benchmark, drawn a lane at a time: what one thread holds in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tests.bench.terms import AGENTS, DECK, METERS, SESSIONS, SUBSCRIPTIONS, TENANTS, Ints, Market

SECOND = 1_000_000
"""In microseconds, as all times here."""

BROKEN = 1_000
REPEATED = 100
CORRECTED = 500
"""One row in so many is broken, comes again in the next export, or comes corrected in it."""

QUANTITY = pl.Decimal(18, 6)
INSTANT = pl.Datetime("us", "UTC")

Random = np.random.Generator


@dataclass(frozen=True)
class Lane:
    """So many rows that start within a span of time."""

    rows: int
    begin: int
    span: int


def draw(lane: Lane, market: Market, random: Random) -> pl.DataFrame:
    """Sound usage rows of a lane, in the order they were emitted: any."""
    count = lane.rows
    tenant = market.tenants[random.integers(0, DECK, count, dtype=np.int32)]
    meter = market.meters[random.integers(0, len(market.meters), count, dtype=np.int32)]
    nth = random.integers(0, SUBSCRIPTIONS, count, dtype=np.int32)
    is_agent, is_session = meter < AGENTS, meter < SESSIONS
    started = lane.begin + random.integers(0, lane.span // SECOND, count) * SECOND
    # Agents log in on the second, so that many logins and logouts fall on the same instant.
    started += np.where(is_agent, 0, random.integers(0, 1000, count, dtype=np.int32) * 1000)
    login = random.integers(600, 8 * 3600, count) * SECOND
    call = random.integers(5_000, 900_000, count) * 1000
    codes = pl.DataFrame(
        {
            "event_id": event_ids(count, random),
            "tenant": tenant,
            "subscription": market.first[tenant] + nth % market.held[tenant],
            "meter": meter,
            "user": (random.random(count) ** 2 * market.staff[tenant]).astype(np.int64),
            "started_at": started,
            "ended_at": started + np.where(is_agent, login, call),
            "quantity": random.integers(1, 20_000_000, count),
            "is_agent": is_agent,
            "is_session": is_session,
        }
    )
    return codes.select(
        "event_id",
        tenant_id=_named(_TENANTS, "tenant"),
        subscription_id=_named(_SUBSCRIPTIONS, "subscription"),
        meter=_named(_METERS, "meter"),
        # Users carry their tenant: nobody works for two.
        user_id=pl.when("is_agent").then(
            pl.concat_str(_named(_USERS, "tenant"), pl.col("user").cast(pl.String))
        ),
        started_at=pl.col("started_at").cast(INSTANT),
        ended_at=pl.when("is_session").then(pl.col("ended_at").cast(INSTANT)),
        quantity=pl.when(~pl.col("is_session")).then(_millionths("quantity")),
    )


_TENANTS = pl.Series([f"tenant-{number:04d}" for number in range(TENANTS)])
_USERS = pl.Series([f"user-{number:04d}-" for number in range(TENANTS)])
_SUBSCRIPTIONS = pl.Series([f"sub-{number:05d}" for number in range(SUBSCRIPTIONS)])
_METERS = pl.Series([name for name, _ in METERS])


def _named(names: pl.Series, code: str) -> pl.Expr:
    return pl.lit(names).gather(pl.col(code))


def _millionths(name: str) -> pl.Expr:
    # A product of decimals is wider than its factors.
    return (pl.col(name).cast(QUANTITY) * pl.lit("0.000001").cast(QUANTITY)).cast(QUANTITY)


_DIGITS = np.frombuffer("".join(f"{n:04x}" for n in range(1 << 16)).encode(), np.uint32)
_GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))


def event_ids(count: int, random: Random) -> pl.Series:
    """Random numbers of 128 bits, written as UUIDs are."""
    bits = random.integers(0, 1 << 16, (count, 8), dtype=np.uint16)
    digits = _DIGITS[bits].view(np.uint8)
    text = np.full((count, 36), ord("-"), np.uint8)
    for dashes, (first, after) in enumerate(_GROUPS):
        text[:, first + dashes : after + dashes] = digits[:, first:after]
    return pl.Series(text.view("S36").ravel(), dtype=pl.Binary).cast(pl.String)


def broken(rows: pl.DataFrame, random: Random) -> pl.DataFrame:
    """The same rows, of which some break a rule: no tenant, an end too early, below nothing."""
    kind = pl.lit(pl.Series(random.integers(0, 3 * BROKEN, len(rows), dtype=np.int32)))
    return rows.with_columns(
        tenant_id=pl.when(kind != 0).then("tenant_id"),
        ended_at=pl.when(kind == 1)
        .then(pl.col("started_at") - pl.duration(hours=1))
        .otherwise("ended_at"),
        quantity=pl.when(kind == 2).then(pl.lit("-1").cast(QUANTITY)).otherwise("quantity"),
    )


def again(rows: pl.DataFrame, random: Random) -> pl.DataFrame:
    """Rows that come again in the next export: most of them as they were, some corrected."""
    repeated = rows[_some(len(rows), REPEATED, random)]
    corrected = rows[_some(len(rows), CORRECTED, random)].with_columns(
        started_at=pl.col("started_at") - pl.duration(seconds=7)
    )
    return pl.concat([repeated, corrected])


def _some(count: int, one_in: int, random: Random) -> Ints:
    """Different positions, one in so many; rounded by chance, so that small lanes have some too."""
    wanted = int(count / one_in + random.random())
    return random.choice(count, wanted, replace=False, shuffle=False)


def shuffled(rows: pl.DataFrame, random: Random) -> pl.DataFrame:
    """The same rows in another order."""
    return rows[random.permutation(len(rows))]
