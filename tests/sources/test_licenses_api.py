"""Answers of GET /v1/licenses: which meter a licence is, whose, and how much of it."""

from __future__ import annotations

import base64
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.exports import DamagedExport, EmptyExport, TruncatedExport
from pipeline.sources.licenses_api import KIND, SeveralOrganizations, decoded
from pipeline.sources.snapshots import SnapshotWithoutDay
from tests.sources.support import save, source_of, taken_in

ORG, OTHER = "3f0a8a4e-5f0c-4d1b-9d70-1f6c6b0b7a11", "b9a2c0de-77aa-4b9e-8f2e-52f0f3f4c222"
UNIT = "5d6b8f7a-0a3c-4d70-bb55-0f1f2f3f4f5f"
PREMIUM, STANDARD = "Contact Center Premium Agent", "Contact center Standard Agent"


def license_id(beginning: str, organization: str = ORG, cluster: str = "us") -> str:
    text = f"ciscospark://{cluster}/LICENSE/{organization}:{beginning}_{UNIT}"
    return base64.b64encode(text.encode()).decode()


def license_(beginning: str, units: object = 50, **more: object) -> dict[str, object]:
    """A licence as the API gives it; `None` leaves a field out."""
    name = {"CJPPRM": PREMIUM, "CJPSTD": STANDARD}.get(beginning, "Basic Messaging")
    item = {"id": license_id(beginning), "name": name, "totalUnits": units, "consumedUnits": 3}
    item |= {"consumedByUsers": None, "subscriptionId": "Sub1", **more}
    return {key: value for key, value in item.items() if value is not None or key[0] == "c"}


def _read(place: Path, *items: object, **options: Any) -> tuple[list[str], dict[str, int]]:
    """The rows as `number: tenant subscription meter quantity defects`, and the remarks."""
    path = save(place / "licenses-2026-10-01.json", json.dumps({"items": items}))
    said = options or {"tenant": "acme"}
    rows, remarks = taken_in(KIND.name, path, **said)
    shown = []
    for one in rows.sort("row").iter_rows(named=True):
        assert one["start_date"] == date(2026, 10, 1)
        assert one["end_date"] is None
        quantity = None if one["quantity"] is None else f"{one['quantity'].normalize():f}"
        words = (one["tenant_id"], one["subscription_id"], one["meter"], quantity)
        told = " ".join(word or "-" for word in words)
        shown.append(f"{one['row']}: {told} {one['defects'] or ''}".strip())
    return shown, remarks


def test_what_a_contract_includes(tmp_path: Path) -> None:
    items = [
        license_("CJPPRM"),
        license_("CJPSTD", 0),
        license_("MS", 44, subscriptionId=None),
        license_("CJPSTD", 7, subscriptionId="trialSub.e1"),
    ]
    assert _read(tmp_path, *items) == (
        [
            "1: acme Sub1 premium_agent 50",
            "2: acme Sub1 standard_agent 0",
            "4: acme trialSub.e1 standard_agent 7",
        ],
        {"license_passed_over": 1},
    )


def test_licences_of_one_contract_and_meter_are_added_up(tmp_path: Path) -> None:
    """The feed states a meter of a contract once; the first record stands for all."""
    items = [
        license_("CJPSTD", 1),
        license_("CJPPRM", 10),
        license_("CJPPRM", 0.1),
        license_("CJPPRM", 0.2, subscriptionId="Sub2"),
        license_("CJPPRM", 5),
    ]
    assert _read(tmp_path, *items)[0] == [
        "1: acme Sub1 standard_agent 1",
        "2: acme Sub1 premium_agent 15.1",
        "4: acme Sub2 premium_agent 0.2",
    ]


METERS = [
    # What the id begins with, the name, keys: the meter, the remark.
    ("CJPPRM", "Agente Premium", {}, "premium_agent", None),
    ("cjpstd", None, {}, "standard_agent", None),
    (None, "contact  center PREMIUM agent", {}, "premium_agent", None),
    ("EE", STANDARD, {}, "standard_agent", None),
    ("CJPIVR", "IVR Ports", {}, None, "license_without_meter"),
    ("XX", "Contact Center IVR Port", {}, None, "license_without_meter"),
    ("XX", "Calling", {}, None, "license_passed_over"),
    ("CJPIVR", "IVR Ports", {"cjpivr": "ivr_port"}, "ivr_port", None),
    ("XX", "Voice  ports", {"voice ports": "ivr_port"}, "ivr_port", None),
    ("CJPPRM", PREMIUM, {"CJPPRM": "gold", PREMIUM: "gold"}, "gold", None),
]


@pytest.mark.parametrize(("beginning", "name", "meters", "meter", "remark"), METERS)
def test_the_meter_is_that_of_the_id_or_the_name(
    tmp_path: Path,
    beginning: str | None,
    name: str | None,
    meters: dict[str, str],
    meter: str | None,
    remark: str | None,
) -> None:
    one = license_("CJPPRM", id=beginning and license_id(beginning), name=name)
    rows, remarks = _read(tmp_path, one, tenant="acme", meters=meters)
    assert rows == ([f"1: acme Sub1 {meter} 50"] if meter else [])
    assert remarks == ({remark: 1} if remark else {})


