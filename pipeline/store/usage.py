"""Landed usage: every sound row as a few plain numbers, each column in a file of its own.

Belongs here: the form in which usage lies in the store, and reading parts of it. Does not belong
here: reading exports (`sources`), and what becomes of a row (`stages`).

A landing holds the rows of some exports. Rows come in *chunks*; within a chunk they are in order of
the UTC day on which they start and of *slot*, a hash of the tenant, so that the rows of some
tenants on some day are few stretches of each file. What a row says in words is kept once:

    kind        tenant, subscription, meter, deployment: the row's words in `kinds`
    user        tenant and user: in `users`, or NO_USER
    started     microseconds since 1970, UTC
    ended       the same; OPEN where the row states none
    quantity    millionths; NO_QUANTITY where the row states none
    arrival     position among all rows of the landing as they came
    key         slot, 36 bits of a hash of the event id, position in the chunk; sorted by it
    events      the event ids themselves, in order of arrival

Rows that break a rule by themselves are kept apart, with all their words, in `broken`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.sources import Batch
from pipeline.store.dictionary import Dictionary
from schemas.columns import MONEY
from schemas.feeds import USAGE

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

SLOTS = 256
CHUNK_ROWS = 1 << 19
DAY_US = 86_400_000_000

OPEN = np.iinfo(np.int64).max
"""The end of a row that states none."""

NO_QUANTITY = np.iinfo(np.int64).min
NO_USER = -1

KIND = ["tenant_id", "subscription_id", "meter", "deployment"]
USER = ["tenant_id", "user_id"]

NAMED = ["tenant_id", "subscription_id"]

COLUMNS: dict[str, type[np.generic]] = {
    "kind": np.int32,
    "user": np.int32,
    "started": np.int64,
    "ended": np.int64,
    "quantity": np.int64,
    "arrival": np.uint32,
    "key": np.uint64,
}

SLOT_BITS, HASH_BITS, POSITION_BITS = 8, 36, 20
"""The parts of a key, from the highest bit down."""

_SLOT_SHIFT = np.uint64(POSITION_BITS + HASH_BITS)
_HASH_MASK = np.uint64((1 << HASH_BITS) - 1)


def slot_of(tenant: str) -> int:
    """The slot of a tenant: the same on every machine and in every version."""
    return hashlib.blake2b(tenant.encode(), digest_size=1).digest()[0]


def slots_of(rows: pl.DataFrame) -> npt.NDArray[np.uint8]:
    """The slot of each row's tenant; rows that name none lie in slot 0."""
    tenants = rows["tenant_id"]
    names = tenants.unique().drop_nulls().to_list()
    slots = [slot_of(name) for name in names]
    return tenants.replace_strict(names, slots, default=0, return_dtype=pl.UInt8).to_numpy()


@dataclass(frozen=True, slots=True)
class Totals:
    """What a landing holds, export by export: its rows, and the exact sum of its quantities."""

    rows: tuple[int, ...]
    quantity: tuple[Decimal, ...]


