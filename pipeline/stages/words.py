"""The words of a bucket's landings: one code a kind of row, one code a user, for all of them.

Belongs here: from the codes of each landing to those of the bucket, and the rows that are kept in
words alone. Does not belong here: reading landings (`store.usage`), and rows as numbers
(`stages.rows`).

Codes are given landing by landing, so they stay as they are where landings are only added at the
end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.measures.arrays import Codes32
from pipeline.stages.row import Reading
from pipeline.store.dictionary import Dictionary
from pipeline.store.usage import KIND, USER, no_broken

NOT_OURS = -1
"""The code of kinds and users of other buckets."""

Frames = dict[str, pl.DataFrame]

_CODES = pl.Schema({"landing": pl.Int32(), "code": pl.Int32()})


@dataclass(frozen=True, slots=True)
class Words:
    """What the codes of a bucket stand for, of one landing after the other.

    `kinds` and `users` hold the words of every code; `kind_codes` and `user_codes` give, for each
    landing, the bucket's code of each of the landing's, and last one for none. `broken` are the
    rows that break a rule by themselves, with their `landing` as its place among all.
    """

    kinds: pl.DataFrame
    users: pl.DataFrame
    kind_codes: tuple[Codes32, ...]
    user_codes: tuple[Codes32, ...]
    broken: pl.DataFrame

    def as_frames(self) -> Frames:
        """The same, to be kept."""
        return {
            "kinds": self.kinds,
            "users": self.users,
            "kind_codes": _together(self.kind_codes),
            "user_codes": _together(self.user_codes),
            "broken": self.broken,
        }

    @staticmethod
    def of(frames: Frames) -> Words:
        """Words as they were kept."""
        return Words(
            frames["kinds"],
            frames["users"],
            _apart(frames["kind_codes"]),
            _apart(frames["user_codes"]),
            frames["broken"],
        )


def words_of(
    readings: Sequence[Reading],
    slots: range,
    only_tenants: frozenset[str] | None,
    before: Words | None = None,
) -> Words:
    """The words of some slots in landings, from those of the landings that came `before`."""
    is_asked = (
        pl.lit(True) if only_tenants is None else pl.col("tenant_id").is_in(list(only_tenants))
    )
    if before is None:
        nothing = no_broken().with_columns(landing=pl.lit(0, pl.Int32))
        before = Words(Dictionary(KIND).rows, Dictionary(USER).rows, (), (), nothing)
    known = len(before.kind_codes)
    kinds, users = Dictionary.of(before.kinds), Dictionary.of(before.users)
    new = [one.landed for one in readings[known:]]
    kind_codes = [_codes(landed.kinds(slots), kinds, is_asked) for landed in new]
    user_codes = [_codes(landed.users(slots), users, is_asked) for landed in new]
    broken = [
        landed.broken(slots).filter(is_asked).with_columns(landing=pl.lit(number, pl.Int32))
        for number, landed in enumerate(new, known)
    ]
    return Words(
        kinds.rows,
        users.rows,
        (*before.kind_codes, *kind_codes),
        (*before.user_codes, *user_codes),
        pl.concat([before.broken, *broken]),
    )


def _codes(words: pl.DataFrame, dictionary: Dictionary, is_asked: pl.Expr) -> Codes32:
    """The bucket's code of each of a landing's kinds or users; the last is for none."""
    codes = np.full(int(str(words["code"].max() or 0)) + 2, NOT_OURS, np.int32)
    asked = words.filter(is_asked)
    codes[asked["code"].to_numpy()] = dictionary.codes_of(asked)
    return codes


def _together(codes: Sequence[Codes32]) -> pl.DataFrame:
    landings = np.repeat(np.arange(len(codes), dtype=np.int32), [*map(len, codes)])
    code = np.concatenate([np.empty(0, np.int32), *codes])
    return pl.DataFrame({"landing": landings, "code": code}, schema=_CODES)


def _apart(codes: pl.DataFrame) -> tuple[Codes32, ...]:
    sizes = np.bincount(codes["landing"].to_numpy())
    parts = np.split(codes["code"].to_numpy(), np.cumsum(sizes)[:-1])
    return tuple(parts[: len(sizes)])