def test_an_id_and_a_name_that_disagree_are_not_guessed(tmp_path: Path) -> None:
    rows, remarks = _read(tmp_path, license_("CJPPRM", name=STANDARD))
    assert rows == ["1: acme Sub1 - 50 meter_missing"]
    assert remarks == {"license_contradicting": 1}


BROKEN = [
    ({"totalUnits": None}, "acme Sub1 premium_agent - quantity_missing"),
    ({"totalUnits": -1}, "acme Sub1 premium_agent -1 quantity_negative"),
    ({"totalUnits": "many"}, "acme Sub1 premium_agent - quantity_unreadable"),
    ({"totalUnits": True}, "acme Sub1 premium_agent - quantity_unreadable"),
    ({"totalUnits": [5]}, "acme Sub1 premium_agent - quantity_unreadable"),
    ({"totalUnits": 10**12}, "acme Sub1 premium_agent - quantity_unreadable"),
    ({"totalUnits": 0.0000001}, "acme Sub1 premium_agent - quantity_unreadable"),
    ({"subscriptionId": None}, "acme - premium_agent 50 subscription_id_missing"),
    ({"subscriptionId": " "}, "acme - premium_agent 50 subscription_id_missing"),
]


@pytest.mark.parametrize(("fields", "row"), BROKEN)
def test_what_cannot_be_counted_is_set_aside(
    tmp_path: Path, fields: dict[str, object], row: str
) -> None:
    rows, _ = _read(tmp_path, license_("CJPPRM", **fields), license_("CJPPRM", 5))
    assert rows == [f"1: {row}", "2: acme Sub1 premium_agent 5"]


@pytest.mark.parametrize("item", [3, "x", None, {}, {"message": "Unauthorized"}])
def test_what_is_no_licence_is_a_broken_row(tmp_path: Path, item: object) -> None:
    path = save(tmp_path / "2026-10-01.json", json.dumps([item]))
    rows, _ = taken_in(KIND.name, path, tenant="acme")
    assert rows.select("tenant_id", "row", "defects").rows() == [("acme", 1, "row_shape")]
    assert json.loads(rows["raw"][0]) == item


def test_the_raw_row_is_what_the_export_says(tmp_path: Path) -> None:
    item = license_("CJPPRM", 12.5, subscriptionId=None)
    path = save(tmp_path / "2026-10-01.json", json.dumps({"items": [item]}))
    rows, _ = taken_in(KIND.name, path, tenant="acme")
    assert json.loads(rows["raw"][0]) == {**item, "totalUnits": "12.5"}


def test_contracts_by_the_names_of_the_api(tmp_path: Path) -> None:
    items = [license_("CJPPRM"), license_("CJPSTD", 4, subscriptionId=None)]
    rows, _ = _read(tmp_path, *items, tenant="acme", subscriptions={"Sub1": "C-1", "": "C-2"})
    assert rows == ["1: acme C-1 premium_agent 50", "2: acme C-2 standard_agent 4"]


def test_contracts_that_are_stated_elsewhere_are_passed_over(tmp_path: Path) -> None:
    items = [license_("CJPPRM", None), license_("CJPSTD", 4, subscriptionId="Sub2")]
    rows, remarks = _read(tmp_path, *items, tenant="acme", passed_over=["Sub1"])
    assert rows == ["2: acme Sub2 standard_agent 4"]
    assert remarks == {"license_passed_over": 1}


def test_organisations_by_their_ids(tmp_path: Path) -> None:
    items = [
        license_("CJPPRM"),
        license_("CJPPRM", 8, id=license_id("CJPPRM", OTHER, "urn:TEAM:eu-central-1_k")),
        license_("CJPPRM", 9, id=license_id("CJPPRM", "unknown")),
        license_("CJPPRM", 9, id="???"),
    ]
    rows, _ = _read(tmp_path, *items, tenants={ORG: "acme", OTHER: "zeta"})
    assert rows == [
        "1: acme Sub1 premium_agent 50",
        "2: zeta Sub1 premium_agent 8",
        "3: - Sub1 premium_agent 9 tenant_id_missing",
        "4: - Sub1 premium_agent 9 tenant_id_missing",
    ]


def test_one_tenant_is_not_said_of_two_organisations(tmp_path: Path) -> None:
    items = [license_("CJPPRM"), license_("CJPPRM", id=license_id("CJPPRM", OTHER))]
    with pytest.raises(SeveralOrganizations, match="item 2") as error:
        _read(tmp_path, *items)
    assert "tenants" in error.value.remedy


@pytest.mark.parametrize("padding", ["", "=", "=="])
def test_an_id_says_whose_and_what_without_its_padding(padding: str) -> None:
    """The API leaves padding out, and takes the alphabet of addresses."""
    for extra in ("", "x", "xy"):
        text = f"ciscospark://us/LICENSE/{ORG}:CJPPRM_{UNIT}{extra}"
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            bare = encode(text.encode()).decode().rstrip("=")
            assert decoded(bare + padding) == (ORG, "CJPPRM")


