"""Writing usage into a landing: from batches of words to columns of numbers.

Belongs here: the way from a batch to the files of `store.usage`, in bounded memory. Does not belong
here: reading them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.errors import writing
from pipeline.exports import Batch
from pipeline.measures.arrays import Codes32, Ints
from pipeline.store.dictionary import Dictionary
from pipeline.store.events_writer import EventsWriter
from pipeline.store.numbers_writer import NumbersWriter
from pipeline.store.usage import (
    COLUMNS,
    DAY_US,
    HASH_BITS,
    KIND,
    NAMED,
    NO_QUANTITY,
    NO_USER,
    OPEN,
    POSITION_BITS,
    SLOTS,
    USER,
    Words,
    no_broken,
    slots_of,
)
from schemas.columns import MONEY

Columns = dict[str, npt.NDArray[Any]]

TENANT, *IN_KIND = KIND
_, *IN_USER = USER
"""The words of kinds and of users, each within a tenant."""

CHUNK_ROWS = 1 << 16
"""Batches are written as they come where they have so many rows; smaller ones are put together."""

RUN_ROWS = 1 << POSITION_BITS

WORDS_AT_ONCE = 1 << 13

_NUMBERS = (
    pl.col("started_at").to_physical().fill_null(0).alias("started"),
    pl.col("ended_at").to_physical().fill_null(OPEN).alias("ended"),
    pl.col("quantity").to_physical().cast(pl.Int64).fill_null(NO_QUANTITY),
    pl.col("event_id").hash(seed=1).alias("hash"),
)

_SLOT_SHIFT = np.uint64(POSITION_BITS + HASH_BITS)
_HASH_MASK = np.uint64((1 << HASH_BITS) - 1)


@dataclass(frozen=True, slots=True)
class Totals:
    """What a landing holds, export by export: rows, the exact sum of its quantities, remarks."""

    rows: tuple[int, ...]
    quantity: tuple[Decimal, ...]
    remarks: tuple[Mapping[str, int], ...]


class UsageWriter:
    """Writes one landing of usage into a folder, in bounded memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tenants = Dictionary([TENANT])
        self._kinds, self._users = Dictionary(IN_KIND), Dictionary(IN_USER)
        self._slots = np.empty(0, np.uint8)
        self._broken: list[pl.DataFrame] = []
        self._cells: list[pl.DataFrame] = []
        self._arrived = self._gathered_rows = 0
        self._gathered: list[pl.DataFrame] = []
        self._broken_at: list[Ints] = []
        self._run: list[Words] = []
        self._run_rows = self._runs = 0

    def write(self, exports: Sequence[Iterable[Batch]]) -> Totals:
        """Write the rows of some exports, given as their batches, and say what they come to."""
        rows = [0] * len(exports)
        quantity = [Decimal(0)] * len(exports)
        remarks: list[Counter[str]] = [Counter() for _ in exports]
        with ExitStack() as files:
            self._files: dict[str, BinaryIO] = {
                name: files.enter_context((self._folder / f"{name}.bin").open("wb", 1 << 20))
                for name in COLUMNS
            }
            self._events = EventsWriter(self._folder, files)
            self._numbers = NumbersWriter(self._folder, files)
            for index, batches in enumerate(exports):
                for batch in batches:
                    rows[index] += len(batch.rows)
                    quantity[index] += _sum(batch.rows["quantity"])
                    remarks[index].update(batch.remarks)
                    self._gather(batch, index)
            self._flush()
            self._write_keys()
        self._write_words()
        return Totals(tuple(rows), tuple(quantity), tuple(remarks))

    def _gather(self, batch: Batch, export: int) -> None:
        """Take a batch into the chunk; its broken rows are kept apart."""
        if len(batch.broken):
            self._keep_broken(batch, export)
        self._broken_at.append(batch.broken["at"].to_numpy().astype(np.int64) + self._gathered_rows)
        self._numbers.add(batch)
        self._gathered.append(batch.rows)
        self._gathered_rows += len(batch.rows)
        if self._gathered_rows >= CHUNK_ROWS:
            self._flush()

    def _flush(self) -> None:
        """Write what was gathered as a chunk: a large batch, or many small ones."""
        if not self._gathered_rows:
            return
        rows = pl.concat(self._gathered, rechunk=len(self._gathered) > 1)
        broken = np.concatenate(self._broken_at)
        self._events.add(rows["event_id"])
        columns = self._coded(rows)
        columns["arrival"] = np.arange(self._arrived, self._arrived + len(rows), dtype=np.uint32)
        self._arrived += len(rows)
        day, slot = columns["started"] // DAY_US, self._slots_of(columns.pop("tenant"))
        order, cell = _in_cells(day, slot, broken)
        if len(order):
            self._write_chunk(columns, order, cell, int(day[order[0]]))
        self._gathered, self._broken_at, self._gathered_rows = [], [], 0

    def _coded(self, rows: pl.DataFrame) -> Columns:
        tenant = self._tenants.codes_of(rows)
        has_user = rows["user_id"].is_not_null()
        user = np.full(len(rows), NO_USER, np.int32)
        users = rows["user_id"].filter(has_user).to_frame()
        user[has_user.to_numpy()] = self._users.codes_of(users, tenant[has_user.to_numpy()])
        return {
            "tenant": tenant,
            "kind": self._kinds.codes_of(rows, tenant),
            "user": user,
            **{series.name: series.to_numpy() for series in rows.select(_NUMBERS)},
        }

    def _keep_broken(self, batch: Batch, export: int) -> None:
        at = batch.broken["at"]
        self._broken.append(
            batch.rows[at].with_columns(
                row=batch.row_numbers()[at],
                defects=batch.broken["defects"],
                raw=batch.broken["raw"],
                export=pl.lit(export, pl.Int32),
            )
        )

    def _write_chunk(self, columns: Columns, order: Ints, cell: Ints, first_day: int) -> None:
        """Write sound rows in order of day and slot; their keys wait for those of other chunks."""
        slot = (cell & (SLOTS - 1)).astype(np.uint64)
        if self._run_rows + len(order) > RUN_ROWS:
            self._write_keys()
        key = (columns.pop("hash").take(order) & _HASH_MASK) << np.uint64(POSITION_BITS)
        key |= np.arange(self._run_rows, self._run_rows + len(order), dtype=np.uint64)
        key |= slot << _SLOT_SHIFT
        self._run.append(key)
        self._run_rows += len(order)
        for name, values in columns.items():
            self._files[name].write(values.take(order).data)
        begins = np.flatnonzero(np.append(True, cell[1:] != cell[:-1]))
        self._cells.append(
            pl.DataFrame(
                {
                    "run": np.full(len(begins), self._runs, np.int32),
                    "chunk": np.full(len(begins), len(self._cells), np.int32),
                    "day": (first_day + cell[begins] // SLOTS - cell[0] // SLOTS).astype(np.int32),
                    "slot": slot[begins].astype(np.uint8),
                    "rows": np.diff(np.append(begins, len(order))),
                }
            )
        )

    def _write_keys(self) -> None:
        """Write the keys of a run of chunks, sorted."""
        if self._run_rows:
            keys = np.concatenate(self._run)
            keys.sort()
            self._files["key"].write(keys.data)
            self._run, self._run_rows, self._runs = [], 0, self._runs + 1

    def _slots_of(self, tenant: Codes32) -> npt.NDArray[np.uint8]:
        """The slot of each row's tenant."""
        new = self._tenants.rows[TENANT][len(self._slots) :]
        if len(new):
            self._slots = np.concatenate([self._slots, slots_of(new)])
        slots: npt.NDArray[np.uint8] = self._slots.take(tenant)
        return slots

    def _write_words(self) -> None:
        kinds, users = self._in_tenants(self._kinds), self._in_tenants(self._users)
        broken = _in_slots(pl.concat([no_broken(), *self._broken]))
        named = _in_slots(
            pl.concat([one.select(NAMED).drop_nulls() for one in (kinds, broken)]).unique()
        )
        for name, words in (
            ("kinds", kinds),
            ("users", users),
            ("broken", broken),
            ("named", named),
        ):
            # In order of slots, so that a bucket's words are read without those of others.
            by_slot = words.sort("slot", maintain_order=True)
            file = self._folder / f"{name}.parquet"
            with writing(file):
                by_slot.write_parquet(file, compression="lz4", row_group_size=WORDS_AT_ONCE)
        cells, file = pl.concat([_no_cells(), *self._cells]), self._folder / "cells.parquet"
        with writing(file):
            cells.write_parquet(file, compression="lz4")

    def _in_tenants(self, words: Dictionary) -> pl.DataFrame:
        """The words of each code, after those of the tenant that they lie within; and its slot."""
        tenants = self._tenants.rows[words.within].hstack(words.rows)
        slots = pl.Series("slot", self._slots_of(words.within))
        return tenants.with_row_index("code").with_columns(slots)


def _in_slots(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(slot=pl.Series(slots_of(rows[TENANT])))


def _no_cells() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "run": pl.Int32,
            "chunk": pl.Int32,
            "day": pl.Int32,
            "slot": pl.UInt8,
            "rows": pl.Int64,
        }
    )


def _in_cells(day: Ints, slot: npt.NDArray[np.uint8], broken: Ints) -> tuple[Ints, Ints]:
    """The order of sound rows by day, then slot, as they came; and the cell of each in that order.

    A cell is day and slot as one number, counted from some day on.
    """
    is_sound = np.ones(len(day), bool)
    is_sound[broken] = False
    # What a broken row states must not widen the range of days.
    day[broken] = day[is_sound.argmax()]
    first = int(day.min())
    cell = (day - first) * SLOTS + slot
    beyond = (int(day.max()) - first + 1) * SLOTS
    cell[broken] = beyond
    # Sixteen bits are sorted by radix, several times as fast.
    order = np.argsort(cell.astype(np.uint16) if beyond < 1 << 16 else cell, kind="stable")
    order = order[: len(order) - len(broken)]
    return order, cell[order]


def _sum(quantities: pl.Series) -> Decimal:
    total = quantities.cast(MONEY).sum()
    return total if isinstance(total, Decimal) else Decimal(0)
