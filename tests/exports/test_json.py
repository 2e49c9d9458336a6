"""JSON files: what stands in them, exactly, and what is wrong with their bytes."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import ijson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.exports import DamagedGzip, ExportError, RecordTooLong, UnreadableExport, json_files
from pipeline.exports.json_files import DEEPEST, ENDED, json_members
from tests.exports.support import save

FEW = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _whole(place: tuple[str, ...], key: str | None) -> bool:
    """Nothing is opened but the lists that are in nothing."""
    return False


def _values(path: Path, block_bytes: int = 1_000) -> list[Any]:
    members = json_members(path, _whole, block_bytes=block_bytes)
    return [member.value for member in members if member.value is not ENDED]


def test_members_come_with_their_places_and_numbers(tmp_path: Path) -> None:
    path = save(tmp_path / "x.json", '{"a": {"b": [1, {"c": []}], "d": null}, "e": 2} {"f": 3} [4]')
    opened = json_members(path, lambda place, key: key not in {"c", "f"})
    members = [tuple(m)[:4] for m in opened]
    assert members == [
        (("a", "b"), 1, 1, True),
        (("a", "b"), {"c": []}, 2, True),
        (("a", "b"), ENDED, 2, True),
        (("a", "d"), None, 2, False),
        (("a",), ENDED, 2, False),
        (("e",), 2, 2, False),
        ((), ENDED, 2, False),
        ((), {"f": 3}, 3, True),
        ((), 4, 4, True),
        ((), ENDED, 4, True),
    ]


@FEW
@given(st.lists(VALUES, min_size=1, max_size=4), st.sampled_from(["\n", " \r\n", "\n\n"]))
def test_values_one_after_the_other_are_those_of_the_standard_library(
    tmp_path: Path, values: list[Any], between: str
) -> None:
    path = save(tmp_path / "x.json", between.join(map(json.dumps, values)))
    flat: list[Any] = []

    def add(value: Any) -> None:
        for one in value if isinstance(value, list) else []:
            add(one)
        if not isinstance(value, list):
            flat.append(value)

    add([json.loads(json.dumps(value)) for value in values])
    assert _values(path, 16) == flat


def test_a_list_in_a_list_of_records_is_a_record(tmp_path: Path) -> None:
    path = save(tmp_path / "x.json", '{"a": [[], [1], 2]}')
    members = json_members(path, lambda place, key: True)
    assert [m.value for m in members if m.in_list] == [[], [1], 2, ENDED]


@pytest.mark.parametrize("name", ["x.json", "x.JSON.GZ", "x.jsonl.gz"])
def test_a_byte_order_mark_and_the_packing_make_no_difference(tmp_path: Path, name: str) -> None:
    data = '\ufeff{"a": "é€😀\\n\\u0000"}\n{"a": 1.10}\n'.encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
    assert _values(path) == [{"a": "é€😀\n\0"}, {"a": Decimal("1.10")}]


def test_numbers_are_exactly_what_stands_there(tmp_path: Path) -> None:
    path = save(tmp_path / "x.json", "[1, 12345678901234567890, 0.1, 1.10, 1e3, -0]")
    values = _values(path)
    assert [str(value) for value in values] == [
        "1",
        "12345678901234567890",
        "0.1",
        "1.10",
        "1E+3",
        "0",
    ]
    assert {type(value) for value in values} == {int, Decimal}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("", "EmptyExport"),
        ("\ufeff \n", "EmptyExport"),
        ('{"a": 1', "TruncatedExport"),
        ('{"a": 1}\n{"a', "TruncatedExport"),
        ("[", "TruncatedExport"),
        ("{", "TruncatedExport"),
        ('{"a": tru', "TruncatedExport"),
        ('{"a": 1},\n{"a": 2}', "DamagedJson"),
        ('{"a": NaN}', "DamagedJson"),
        ('{"a": "x\ny"}', "DamagedJson"),
        ('{"a": 01}', "DamagedJson"),
        ("{'a': 1}", "DamagedJson"),
        ('{"a": 1} // why', "DamagedJson"),
        ("a,b\n1,2\n", "DamagedJson"),
        ("<html></html>", "DamagedJson"),
        ('{"a": 1' + "1" * 5_000 + "}", "DamagedJson"),
        ('{"a": 1e' + "9" * 30 + "}", "DamagedJson"),
        ("[{" + '"a":{' * (DEEPEST + 2), "DamagedJson"),
        (b'{"a": "\xff"}', "DamagedJson"),
        (b'{"a": \x00 1}', "DamagedJson"),
        ('{"a": 1}'.encode("utf-16"), "DamagedJson"),
        (b"PK\x03\x04....", "DamagedJson"),
        (b"\x1f\x8b....", "DamagedJson"),
    ],
)
def test_what_is_no_json_is_named(tmp_path: Path, content: str | bytes, name: str) -> None:
    path = save(tmp_path / "x.json", content)
    with pytest.raises(ExportError) as raised:
        _values(path)
    assert raised.value.name == name
    assert raised.value.where.startswith(str(path))
    assert raised.value.remedy


def test_a_gzip_that_is_cut_at_any_byte_is_named(tmp_path: Path) -> None:
    whole = save(tmp_path / "x.json.gz", '{"a": 1}\n{"a": 2}\n').read_bytes()
    for end in range(1, len(whole)):
        (tmp_path / "x.json.gz").write_bytes(whole[:end])
        with pytest.raises(DamagedGzip):
            _values(tmp_path / "x.json.gz")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableExport):
        _values(tmp_path / "x.json")


@pytest.mark.parametrize("start", ['"', '{"a": [0', '{"a": ["x'])
def test_a_value_without_an_end_is_not_taken_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    monkeypatch.setattr(json_files, "LIMIT_BYTES", 10_000)
    more = ", 0" * 10_000 if "[0" in start else "x" * 30_000
    path = save(tmp_path / "x.json", f"{start}{more}")
    with pytest.raises(RecordTooLong):
        _values(path)


def test_many_values_may_be_longer_than_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_files, "LIMIT_BYTES", 10_000)
    path = save(tmp_path / "x.json", json.dumps([{"a": "x" * 90}] * 1_000))
    assert len(_values(path)) == 1_000


def test_ijson_gives_half_a_character_as_a_question_mark_or_as_it_is() -> None:
    """Why search_api.encodable is there: not every backend makes text that can be written."""
    (value,) = ijson.items(b'"\\ud800x"', "")
    assert value in ("?x", "\ud800x")


def test_half_a_character_that_a_backend_cannot_read_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "x.json", '"\\udc00"')
    try:
        assert _values(path) == ["\udc00"]
    except ExportError as error:
        assert error.name == "DamagedJson"


def test_ijson_tells_a_cut_only_at_the_end_and_takes_values_one_after_the_other() -> None:
    """What json_files tells cut and damaged files apart by."""
    events: Any = ijson.sendable_list()
    parser = ijson.basic_parse_coro(events, multiple_values=True)
    parser.send(b'{"a": 1}\n{"a"')
    assert len(events) == 6
    with pytest.raises(ijson.IncompleteJSONError):
        parser.close()


def test_ijson_takes_the_last_of_two_members_of_one_name_as_the_standard_library_does() -> None:
    assert list(ijson.items(b'{"a": 1, "a": 2}', "")) == [json.loads('{"a": 1, "a": 2}')]
