"""The usage rows behind a figure: those that were counted, found by what counted them.

Belongs here: a tenant's billed rows of a period, and which of them a peak, a number of users or a
sum is made of. Does not belong here: deciding rows (`stages.cases`) and laying sessions down
(`stages.sessions`): both are asked again, as the run asked them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from pipeline.measures.arrays import Flags, Ints
from pipeline.rules.split import REASONS
from pipeline.stages.bucket import OpenBucket
from pipeline.stages.cases import BILLED
from pipeline.stages.row import Rows
from pipeline.stages.sessions import Stays, in_order, lay_down
from pipeline.store.usage import DAY_US, NO_USER, OPEN
from schemas.columns import INSTANT, MONEY

COUNTED = pl.Schema(
    {
        "rank": pl.Int32(),
        "row": pl.Int64(),
        "event_id": pl.String(),
        "subscription_id": pl.String(),
        "because": pl.String(),
        "user_id": pl.String(),
        "started_at": INSTANT,
        "ended_at": INSTANT,
        "counts_from": INSTANT,
        "counts": MONEY,
    }
)
"""A counted row: where it stands, whose it is and why, and how much it counts.

`counts_from` is when a session begins to count, after the user's earlier ones (R4.2).
"""


@dataclass(frozen=True)
class BilledRows:
    """A tenant's billed rows of a period; arrays of one length, codes of `Book`."""

    bucket: OpenBucket
    rows: Rows
    meter: Ints
    owner: Ints
    reason: Ints

    @staticmethod
    def of(bucket: OpenBucket) -> BilledRows:
        """The rows of a bucket of one tenant, decided as the run decides them."""
        begins, ends = bucket.book.bounds
        first, after = int(begins.min()) // DAY_US, -(-int(ends.max()) // DAY_US)
        parts, cases = [], []
        for day in bucket.rows.days:
            if day >= after:
                break
            rows = bucket.rows.of(day)
            if day < first:
                rows = rows.at(rows.ended > begins.min())
            decided = bucket.judge.decide(rows, day if day >= first else None)
            is_billed = np.flatnonzero(decided.cases.fate[decided.case] == BILLED)
            chosen, case = rows.at(is_billed), decided.case[is_billed]
            parts.append(chosen)
            cases.append(
                (decided.cases.meter[case], decided.cases.owner[case], decided.cases.reason[case])
            )
        nothing = np.empty(0, np.int64)
        meter, owner, reason = (
            np.concatenate([nothing, *(one[index] for one in cases)]) for index in range(3)
        )
        return BilledRows(bucket, Rows.together(parts), meter, owner, reason)

    def summed(self, meter: str) -> pl.DataFrame:
        """R4 sum: the rows whose quantities were added up, as COUNTED."""
        which = self._of(meter)
        millionths = self.rows.quantity[which].tolist()
        counts = pl.Series([Decimal(one).scaleb(-6) for one in millionths], dtype=MONEY)
        return self._told(which, self.rows.started[which], counts)

    def open_at(self, meter: str, instant: int) -> pl.DataFrame:
        """R4 peak: the sessions that are open at an instant, once laid down (R4.2), as COUNTED."""
        which = self._of(meter)
        stays = self._laid_down(which, meter)
        is_open = (stays.start <= instant) & (instant < stays.end)
        chosen = stays.at(is_open)
        position = chosen.own // len(self.bucket.book.meters)
        order = np.argsort(position)
        return self._told(which[position[order]], chosen.start[order], _ones(len(order)))

    def seen_in(self, meter: str, since: int, until: int) -> pl.DataFrame:
        """R4 distinct, R6.3: each user's first row that reaches into [since, until), as COUNTED.

        Rows without a user count each.
        """
        which = self._of(meter)
        begins, ends = (int(bounds[0]) for bounds in self.bucket.book.bounds)
        start = np.maximum(self.rows.started[which], begins)
        ended = self.rows.ended[which]
        last = np.where(ended == OPEN, start, np.maximum(start, np.minimum(ended, ends) - 1))
        which = which[(start < until) & (last >= since)]
        user = self.rows.user[which]
        order = (
            in_order(
                user.astype(np.int64) + 1,
                self.rows.started[which],
                self.rows.number[which],
                self.bucket.rows.by_number.event_ids,
            )
            if len(which)
            else which
        )
        ordered = user[order]
        is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
        chosen = np.sort(order[is_first | (ordered == NO_USER)])
        return self._told(which[chosen], self.rows.started[which[chosen]], _ones(len(chosen)))

    def _of(self, meter: str) -> Ints:
        return np.flatnonzero(self.meter == self.bucket.book.meters.index(meter))

    def _laid_down(self, which: Ints, meter: str) -> Stays:
        """Sessions of some rows as they count; `own` leads back to each one's place in `which`."""
        book = self.bucket.book
        begins, ends = (int(bounds[0]) for bounds in book.bounds)
        counts_users = book.terms.catalogue[meter].counts == "users"
        users = self.rows.user[which]
        places = np.arange(len(which)) * len(book.meters) + book.meters.index(meter)
        begun = Stays(
            places,
            users if counts_users else np.full(len(which), NO_USER, np.int32),
            self.rows.started[which],
            np.minimum(self.rows.ended[which], ends),
        )
        begin = int(begun.start.min(initial=begins))
        laid_down = lay_down(
            begun,
            self.rows.number[which],
            Stays.none(),
            begin,
            len(book.meters),
            self.bucket.rows.by_number.event_ids,
        )
        start = np.maximum(laid_down.start, begins)
        inside: Flags = start < laid_down.end
        return Stays(laid_down.own, laid_down.user, start, laid_down.end).at(inside)

    def _told(self, which: Ints, counts_from: Ints, counts: pl.Series) -> pl.DataFrame:
        book = self.bucket.book
        words = self.bucket.rows.by_number.in_words(self.rows.number[which])
        owners = [book.subscriptions[code][1] for code in self.owner[which].tolist()]
        return (
            words.with_columns(
                subscription_id=pl.Series(owners, dtype=pl.String),
                because=pl.Series(
                    [REASONS[code] for code in self.reason[which].tolist()], dtype=pl.String
                ),
                counts_from=pl.Series(counts_from).cast(INSTANT),
                counts=counts,
            )
            .select(COUNTED.names())
            .match_to_schema(COUNTED)
        )


def _ones(count: int) -> pl.Series:
    return pl.repeat(1, count, eager=True, dtype=pl.Int64).cast(MONEY)
