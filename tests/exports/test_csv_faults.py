"""CSV files that cannot be used as a whole: the name of the error, its place and its remedy."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pipeline.exports import (
    DamagedGzip,
    EmptyExport,
    ExportError,
    MissingColumn,
    NotUtf8,
    RecordTooLong,
    RepeatedColumn,
    TruncatedExport,
    UnknownFileKind,
    UnreadableExport,
    UnreadableHeader,
    csv_files,
    read_export,
    unknown_columns,
)
from tests.exports.support import PROBE, read, save


def _fault(path: Path) -> ExportError:
    with pytest.raises(ExportError) as caught:
        read(path)
    assert str(path) in caught.value.where
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("content", ["", "\n", "\r\n\n", "\ufeff"])
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_no_header(tmp_path: Path, content: str, name: str) -> None:
    assert type(_fault(save(tmp_path / name, content))) is EmptyExport


@pytest.mark.parametrize(
    ("header", "what", "remedy"),
    [
        ("text", "'key'", "export again with 'key'"),
        ("keys,text", "'key'", "'keys'"),
        ("KEY,text", "'key'", "'KEY'"),
        (" key,text", "'key'", "' key'"),
        ("key;text", "'key'", "semicolons"),
        ("key\ttext", "'key'", "tabs"),
    ],
)
def test_a_required_column_is_missing(tmp_path: Path, header: str, what: str, remedy: str) -> None:
    fault = _fault(save(tmp_path / "x.csv", f"{header}\na,b\n"))
    assert type(fault) is MissingColumn
    assert what in fault.what and remedy in fault.remedy and "header" in fault.where


@pytest.mark.parametrize("header", ["key,text,key", "key,,"])
def test_a_column_is_repeated(tmp_path: Path, header: str) -> None:
    path = save(tmp_path / "x.csv", f"{header}\na,b,c\n")
    assert type(_fault(path)) is RepeatedColumn


@pytest.mark.parametrize("header", ['"key"x,text\n', "key,text\ra,b\r", '"key,text\na,b\n'])
def test_the_header_is_not_csv(tmp_path: Path, header: str) -> None:
    assert type(_fault(save(tmp_path / "x.csv", header))) is UnreadableHeader


@pytest.mark.parametrize(
    ("data", "kind", "word"),
    [
        (gzip.compress(b"key\na\n", mtime=0), UnreadableHeader, ".csv.gz"),
        (b"PAR1xxxx", UnreadableHeader, ".parquet"),
        (b"PK\x03\x04xxxx", UnreadableHeader, "plain CSV"),
        ("key\na\n".encode("utf-16"), NotUtf8, "UTF-8"),
        ("\ufeffkey\na\n".encode("utf-16-be"), NotUtf8, "UTF-8"),
        ("key\na\n".encode("utf-16-le"), NotUtf8, "UTF-8"),
    ],
)
def test_the_file_is_something_else(
    tmp_path: Path, data: bytes, kind: type[ExportError], word: str
) -> None:
    fault = _fault(save(tmp_path / "x.csv", data))
    assert type(fault) is kind and word in fault.remedy


@pytest.mark.parametrize(
    ("data", "place", "byte"),
    [
        (b"key,te\xffxt\na,b\n", "header", "0xff, the 7th"),
        (b"key,text\na,\xff\n", "row 1", "0xff, the 12th"),
        (b"key,text\na,b\n\n\xe9,d\n", "row 2", "0xe9, the 15th"),
        (b'key,text\na,"b\n\n\xe9"\n', "row 1", "0xe9, the 16th"),
        (b"\xef\xbb\xbfkey,text\na,\xff\n", "row 1", "0xff, the 15th"),
        (b"key,text\na,b\nc,\0\n", "row 2", "0x00, the 16th"),
        (b"key,text\na,\xed\xa0\x80\n", "row 1", "0xed, the 12th"),
    ],
)
def test_bytes_that_are_not_text(tmp_path: Path, data: bytes, place: str, byte: str) -> None:
    fault = _fault(save(tmp_path / "x.csv", data))
    assert type(fault) is NotUtf8
    assert fault.where.endswith(f", {place}") and byte in fault.what


@pytest.mark.parametrize(("rows", "byte"), [(400_000, b"\xff"), (3_000_000, b"\0")])
def test_bytes_that_are_not_text_far_down(tmp_path: Path, rows: int, byte: bytes) -> None:
    path = save(tmp_path / "x.csv", b"key,text\n" + b"a,b\n" * rows + b"c," + byte + b"\n")
    fault = _fault(path)
    assert type(fault) is NotUtf8
    assert fault.where.endswith(f"row {rows + 1}") and f"the {rows * 4 + 12}th" in fault.what


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
@pytest.mark.parametrize("tail", ["c", 'c,"', 'c,"d', 'c,"d\ne', '"c'])
def test_the_file_stops_in_the_middle_of_a_row(
    tmp_path: Path, ending: str, name: str, tail: str
) -> None:
    rows = ["key,text,quantity", "a,b,1", "", tail]
    fault = _fault(save(tmp_path / name, ending.join(rows)))
    assert type(fault) is TruncatedExport
    assert fault.where.endswith("row 2") and "export again" in fault.remedy


@pytest.mark.parametrize("tail", ["c,d,1,2", 'c,"d"x,1'])
def test_a_last_row_that_is_broken_otherwise_is_only_set_aside(tmp_path: Path, tail: str) -> None:
    frame = read(save(tmp_path / "x.csv", f"key,text,quantity\na,b,1\n{tail}"))
    assert frame["defects"].to_list() == [None, "row_shape"]


def test_gzip_that_is_damaged(tmp_path: Path) -> None:
    lines = "".join(f"k{n},{n * 7919 % 10_007}\n" for n in range(50_000))
    good = gzip.compress(f"key,text\n{lines}".encode())
    wrong_sum = bytearray(good)
    wrong_sum[-6] ^= 1
    changed = bytearray(good)
    changed[len(good) // 2] ^= 1
    cases = {
        "cut in half": good[: len(good) // 2],
        "without its end": good[:-8],
        "one byte short": good[:-1],
        "wrong checksum": bytes(wrong_sum),
        "changed": bytes(changed),
        "followed by something": good + b"something",
        "not gzip": b"key,text\na,b\n",
    }
    for case, data in cases.items():
        path = tmp_path / "x.csv.gz"
        path.write_bytes(data)
        assert type(_fault(path)) is DamagedGzip, case


def test_gzip_of_several_members_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"key,text\na,b\n") + gzip.compress(b"c,d\n"))
    assert read(path)["key"].to_list() == ["a", "c"]


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "LIMIT_BYTES", 8 * 2**20)
    path = save(tmp_path / "x.csv", "key,text\na,b\nc," + "x" * 20_000_000 + "\nd,e\n")
    fault = _fault(path)
    assert type(fault) is RecordTooLong and fault.where.endswith("row 2")


def test_a_quote_that_stays_open_too_long_costs_its_own_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "LIMIT_BYTES", 8 * 2**20)
    rows = 3_000_000  # more bytes than the limit
    path = save(tmp_path / "x.csv", 'key,text\na,"b\n' + "c,d\n" * rows)
    frame = read(path)
    assert frame.height == rows + 1
    assert frame["defects"].drop_nulls().to_list() == ["row_shape"]


def test_files_that_are_not_there_or_not_files(tmp_path: Path) -> None:
    for name in ("none.csv", "none.csv.gz", "none.parquet"):
        assert type(_fault(tmp_path / name)) is UnreadableExport
    (tmp_path / "folder.csv").mkdir()
    assert type(_fault(tmp_path / "folder.csv")) is UnreadableExport
    assert type(_fault(save(tmp_path / "x.txt", "key\n"))) is UnknownFileKind
    with pytest.raises(UnreadableExport):
        unknown_columns(tmp_path / "none.csv", PROBE)


def test_nothing_is_given_out_before_the_header_is_known_to_be_good(tmp_path: Path) -> None:
    with pytest.raises(MissingColumn):
        next(read_export(save(tmp_path / "x.csv", "text\na\n"), PROBE))
