"""Find the rows whose event comes again: the row of the latest export counts (R11.1).

Belongs here: which rows are replaced, and by which. Does not belong here: what becomes of the
others (`stages.cases`).

Candidates share 36 bits of a hash of their event id; what decides is the real (tenant, event_id).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from pipeline.measures.arrays import Codes32, Flags, Ints
from pipeline.stages.cases import Judge
from pipeline.stages.keys import keys_by_range
from pipeline.stages.kinds import Kinds
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


def replaced(rows: BucketRows, kinds: Kinds, judge: Judge) -> Replaced:
    """R11.1: of the sound rows of one event, all but the last in order of exports and rows."""
    parts = [_replaced(rows, kinds, judge, few) for few in _gathered(_candidates(rows))]
    together = Replaced(
        *(
            np.concatenate([getattr(one, column.name) for one in parts])
            for column in fields(Replaced)
        )
    )
    order = np.argsort(together.number)
    return Replaced(*(getattr(together, column.name)[order] for column in fields(Replaced)))


def _replaced(rows: BucketRows, kinds: Kinds, judge: Judge, candidates: Ints) -> Replaced:
    """Those among some candidates that are replaced; all rows of their events are among them."""
    found = rows.by_number.take(np.sort(candidates))
    is_sound = found.kind >= 0
    is_sound[is_sound] = ~judge.is_broken(found.at(is_sound))
    found = found.at(is_sound)
    rank, row = rows.by_number.whence(found.number)
    together = pl.DataFrame(
        {
            "tenant": kinds.tenant[found.kind],
            "event_id": pl.Series(rows.by_number.event_ids(found.number), dtype=pl.Binary),
            "rank": rank,
            "row": row,
            "number": found.number,
            "kind": found.kind,
            "user": found.user,
            "started": found.started,
            "ended": found.ended,
            "quantity": found.quantity,
        }
    )
    event = ["tenant", "event_id"]
    content = pl.struct("kind", "user", "started", "ended", "quantity")
    decided = (
        together.sort(*event, "rank", "row")
        .with_columns(
            by=pl.col("number").last().over(event),
            is_same=content == content.last().over(event),
        )
        .filter(pl.col("number") != pl.col("by"))
    )
    return Replaced(*(decided[column.name].to_numpy() for column in fields(Replaced)))


def _gathered(few: Iterable[Ints]) -> Iterator[Ints]:
    """The same numbers in fewer arrays, of which there is one at least."""
    waiting = [np.empty(0, np.int64)]
    for numbers in few:
        waiting.append(numbers)
        if sum(map(len, waiting)) >= CANDIDATES:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _candidates(rows: BucketRows) -> Iterator[Ints]:
    """The numbers of the rows whose hash is also another's, range by range of the hash.

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
        yield (keys[shares] & low).view(np.int64)
