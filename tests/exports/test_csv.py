"""CSV files: their structure, the defects of their rows, and the same rows by both readings."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.exports import ExportError, read_export, unknown_columns
from pipeline.exports.csv_files import csv_cells
from pipeline.exports.fast_block import fast_cells, last_record_end
from pipeline.exports.judge import Cells
from tests.exports.support import HEADER, PROBE, read, save

FEW = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _texts(path: Path) -> list[str | None]:
    return read(path)["text"].to_list()


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("a,1\nb,2\n", ["1", "2"]),
        ("a,1\nb,2", ["1", "2"]),
        ("a,1\r\nb,2\r\n", ["1", "2"]),
        ("a,1\nb,2\r\nc,3\n", ["1", "2", "3"]),
        ("a,1\n\nb,2\n\n\n", ["1", "2"]),
        ("\n\na,1\n", ["1"]),
        ("a,1\r\n\r\nb,2\r\n", ["1", "2"]),
        ('"a","1"\n"b","2"\n', ["1", "2"]),
        ('a,"1,2"\n', ["1,2"]),
        ('a,"1\n2"\nb,3\n', ["1\n2", "3"]),
        ('a,"1\r\n2"\r\nb,3\r\n', ["1\r\n2", "3"]),
        ('a,"1\r2"\n', ["1\r2"]),
        ('a,"say ""hi"""\n', ['say "hi"']),
        ('a,""""\n', ['"']),
        ('a,""\nb,\n', [None, None]),
        ('a,5" screen\nb,x\n', ['5" screen', "x"]),
        ('a,5"\nb,"6"\n', ['5"', "6"]),
        ("a, 1 \n", [" 1 "]),
        ("a,NULL\nb,NA\nc,null\n", ["NULL", "NA", "null"]),
        ("a,#1\n#b,2\n", ["#1", "2"]),
        ("a,é€😀\n", ["é€😀"]),
        ("a,1\u2028\u0085\x0b\x0c2\n", ["1\u2028\u0085\x0b\x0c2"]),
        ("a,\ufeffx\n\ufeffb,y\n", ["\ufeffx", "y"]),
        ("a,\\\n", ["\\"]),
        ("a,'1'\n", ["'1'"]),
        ("", []),
    ],
)
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_what_is_well_formed(
    tmp_path: Path, body: str, texts: list[str | None], start: str, name: str
) -> None:
    end = "\r\n" if "\r\n" in body else "\n"
    path = save(tmp_path / name, f"{start}key,text{end}{body}")
    frame = read(path)
    assert frame["text"].to_list() == texts
    assert frame["row"].to_list() == list(range(1, len(texts) + 1))
    assert not frame["defects"].drop_nulls().len()
    assert not frame["raw"].drop_nulls().len()


def test_a_header_without_line_end_has_no_rows(tmp_path: Path) -> None:
    assert _texts(save(tmp_path / "x.csv", "key,text")) == []


@pytest.mark.parametrize("start", ["x^", "x\x01", "\x1f\x8b"[:1], "BZh", "PK"])
def test_a_block_that_begins_like_a_compressed_file(tmp_path: Path, start: str) -> None:
    """Some engines look at the first bytes and think they know better."""
    path = save(tmp_path / "x.csv", f"key,text\n{start}1,one\nb,two\n")
    assert read(path)["key"].to_list() == [f"{start}1", "b"]


def test_one_column_alone(tmp_path: Path) -> None:
    frame = read(save(tmp_path / "x.csv", 'key\na\n\n""\nb'))
    assert frame["key"].to_list() == ["a", None, "b"]
    assert frame["defects"].to_list() == [None, "key_missing", None]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ("a", ["a"]),
        ("a,1,2", ["a", "1", "2"]),
        ("a,1,", ["a", "1", ""]),
        ("   ", ["   "]),
        ('"a"b,1', ['"a"b,1']),
        ('a,"1" ', ['a,"1" ']),
        ("a\rb,1", ["a\rb,1"]),
    ],
)
def test_a_row_of_the_wrong_shape(tmp_path: Path, row: str, fields: list[str], ending: str) -> None:
    lines = ["key,text", "first,1", row, "last,2", ""]
    frame = read(save(tmp_path / "x.csv", ending.join(lines)))
    assert frame["key"].to_list() == ["first", None, "last"]
    assert frame["defects"].to_list() == [None, "row_shape", None]
    assert frame["row"].to_list() == [1, 2, 3]
    assert json.loads(frame["raw"][1]) == {"fields": fields}
    assert frame.row(1)[: len(PROBE.names)] == (None,) * len(PROBE.names)


