"""The vocabulary of a bucket: one code a kind of row, one code a user, for all its landings.

Belongs here: from the codes of each landing to those of the bucket. Does not belong here: reading
landings (`store.usage`), and rows (`stages.rows`).

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
from pipeline.store.usage import KIND, USER

NOT_OURS = -1
"""The code of kinds and users of other buckets."""

Frames = dict[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one landing adds to the words of those before it.

    `kinds` and `users` are those that come for the first time; `kind_codes` and `user_codes` give
    the bucket's code of each of the landing's, and last one for none.
    """

    kinds: pl.DataFrame
    users: pl.DataFrame
    kind_codes: Codes32
    user_codes: Codes32

    def as_frames(self) -> Frames:
        """The same, to be kept."""
        return {
            "kinds": self.kinds,
            "users": self.users,
            "kind_codes": pl.DataFrame({"code": self.kind_codes}),
            "user_codes": pl.DataFrame({"code": self.user_codes}),
        }

    @staticmethod
    def of(frames: Frames) -> Piece:
        """A piece as it was kept."""
        codes = (frames[name]["code"].to_numpy() for name in ("kind_codes", "user_codes"))
        return Piece(frames["kinds"], frames["users"], *codes)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the codes of a bucket stand for: `kinds` and `users` hold the words of every code."""

    kinds: pl.DataFrame
    users: pl.DataFrame
    pieces: tuple[Piece, ...]


def vocabulary_of(
    readings: Sequence[Reading],
    slots: range,
    only_tenants: frozenset[str] | None,
    known: Sequence[Piece] = (),
) -> Vocabulary:
    """What some slots of landings speak of; of the first ones the pieces may be `known`."""
    kinds = Dictionary.of(pl.concat([Dictionary(KIND).rows, *(one.kinds for one in known)]))
    users = Dictionary.of(pl.concat([Dictionary(USER).rows, *(one.users for one in known)]))
    pieces = [*known]
    for _, landed, _ in readings[len(known) :]:
        before = len(kinds.rows), len(users.rows)
        kind_codes = _codes(landed.kinds(slots), kinds, only_tenants)
        user_codes = _codes(landed.users(slots), users, only_tenants)
        added = kinds.rows[before[0] :], users.rows[before[1] :]
        pieces.append(Piece(*added, kind_codes, user_codes))
    return Vocabulary(kinds.rows, users.rows, tuple(pieces))


def asked(rows: pl.DataFrame, only_tenants: frozenset[str] | None) -> pl.DataFrame:
    """The rows of those tenants, or of all."""
    if only_tenants is None:
        return rows
    return rows.filter(pl.col("tenant_id").is_in(list(only_tenants)))


def _codes(
    words: pl.DataFrame, dictionary: Dictionary, only_tenants: frozenset[str] | None
) -> Codes32:
    """The bucket's code of each of a landing's kinds or users; the last is for none."""
    codes = np.full(int(str(words["code"].max() or 0)) + 2, NOT_OURS, np.int32)
    ours = asked(words, only_tenants)
    codes[ours["code"].to_numpy()] = dictionary.codes_of(ours)
    return codes
