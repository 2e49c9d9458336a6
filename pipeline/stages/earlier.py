"""What an earlier run found of a bucket's landings, where exports were only added since.

Belongs here: finding and keeping it. Does not belong here: which rows are replaced
(`stages.events`), and what codes stand for (`stages.vocabulary`).

Codes that were given stay as they are, and a row that was replaced stays so, but for events of
which more rows came. So a night looks at what is new alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import polars as pl

from pipeline.fingerprint import billing_code, fingerprint
from pipeline.stages.cases import Judge
from pipeline.stages.events import replaced
from pipeline.stages.kinds import Kinds
from pipeline.stages.row import Reading
from pipeline.stages.rows import BucketRows
from pipeline.stages.vocabulary import Piece, Vocabulary, vocabulary_of
from pipeline.store.work import WorkStore

LOOK_BACK = 4
"""So many landings may have been added since replaced rows were looked for."""

_REPLACED = "replaced"


class Earlier:
    """What is kept of a bucket; `made_of` names what that depends on besides rows."""

    def __init__(self, work: WorkStore, made_of: str) -> None:
        self._work = work
        self._made_of = made_of

    def vocabulary(
        self, readings: Sequence[Reading], slots: range, only_tenants: frozenset[str] | None
    ) -> Vocabulary:
        """What `vocabulary_of` gives, from what is known of the first landings; and keep the rest.

        It depends on no terms.
        """
        asked = sorted(only_tenants) if only_tenants is not None else None
        landings = [one.landing for one in readings]
        names = [
            fingerprint("vocabulary", billing_code(), slots, asked, landings[: number + 1])
            for number in range(len(landings))
        ]
        known = [Piece.of(self._work.load_all(name)) for name in takewhile(self._work.has, names)]
        found = vocabulary_of(readings, slots, only_tenants, known)
        for name, piece in zip(names[len(known) :], found.pieces[len(known) :], strict=True):
            self._work.save(name, piece.as_frames())
        return found

    def replaced(self, rows: BucketRows, kinds: Kinds, judge: Judge) -> pl.DataFrame:
        """What `replaced` finds, from what is known of the first landings; and keep it."""

        def name(landings: int) -> str:
            return fingerprint(_REPLACED, self._made_of, rows.identity_of_first(landings))

        latest = range(rows.landings, max(rows.landings - LOOK_BACK, 1) - 1, -1)
        before = next((count for count in latest if self._work.has(name(count))), 0)
        kept = self._work.load(name(before), _REPLACED) if before else None
        if kept is not None and before == rows.landings:
            return kept
        found = replaced(rows, kinds, judge, kept, rows.first_number(before))
        self._work.save(name(rows.landings), {_REPLACED: found})
        return found
