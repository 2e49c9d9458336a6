"""Landed usage: every sound row as a few plain numbers, each column in a file of its own.

Belongs here: the form in which usage lies in the store, and reading parts of it. Does not belong
here: reading exports (`exports`), and what becomes of a row (`stages`).

A landing holds the rows of some exports. Rows come in *chunks*, a large batch of the reading or
several small ones; in a chunk they are in order of the UTC day on which they start and of *slot*, a
hash of the tenant, so that the rows of some tenants on some day are few stretches of each file.
What a row says in words is kept once:

    kind        tenant, subscription, meter, deployment: the row's words in `kinds`
    user        tenant and user: in `users`, or NO_USER
    started     microseconds since 1970, UTC
    ended       the same; OPEN where the row states none
    quantity    millionths; NO_QUANTITY where the row states none
    arrival     position among all rows of the landing as they came
    key         slot, 36 bits of a hash of the event id, position in a *run* of about a million
                rows; a run's keys are sorted
    events      the event ids themselves, in order of arrival
    numbers     the number of the record in its file that a row was made of, in order of arrival;
                only where that does not follow from the order of the rows

Rows that break a rule by themselves are kept apart, with all their words, in `broken`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.measures.arrays import Ints, Texts, Whole
from pipeline.remote.objects import bring
from pipeline.store.files import reading
from schemas.feeds import USAGE

Words = npt.NDArray[np.uint64]

SLOTS = 256
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


RESTORE = (
    "restore landed/ from a backup; while no month is closed, you may also remove the folder of "
    "this file, put the exports back as they were and run `tenantbill ingest PERIOD --feeds DIR`"
)
"""What to do about a file of a landing that is damaged."""


@lru_cache(1 << 16)
def slot_of(tenant: str) -> int:
    """The slot of a tenant: the same on every machine and in every version."""
    return hashlib.blake2b(tenant.encode(), digest_size=1).digest()[0]


def slots_of(tenants: pl.Series) -> npt.NDArray[np.uint8]:
    """The slot of each row's tenant; rows that name none lie in slot 0."""
    names = tenants.unique().drop_nulls().to_list()
    slots = [slot_of(name) for name in names]
    return tenants.replace_strict(names, slots, default=0, return_dtype=pl.UInt8).to_numpy()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring rows of a landing: the position of the first, and how many."""

    first: int
    rows: int


class LandedUsage:
    """Reads a landing of usage. Raises `StoreDamaged` where a file is seen to be damaged."""

    def __init__(self, folder: Path, rows: tuple[int, ...]) -> None:
        self._folder = folder
        self._first_arrival = np.concatenate([[0], np.cumsum(rows)])

    def cells(self) -> pl.DataFrame:
        """run, chunk, day, slot, rows: in order of position."""
        with self._scan("cells") as cells:
            return cells.collect()

    def days(self) -> list[int]:
        """The UTC days on which rows start, in days since 1970."""
        with self._scan("cells") as cells:
            return cells.select("day").collect()["day"].unique().to_list()

    def stored_rows(self) -> int:
        """How many rows there are, by the size of what is stored."""
        sound = self._file("key.bin").stat().st_size // np.dtype(COLUMNS["key"]).itemsize
        with self._scan("broken") as broken:
            return sound + int(broken.select(pl.len()).collect().item())

    def kinds(self, slots: range) -> pl.DataFrame:
        """The words of the kinds of some slots, and their `code`."""
        return self._words("kinds", slots)

    def users(self, slots: range) -> pl.DataFrame:
        """The words of the users of some slots, and their `code`."""
        return self._words("users", slots)

    def broken(self, slots: range) -> pl.DataFrame:
        """The rows of some slots that break a rule by themselves.

        Columns: the feed's, and `export`, `row`, `defects`, `raw`.
        """
        return self._words("broken", slots).sort("export", "row")

    def named_subscriptions(self) -> pl.DataFrame:
        """slot, subscription_id: which subscriptions the rows of a slot name."""
        with self._scan("named") as named:
            return named.select("slot", "subscription_id").collect().unique()

    def _words(self, name: str, slots: range) -> pl.DataFrame:
        is_inside = pl.col("slot").is_between(slots.start, slots.stop - 1)
        with self._scan(name) as words:
            return words.filter(is_inside).drop("slot").collect()

    @contextmanager
    def _scan(self, name: str) -> Iterator[pl.LazyFrame]:
        """What is kept in words, to be collected in the block."""
        file = self._file(f"{name}.parquet")
        with reading(file, RESTORE):
            yield pl.scan_parquet(file, glob=False)

    def read(self, column: str, stretches: Iterable[Stretch]) -> npt.NDArray[Any]:
        """A column of some stretches, one after the other."""
        dtype = np.dtype(COLUMNS[column])
        stretches = list(stretches)
        values = np.empty(sum(one.rows for one in stretches), dtype)
        filled = 0
        path = self._file(f"{column}.bin")
        with reading(path, RESTORE), path.open("rb", buffering=0) as file:
            for one in stretches:
                file.seek(one.first * dtype.itemsize)
                part = values[filled : filled + one.rows]
                if file.readinto(part.data) != part.nbytes:
                    raise EOFError("it ends before its rows")
                filled += one.rows
        return values

    def take(self, column: str, positions: Ints) -> npt.NDArray[Any]:
        """A column's values at some positions."""
        with reading(self._file(f"{column}.bin"), RESTORE):
            values: npt.NDArray[Any] = self._mapped(column, COLUMNS[column])[positions]
        return values

    def keys_below(self, key: int, among: Stretch) -> int:
        """How many keys of a stretch, which are sorted, are smaller than a key."""
        keys = self._mapped("key", COLUMNS["key"])[among.first : among.first + among.rows]
        return int(np.searchsorted(keys, np.uint64(key)))

    def whence(self, positions: Ints) -> tuple[Ints, Ints]:
        """The index of the export that rows came in, and the number of the row in it, from 1."""
        arrival = self.take("arrival", positions).astype(np.int64)
        export = self.export_of(arrival)
        if self._has_numbers:
            numbers: Ints = self._mapped("numbers", np.int64)[arrival]
            return export, numbers
        return export, arrival - self._first_arrival[export] + 1

    def export_of(self, arrival: Whole) -> Ints:
        """The index of the export that rows came in, by their positions as they came."""
        return np.searchsorted(self._first_arrival, arrival, side="right") - 1

    def event_ids(self, positions: Ints) -> Texts:
        """The event ids of some rows, as UTF-8."""
        if not len(positions):
            return np.empty(0, object)
        arrival = self.take("arrival", positions).astype(np.int64)
        content = self._mapped("events", np.uint8)
        if not self._has_ends:
            width = len(content) // int(self._first_arrival[-1])
            texts: Texts = content.reshape(-1, width)[arrival].view(f"V{width}")[:, 0]
            return texts
        ends = self._mapped("event_ends", np.int64)
        after = ends[arrival]
        first = np.where(arrival > 0, ends[arrival - 1], 0)
        ids = np.empty(len(positions), object)
        bounds = zip(first.tolist(), after.tolist(), strict=True)
        ids[:] = [content[begin:end].tobytes() for begin, end in bounds]
        return ids

    @cached_property
    def _has_numbers(self) -> bool:
        return bring(self._folder / "numbers.bin")

    @cached_property
    def _has_ends(self) -> bool:
        return bring(self._folder / "event_ends.bin")

    def _file(self, name: str) -> Path:
        """A file of the landing, brought here if it is not."""
        path = self._folder / name
        bring(path)
        return path

    def _mapped(self, name: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
        # Mapped anew each time: what was looked at counts as memory of ours while it is mapped.
        with self._file(f"{name}.bin").open("rb") as file:
            return np.frombuffer(mmap(file.fileno(), 0, access=ACCESS_READ), dtype)


def runs_of_keys(cells: pl.DataFrame, slots: range) -> Iterator[tuple[Stretch, int]]:
    """Where the sorted keys of some slots lie in each run, and the run's first position."""
    is_inside = pl.col("slot").is_between(slots.start, slots.stop - 1)
    counts = cells.group_by("run", maintain_order=True).agg(
        pl.col("rows").sum(),
        before=pl.col("rows").filter(pl.col("slot") < slots.start).sum(),
        inside=pl.col("rows").filter(is_inside).sum(),
    )
    first = 0
    for _, rows, before, inside in counts.iter_rows():
        if inside:
            yield Stretch(first + before, inside), first
        first += rows


def no_broken() -> pl.DataFrame:
    """No rows, with the columns of `broken` but slot."""
    extra = {"row": pl.Int64(), "defects": pl.String(), "raw": pl.String(), "export": pl.Int32()}
    return pl.DataFrame(schema={**USAGE.dtypes, **extra})
