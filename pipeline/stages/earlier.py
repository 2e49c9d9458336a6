"""What an earlier run found of events that come again (R11.1), where exports were only added since.

Belongs here: finding and keeping it. Does not belong here: which rows are replaced
(`stages.events`).

A row that was replaced stays so, but for events of which more rows came. So a night looks at those
alone.
"""

from __future__ import annotations

import polars as pl

from pipeline.fingerprint import fingerprint
from pipeline.stages.cases import Judge
from pipeline.stages.events import replaced
from pipeline.stages.kinds import Kinds
from pipeline.stages.rows import BucketRows
from pipeline.store.work import WorkStore

LOOK_BACK = 4
"""So many landings may have been added since."""

_FRAME = "replaced"


def replaced_since(
    work: WorkStore, made_of: str, rows: BucketRows, kinds: Kinds, judge: Judge
) -> pl.DataFrame:
    """What `replaced` finds, from what is known of the landings that came first; and keep it.

    `made_of` names what it depends on besides rows.
    """

    def name(landings: int) -> str:
        return fingerprint(_FRAME, made_of, rows.identity_of_first(landings))

    known = range(rows.landings, max(rows.landings - LOOK_BACK, 1) - 1, -1)
    before = next((count for count in known if work.has(name(count))), 0)
    earlier = work.load(name(before), _FRAME) if before else None
    if earlier is not None and before == rows.landings:
        return earlier
    found = replaced(rows, kinds, judge, earlier, rows.first_number(before))
    work.save(name(rows.landings), {_FRAME: found})
    return found