def test_a_stray_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    rows = [f"k{n},t{n}" for n in range(50)]
    rows[7] = 'k7,"t7'
    for closing in ("", 'k50,"q"', 'k50,"q",x'):
        text = "\n".join(["key,text", *rows, closing, ""])
        frame = read(save(tmp_path / "x.csv", text))
        keys = [f"k{n}" if n != 7 else None for n in range(50)]
        assert frame["key"].to_list()[:50] == keys
        assert frame["defects"].to_list()[:9] == [*[None] * 7, "row_shape", None]
        assert json.loads(frame["raw"][7]) == {"fields": ['k7,"t7']}


def test_defects_are_named_in_order_and_raw_shows_the_row(tmp_path: Path) -> None:
    body = [
        f"{HEADER},extra",
        "a,x,1.5,1,2026-10-01,2026-10-01T00:00:00Z,blue,3,why",
        ",x,-1,x,2026-02-30,never,green,1e2,",
        "c,,x,,,,,,é",
        "d,,,5,,,,,",
        "e,,,5,nope,,,,",
    ]
    frame = read(save(tmp_path / "x.csv", "\n".join([*body, ""])))
    assert frame["defects"].to_list() == [
        None,
        "whole_unreadable;day_unreadable;moment_unreadable;floor_unreadable"
        ";key_missing;colour_unknown;quantity_negative",
        "quantity_unreadable",
        "day_missing",
        "day_unreadable",
    ]
    assert json.loads(frame["raw"][1]) == {
        "key": None,
        "text": "x",
        "quantity": "-1",
        "whole": "x",
        "day": "2026-02-30",
        "moment": "never",
        "colour": "green",
        "floor": "1e2",
        "extra": None,
    }
    assert json.loads(frame["raw"][2])["extra"] == "é"
    assert frame["raw"][0] is None
    assert frame["colour"].to_list() == ["blue", "green", "red", "red", "red"]
    zero = Decimal(0)
    assert frame["floor"].to_list() == [Decimal(3), None, zero, zero, zero]


def test_absent_columns_hold_their_defaults(tmp_path: Path) -> None:
    path = save(tmp_path / "x.csv", "zebra,key,^k.*$\n1,a,2\n3,,4\n5\n")
    frame = read(path)
    assert frame["colour"].to_list() == ["red", "red", None]
    assert frame["floor"].to_list() == [Decimal(0), Decimal(0), None]
    assert frame["quantity"].null_count() == 3
    assert frame["defects"].to_list() == [None, "key_missing", "row_shape"]
    assert json.loads(frame["raw"][1]) == {"zebra": "3", "key": None, "^k.*$": "4"}
    assert unknown_columns(path, PROBE) == ["zebra", "^k.*$"]


@pytest.mark.parametrize("name", ["a[1].csv", "a*.csv", "a?'\".csv", "{b}.csv.gz", "%20 ü.CSV"])
def test_names_that_others_take_for_patterns(tmp_path: Path, name: str) -> None:
    assert _texts(save(tmp_path / name, "key,text\na,1\n")) == ["1"]


def test_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    long = "x" * 10_000_000
    path = save(tmp_path / "x.csv", f'key,text\na,1\nb,{long}\nc,"{long}\n"\nd\ne,2\n')
    frame = read(path)
    assert frame["text"].str.len_bytes().to_list() == [1, 10_000_000, 10_000_001, None, 1]
    assert frame["defects"].to_list() == [None, None, None, "row_shape", None]


