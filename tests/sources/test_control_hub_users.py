"""Control Hub's users CSV: licences by column, subscriptions by whatever says them."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.exports import EmptyExport, MissingColumn, RepeatedColumn
from pipeline.sources.control_hub_users import KIND
from pipeline.sources.snapshots import SnapshotWithoutDay
from tests.sources.support import save, source_of, taken_in

WHO = "First Name,Last Name,Display Name,User ID/Email (Required),User Status,Department"
STANDARD, PREMIUM = "Webex Contact Center Standard Agent", "Webex Contact Center Premium Agent"
HEADER = f"{WHO},Webex Calling - Professional,{STANDARD},{PREMIUM}"


def _export(place: Path, header: str, *records: str, name: str = "users-2026-10-01.csv") -> Path:
    """An export; a record is `USER [STATUS [DEPARTMENT]] | CELL, CELL, …`, cells by licence."""
    lines = [header]
    for record in records:
        who, _, cells = record.partition("|")
        user, status, department, *_ = *(who.split() or [""]), "", ""
        lines.append(f"Mia,Moss,Mia Moss,{user},{status},{department},{cells.replace(' ', '')}")
    return save(place / name, "\n".join([*lines, ""]))


def _read(path: Path, **options: Any) -> tuple[list[str], dict[str, int]]:
    """The rows as `row: user role licence subscription [defects]`, and the remarks."""
    rows, remarks = taken_in(KIND.name, path, **{"tenant": "acme", **options})
    shown = []
    for one in rows.iter_rows(named=True):
        assert (one["tenant_id"], one["start_date"]) == ("acme", date(2026, 10, 1))
        assert one["end_date"] is None
        words = [one["user_id"], one["role"], one["license"], one["subscription_id"] or "-"]
        shown.append(f"{one['row']}: {' '.join(map(str, words))} {one['defects'] or ''}".strip())
    return shown, remarks


@pytest.mark.parametrize("name", ["users-2026-10-01.csv", "20261001.csv.gz"])
def test_a_licence_held_is_a_row(tmp_path: Path, name: str) -> None:
    path = _export(
        tmp_path,
        HEADER,
        "Ann@Example.com Active|TRUE,TRUE,FALSE",
        "bob@example.com Verified|FALSE,FALSE,TRUE",
        "cho@example.com Active|TRUE,FALSE,",
        name=name,
    )
    rows, remarks = _read(path, subscription="Sub1")
    assert rows == [
        "1: ann@example.com agent standard Sub1",
        "2: bob@example.com agent premium Sub1",
    ]
    assert remarks == {"user_without_license": 1}


def test_both_licences_are_two_rows_of_one_record(tmp_path: Path) -> None:
    """R3.2: the rules, not the reader, say that premium goes first."""
    rows, _ = _read(_export(tmp_path, HEADER, "a|,TRUE,TRUE"), subscription="Sub1")
    assert rows == ["1: a agent standard Sub1", "1: a agent premium Sub1"]


SUBSCRIPTIONS = [
    # The header of the licence's column; the keys; the subscription of a Sales user's licence.
    (PREMIUM, {}, "-"),
    (PREMIUM, {"subscription": "Sub1"}, "Sub1"),
    (f"{PREMIUM} [Sub2]", {}, "Sub2"),
    (f"{PREMIUM} [Sub2]", {"subscription": "Sub1"}, "Sub2"),
    (f"{PREMIUM}[0c1f3b52-72bd-4b0c-9a47-0d4bb5a2a001]", {"subscription": "Sub1"}, "0c1f3b52"),
    (f"{PREMIUM} [Sub2]", {"subscriptions": {"Sub2": "C-2"}}, "C-2"),
    (f"{PREMIUM} [Sub2]", {"subscriptions": {f"{PREMIUM.upper()}  [sub2]": "C-3"}}, "C-3"),
    (PREMIUM, {"subscriptions": {PREMIUM: "C-4"}, "subscription": "Sub1"}, "C-4"),
    (PREMIUM, {"subscription_by": "department", "subscriptions": {"Sales": "C-5"}}, "C-5"),
    (PREMIUM, {"subscription_by": "Department", "subscriptions": {"sales": "C-5"}}, "-"),
    (
        PREMIUM,
        {
            "subscription_by": "Department",
            "subscriptions": {"Care": "C-5"},
            "subscription": "Sub1",
        },
        "Sub1",
    ),
    (
        f"{PREMIUM} [Sub2]",
        {"subscription_by": "Department", "subscriptions": {"Sales": "C-5"}},
        "Sub2",
    ),
]


@pytest.mark.parametrize(("column", "options", "subscription"), SUBSCRIPTIONS)
def test_the_subscription_of_a_licence(
    tmp_path: Path, column: str, options: dict[str, Any], subscription: str
) -> None:
    """What is said nearest to the licence counts: its column, its record, the source."""
    rows, remarks = _read(_export(tmp_path, f"{WHO},{column}", "a Active Sales|TRUE"), **options)
    assert len(rows) == 1
    assert rows[0].startswith(f"1: a agent premium {subscription}")
    assert remarks == ({"license_without_subscription": 1} if subscription == "-" else {})


HEADERS = [
    (PREMIUM, "premium"),
    (f"  {PREMIUM.lower()} ", "premium"),
    ("Webex  Contact center STANDARD Agent", "standard"),
    ("Contact Center Premium Agent", "premium"),
    (f"{STANDARD} [S 1]", "standard"),
]


@pytest.mark.parametrize(("column", "license_"), HEADERS)
def test_names_of_licences_may_differ_in_case_and_spaces(
    tmp_path: Path, column: str, license_: str
) -> None:
    rows, _ = _read(_export(tmp_path, f"{WHO},{column}", "a|TRUE"), subscription="S")
    assert rows[0].split()[3] == license_


@pytest.mark.parametrize(
    "column",
    [f"{PREMIUM} (Suspended)", f"{PREMIUM} [Sub9] (Suspended)", f"{PREMIUM} (suspended) [Sub9]"],
)
def test_a_suspended_licence_gives_nothing(tmp_path: Path, column: str) -> None:
    path = _export(tmp_path, f"{WHO},{STANDARD},{column}", "a|TRUE,TRUE", "b|FALSE,TRUE")
    rows, remarks = _read(path, subscription="Sub1")
    assert rows == ["1: a agent standard Sub1"]
    assert remarks == {"license_suspended": 2, "user_without_license": 1}


def test_a_licence_of_two_subscriptions_is_a_row_each_and_one_said_twice_is_one(
    tmp_path: Path,
) -> None:
    header = f"{WHO},{PREMIUM},{PREMIUM} [Sub1],{PREMIUM} [Sub2]"
    rows, _ = _read(_export(tmp_path, header, "a|TRUE,TRUE,TRUE"), subscription="Sub1")
    assert rows == ["1: a agent premium Sub1", "1: a agent premium Sub2"]


def test_roles_say_who_is_no_agent_and_who_needs_no_licence(tmp_path: Path) -> None:
    """An administrator keeps access without a licence; everybody else without one is no user."""
    roles = {"ANN@example.com": "admin", "bob@example.com": "supervisor", "K-7": "admin"}
    path = _export(
        tmp_path,
        HEADER,
        "ann@example.com|,FALSE,FALSE",
        "bob@example.com|,FALSE,TRUE",
        "cho@example.com|,FALSE,FALSE",
        "k-7|,FALSE,FALSE",
    )
    rows, remarks = _read(path, subscription="Sub1", roles=roles)
    assert rows == [
        "1: ann@example.com admin none Sub1",
        "2: bob@example.com supervisor premium Sub1",
    ]
    assert remarks == {"user_without_license": 2}


def test_further_licences_are_named(tmp_path: Path) -> None:
    header = f"{WHO},{STANDARD},Webex Contact Center Expert,House Agent"
    path = _export(tmp_path, header, "a|FALSE,TRUE,FALSE", "b|TRUE,TRUE,TRUE", "c|,,TRUE")
    rows, remarks = _read(path, subscription="S", licenses={"house agent": "premium"})
    assert rows == [
        "2: b agent standard S",
        "2: b agent premium S",
        "3: c agent premium S",
    ]
    assert remarks == {"license_not_mapped": 2, "user_without_license": 1}
    both = {"House Agent": "premium", "Webex Contact Center Expert": "none"}
    assert "license_not_mapped" not in _read(path, subscription="S", licenses=both)[1]


@pytest.mark.parametrize("cell", ["yes", "1", "standard", "none", "TRUE?", "WAHR"])
@pytest.mark.parametrize("column", [STANDARD, f"{STANDARD} (Suspended)"])
def test_a_cell_that_says_neither_is_not_guessed(tmp_path: Path, cell: str, column: str) -> None:
    path = _export(tmp_path, f"{WHO},{column},{PREMIUM}", f"a|{cell},FALSE", "b|FALSE,TRUE")
    rows, _ = taken_in(KIND.name, path, tenant="acme", subscription="S")
    assert rows.select("row", "user_id", "defects").rows() == [
        (1, "a", "license_unknown"),
        (2, "b", None),
    ]
    assert json.loads(rows["raw"][0])[column] == cell


@pytest.mark.parametrize("cell", ["true", " True ", "TRUE"])
def test_true_is_true_in_any_case(tmp_path: Path, cell: str) -> None:
    record = f"Mia,Moss,,a,Active,,,{cell},false"
    assert len(_read(save(tmp_path / "2026-10-01.csv", f"{HEADER}\n{record}\n"))[0]) == 1


def test_who_is_not_active_counts_as_all_others(tmp_path: Path) -> None:
    """They keep the licence, and what they used before still needs its subscription."""
    path = _export(tmp_path, HEADER, "a Inactive|,TRUE,", "b Verified|,TRUE,", "c Inactive|,,")
    rows, remarks = _read(path, subscription="S")
    assert len(rows) == 2
    assert remarks == {"user_not_active": 1, "user_without_license": 1}


def test_records_that_cannot_be_read_are_rows_of_the_tenant(tmp_path: Path) -> None:
    path = _export(tmp_path, HEADER, "a|,TRUE,", "b|TRUE", "|,TRUE,", "d|,TRUE,TRUE")
    rows, _ = taken_in(KIND.name, path, tenant="acme", subscription="S")
    assert rows.select("tenant_id", "row", "defects").rows() == [
        ("acme", 1, None),
        ("acme", 2, "row_shape"),
        ("acme", 3, "user_id_missing"),
        ("acme", 4, None),
        ("acme", 4, None),
    ]
    assert json.loads(rows["raw"][1])["fields"][3] == "b"
    assert json.loads(rows["raw"][2])[STANDARD] == "TRUE"


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ("Mia,Moss,M. Moss", "M. Moss"),
        ("Mia,Moss,", "Mia Moss"),
        ("Mia,Moss, ", "Mia Moss"),
        (",Moss,", "Moss"),
        (",,", None),
    ],
)
def test_the_name(tmp_path: Path, names: str, name: str | None) -> None:
    path = save(tmp_path / "2026-10-01.csv", f"{HEADER}\n{names},a,,,,TRUE,\n")
    assert taken_in(KIND.name, path, tenant="acme")[0]["name"].to_list() == [name]


def test_only_the_user_and_a_licence_are_needed(tmp_path: Path) -> None:
    path = save(tmp_path / "2026-10-01.csv", f"{PREMIUM},Login\nTRUE,Ann\n")
    assert _read(path, user="login", subscription="S")[0] == ["1: Ann agent premium S"]


FAULTS = [
    (f"{WHO},Webex Calling - Professional", {}, MissingColumn, "contact center premium agent"),
    (f"{WHO},Webex Contact Center Expert", {}, MissingColumn, "name the column in licenses"),
    (f"User ID,{PREMIUM}", {}, MissingColumn, "lacks 'User ID/Email (Required)'"),
    (f"User ID,{PREMIUM}", {"user": "User"}, MissingColumn, "did you mean 'User ID'"),
    (
        f"{WHO},{PREMIUM}",
        {"subscription_by": "Departement", "subscriptions": {"a": "b"}},
        MissingColumn,
        "did you mean 'Department'",
    ),
    (f"{WHO},{PREMIUM},{PREMIUM.lower()}", {}, RepeatedColumn, "repeats"),
    (f"{WHO},{PREMIUM},{PREMIUM}", {}, RepeatedColumn, "repeats"),
    ("", {}, EmptyExport, "empty"),
]


@pytest.mark.parametrize(("header", "options", "error", "told"), FAULTS)
def test_headers_that_cannot_be_read(
    tmp_path: Path, header: str, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    path = save(tmp_path / "users-2026-10-01.csv", header)
    with pytest.raises(error) as raised:
        _read(path, **options)
    assert told in f"{raised.value} {raised.value.remedy}"  # type: ignore[attr-defined]


def test_without_a_day_in_its_name_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotWithoutDay):
        _read(_export(tmp_path, HEADER, "a|,TRUE,", name="users.csv"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "needs tenant"),
        ({"tenant": "a", "roles": {"ann": "boss"}}, "roles says 'boss' of 'ann'"),
        ({"tenant": "a", "licenses": {"X": "premum"}}, "did you mean 'premium'?"),
        ({"tenant": "a", "subscription_by": "Department"}, "subscription_by names a column"),
        ({"tenant": "a", "subscription": ["S"]}, "write it as text"),
    ],
)
def test_wrong_keys(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as error:
        source_of(KIND.name, tmp_path, **options)
    assert told in f"{error.value} {error.value.remedy}"


_CELLS = st.sampled_from(["TRUE", "FALSE", "", "true", "maybe"])
_COLUMNS = (STANDARD, PREMIUM, f"{PREMIUM} [S2]", f"{STANDARD} (Suspended)")
_RECORDS = st.lists(
    st.tuples(
        st.sampled_from(["Ann@x.org", "bob@x.org", "Cho", ""]),
        st.sampled_from(["Sales", "Care", "Sea\nside", ""]),
        *[_CELLS] * len(_COLUMNS),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(_RECORDS)
def test_the_same_as_record_by_record(records: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["User", "Department", *_COLUMNS])
    writer.writerows(records)
    options = {
        "user": "User",
        "roles": {"Cho": "admin"},
        "subscription_by": "Department",
        "subscriptions": {"Sales": "S1", "Sea\nside": "S3"},
    }
    with TemporaryDirectory() as folder:
        path = save(Path(folder) / "2026-10-01.csv", text.getvalue())
        if not records:
            assert not list(source_of(KIND.name, path, tenant="t", **options).read(path))
            return
        rows, remarks = taken_in(KIND.name, path, tenant="t", **options)
    naive = [_naive(record) for record in records]
    columns = ["row", "user_id", "role", "license", "subscription_id"]
    expected = [
        (number, *row)
        for number, rows_of in enumerate(naive, 1)
        for row in sorted(rows_of, key=str)
    ]
    assert sorted(rows.select(columns).rows(), key=str) == sorted(expected, key=str)
    assert remarks.get("user_without_license", 0) == naive.count(set())
    assert remarks.get("license_suspended", 0) == sum(one[5] in ("TRUE", "true") for one in records)


def _naive(record: tuple[str, ...]) -> set[tuple[str | None, ...]]:
    """The rows of one record."""
    said, department, *cells = record
    user = said.lower() if "@" in said else said or None
    role = "admin" if user == "Cho" else "agent"
    own = {"Sales": "S1", "Sea\nside": "S3"}.get(department)
    rows: set[tuple[str | None, ...]] = set()
    for column, cell in zip(_COLUMNS, cells, strict=True):
        if cell not in ("TRUE", "FALSE", "", "true"):
            rows.add((user, role, f"{column} = {cell.upper()}", None))
        elif cell.upper() == "TRUE" and "Suspended" not in column:
            license_ = "premium" if "Premium" in column else "standard"
            rows.add((user, role, license_, "S2" if "[S2]" in column else own))
    return rows or ({(user, role, "none", own)} if user == "Cho" else set())
