"""Look words up in the terms: names as codes, and every rule that a row breaks.

Belongs here: from the words of rows to what the terms know of them. Does not belong here: what
becomes of rows (`stages.cases`), and what the terms say (`stages.book`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.measures.arrays import Flags, Ints
from pipeline.rules.split import NOBODY, UNKNOWN_ID
from pipeline.stages.book import SUM, Book
from pipeline.store.usage import OPEN
from schemas.feeds import USAGE_IN_CONTEXT


def rules_broken(rows: pl.DataFrame, book: Book) -> pl.DataFrame:
    """Rows in words, with `defects`, and the codes, instants and `rules` that they break.

    Adds tenant, started, ended, measure as `Book` counts them; `rules` is null where none is.
    """
    rows = rows.with_columns(
        tenant=code_of("tenant_id", [tenant.id for tenant in book.tenants]),
        started=pl.col("started_at").to_physical().fill_null(0),
        ended=pl.col("ended_at").to_physical().fill_null(OPEN),
        meter_named=code_of("meter", book.meters),
    )
    _, is_foreign = named_subscription(rows, book)
    meter = np.where(rows["meter"].is_null(), _licensed(rows, book), rows["meter_named"])
    is_judged = rows["meter"].is_not_null() | (
        rows["tenant_id"].is_not_null() & rows["started_at"].is_not_null()
    )
    measure = book.measure[rows["tenant"].to_numpy(), meter]
    rows = rows.with_columns(
        measure=pl.Series(measure),
        tenant_known=_tenant_known(),
        meter_known=pl.when(is_judged).then(pl.Series(meter) >= 0),
        is_summed=pl.Series(measure == SUM),
        is_foreign=pl.Series(is_foreign),
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


def is_broken_in_context(kinds: pl.DataFrame, is_foreign: Flags) -> Flags:
    """Whether rows of a kind break a rule of USAGE_IN_CONTEXT whatever else they state.

    Takes tenant_id, tenant, meter, meter_named; a kind that states no meter is not judged by it.
    """
    judged = kinds.with_columns(
        tenant_known=_tenant_known(),
        meter_known=pl.when(pl.col("meter").is_not_null()).then(pl.col("meter_named") >= 0),
        is_summed=pl.lit(None, pl.Boolean),
        quantity=pl.lit(None, pl.Int64),
        quantity_unreadable=pl.lit(None, pl.Boolean),
        is_foreign=pl.Series(is_foreign),
    )
    broken: Flags = (
        judged.select(pl.any_horizontal(rule.broken.fill_null(False) for rule in USAGE_IN_CONTEXT))
        .to_series()
        .to_numpy()
    )
    return broken


def code_of(column: str, names: list[str]) -> pl.Expr:
    """The position of each text in a list of names; -1 for null and for any other text."""
    if not names:
        return pl.lit(-1, pl.Int64)
    code = pl.col(column).cast(pl.Enum(names), strict=False).to_physical()
    return code.cast(pl.Int64).fill_null(-1)


def named_subscription(rows: pl.DataFrame, book: Book) -> tuple[Ints, Flags]:
    """The code of the subscription that each row names, and whether it is another tenant's only.

    Takes tenant_id, tenant (code) and subscription_id.
    """
    names = list(book.subscription_names)
    text = rows.select(code_of("subscription_id", names)).to_series().to_numpy()
    position = {name: code for code, name in enumerate(names)}
    known = [
        (tenant * len(names) + position[name], code)
        for code, (tenant, name) in enumerate(book.subscriptions)
        if name in position
    ]
    known += [
        (tenant * len(names) + position[name], UNKNOWN_ID)
        for tenant, one in enumerate(book.tenants)
        for name in one.misstated
        if name in position
    ]
    own, codes = np.array(sorted(known), np.int64).reshape(-1, 2).T
    tenant = rows["tenant"].to_numpy()
    wanted = tenant * len(names) + text
    is_own = (text >= 0) & (tenant >= 0)
    code = np.full(len(rows), UNKNOWN_ID)
    if len(own):
        found = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
        is_own &= own[found] == wanted
        code = np.where(is_own, codes[found], UNKNOWN_ID)
    else:
        is_own[:] = False
    named = np.where(rows["subscription_id"].is_null(), NOBODY, code)
    names_tenant = rows["tenant_id"].is_not_null().to_numpy()
    return named, (text >= 0) & ~is_own & names_tenant


def has_defect(rows: pl.DataFrame, rule: str) -> Flags:
    """Whether reading a row found it to break a rule."""
    found: Flags = rows["defects"].str.contains(rule, literal=True).fill_null(False).to_numpy()
    return found


def _tenant_known() -> pl.Expr:
    return pl.when(pl.col("tenant_id").is_not_null()).then(pl.col("tenant") >= 0)


def _licensed(rows: pl.DataFrame, book: Book) -> Ints:
    """R3.2: the meter that rows get from their user, where they state one of a known tenant."""
    whose = rows.select("tenant", "user_id").iter_rows()
    user = np.array([book.user_codes.get(one, NOBODY) for one in whose], np.int64)
    licensed = np.full(len(rows), NOBODY)
    known = np.flatnonzero(user >= 0)
    licensed[known] = book.licensed_meter.at(user[known], rows["started"].to_numpy()[known])
    return licensed