def test_batches_are_small_enough_and_numbered_through(tmp_path: Path) -> None:
    lines = [f"k{n},{n}" for n in range(10_000)]
    frame = read(save(tmp_path / "x.csv", "\n".join(["key,text", *lines])), batch_rows=777)
    assert frame["row"].to_list() == list(range(1, 10_001))
    assert frame["text"].to_list() == [str(n) for n in range(10_000)]


def test_broken_rows_stand_in_the_batch_of_their_row(tmp_path: Path) -> None:
    lines = [f"k{n}" if n % 7 else f"k{n},x,1" for n in range(1_000)]
    path = save(tmp_path / "x.csv", "\n".join(["key,text", *lines, ""]))
    frame = read(path, batch_rows=10)
    assert frame.equals(read(path))
    assert frame["raw"].str.json_path_match("$.fields[0]").to_list() == [
        f"k{n}" for n in range(1_000)
    ]


def test_stopping_early_leaves_nothing_open(tmp_path: Path) -> None:
    path = save(tmp_path / "x.csv.gz", "key\n" + "a\n" * 100_000)
    batches = read_export(path, PROBE, batch_rows=10)
    assert next(batches).rows.height == 10
    del batches


def test_many_rows_behind_a_stray_quote(tmp_path: Path) -> None:
    rows = [f"k{n},{n}" for n in range(20_000)]
    for at in (3, 9_000, 9_001, 15_000):
        rows[at] = f'k{at},"x'
    frame = read(save(tmp_path / "x.csv", "\n".join(["key,text", *rows, ""])))
    assert frame.height == 20_000
    broken = frame.filter(pl.col("defects") == "row_shape")
    assert broken["row"].to_list() == [4, 9_001, 9_002, 15_001]


def _joined(cells: list[Cells]) -> tuple[list[tuple[object, ...]], dict[int, str]]:
    rows: list[tuple[object, ...]] = []
    broken: dict[int, str] = {}
    for part in cells:
        broken |= {len(rows) + at: raw for at, raw in part.misshapen.items()}
        rows += part.frame.rows()
    return rows, broken


def _both(path: Path, block_bytes: int) -> None:
    """The fast reading by small blocks, and the slow one, give the same."""
    packed = path.name.endswith(".gz")
    slow = _joined(list(csv_cells(path, packed=packed, slow=True)))
    for size in (block_bytes, 1 << 20):
        assert _joined(list(csv_cells(path, packed=packed, block_bytes=size))) == slow


CELLS = st.text(st.sampled_from("ab\",\n\r '#é\u2028\ufeff\\;0"), max_size=6)


@FEW
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=25),
    style=st.tuples(
        st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        st.sampled_from(["\n", "\r\n"]),
    ),
    around=st.tuples(st.sampled_from(["", "\ufeff"]), st.booleans()),
    block=st.integers(1, 200),
)
def test_whatever_is_written_is_read(
    tmp_path: Path,
    rows: list[list[str]],
    style: tuple[int, str],
    around: tuple[str, bool],
    block: int,
) -> None:
    """Rows that Python's csv writes come back, fast or slow, whatever the size of the blocks."""
    (quoting, ending), (start, cut) = style, around
    if quoting == csv.QUOTE_MINIMAL and ending == "\n":  # it would leave these without quotes
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator=ending)  # type: ignore[arg-type]
    writer.writerows([["key", "b", "c"], *rows])
    whole = start + text.getvalue()
    path = save(tmp_path / "x.csv", whole.removesuffix(ending) if cut else whole)
    expected = [tuple(cell or None for cell in row) for row in rows]
    for size in (block, 1 << 20):
        assert _joined(list(csv_cells(path, packed=False, block_bytes=size))) == (expected, {})
    _both(path, block)


@FEW
@given(
    lines=st.lists(st.text(st.sampled_from('ab",,\r é"'), max_size=8), max_size=25),
    block=st.integers(1, 200),
)
def test_both_readings_agree_on_any_text(tmp_path: Path, lines: list[str], block: int) -> None:
    """Also where rows are broken: the same cells, and the same rows set aside.

    With stray quotes, where a row ends may depend on how far ahead one looks, so the blocks are
    large there.
    """
    text = "\n".join(["key,b", *lines, ""])
    path = save(tmp_path / "x.csv", text)
    _both(path, 1 << 20 if '"' in text else block)


