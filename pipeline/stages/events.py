"""Find the rows whose event comes again: the row of the latest export counts (R11.1).

Belongs here: which rows are replaced, and by which. Does not belong here: what becomes of the
others (`stages.cases`), and what earlier runs found (`stages.earlier`).

Candidates share 36 bits of a hash of their event id; what decides is the real (tenant, event_id).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.measures.arrays import Ints, Texts
from pipeline.stages.cases import Judge
from pipeline.stages.keys import ReadRun, keys_by_range
from pipeline.stages.kinds import Kinds
from pipeline.stages.row import Rows
from pipeline.stages.rows import BucketRows
from pipeline.store.usage import POSITION_BITS, SLOT_BITS, Words

RANGE_ROWS = 1 << 18

_POSITION = np.uint64((1 << POSITION_BITS) - 1)

MOSTLY_OLD = 1 << 21
"""So many keys are looked at together where only those are sorted that a new one may equal."""

PARTS = 1 << 20
"""By so many values of a part of the hash, keys are told apart from new ones before sorting."""

CANDIDATES = 1 << 17
"""About so many candidates are looked at together; all rows of an event always are."""


REPLACED = pl.Schema(
    {
        "number": pl.Int64(),
        "kind": pl.Int32(),
        "is_same": pl.Boolean(),
        "event_id": pl.String(),
        "export": pl.Int64(),
        "row": pl.Int64(),
        "by_export": pl.Int64(),
        "by_row": pl.Int64(),
    }
)
"""Rows that no longer count, in order of their `number`. `is_same`: whether the row that counts
instead says the same (`duplicate`) or not (`superseded`). What follows is of superseded rows alone:
where the row stands and where the one that counts, as `Numbers.came` says."""


class Candidates(NamedTuple):
    """Rows by their `number`; those that share a hash have the same `group`."""

    number: Ints
    group: Ints


def replaced(
    rows: BucketRows,
    kinds: Kinds,
    judge: Judge,
    earlier: pl.DataFrame | None = None,
    since: int = 0,
) -> pl.DataFrame:
    """R11.1: of the sound rows of one event, all but the last in order of exports and rows.

    `earlier` are those that were found among the rows whose numbers are below `since`: only events
    of which rows came since are looked at again. Gives and takes REPLACED.
    """
    looked_at, found = [np.empty(0, np.int64)], []
    for few in _gathered(_candidates(rows, since)):
        looked_at.append(few.number)
        found.append(_replaced(rows, kinds, judge, few))
    if earlier is not None:
        is_again = np.isin(earlier["number"].to_numpy(), np.concatenate(looked_at))
        found.append(earlier.filter(pl.Series(~is_again)))
    return pl.concat(found).sort("number")


def _replaced(rows: BucketRows, kinds: Kinds, judge: Judge, candidates: Candidates) -> pl.DataFrame:
    """Those among some candidates that are replaced; all rows of their events are among them."""
    nearby = np.argsort(candidates.number)
    found = rows.by_number.take(candidates.number[nearby])
    is_sound = found.kind >= 0
    is_sound[is_sound] = ~judge.is_broken(found.at(is_sound))
    found = found.at(is_sound)
    ids = rows.by_number.events(found.number)
    event = _events(ids, kinds.tenant[found.kind], candidates.group[nearby[is_sound]])
    export, row = rows.by_number.came(found.number)
    order = np.lexsort((row, rows.by_number.ranks[export], event))
    event = event[order]
    lasts = np.flatnonzero(np.append(event[1:] != event[:-1], True)[: len(event)])
    counts = order[np.repeat(lasts, np.diff(lasts, prepend=-1))]
    return _told(found, ids, export, row, np.delete(order, lasts), np.delete(counts, lasts))


def _told(found: Rows, ids: Texts, export: Ints, row: Ints, old: Ints, new: Ints) -> pl.DataFrame:
    """The `old` ones of some rows, and what is to be said of the `new` that count instead."""
    is_same = np.ones(len(old), bool)
    for what in ("kind", "user", "started", "ended", "quantity"):
        is_same &= getattr(found, what)[old] == getattr(found, what)[new]
    names = np.full(len(old), None, object)
    names[~is_same] = [name.decode() for name in ids[old[~is_same]].tolist()]
    whence = {"export": export[old], "row": row[old], "by_export": export[new], "by_row": row[new]}
    said = pl.DataFrame(whence).with_columns(pl.when(pl.Series(~is_same)).then(pl.all()))
    return pl.DataFrame(
        {
            "number": found.number[old],
            "kind": found.kind[old],
            "is_same": is_same,
            "event_id": names.tolist(),
            **said.to_dict(),
        },
        schema=REPLACED,
    )


def _events(ids: Texts, tenant: Ints, group: Ints) -> Ints:
    """A code for the real (tenant, event id) of each row: one a group, as hashes mostly say."""
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
    at_once = MOSTLY_OLD if since else RANGE_ROWS
    for runs in keys_by_range(rows.runs_of_keys(), rows.slots, at_once):
        asked = _may_be_new(runs, since) if since else runs
        keys = np.concatenate([_numbered(run, low) for run in asked])
        if not len(keys):
            continue
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


def _numbered(run: ReadRun, low: np.uint64) -> Words:
    """Keys with the number of their row in the low bits, and the hash above."""
    keys = run.keys << np.uint64(SLOT_BITS)
    keys &= ~low
    number = run.keys & _POSITION
    number += np.uint64(run.first)
    keys |= number
    return keys


def _may_be_new(runs: Sequence[ReadRun], since: int) -> Iterator[ReadRun]:
    """The keys that are new, or may have a hash that a new one has: few others, and all that do.

    Of a night's keys nearly all are old and without a new one; they need not be sorted.
    """
    is_of_new = np.zeros(PARTS, bool)
    for run in runs:
        if run.first >= since:
            is_of_new[_part(run)] = True
    for run in runs:
        if run.first >= since:
            yield run
        else:
            chosen = np.flatnonzero(is_of_new.take(_part(run)))
            yield ReadRun(run.keys.take(chosen), run.first)


def _part(run: ReadRun) -> Ints:
    """A part of each key's hash."""
    part = (run.keys >> np.uint64(POSITION_BITS)).view(np.int64)
    part &= PARTS - 1
    return part
