"""Look usage rows up in the terms: every name as a code, and every rule that a row breaks.

Belongs here: from a landed row to what the terms know of it. Does not belong here: what becomes of
the row (`stages.validate`), and what the terms say (`stages.book`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.measures.timeline import Ints
from pipeline.rules.split import NOBODY, UNKNOWN_ID
from pipeline.stages.book import SUM, Book
from schemas.feeds import USAGE_IN_CONTEXT

Flags = npt.NDArray[np.bool_]

OPEN = np.iinfo(np.int64).max
"""The end of a row that states none."""


def looked_up(rows: pl.DataFrame, book: Book) -> pl.DataFrame:
    """The rows with the codes that `Book` knows them by, and every rule they break as `rules`."""
    rows = rows.with_columns(
        tenant=code_of("tenant_id", [tenant.id for tenant in book.tenants]),
        started=pl.col("started_at").to_physical().fill_null(0),
        ended=pl.col("ended_at").to_physical().fill_null(OPEN),
        meter_named=code_of("meter", book.meters),
    )
    named, is_foreign = _named_subscription(rows, book)
    assigned, licensed = _by_user(rows, named, book)
    meter = np.where(rows["meter"].is_null(), licensed, rows["meter_named"])
    is_judged = rows["meter"].is_not_null() | (
        rows["tenant_id"].is_not_null() & rows["started_at"].is_not_null()
    )
    measure = book.measure[rows["tenant"].to_numpy(), meter]
    rows = rows.with_columns(
        named=pl.Series(named),
        assigned=pl.Series(assigned),
        meter_text=pl.col("meter"),
        meter=pl.Series(meter),
        measure=pl.Series(measure),
        tenant_known=pl.when(pl.col("tenant_id").is_not_null()).then(pl.col("tenant") >= 0),
        meter_known=pl.when(is_judged).then(pl.Series(meter) >= 0),
        is_summed=pl.Series(measure == SUM),
        is_foreign=pl.Series(is_foreign) & pl.col("tenant_id").is_not_null(),
        quantity_unreadable=pl.Series(has_defect(rows, "quantity_unreadable")),
    )
    is_whole = ~pl.Series(has_defect(rows, "row_shape"))
    in_context = [
        pl.when(rule.broken & is_whole).then(pl.lit(rule.name)) for rule in USAGE_IN_CONTEXT
    ]
    is_any = pl.any_horizontal(
        (rule.broken & is_whole).fill_null(False) for rule in USAGE_IN_CONTEXT
    )
    return rows.with_columns(
        rules=pl.when(is_any | pl.col("defects").is_not_null()).then(
            pl.concat_str("defects", *in_context, separator=";", ignore_nulls=True)
        )
    )


def code_of(column: str, names: list[str]) -> pl.Expr:
    """The position of each text in a list of names; -1 for null and for any other text."""
    if not names:
        return pl.lit(-1, pl.Int64)
    code = pl.col(column).cast(pl.Enum(names), strict=False).to_physical()
    return code.cast(pl.Int64).fill_null(-1)


def _named_subscription(rows: pl.DataFrame, book: Book) -> tuple[Ints, Flags]:
    """The code of the subscription that each row names, and whether it is another tenant's only."""
    names = list(book.subscription_names)
    text = rows.select(code_of("subscription_id", names)).to_series().to_numpy()
    position = {name: code for code, name in enumerate(names)}
    own = np.array(
        [tenant * len(names) + position[name] for tenant, name in book.subscriptions], np.int64
    )
    order = np.argsort(own)
    wanted = rows["tenant"].to_numpy() * len(names) + text
    found = np.minimum(np.searchsorted(own[order], wanted), max(len(own) - 1, 0))
    is_own = (text >= 0) & (rows["tenant"].to_numpy() >= 0)
    if len(own):
        is_own &= own[order][found] == wanted
        code = np.where(is_own, order[found], UNKNOWN_ID)
    else:
        is_own[:] = False
        code = np.full(len(rows), UNKNOWN_ID)
    named = np.where(rows["subscription_id"].is_null(), NOBODY, code)
    return named, (text >= 0) & ~is_own


def _by_user(rows: pl.DataFrame, named: Ints, book: Book) -> tuple[Ints, Ints]:
    """R3.1, R3.2: the subscription and the meter that rows get from their user, if they need to."""
    assigned = np.full(len(rows), NOBODY)
    licensed = np.full(len(rows), NOBODY)
    needs = (
        ((named == NOBODY) | rows["meter"].is_null().to_numpy())
        & rows["user_id"].is_not_null().to_numpy()
        & (rows["tenant"].to_numpy() >= 0)
    )
    if not book.users or not needs.any():
        return assigned, licensed
    tenants, names = zip(*book.users, strict=True)
    known = pl.DataFrame({"tenant": tenants, "user_id": names}).with_row_index("user")
    asked = np.flatnonzero(needs)
    user = (
        rows.select("tenant", "user_id")[asked]
        .join(known, on=["tenant", "user_id"], how="left", maintain_order="left")["user"]
        .cast(pl.Int64)
        .fill_null(NOBODY)
        .to_numpy()
    )
    asked, user = asked[user >= 0], user[user >= 0]
    started = rows["started"].to_numpy()[asked]
    assigned[asked] = book.assigned.at(user, started)
    licensed[asked] = book.licensed_meter.at(user, started)
    return assigned, licensed


def has_defect(rows: pl.DataFrame, rule: str) -> Flags:
    """Whether reading a row found it to break a rule."""
    found: Flags = rows["defects"].str.contains(rule, literal=True).fill_null(False).to_numpy()
    return found