@FEW
@given(st.binary(max_size=60))
@example(b"x\x01\x02\x01")
def test_any_bytes_are_read_or_refused_by_name(tmp_path: Path, data: bytes) -> None:
    """Never a bare traceback."""
    for name in ("x.csv", "x.csv.gz", "x.parquet"):
        path = tmp_path / name
        path.write_bytes(data if name != "x.csv" else b"key,text\n" + data)
        try:
            read(path)
        except ExportError as error:
            assert error.remedy and str(path) in error.where


@pytest.mark.parametrize(
    "block",
    [
        b"a,1\nb,2\n",
        b"a,1\r\nb,2\r\n",
        b"a,1",
        b'"a","1"\n"b",""\n',
        b'"a","1"\r\n"b","2\r\n3"\r\n',
        b'a,"1,2"\nb,"x""y"\nc,\n',
        b'a,"1\n2"\n',
        b'a,"not needed"\nb,c\n',
        b'"a",\n"b",2\n',
    ],
)
def test_the_usual_files_are_read_fast(block: bytes) -> None:
    """Otherwise everything still works, and nobody notices why it takes so long."""
    frame = fast_cells(block, ["a", "b"])
    assert frame is not None and frame.height == block.rstrip().count(b"\n") + 1 - block.count(
        b"2\r\n3"
    ) - block.count(b"1\n2")


@pytest.mark.parametrize(
    "block",
    [
        b"a,1\0\n",
        b"a\n",
        b"a,1\nb\n",
        b"a,1\nb,2,3\n",
        b"a,1\nb,2,\n",
        b"a\nb,1,2\n",
        b"a,1\n\nb,2\n",
        b"\na,1\n",
        b"a\r,1\n",
        b"a,1\r\r\n",
        b"a,\xff\n",
        b"a,\xed\xa0\x80\n",
        b"\xef\xbb\xbfa,1\n",
        b'a"b,1\n',
        b'a,"b"c\n',
        b'a, "b"\n',
        b'a,"b\n',
        b'a",1\nb,"2\n',
        b'a,"x",\n',
        b'"a"\n"b","c","d"\n',
    ],
)
def test_what_is_not_in_order_is_left_to_the_slow_reading(block: bytes) -> None:
    assert fast_cells(block, ["a", "b"]) is None


@pytest.mark.parametrize("block", [b"\n", b"a\n\nb\n", b'"a"\n', b"a,b\n"])
def test_one_column_is_read_fast_only_without_blank_lines(block: bytes) -> None:
    assert fast_cells(block, ["a"]) is None


@pytest.mark.parametrize(
    ("buffer", "stop", "end"),
    [
        (b"a\nb\nc", 5, 4),
        (b"a\nb\nc", 3, 2),
        (b"abc", 3, 0),
        (b'a\n"b\nc"\nd', 9, 8),
        (b'a\n"b\nc"\nd', 7, 2),
        (b'"b\nc', 4, 0),
    ],
)
def test_where_the_last_record_ends(buffer: bytes, stop: int, end: int) -> None:
    assert last_record_end(buffer, stop) == end


def test_a_broken_row_sends_only_its_block_to_the_slow_reading(tmp_path: Path) -> None:
    lines = [f"k{n},{n}" for n in range(5_000)]
    lines[2_500] = "short"
    path = save(tmp_path / "x.csv", "\n".join(["key,text", *lines, ""]))
    parts = list(csv_cells(path, packed=False, block_bytes=4_096))
    assert sum(bool(part.misshapen) for part in parts) == 1
    assert sum(part.frame.height for part in parts) == 5_000
    frame = read(path)
    assert frame["row"].to_list() == list(range(1, 5_001))
    assert frame.filter(pl.col("defects").is_not_null())["row"].to_list() == [2_501]
