"""The declared tables as pandera reads them: which rows are broken, and what a dataset must be.

A quick look at a frame says the same as pandera does.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

import polars as pl
import pytest
from pandera.errors import SchemaErrors

from schemas.checks import assert_dataset, broken_rows
from schemas.columns import Column, Kind, Table
from schemas.datasets import DATASETS, FINDINGS, INVOICES, OVERAGE
from schemas.feeds import ENTITLEMENTS, FEEDS, RATES, SUBSCRIPTIONS, USAGE
from schemas.screen import is_as_declared, keeps_rules

VALUES: dict[Kind, tuple[object, ...]] = {
    Kind.TEXT: ("a", "b", ""),
    Kind.QUANTITY: (Decimal("-0.000001"), Decimal(0), Decimal("1.5")),
    Kind.MONEY: (Decimal("-1.5"), Decimal(0), Decimal("1.5")),
    Kind.INTEGER: (-1, 0, 1, 1200, 1201),
    Kind.DATE: (date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 2)),
    Kind.INSTANT: tuple(datetime(2026, 10, day, tzinfo=UTC) for day in (1, 2, 3)),
}

by_name = pytest.mark.parametrize("table", FEEDS, ids=lambda table: table.name)
by_dataset = pytest.mark.parametrize("table", DATASETS, ids=lambda table: table.name)


def _any_value(rng: Random, column: Column) -> object:
    if rng.random() < 0.2:
        return None
    if column.choices and rng.random() < 0.8:
        return rng.choice(column.choices)
    return rng.choice(VALUES[column.kind])


def _random_rows(table: Table, seed: int, rows: int) -> pl.DataFrame:
    rng = Random(f"{table.name} {seed}")
    data = [[_any_value(rng, column) for column in table] for _ in range(rows)]
    return pl.DataFrame(data, schema=table.dtypes, orient="row")


def _marked(table: Table, rows: pl.DataFrame) -> set[tuple[int, str]]:
    """What the rules' own expressions say of the rows; null is not broken."""
    return {
        (index, rule.name)
        for rule in table.row_rules()
        for index, broken in enumerate(rows.select(rule.broken).to_series().to_list())
        if broken
    }


def _found(table: Table, rows: pl.DataFrame) -> list[tuple[int, str]]:
    found = broken_rows(table, rows)
    assert found.schema == {"index": pl.Int64, "rule": pl.String}
    assert keeps_rules(table, rows) is found.is_empty()
    return sorted(found.select("index", "rule").rows())


