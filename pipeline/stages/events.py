"""Find the rows whose event comes again: the row of the latest export counts (R11.1).

Belongs here: which rows are replaced, and by which. Does not belong here: what becomes of the
others (`stages.cases`), and what earlier runs found (`stages.earlier`).

Candidates share 36 bits of a hash of their event id; what decides is the real (tenant, event_id).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.measures.arrays import Codes32, Flags, Ints
from pipeline.stages.cases import Judge
from pipeline.stages.keys import keys_by_range
from pipeline.stages.kinds import Kinds
from pipeline.stages.row import Rows
from pipeline.stages.rows import BucketRows
from pipeline.store.usage import POSITION_BITS, SLOT_BITS

RANGE_ROWS = 1 << 18

CANDIDATES = 1 << 17
"""About so many candidates are looked at together; all rows of an event always are."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """Rows that no longer count, in order of their `number`: arrays of one length.

    `by` is the number of the row that counts instead; `is_same` says whether that one says the same
    (`duplicate`) or not (`superseded`).
    """

    number: Ints
    kind: Codes32
    by: Ints
    is_same: Flags

    def at(self, chosen: Flags | Ints) -> Replaced:
        """Some of them, by a mask or by positions."""
        return Replaced(*(getattr(self, one.name)[chosen] for one in fields(self)))

    @staticmethod
    def together(parts: Sequence[Replaced]) -> Replaced:
        """All of them."""
        return Replaced(
            *(
                np.concatenate([getattr(part, one.name) for part in parts])
                for one in fields(Replaced)
            )
        )

    def as_frame(self) -> pl.DataFrame:
        """What a later run needs to know of them."""
        return pl.DataFrame({one.name: getattr(self, one.name) for one in fields(self)})

    @staticmethod
    def of(frame: pl.DataFrame) -> Replaced:
        """Rows as they were kept."""
        return Replaced(*(frame[one.name].to_numpy() for one in fields(Replaced)))


class Candidates(NamedTuple):
    """Rows by their `number`; those that share a hash have the same `group`."""

    number: Ints
    group: Ints


def replaced(
    rows: BucketRows, kinds: Kinds, judge: Judge, earlier: Replaced | None = None, since: int = 0
) -> Replaced:
    """R11.1: of the sound rows of one event, all but the last in order of exports and rows.

    `earlier` are those that were found among the rows whose numbers are below `since`: only events
    of which rows came since are looked at again.
    """
    looked_at, found = [np.empty(0, np.int64)], []
    for few in _gathered(_candidates(rows, since)):
        looked_at.append(few.number)
        found.append(_replaced(rows, kinds, judge, few))
    if earlier is not None:
        found.append(earlier.at(~np.isin(earlier.number, np.concatenate(looked_at))))
    together = Replaced.together(found)
    return together.at(np.argsort(together.number))


def _replaced(rows: BucketRows, kinds: Kinds, judge: Judge, candidates: Candidates) -> Replaced:
    """Those among some candidates that are replaced; all rows of their events are among them."""
    nearby = np.argsort(candidates.number)
    found = rows.by_number.take(candidates.number[nearby])
    is_sound = found.kind >= 0
    is_sound[is_sound] = ~judge.is_broken(found.at(is_sound))
    found = found.at(is_sound)
    event = _events(rows, kinds, found, candidates.group[nearby[is_sound]])
    rank, row = rows.by_number.whence(found.number)
    order = np.lexsort((row, rank, event))
    found, event = found.at(order), event[order]
    is_last = np.append(event[1:] != event[:-1], True)[: len(event)]
    lasts = np.flatnonzero(is_last)
    counts = found.at(np.repeat(lasts, np.diff(lasts, prepend=-1)))
    is_same = np.ones(len(found), bool)
    for what in ("kind", "user", "started", "ended", "quantity"):
        is_same &= getattr(found, what) == getattr(counts, what)
    return Replaced(found.number, found.kind, counts.number, is_same).at(~is_last)


def _events(rows: BucketRows, kinds: Kinds, found: Rows, group: Ints) -> Ints:
    """A code for the real (tenant, event id) of each row: one a group, as hashes mostly say."""
    ids, tenant = rows.by_number.events(found.number), kinds.tenant[found.kind]
    _, first, code = np.unique(group, return_index=True, return_inverse=True)
    is_as_first = (ids == ids[first][code]) & (tenant == tenant[first][code])
    if is_as_first.all():
        return code
    is_mixed = np.bincount(code, ~is_as_first, len(first)) > 0
    mixed = np.flatnonzero(is_mixed[code])
    known: dict[tuple[int, bytes], int] = {}
    for at, whose, name in zip(mixed, tenant[mixed].tolist(), ids[mixed].tolist(), strict=True):
        code[at] = known.setdefault((whose, name), len(first) + len(known))
    return code


def _gathered(few: Iterable[Candidates]) -> Iterator[Candidates]:
    """The same candidates in fewer arrays, of which there is one at least."""
    waiting = [Candidates(np.empty(0, np.int64), np.empty(0, np.int64))]
    for one in few:
        waiting.append(one)
        if sum(len(one.number) for one in waiting) >= CANDIDATES:
            yield Candidates(*map(np.concatenate, zip(*waiting, strict=True)))
            waiting = []
    if waiting:
        yield Candidates(*map(np.concatenate, zip(*waiting, strict=True)))


def _candidates(rows: BucketRows, since: int) -> Iterator[Candidates]:
    """The rows whose hash is also another's, of which one is new; range by range of the hash.

    Hash and number make one integer, so that one sort of plain integers brings equals together;
    each range is small enough to stay in a core's cache.
    """
    bits = max(len(rows.by_number).bit_length(), SLOT_BITS + POSITION_BITS)
    low = np.uint64((1 << bits) - 1)
    for words, first_numbers in keys_by_range(rows.runs_of_keys(), rows.slots, RANGE_ROWS):
        number = words & np.uint64((1 << POSITION_BITS) - 1)
        number += first_numbers
        keys = np.left_shift(words, np.uint64(SLOT_BITS), out=words)
        keys &= ~low
        keys |= number
        keys.sort()
        is_equal = (keys[1:] ^ keys[:-1]) <= low
        shares = np.zeros(len(keys), bool)
        shares[:-1] = is_equal
        shares[1:] |= is_equal
        numbers = (keys[shares] & low).view(np.int64)
        begins = np.flatnonzero(~np.append(False, is_equal)[shares])
        sizes = np.diff(begins, append=len(numbers))
        is_new = numbers[begins + sizes - 1] >= since
        chosen = np.repeat(is_new, sizes)
        yield Candidates(numbers[chosen], np.repeat(numbers[begins], sizes)[chosen])