@pytest.mark.parametrize("said", [None, 7, "", "????", "Y2lz", license_id("A")[4:]])
def test_what_is_no_id_says_nothing(said: object) -> None:
    assert decoded(said) == (None, "")


ONE, TWO = json.dumps(license_("CJPPRM", 1)), json.dumps(license_("CJPSTD", 2))
FORMS = [
    f'{{"items": [{ONE}, {TWO}]}}',
    f'{{"notFoundIds": null, "links": {{"items": [1]}}, "items": [{ONE}, {TWO}], "x": [3]}}',
    f"[{ONE}, {TWO}]",
    f"{ONE}\n{TWO}\n",
    f"{ONE} {TWO}",
    f'\ufeff{{"items": [{ONE}, {TWO}]}}',
    f"\n [{ONE}, {TWO}]\n",
]


@pytest.mark.parametrize("text", FORMS)
@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_the_forms_of_an_answer(tmp_path: Path, text: str, ending: str) -> None:
    path = save(tmp_path / f"2026-10-01.{ending}", text)
    rows, _ = taken_in(KIND.name, path, tenant="acme")
    assert rows.select("row", "meter", "quantity").rows() == [
        (1, "premium_agent", Decimal(1)),
        (2, "standard_agent", Decimal(2)),
    ]


@pytest.mark.parametrize("lines", [(f"[{ONE}]", TWO), (f'{{"items": [{ONE}]}}', f"[{TWO}]")])
def test_several_answers_are_lines(tmp_path: Path, lines: tuple[str, str]) -> None:
    """As they come of one request an organisation."""
    rows, _ = taken_in(
        KIND.name, save(tmp_path / "2026-10-01.jsonl", "\n".join(lines)), tenant="acme"
    )
    assert rows["row"].to_list() == [1, 2]


@pytest.mark.parametrize("text", ['{"items": []}', "[]"])
def test_no_licence_at_all(tmp_path: Path, text: str) -> None:
    assert taken_in(KIND.name, save(tmp_path / "2026-10-01.json", text), tenant="a")[0].is_empty()


@pytest.mark.parametrize(
    "text",
    [
        f'{{"items": [{ONE}',
        f'{{"items": [{ONE}]',
        f"{ONE}\n{TWO[:20]}",
        "id,name\n",
        '{"items": [{"id": "\\ud8"}]}',
        b'{"items": [{"name": "\xff"}]}',
        '{"items": [1}',
    ],
)
def test_a_file_that_is_cut_or_damaged_is_refused(tmp_path: Path, text: str | bytes) -> None:
    """Rows that were read before it are not used."""
    with pytest.raises((DamagedExport, TruncatedExport)):
        taken_in(KIND.name, save(tmp_path / "2026-10-01.json", text), tenant="acme")


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(EmptyExport):
        taken_in(KIND.name, save(tmp_path / "2026-10-01.json", text), tenant="acme")


def test_without_a_day_in_its_name_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotWithoutDay):
        taken_in(KIND.name, save(tmp_path / "licenses.json", "[]"), tenant="acme")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "nothing says whose the licences are"),
        ({"tenant": "a", "tenants": {ORG: "b"}}, "tenant and tenants both say"),
        ({"tenant": "a", "metres": {}}, "did you mean 'meters'?"),
    ],
)
def test_wrong_keys(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as error:
        source_of(KIND.name, tmp_path, **options)
    assert told in f"{error.value} {error.value.remedy}"


_ITEM = st.builds(
    license_,
    st.sampled_from(["CJPPRM", "CJPSTD", "MS"]),
    st.one_of(st.none(), st.integers(-1, 99), st.decimals(0, 9, places=2).map(float)),
    subscriptionId=st.sampled_from(["S1", "S2", None]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_ITEM, max_size=12))
def test_the_same_as_item_by_item(items: list[dict[str, Any]]) -> None:
    sums: dict[tuple[str, str], tuple[int, Decimal]] = {}
    broken, others = [], 0
    for number, item in enumerate(items, 1):
        units, subscription = item.get("totalUnits"), item.get("subscriptionId")
        if item["name"] == "Basic Messaging":
            others += 1
        elif units is None or units < 0 or subscription is None:
            broken.append(number)
        else:
            meter = "premium_agent" if item["name"] == PREMIUM else "standard_agent"
            first, total = sums.get((subscription, meter), (number, Decimal()))
            sums[subscription, meter] = first, total + Decimal(str(units))
    with TemporaryDirectory() as folder:
        path = save(Path(folder) / "2026-10-01.json", json.dumps(items))
        rows, remarks = taken_in(KIND.name, path, tenant="acme")
    whole = rows.filter(rows["defects"].is_null())
    assert {(row[0], row[1]): (row[2], row[3]) for row in _columns(whole)} == sums
    assert sorted(set(rows["row"]) - set(whole["row"])) == broken
    assert remarks.get("license_passed_over", 0) == others


def _columns(rows: Any) -> list[tuple[str, str, int, Decimal]]:
    found: list[tuple[str, str, int, Decimal]] = rows.select(
        "subscription_id", "meter", "row", "quantity"
    ).rows()
    return found
