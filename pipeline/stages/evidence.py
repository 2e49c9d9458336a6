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
from pipeline.measures.peak import Sessions, peaks
from pipeline.rules.split import REASONS
from pipeline.stages.bucket import OpenBucket
from pipeline.stages.cases import BILLED
from pipeline.stages.row import Rows
from pipeline.stages.sessions import Stays, in_order, lay_down
from pipeline.store.usage import DAY_US, NO_USER, OPEN
from schemas.columns import INSTANT, MONEY

FIVE_MINUTES = 5 * 60 * 1_000_000
"""A day in such steps is at most 300 rows, however busy it was."""

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
    """A bucket's billed rows of a period; arrays of one length, codes of `Book`."""

    bucket: OpenBucket
    rows: Rows
    meter: Ints
    owner: Ints
    reason: Ints

    @staticmethod
    def of(bucket: OpenBucket) -> BilledRows:
        """The rows of a bucket, decided as the run decides them."""
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

    def summed(self, tenant: str, meter: str) -> Counted:
        """R4 sum: the rows whose quantities were added up."""
        which = self._of(tenant, meter)
        millionths = self.rows.quantity[which].tolist()
        counts = pl.Series([Decimal(one).scaleb(-6) for one in millionths], dtype=MONEY)
        return Counted(self, which, self.rows.started[which], counts)

    def open_at(self, tenant: str, meter: str, instant: int) -> Counted:
        """R4 peak: the sessions that are open at an instant, once laid down (R4.2)."""
        which = self._of(tenant, meter)
        stays = self._laid_down(which, tenant, meter)
        is_open = (stays.start <= instant) & (instant < stays.end)
        chosen = stays.at(is_open)
        position = chosen.own // len(self.bucket.book.meters)
        order = np.argsort(position)
        return Counted(self, which[position[order]], chosen.start[order], _ones(len(order)))

    def course(self, tenant: str, meter: str, begin: int, end: int) -> tuple[Ints, Ints]:
        """The highest number open in each five minutes of [begin, end), where it changes.

        Gives the instants at which they begin, and the numbers.
        """
        stays = self._laid_down(self._of(tenant, meter), tenant, meter)
        start, stop = np.maximum(stays.start, begin) - begin, np.minimum(stays.end, end) - begin
        inside = start < stop
        start, stop = start[inside], stop[inside]
        nothing = np.zeros_like(start)
        slots = [at // FIVE_MINUTES + after for at in (start, stop) for after in (0, 1)]
        since = np.unique(np.concatenate([[0], *slots])) * FIVE_MINUTES
        since = since[since < end - begin]
        highest, _ = peaks(Sessions(nothing, start, stop), np.zeros_like(since), since)
        changes = np.flatnonzero(np.diff(highest, prepend=-1) != 0)
        return begin + since[changes], highest[changes]

    def seen_in(self, tenant: str, meter: str, since: int, until: int) -> Counted:
        """R4 distinct, R6.3: each user's first row that reaches into [since, until).

        Rows without a user count each.
        """
        which = self._of(tenant, meter)
        begins, ends = self._bounds(tenant)
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
        return Counted(self, which[chosen], self.rows.started[which[chosen]], _ones(len(chosen)))

    def _of(self, tenant: str, meter: str) -> Ints:
        """Which rows are of a tenant and meter."""
        book = self.bucket.book
        codes = [code for code, one in enumerate(book.tenants) if one.id == tenant]
        is_own = np.isin(book.owners[self.owner], codes)
        return np.flatnonzero(is_own & (self.meter == book.meters.index(meter)))

    def _bounds(self, tenant: str) -> tuple[int, int]:
        book = self.bucket.book
        code = next(code for code, one in enumerate(book.tenants) if one.id == tenant)
        begins, ends = book.bounds
        return int(begins[code]), int(ends[code])

    def _laid_down(self, which: Ints, tenant: str, meter: str) -> Stays:
        """Sessions of some rows as they count; `own` leads back to each one's place in `which`."""
        book = self.bucket.book
        begins, ends = self._bounds(tenant)
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


@dataclass(frozen=True)
class Counted:
    """Rows that were counted: their places among the billed ones, from when and how much."""

    billed: BilledRows
    which: Ints
    counts_from: Ints
    counts: pl.Series

    def by_subscription(self) -> pl.DataFrame:
        """subscription_id, used: what the rows of each come to."""
        counted = pl.DataFrame({"subscription_id": self._owners(), "counts": self.counts})
        return counted.group_by("subscription_id").agg(used=pl.col("counts").sum())

    def in_words(self) -> pl.DataFrame:
        """The rows as COUNTED."""
        numbers = self.billed.rows.number[self.which]
        reasons = self.billed.reason[self.which].tolist()
        words = self.billed.bucket.rows.by_number.in_words(numbers).with_columns(
            subscription_id=self._owners(),
            because=pl.Series([REASONS[code] for code in reasons], dtype=pl.String),
            counts_from=pl.Series(self.counts_from).cast(INSTANT),
            counts=self.counts,
        )
        return words.select(COUNTED.names()).match_to_schema(COUNTED)

    def _owners(self) -> pl.Series:
        names = self.billed.bucket.book.subscriptions
        owners = self.billed.owner[self.which].tolist()
        return pl.Series([names[code][1] for code in owners], dtype=pl.String)


def _ones(count: int) -> pl.Series:
    return pl.repeat(1, count, eager=True, dtype=pl.Int64).cast(MONEY)