def taken(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The dataset as pandera takes it, and as the quick look does: they are of one mind."""
    looks_right = is_as_declared(table, rows)
    try:
        dataset = assert_dataset(table, rows)
    except SchemaErrors:
        assert not looks_right
        raise
    assert looks_right
    return dataset


def _good(table: Table) -> dict[str, object]:
    """A row that breaks no rule of a dataset."""
    return {c.name: c.choices[0] if c.choices else VALUES[c.kind][0] for c in table}


def _frame(table: Table, *rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=table.dtypes)


@by_name
@pytest.mark.parametrize("seed", range(3))
def test_pandera_finds_exactly_the_rows_that_the_rules_mark(table: Table, seed: int) -> None:
    rows = _random_rows(table, seed, 200)
    marked = _marked(table, rows)
    assert _found(table, rows) == sorted(marked)
    assert {rule for _, rule in marked} == {rule.name for rule in table.row_rules()}


@by_name
def test_one_row_alone_is_judged_as_among_others(table: Table) -> None:
    rows = _random_rows(table, 9, 12)
    for index in range(len(rows)):
        one = rows.slice(index, 1)
        assert _found(table, one) == sorted(_marked(table, one))


@by_name
def test_no_rows_break_no_rules(table: Table) -> None:
    assert _found(table, table.empty()) == []


@by_name
def test_other_columns_may_stand_beside_those_of_the_feed(table: Table) -> None:
    rows = _random_rows(table, 1, 20)
    beside = rows.with_columns(pl.lit(1).alias("other"))
    assert _found(table, beside) == _found(table, rows)


@by_name
def test_a_type_that_is_not_the_declared_one_is_no_broken_row(table: Table) -> None:
    """It is a defect of the program, and is raised."""
    for column in table:
        wrong = pl.Boolean() if column.kind is not Kind.QUANTITY else pl.Float64()
        rows = table.empty().with_columns(pl.lit(None, wrong).alias(column.name))
        assert not keeps_rules(table, rows)
        with pytest.raises(SchemaErrors):
            broken_rows(table, rows)


@pytest.mark.parametrize(
    ("table", "row", "rules"),
    [
        (
            USAGE,
            {"started_at": datetime(2026, 10, 2, tzinfo=UTC)},
            "event_id_missing tenant_id_missing",
        ),
        (
            USAGE,
            {
                "event_id": "e",
                "tenant_id": "T",
                "started_at": datetime(2026, 10, 2, tzinfo=UTC),
                "ended_at": datetime(2026, 10, 1, tzinfo=UTC),
                "quantity": Decimal(-1),
                "deployment": "moon",
            },
            "deployment_unknown ended_before_started quantity_negative",
        ),
        # An empty session, and one that has not ended.
        (
            USAGE,
            {
                "event_id": "e",
                "tenant_id": "T",
                "started_at": datetime(2026, 10, 2, tzinfo=UTC),
                "ended_at": datetime(2026, 10, 2, tzinfo=UTC),
            },
            "",
        ),
        (
            SUBSCRIPTIONS,
            {
                "tenant_id": "T",
                "subscription_id": "A",
                "offer": "flex",
                "license_model": "named",
                "status": "expired",
                "start_date": date(2026, 10, 1),
                "currency": "USD",
                "billing_frequency": "prepaid",
            },
            "end_date_missing term_months_missing",
        ),
        (
            ENTITLEMENTS,
            {
                "tenant_id": "T",
                "subscription_id": "A",
                "meter": "m",
                "quantity": Decimal(0),
                "start_date": date(2026, 10, 2),
                "end_date": date(2026, 10, 1),
            },
            "end_before_start",
        ),
        (
            RATES,
            {
                "subscription_id": "*",
                "meter": "m",
                "charge": "committed",
                "unit_price": Decimal(1),
                "currency": "USD",
                "model": "volume",
                "tier_from": Decimal(0),
            },
            "tiers_not_allowed",
        ),
    ],
)
def test_rules_by_hand(table: Table, row: dict[str, object], rules: str) -> None:
    assert " ".join(rule for _, rule in _found(table, _frame(table, row))) == rules


@by_dataset
def test_a_dataset_exactly_as_declared_is_taken(table: Table) -> None:
    rows = _frame(table, _good(table))
    assert taken(table, rows).equals(rows)
    assert taken(table, table.empty()).is_empty()


@by_dataset
def test_columns_that_are_missing_too_many_or_out_of_order_are_refused(table: Table) -> None:
    rows = _frame(table, _good(table))
    for wrong in (
        rows.drop(table.names[-1]),
        rows.with_columns(pl.lit(1).alias("other")),
        rows.select(table.names[::-1]),
    ):
        with pytest.raises(SchemaErrors):
            taken(table, wrong)


@by_dataset
def test_every_other_type_is_refused(table: Table) -> None:
    others: dict[Kind, pl.DataType] = {
        Kind.TEXT: pl.Categorical(),
        Kind.MONEY: pl.Float64(),
        Kind.INTEGER: pl.Int32(),
        Kind.DATE: pl.Datetime("us", "UTC"),
        Kind.INSTANT: pl.Datetime("us"),
    }
    rows = _frame(table, _good(table))
    for column in table:
        with pytest.raises(SchemaErrors, match=column.name):
            taken(table, rows.cast({column.name: others[column.kind]}))


@pytest.mark.parametrize("dtype", [pl.Decimal(38, 2), pl.Decimal(18, 6), pl.Decimal(38, 12)])
def test_money_of_another_scale_or_width_is_refused(dtype: pl.Decimal) -> None:
    """R10.5: a cast would round without a word."""
    rows = _frame(OVERAGE, _good(OVERAGE)).cast({"overage": dtype})
    with pytest.raises(SchemaErrors, match="overage"):
        taken(OVERAGE, rows)


@by_dataset
def test_null_is_refused_where_a_value_is_required_and_taken_elsewhere(table: Table) -> None:
    for column in table:
        rows = _frame(table, _good(table) | {column.name: None})
        if column.required:
            with pytest.raises(SchemaErrors, match=column.name):
                taken(table, rows)
        else:
            assert taken(table, rows).equals(rows)


@by_dataset
def test_a_key_that_is_repeated_is_refused(table: Table) -> None:
    """Also where everything beside the key differs."""
    one = _good(table)
    other = one | {c.name: VALUES[c.kind][1] for c in table if not c.choices}
    differs = other | {name: one[name] for name in table.key}
    with pytest.raises(SchemaErrors):
        taken(table, _frame(table, one, differs))
    if any(one[name] != other[name] for name in table.key):
        assert len(taken(table, _frame(table, one, other))) == 2


def test_two_findings_of_a_tenant_and_code_are_refused_without_a_subject_too() -> None:
    """R8.4: one a tenant and code."""
    one = _good(FINDINGS) | {"subject": None}
    with pytest.raises(SchemaErrors):
        taken(FINDINGS, _frame(FINDINGS, one, one | {"message": "other"}))


@by_dataset
def test_a_value_outside_the_choices_is_refused(table: Table) -> None:
    for column in table:
        if column.choices:
            rows = _frame(table, _good(table) | {column.name: "?"})
            with pytest.raises(SchemaErrors, match=column.name):
                taken(table, rows)


def test_every_choice_is_taken() -> None:
    rows = [
        _good(INVOICES) | {"invoice_id": status, "status": status}
        for status in INVOICES["status"].choices
    ]
    assert len(taken(INVOICES, _frame(INVOICES, *rows))) == 3