class UsageWriter:
    """Writes one landing of usage into a folder, in bounded memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kinds, self._users = Dictionary(KIND), Dictionary(USER)
        self._kind_slots = np.empty(0, np.uint8)
        self._broken: list[pl.DataFrame] = []
        self._cells: list[pl.DataFrame] = []
        self._arrived = self._filled = 0
        self._chunk = {
            name: np.empty(CHUNK_ROWS, dtype)
            for name, dtype in {**COLUMNS, "hash": np.uint64}.items()
            if name != "key"
        }

    def write(self, exports: Sequence[Iterable[Batch]]) -> Totals:
        """Write the rows of some exports, given as their batches, and say what they come to."""
        rows = [0] * len(exports)
        quantity = [Decimal(0)] * len(exports)
        with ExitStack() as files:
            self._files: dict[str, BinaryIO] = {
                name: files.enter_context((self._folder / f"{name}.bin").open("wb", 1 << 20))
                for name in COLUMNS
            }
            self._events = EventsWriter(self._folder, files)
            for index, batches in enumerate(exports):
                for batch in batches:
                    rows[index] += len(batch.rows)
                    quantity[index] += _sum(batch.rows["quantity"])
                    self._add(batch, index)
            self._flush()
        self._write_words()
        return Totals(tuple(rows), tuple(quantity))

    def _add(self, batch: Batch, export: int) -> None:
        rows = batch.rows
        self._events.add(rows["event_id"])
        columns = self._coded(rows)
        columns["arrival"] = np.arange(self._arrived, self._arrived + len(rows), dtype=np.uint32)
        self._arrived += len(rows)
        if len(batch.broken):
            self._keep_broken(batch, export)
            is_sound = np.ones(len(rows), bool)
            is_sound[batch.broken["at"].to_numpy()] = False
            columns = {name: values[is_sound] for name, values in columns.items()}
        self._fill(columns)

    def _coded(self, rows: pl.DataFrame) -> dict[str, npt.NDArray[Any]]:
        user = np.full(len(rows), NO_USER, np.int32)
        has_user = rows["user_id"].is_not_null()
        if has_user.any():
            user[has_user.to_numpy()] = self._users.codes_of(rows.select(USER).filter(has_user))
        quantity = rows["quantity"].to_physical().cast(pl.Int64)
        return {
            "kind": self._kinds.codes_of(rows),
            "user": user,
            "started": rows["started_at"].to_physical().fill_null(0).to_numpy(),
            "ended": rows["ended_at"].to_physical().fill_null(OPEN).to_numpy(),
            "quantity": quantity.fill_null(NO_QUANTITY).to_numpy(),
            "hash": rows["event_id"].hash(seed=1).to_numpy(),
        }

    def _keep_broken(self, batch: Batch, export: int) -> None:
        at = batch.broken["at"]
        self._broken.append(
            batch.rows[at].with_columns(
                row=at.cast(pl.Int64) + batch.first_row,
                defects=batch.broken["defects"],
                raw=batch.broken["raw"],
                export=pl.lit(export, pl.Int32),
            )
        )

    def _fill(self, columns: dict[str, npt.NDArray[Any]]) -> None:
        """Put rows into the chunk, and write it as often as it is full."""
        taken, count = 0, len(columns["kind"])
        while taken < count:
            fits = min(count - taken, CHUNK_ROWS - self._filled)
            for name, values in columns.items():
                self._chunk[name][self._filled : self._filled + fits] = values[taken : taken + fits]
            self._filled += fits
            taken += fits
            if self._filled == CHUNK_ROWS:
                self._flush()

    def _flush(self) -> None:
        """Write the chunk, in order of day and slot, and its keys."""
        if not self._filled:
            return
        chunk = {name: values[: self._filled] for name, values in self._chunk.items()}
        slot = self._slots()[chunk["kind"]]
        day = chunk["started"] // DAY_US
        order, cell_starts = _in_cells(day, slot)
        slot = slot[order]
        positions = np.arange(self._filled, dtype=np.uint64)
        key = (chunk.pop("hash")[order] & _HASH_MASK) << np.uint64(POSITION_BITS) | positions
        key |= slot.astype(np.uint64) << _SLOT_SHIFT
        key.sort()
        self._files["key"].write(key)
        for name, values in chunk.items():
            self._files[name].write(values[order])
        self._cells.append(
            pl.DataFrame(
                {
                    "chunk": np.full(len(cell_starts), len(self._cells), np.int32),
                    "day": day[order][cell_starts].astype(np.int32),
                    "slot": slot[cell_starts],
                    "rows": np.diff(np.append(cell_starts, self._filled)),
                }
            )
        )
        self._filled = 0

    def _slots(self) -> npt.NDArray[np.uint8]:
        """The slot of each kind."""
        new = self._kinds.rows[len(self._kind_slots) :]
        self._kind_slots = np.concatenate([self._kind_slots, slots_of(new)])
        return self._kind_slots

    def _write_words(self) -> None:
        for name, dictionary in (("kinds", self._kinds), ("users", self._users)):
            words = dictionary.rows.with_columns(slot=pl.Series(slots_of(dictionary.rows)))
            words.write_parquet(self._folder / f"{name}.parquet", compression="lz4")
        kinds, broken = self._kinds.rows, pl.concat([no_broken(), *self._broken])
        named = pl.concat([kinds.select(NAMED), broken.select(NAMED)]).drop_nulls().unique()
        named = named.with_columns(slot=pl.Series(slots_of(named))).select("slot", NAMED[1])
        named.unique().write_parquet(self._folder / "named.parquet", compression="lz4")
        broken = broken.with_columns(slot=pl.Series(slots_of(broken)))
        broken.write_parquet(self._folder / "broken.parquet", compression="lz4")
        pl.concat([_no_cells(), *self._cells]).write_parquet(
            self._folder / "cells.parquet", compression="lz4"
        )


class EventsWriter:
    """Writes event ids in order of arrival; where each ends is only kept if lengths differ."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        self._bytes = files.enter_context((folder / "events.bin").open("wb", 1 << 20))
        self._ends = folder / "event_ends.bin"
        self._files = files
        self._ends_file: BinaryIO | None = None
        self._width = 0
        self._rows = self._end = 0

    def add(self, ids: pl.Series) -> None:
        """Write some more; one that is null is written as anything."""
        if ids.null_count():
            ids = ids.fill_null("" if ids.null_count() == len(ids) else ids.drop_nulls()[0])
        lengths = ids.str.len_bytes()
        shortest, longest = int(str(lengths.min())), int(str(lengths.max()))
        is_even = shortest == longest and shortest == (self._width or shortest) and shortest > 0
        if is_even and self._ends_file is None:
            self._width = shortest
            self._bytes.write(
                ids.cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt8, shortest)).to_numpy()
            )
        else:
            self._bytes.write(ids.str.join("")[0].encode())
            self._write_ends(lengths.cast(pl.Int64).to_numpy())
        self._rows += len(ids)
        self._end += int(str(lengths.sum()))

    def _write_ends(self, lengths: Ints) -> None:
        if self._ends_file is None:
            self._ends_file = self._files.enter_context(self._ends.open("wb"))
            self._ends_file.write(np.arange(1, self._rows + 1, dtype=np.int64) * self._width)
        self._ends_file.write(np.cumsum(lengths) + self._end)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring rows of a landing: the position of the first, and how many."""

    first: int
    rows: int


class LandedUsage:
    """Reads a landing of usage."""

    def __init__(self, folder: Path, rows: tuple[int, ...]) -> None:
        self._folder = folder
        self._first_arrival = np.concatenate([[0], np.cumsum(rows)])

    def cells(self) -> pl.DataFrame:
        """chunk, day, slot, rows: in order of position."""
        return pl.read_parquet(self._folder / "cells.parquet", glob=False)

    def stored_rows(self) -> int:
        """How many rows there are, by the size of what is stored."""
        sound = (self._folder / "key.bin").stat().st_size // np.dtype(COLUMNS["key"]).itemsize
        broken = pl.scan_parquet(self._folder / "broken.parquet", glob=False)
        return sound + int(broken.select(pl.len()).collect().item())

    def words(self, name: str) -> pl.DataFrame:
        """The texts of `kinds` or `users`, with their slot; the row's position is its code."""
        return pl.read_parquet(self._folder / f"{name}.parquet", glob=False)

    def named_subscriptions(self) -> pl.DataFrame:
        """slot, subscription_id: which subscriptions the rows of a slot name."""
        return pl.read_parquet(self._folder / "named.parquet", glob=False)

    def broken(self) -> pl.DataFrame:
        """The rows that break a rule by themselves: the feed's columns and `export`, `row`,
        `defects`, `raw`, `slot`."""
        return pl.read_parquet(self._folder / "broken.parquet", glob=False)

    def read(self, column: str, stretches: Iterable[Stretch]) -> npt.NDArray[Any]:
        """A column of some stretches, one after the other."""
        dtype = np.dtype(COLUMNS[column])
        stretches = list(stretches)
        values = np.empty(sum(one.rows for one in stretches), dtype)
        filled = 0
        with (self._folder / f"{column}.bin").open("rb", buffering=0) as file:
            for one in stretches:
                file.seek(one.first * dtype.itemsize)
                part = values[filled : filled + one.rows]
                if file.readinto(part) != part.nbytes:
                    raise AssertionError(f"{file.name} ends before its rows")
                filled += one.rows
        return values

    def take(self, column: str, positions: Ints) -> npt.NDArray[Any]:
        """A column's values at some positions."""
        values: npt.NDArray[Any] = self._mapped(column, COLUMNS[column])[positions]
        return values

    def whence(self, positions: Ints) -> tuple[Ints, Ints]:
        """The index of the export that rows came in, and the number of the row in it, from 1."""
        arrival = self.take("arrival", positions).astype(np.int64)
        export = np.searchsorted(self._first_arrival, arrival, side="right") - 1
        return export, arrival - self._first_arrival[export] + 1

    def event_ids(self, positions: Ints) -> list[bytes]:
        """The event ids of some rows, as UTF-8."""
        if not len(positions):
            return []
        arrival = self.take("arrival", positions).astype(np.int64)
        content = self._mapped("events", np.uint8)
        ends_file = self._folder / "event_ends.bin"
        if not ends_file.exists():
            width = len(content) // int(self._first_arrival[-1])
            ids: list[bytes] = content.reshape(-1, width)[arrival].view(f"V{width}")[:, 0].tolist()
            return ids
        ends = self._mapped("event_ends", np.int64)
        after = ends[arrival]
        first = np.where(arrival > 0, ends[arrival - 1], 0)
        return [content[a:b].tobytes() for a, b in zip(first.tolist(), after.tolist(), strict=True)]

    def _mapped(self, name: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
        return np.memmap(self._folder / f"{name}.bin", dtype, mode="r")


def keys_of(landed: LandedUsage, cells: pl.DataFrame, slots: range) -> Iterator[tuple[Words, int]]:
    """Of each chunk, the sorted keys of some slots without their slot, and its first position."""
    counts = (
        cells.with_columns(is_before=pl.col("slot") < slots.start)
        .group_by("chunk", maintain_order=True)
        .agg(
            pl.col("rows").sum(),
            before=pl.col("rows").filter("is_before").sum(),
            inside=pl.col("rows").filter(~pl.col("is_before") & (pl.col("slot") < slots.stop)).sum(),
        )
    )
    first = 0
    for _, rows, before, inside in counts.iter_rows():
        if inside:
            yield landed.read("key", [Stretch(first + before, inside)]), first
        first += rows


def no_broken() -> pl.DataFrame:
    """No rows, with the columns of `broken` but slot."""
    extra = {"row": pl.Int64(), "defects": pl.String(), "raw": pl.String(), "export": pl.Int32()}
    return pl.DataFrame(schema={**USAGE.dtypes, **extra})


def _no_cells() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"chunk": pl.Int32, "day": pl.Int32, "slot": pl.UInt8, "rows": pl.Int64}
    )


def _in_cells(day: Ints, slot: npt.NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """The order by day, then slot, as rows came; and where in it each (day, slot) begins."""
    first = day.min()
    span = int(day.max() - first) + 1
    cell = (day - first) * SLOTS + slot
    # Sixteen bits are sorted by radix, several times as fast.
    order = np.argsort(cell.astype(np.uint16) if span <= SLOTS else cell, kind="stable")
    ordered = cell[order]
    return order, np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))


def _sum(quantities: pl.Series) -> Decimal:
    total = quantities.cast(MONEY).sum()
    return total if isinstance(total, Decimal) else Decimal(0)
