"""What the terms know of each kind of row, and of each user: everything that no instant decides.

Belongs here: the words of kinds and users as codes of `Book`. Does not belong here: what becomes of
a row (`stages.cases`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.measures.arrays import Flags, Ints
from pipeline.rules.split import NOBODY
from pipeline.stages.book import Book
from pipeline.stages.lookup import code_of, is_broken_in_context, named_subscription
from pipeline.stages.rows import BucketRows


@dataclass(frozen=True, slots=True)
class Kinds:
    """Of each kind of row: codes of `Book` (-1: none or unknown), and what they say of the row.

    `is_broken` kinds break a rule whatever else their rows state. `needs_user` kinds may have a
    meter or a subscription by their user alone. `book_user` is, for each user, the position in
    `Book.users`, or NOBODY.
    """

    tenant: Ints
    meter: Ints
    named: Ints
    is_broken: Flags
    is_on_premises: Flags
    states_meter: Flags
    needs_user: Flags
    book_user: Ints

    def __len__(self) -> int:
        return len(self.tenant)


def kinds_of(rows: BucketRows, book: Book) -> Kinds:
    """Look the words of a bucket's kinds and users up in the terms, once for all rows."""
    words = rows.kinds.with_columns(
        tenant=code_of("tenant_id", [tenant.id for tenant in book.tenants]),
        meter_named=code_of("meter", book.meters),
    )
    named, is_foreign = named_subscription(words, book)
    meter = words["meter_named"].to_numpy()
    states_meter = words["meter"].is_not_null().to_numpy()
    is_routed = np.append(book.is_routed, False)[meter]
    has_users = np.zeros(len(book.tenants) + 1, bool)
    has_users[[tenant for tenant, _ in book.users]] = True
    tenant = words["tenant"].to_numpy()
    return Kinds(
        tenant,
        meter,
        named,
        is_broken_in_context(words, is_foreign),
        (words["deployment"] != "cloud").fill_null(False).to_numpy(),
        states_meter,
        has_users[tenant] & (~states_meter | ((named == NOBODY) & ~is_routed)),
        _book_users(rows.users, book),
    )


def _book_users(users: pl.DataFrame, book: Book) -> Ints:
    """The position in `Book.users` of each user, or NOBODY; the last is for rows without one."""
    if not book.users:
        return np.full(len(users) + 1, NOBODY)
    tenants, names = zip(*book.users, strict=True)
    known = pl.DataFrame({"tenant": tenants, "user_id": names}).with_row_index("position")
    found = users.with_columns(
        tenant=code_of("tenant_id", [tenant.id for tenant in book.tenants])
    ).join(known, on=["tenant", "user_id"], how="left", maintain_order="left")["position"]
    return np.append(found.cast(pl.Int64).fill_null(NOBODY).to_numpy(), NOBODY)
