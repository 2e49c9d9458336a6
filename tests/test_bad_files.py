"""What users see when a file or a directory of exports cannot be used: which, why, what to do."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.good_feeds import PERIOD, assert_refused, good, run, save
from tests.support import bill, shown


def replace(feed: str, content: bytes, ending: str = ".csv") -> Callable[[Path], None]:
    """A fault: another file in place of the feed's."""

    def put(folder: Path) -> None:
        (folder / f"{feed}.csv").unlink()
        (folder / f"{feed}{ending}").write_bytes(content)

    return put


def halved(feed: str, ending: str) -> Callable[[Path], None]:
    """A fault: the feed as a packed file of which the second half is lost."""

    def put(folder: Path) -> None:
        path = folder / f"{feed}.csv"
        whole = folder / f"{feed}{ending}"
        if ending == ".parquet":
            pl.read_csv(path, infer_schema=False).write_parquet(whole)
        else:
            whole.write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        content = whole.read_bytes()
        whole.write_bytes(content[: len(content) // 2])

    return put


def change(feed: str, of: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A fault: the feed's file with other bytes."""

    def put(folder: Path) -> None:
        path = folder / f"{feed}.csv"
        path.write_bytes(of(path.read_bytes()))

    return put


def floats(folder: Path) -> None:
    path = folder / "usage.csv"
    rows = pl.read_csv(path, infer_schema=False).with_columns(quantity=pl.lit(0.1))
    rows.write_parquet(folder / "usage.parquet")
    path.unlink()


def directory(folder: Path) -> None:
    (folder / "usage.csv").unlink()
    (folder / "usage.csv").mkdir()


def stranger(folder: Path) -> None:
    (folder / "usage").mkdir()
    (folder / "usage" / "notes.txt").write_text("x")


def french(content: bytes) -> bytes:
    return content.replace(b"acme-S", "Fran\u00e7ois".encode("latin-1"))


def wide(content: bytes) -> bytes:
    return content.decode().encode("utf-16")


FILE_FAULTS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "an empty file": (replace("usage", b""), "EmptyExport", "usage.csv"),
    "an empty file of terms": (replace("rates", b""), "EmptyExport", "rates.csv"),
    "blank lines": (replace("users", b"\n\n"), "EmptyExport", "users.csv"),
    "no required column": (replace("usage", b"event_id,x\n"), "MissingColumn", "'tenant_id'"),
    "semicolons": (replace("tenants", b"a;b\n1;2\n"), "MissingColumn", "tenants.csv, header"),
    "a column twice": (
        change("usage", lambda content: content.replace(b"meter", b"user_id", 1)),
        "RepeatedColumn",
        "'user_id'",
    ),
    "latin-1": (change("usage", french), "NotUtf8", "usage.csv, row 2"),
    "UTF-16": (change("subscriptions", wide), "NotUtf8", "subscriptions.csv"),
    "a cut row": (change("usage", lambda content: content[:-30]), "TruncatedExport", "row 2"),
    "a cut row of terms": (change("rates", lambda all_: all_[:-12]), "TruncatedExport", "row 2"),
    "an open quote": (
        change("usage", lambda content: content + b'"e9,acme'),
        "TruncatedExport",
        "row 3",
    ),
    "half a Parquet file": (halved("usage", ".parquet"), "DamagedParquet", "usage.parquet"),
    "half a gzip file": (halved("usage", ".csv.gz"), "DamagedGzip", "usage.csv.gz"),
    "half a gzip file of terms": (halved("rates", ".csv.gz"), "DamagedGzip", "rates.csv.gz"),
    "CSV named as Parquet": (replace("usage", b"a,b\n", ".parquet"), "DamagedParquet", "usage"),
    "CSV named as gzip": (replace("usage", b"a,b\n", ".csv.gz"), "DamagedGzip", "usage"),
    "Parquet named as CSV": (replace("usage", b"PAR1xxPAR1"), "UnreadableHeader", "usage.csv"),
    "floats": (floats, "UnusableColumn", "column quantity"),
    "a directory for a file": (directory, "UnknownFileKind", "usage.csv"),
    "something else beside exports": (stranger, "UnknownFileKind", "notes.txt"),
    "no usage": (lambda folder: (folder / "usage.csv").unlink(), "FeedMissing", "usage.parquet"),
    "no rates": (lambda folder: (folder / "rates.csv").unlink(), "FeedMissing", "rates.parquet"),
}


@pytest.mark.parametrize("case", FILE_FAULTS)
def test_a_file_that_cannot_be_used_stops_the_run_and_is_named(tmp_path: Path, case: str) -> None:
    put, error, where = FILE_FAULTS[case]
    folder = save(good("good", "acme"), tmp_path / "feeds")
    put(folder)
    assert_refused(run(folder), folder, error, where)


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_a_feeds_directory_that_is_none_stops_the_run(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    assert_refused(run(tmp_path / place), tmp_path / place, "FeedsNotADirectory", place)


def test_a_store_that_is_a_file_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    folder = save(good("good"), tmp_path / "feeds")
    assert_refused(run(folder), folder, "StoreUnusable", "store")


def test_a_broken_file_leaves_what_was_published_before(tmp_path: Path) -> None:
    folder, store = save(good("good"), tmp_path / "feeds"), tmp_path / "store"
    bill(folder, store, PERIOD)
    before = shown("invoices", PERIOD, store)
    halved("usage", ".csv.gz")(folder)
    assert run(folder).exit_code == 1
    assert shown("invoices", PERIOD, store) == before != []


def test_unknown_columns_are_kept_out_and_named_in_a_notice(tmp_path: Path) -> None:
    folder = save(good("good"), tmp_path / "feeds")
    for feed in ("usage", "rates"):
        lines = (folder / f"{feed}.csv").read_text().splitlines()
        text = "".join(f"{line},{'queue' if not row else 'q'}\n" for row, line in enumerate(lines))
        (folder / f"{feed}.csv").write_text(text)
    assert run(folder).exit_code == 0
    found = shown("findings", PERIOD, tmp_path / "store")
    notices = {row["subject"]: row for row in found if row["code"] == "unknown_columns"}
    assert set(notices) == {"usage.csv", "rates.csv"}
    assert {row["severity"] for row in notices.values()} == {"notice"}
    assert all("queue" in row["message"] for row in notices.values())
