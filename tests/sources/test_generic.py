"""Any table with a mapping: the same rows as the feed itself gives, or a refusal in words."""

from __future__ import annotations

import csv
import random
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.exports import ExportError, read_export
from pipeline.exports.batch import Batch
from schemas.columns import Table
from schemas.feeds import SUBSCRIPTIONS, USAGE
from tests.sources.sheets import Rows, read, save_workbook, source

CONTRACTS = ["Kunde", "Vertrag", "Produkt", "Lizenz", "Zustand", "Ab", "Zahlt in"]
COLUMNS = dict(
    zip(
        ["tenant_id", "subscription_id", "offer", "license_model", "status", "start_date"],
        CONTRACTS,
        strict=False,
    )
)
SAID = {
    "feed": "subscriptions",
    "columns": COLUMNS,
    "constants": {"currency": "EUR"},
    "values": {"status.laufend": "active", "license_model.gleichzeitig": "concurrent"},
    "tenants": {"Nord GmbH": "north"},
}
CONTRACT = ["Nord GmbH", "N-1", "flex3", "gleichzeitig", "laufend", "2026-01-01", "CHF"]


def _csv(path: Path, rows: Rows, separator: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator, lineterminator="\n").writerows(rows)
    return path


def _written(kind: str, folder: Path, rows: Rows) -> Path:
    """The rows as a table of some kind."""
    path = folder / f"table.{kind}"
    if kind == "csv":
        return _csv(path, rows)
    if kind == "xlsx":
        return save_workbook(path, {"Tabelle1": rows})
    header, *body = rows
    columns = zip(*body, strict=True)
    frame = pl.DataFrame(
        [pl.Series(str(name), column) for name, column in zip(header, columns, strict=True)]
    )
    frame.write_parquet(path)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
def test_a_table_in_other_words(tmp_path: Path, kind: str) -> None:
    other = ["Sued AG", "S-1", *CONTRACT[2:]]
    path = _written(kind, tmp_path, [CONTRACTS, CONTRACT, other])
    frame = read(source(kind, path, **SAID))
    assert frame.row(0, named=True) | {"row": 0} == {
        "tenant_id": "north",
        "subscription_id": "N-1",
        "name": None,
        "offer": "flex3",
        "license_model": "concurrent",
        "deployment": None,
        "telephony": None,
        "status": "active",
        "start_date": date(2026, 1, 1),
        "end_date": None,
        "currency": "EUR",
        "term_months": None,
        "billing_frequency": "monthly",
        "partner_id": None,
        "row": 0,
        "defects": None,
        "raw": None,
    }
    assert frame["tenant_id"].to_list() == ["north", None]
    assert frame["defects"].to_list() == [None, "tenant_id_missing"]
    assert '"Kunde": "Sued AG"' in frame["raw"][1] and '"Zahlt in": "CHF"' in frame["raw"][1]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"feed": "subscription"}, ["no feed 'subscription'", "did you mean 'subscriptions'"]),
        ({"columns": {"tenant": "Kunde"}}, ["'tenant'", "did you mean 'tenant_id'"]),
        ({"constants": {"curency": "EUR"}}, ["'curency'", "did you mean 'currency'"]),
        ({"values": {"state.laufend": "active"}}, ["'state'", "did you mean 'status'"]),
        ({"values": {"status": "active"}}, ["values has 'status'", '"status.WORD"']),
        ({"values": {"status.": "active"}}, ["values has 'status.'"]),
        ({"meters": {"Platz": "standard_agent"}}, ["'meter'", "subscriptions does not have"]),
        ({"constants": {"offer": "flex"}}, ["offer is in columns and in constants"]),
        ({"constants": {"currency": ""}}, ["currency is empty"]),
        ({"feed": "rates", "columns": {}, "constants": {}, "values": {}}, []),
        ({"separator": ";;"}, ["separator is ';;'"]),
        ({"decimal_comma": True}, ["both between fields and in numbers"]),
        ({"values": {"x.laufend": "active"}}, ["'x'", "its columns are"]),
        ({"sheet": "x"}, ["csv has no key 'sheet'"]),
        ({"columns": {"offer": 1}}, ["columns is"]),
    ],
)
def test_a_mapping_that_cannot_be(
    tmp_path: Path, changed: dict[str, Any], words: list[str]
) -> None:
    said = {**SAID, **changed}
    if not words:
        source("csv", tmp_path, **said)
        return
    with pytest.raises(UsageError) as refused:
        source("csv", tmp_path, **said)
    assert all(word in str(refused.value) for word in words), str(refused.value)
    assert refused.value.remedy


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        (
            {"columns": {**COLUMNS, "offer": "Produckt"}},
            "UnknownColumn",
            ["columns says that offer is 'Produckt'", "did you mean 'Produkt'?"],
        ),
        (
            {"columns": {k: v for k, v in COLUMNS.items() if k != "offer"}},
            "MissingColumn",
            ["nothing gives offer", "'Produkt'"],
        ),
        ({"constants": {}}, "MissingColumn", ["nothing gives currency"]),
    ],
)
def test_a_table_that_does_not_fit(
    tmp_path: Path, kind: str, changed: dict[str, Any], error: str, words: list[str]
) -> None:
    path = _written(kind, tmp_path, [CONTRACTS, CONTRACT])
    with pytest.raises(ExportError) as refused:
        read(source(kind, path, **{**SAID, **changed}))
    assert refused.value.name == error
    assert str(path) in refused.value.where
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_a_column_that_is_mapped_does_not_pass_under_its_own_name(tmp_path: Path) -> None:
    path = _csv(tmp_path / "x.csv", [["tenant_id", "name", "time_zone"], ["t", "n", "UTC"]])
    frame = read(source("csv", path, feed="tenants", columns={"tenant_id": "name"}))
    assert frame.select("tenant_id", "name").rows() == [("n", None)]


