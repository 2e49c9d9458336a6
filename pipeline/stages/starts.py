"""When the rows of each export start, by tenant and local day.

Belongs here: counting landed usage by export, tenant and day. Does not belong here: what the counts
mean (`coverage`), and the form of landed usage (`store.usage`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from pipeline.measures.arrays import Flags, Ints
from pipeline.period import EPOCH_DAY, Days, midnight
from pipeline.store.landing import LandedStore, ListedExport
from pipeline.store.usage import SLOTS, LandedUsage, Stretch

STARTS = pl.Schema(
    {
        "export": pl.Int64(),
        "tenant_id": pl.String(),
        "day": pl.Int64(),
        "rows": pl.Int64(),
        "first": pl.Int64(),
        "last": pl.Int64(),
    }
)
"""Sound rows of an export and tenant that start on a local day, and their first and last start."""

ROWS_AT_ONCE = 1 << 20


def starts_of(
    landed: LandedStore,
    exports: Sequence[ListedExport],
    zones: Mapping[str, str],
    within: Sequence[Days],
) -> pl.DataFrame:
    """STARTS of some exports of usage, `export` being the position in them.

    Only UTC days `within` are looked at. A tenant that has no zone lives in UTC.
    """
    positions: dict[str, dict[int, int]] = {}
    for position, export in enumerate(exports):
        positions.setdefault(export.landing, {})[export.index] = position
    parts = [
        part
        for landing, of in positions.items()
        for part in _parts(landed.usage(landing), of, zones, within)
    ]
    return _together([pl.DataFrame(schema=STARTS), *parts])


def meters_in(landed: LandedStore, exports: Sequence[ListedExport]) -> dict[str, set[str | None]]:
    """The meters that the rows of some exports name, by tenant; None where a row names none.

    The exports are all those of their landings.
    """
    meters: dict[str, set[str | None]] = {}
    for landing in {export.landing for export in exports}:
        kinds = landed.usage(landing).kinds(range(SLOTS)).drop_nulls("tenant_id")
        for tenant, meter in kinds.select("tenant_id", "meter").iter_rows():
            meters.setdefault(tenant, set()).add(meter)
    return meters


def starts_in(days: Days) -> pl.Expr:
    """Whether rows of STARTS start on some days."""
    return pl.col("day").is_between(days.first, days.after - 1)


def _parts(
    usage: LandedUsage,
    positions: Mapping[int, int],
    zones: Mapping[str, str],
    within: Sequence[Days],
) -> Iterator[pl.DataFrame]:
    """STARTS of a landing's exports, block by block of its rows."""
    kinds = usage.kinds(range(SLOTS)).sort("code")
    names = kinds["tenant_id"].unique().drop_nulls().sort()
    # Only broken rows name no tenant, and they lie elsewhere.
    tenant_of = (
        kinds["tenant_id"]
        .replace_strict(names, range(len(names)), default=0, return_dtype=pl.Int64)
        .to_numpy()
    )
    cells = usage.cells()
    days = cells["day"].to_numpy().astype(np.int64) + EPOCH_DAY
    is_within = np.zeros(len(days), bool)
    for one in within:
        is_within |= (days >= one.first) & (days < one.after)
    local = _LocalDays([zones.get(name, "UTC") for name in names], np.unique(days[is_within]))
    position_of = np.array([positions.get(one, -1) for one in range(max(positions) + 1)])
    for block in _blocks(cells["rows"].to_numpy(), is_within):
        tenant = tenant_of[usage.read("kind", block)]
        started = usage.read("started", block)
        export = usage.export_of(usage.read("arrival", block))
        yield (
            pl.DataFrame(
                {
                    "export": position_of[export],
                    "tenant": tenant,
                    "day": local.of(tenant, started),
                    "started": started,
                }
            )
            .group_by("export", "tenant", "day")
            .agg(
                rows=pl.len().cast(pl.Int64),
                first=pl.col("started").min(),
                last=pl.col("started").max(),
            )
            .select(
                "export",
                pl.col("tenant")
                .replace_strict(range(len(names)), names, return_dtype=pl.String)
                .alias("tenant_id"),
                "day",
                "rows",
                "first",
                "last",
            )
        )


def _blocks(rows: Ints, is_within: Flags) -> Iterator[list[Stretch]]:
    """The stretches of the cells that are within, some at a time; cells lie one after the other."""
    firsts = np.cumsum(rows) - rows
    block: list[Stretch] = []
    room = ROWS_AT_ONCE
    for first, count in zip(firsts[is_within].tolist(), rows[is_within].tolist(), strict=True):
        if block and block[-1].first + block[-1].rows == first:
            block[-1] = Stretch(block[-1].first, block[-1].rows + count)
        else:
            block.append(Stretch(first, count))
        room -= count
        if room <= 0:
            yield block
            block, room = [], ROWS_AT_ONCE
    if block:
        yield block


class _LocalDays:
    """The local days of tenants, given the zone of each and the UTC days that are asked about."""

    def __init__(self, zones: Sequence[str], utc_days: Ints) -> None:
        known = sorted(set(zones))
        self._zone = np.array([known.index(zone) for zone in zones], np.int64)
        near = np.unique(np.concatenate([utc_days + away for away in (-1, 0, 1, 2)]))
        self._days = near
        self._midnights = [
            np.array([midnight(day, zone) for day in near.tolist()], np.int64) for zone in known
        ]

    def of(self, tenant: Ints, instant: Ints) -> Ints:
        """The local day of each instant of a tenant."""
        zone = self._zone[tenant]
        found = np.empty(len(instant), np.int64)
        for one, midnights in enumerate(self._midnights):
            chosen = zone == one
            at = np.searchsorted(midnights, instant[chosen], side="right") - 1
            found[chosen] = self._days[at]
        return found


def _together(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """STARTS of several blocks as those of all their rows."""
    return (
        pl.concat(parts)
        .group_by("export", "tenant_id", "day")
        .agg(pl.col("rows").sum(), pl.col("first").min(), pl.col("last").max())
        .sort("export", "tenant_id", "day")
    )