@pytest.mark.parametrize("name", ["^t.*$", "*", "^x", "a,b", "^$"])
def test_names_that_the_engine_takes_for_patterns(tmp_path: Path, name: str) -> None:
    path = _csv(tmp_path / "x.csv", [["tx", name, "y"], ["1", "t", "2"]])
    for said in ({"columns": {"tenant_id": name}}, {"tenants": {"t": "T"}}):
        it = source("csv", path, feed="tenants", **{"columns": {"tenant_id": name}, **said})
        assert read(it)["tenant_id"].to_list() == ["T" if "tenants" in said else "t"]


def test_words_that_are_not_listed_stay(tmp_path: Path) -> None:
    rows = [["event_id", "tenant_id", "meter", "started_at"]]
    rows += [
        [f"e{n}", "t", meter, "2026-10-01T00:00:00Z"] for n, meter in enumerate(["IVR", "x", ""])
    ]
    path = _csv(tmp_path / "x.csv", rows)
    frame = read(source("csv", path, feed="usage", meters={"IVR": "ivr_port"}))
    assert frame["meter"].to_list() == ["ivr_port", "x", None]
    assert frame["tenant_id"].to_list() == ["t"] * 3


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_marks_between_fields(tmp_path: Path, mark: str) -> None:
    rows = [["event_id", "tenant_id", "started_at", "quantity"]]
    rows += [[str(n), f'a{mark}"b', "2026-10-01 00:00", cell] for n, cell in enumerate(AMOUNTS)]
    path = _csv(tmp_path / "x.csv", rows, mark)
    frame = read(source("csv", path, feed="usage", separator=mark, decimal_comma=True))
    assert frame["quantity"].to_list() == list(AMOUNTS.values())
    assert frame["tenant_id"].to_list() == [f'a{mark}"b'] * len(AMOUNTS)
    with pytest.raises(ExportError) as refused:
        read(source("csv", path, feed="usage"))
    assert "separator = " in refused.value.remedy


AMOUNTS: dict[str, Decimal | None] = {
    "1,5": Decimal("1.5"),
    "2": Decimal(2),
    "1.5": None,
    "1.000": None,
    "1.000,5": None,
    "1,000,5": None,
    "": None,
}


def test_a_float_is_no_quantity(tmp_path: Path) -> None:
    """A column of floats is refused, under whatever name; so are words looked up in one."""
    path = tmp_path / "x.parquet"
    pl.DataFrame({"e": ["1"], "t": [1.0], "at": ["2026-10-01T00:00Z"], "q": [0.1]}).write_parquet(
        path
    )
    columns = {"event_id": "e", "tenant_id": "t", "started_at": "at", "quantity": "q"}
    for said in ({}, {"tenants": {"1": "one"}}):
        with pytest.raises(ExportError) as refused:
            read(source("parquet", path, feed="usage", columns=columns, **said))
        assert refused.value.name == "UnusableColumn"
    columns["tenant_id"] = "e"
    with pytest.raises(ExportError) as refused:
        read(source("parquet", path, feed="usage", columns=columns))
    assert "column quantity" in refused.value.where and "'q'" in refused.value.where


def test_whole_numbers_and_codes_are_words(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    frame = pl.DataFrame(
        {"org": [7, 8], "zone": ["UTC", "CET"]}, {"org": pl.Int32, "zone": pl.Categorical}
    )
    frame.write_parquet(path)
    said = {"feed": "tenants", "columns": {"tenant_id": "org", "time_zone": "zone"}}
    got = read(
        source(
            "parquet",
            path,
            **said,
            tenants={"7": "seven"},
            values={"time_zone.CET": "Europe/Paris"},
        )
    )
    assert got.select("tenant_id", "time_zone").rows() == [("seven", "UTC"), (None, "Europe/Paris")]


def test_which_sheet(tmp_path: Path) -> None:
    table = [["tenant_id"], ["t"]]
    path = save_workbook(tmp_path / "x.xlsx", {"Notes": [["x"]], "Tenants": table, "Empty": []})
    for said, words in (
        ({}, ["3 sheets", "'Tenants'"]),
        ({"sheet": "Tenant"}, ["no sheet 'Tenant'", "did you mean 'Tenants'"]),
        ({"sheet": "Empty"}, ["it has no header", "sheet 'Empty'"]),
    ):
        with pytest.raises(ExportError) as refused:
            read(source("xlsx", path, feed="tenants", **said))
        assert all(word in str(refused.value) for word in words), str(refused.value)
    assert read(source("xlsx", path, feed="tenants", sheet="Tenants"))["tenant_id"].to_list() == [
        "t"
    ]


def test_days_of_a_workbook(tmp_path: Path) -> None:
    """A day is a day in whatever format it shows; an hour of it is not."""
    import xlsxwriter  # noqa: PLC0415

    path = tmp_path / "x.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["tenant_id", "partner_id", "added_on"])
        for row, (moment, shows) in enumerate(
            [
                (datetime(2026, 10, 1), "dd.mm.yyyy"),
                (datetime(2026, 10, 1), "yyyy-mm-dd hh:mm"),
                (datetime(2026, 10, 1, 12), "dd.mm.yyyy"),
            ],
            1,
        ):
            sheet.write_row(row, 0, ["t", f"p{row}"])
            sheet.write_datetime(row, 2, moment, book.add_format({"num_format": shows}))
    frame = read(source("xlsx", path, feed="partners"))
    assert frame["added_on"].to_list() == [date(2026, 10, 1)] * 2 + [None]
    assert frame["defects"].to_list() == [None, None, "added_on_unreadable"]


TEXTS = st.sampled_from(["a", "B-1", "", "é ü", "x|y", '"', "#REF!", "=1+1", "_x", "TRUE", "007"])
NUMBERS = st.sampled_from(["0", "1.5", "-2", "x", "", "12.000001", "1e3", "0.1"])
MOMENTS = st.sampled_from(
    ["2026-10-01T09:00:00Z", "2026-10-02 10:00", "never", "", "1790000000000"]
)
BY_KIND = {
    "TEXT": TEXTS,
    "QUANTITY": NUMBERS,
    "INSTANT": MOMENTS,
    "DATE": MOMENTS,
    "INTEGER": NUMBERS,
}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), seed=st.integers(0, 2**16))
@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
@pytest.mark.parametrize("table", [USAGE, SUBSCRIPTIONS], ids=lambda table: table.name)
def test_a_table_under_other_names_is_the_feed(
    tmp_path: Path, kind: str, table: Table, data: st.DataObject, seed: int
) -> None:
    """Whatever its columns are called, and in whatever order: rows, defects, all the same."""
    chance = random.Random(seed)
    columns = [c for c in table if c.required or chance.random() < 0.7]
    cells = st.tuples(*(BY_KIND[column.kind.name] for column in columns))
    rows = data.draw(st.lists(cells, min_size=1, max_size=6))
    rows = [row if any(row) else ("a", *row[1:]) for row in rows]
    names = [column.name for column in columns]
    plain = tmp_path / ("plain.parquet" if kind == "parquet" else "plain.csv")
    if kind == "parquet":
        _written(kind, tmp_path, [names, *rows]).rename(plain)
    else:
        _csv(plain, [names, *rows])
    others = chance.sample([*names, "A", "B c", "^d.*$", "*", "é", "x y", *"fghijklm"], len(names))
    order = chance.sample(range(len(names)), len(names))
    turned = [[line[at] for at in order] for line in (others, *rows)]
    mapped = source(
        kind,
        _written(kind, tmp_path, turned),
        feed=table.name,
        columns=dict(zip(names, others, strict=True)),
    )
    _same(list(read_export(plain, table)), list(mapped.read(Path(mapped.path))), kind)


def _same(plain: list[Batch], mapped: list[Batch], kind: str) -> None:
    assert len(plain) == len(mapped) == 1
    assert plain[0].rows.equals(mapped[0].rows)
    if kind != "xlsx":
        assert plain[0].first_row == mapped[0].first_row and mapped[0].numbers is None
    assert plain[0].broken.drop("raw").equals(mapped[0].broken.drop("raw"))
    for raw in mapped[0].broken["raw"]:
        assert raw.startswith("{")


def test_rows_of_the_wrong_shape_stay_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Org,Zone\nt,UTC\nt,UTC,more\nu\nv,UTC\n")
    said = {"columns": {"tenant_id": "Org", "time_zone": "Zone"}}
    frame = read(source("csv", path, feed="tenants", **said))
    assert frame["defects"].to_list() == [None, "row_shape", "row_shape", None]
    assert frame["raw"].to_list()[1:3] == ['{"fields": ["t", "UTC", "more"]}', '{"fields": ["u"]}']
    assert frame["tenant_id"].to_list() == ["t", None, None, "v"]
