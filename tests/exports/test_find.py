"""Which files are exports of a feed, in which order, and what is no export."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.exports import (
    ExportError,
    FeedsNotADirectory,
    UnknownFileKind,
    UnreadableExport,
    find_exports,
)
from tests.exports.support import PROBE


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def _names(folder: Path) -> list[str]:
    return [export.name for export in find_exports(folder, PROBE)]


def test_every_file_of_the_feed_in_order(tmp_path: Path) -> None:
    _touch(
        tmp_path,
        "probe.csv",
        "probe.CSV.GZ",
        "probe.Parquet",
        "probes.csv",
        "PROBE.csv",
        "other.csv",
        "probe.txt",
        ".probe.csv",
        "probe/b/2026-10-01.csv",
        "probe/a/2026-10-02.csv.gz",
        "probe/c/2026-10-01.csv",
        "probe/_part.parquet",
        "probe/.hidden",
        "probe/.git/x.txt",
        "probe/folder.csv/x.parquet",
    )
    assert _names(tmp_path) == [
        "probe/b/2026-10-01.csv",
        "probe/c/2026-10-01.csv",
        "probe/a/2026-10-02.csv.gz",
        "probe/_part.parquet",
        "probe.CSV.GZ",
        "probe.Parquet",
        "probe.csv",
        "probe/folder.csv/x.parquet",
    ]
    export = find_exports(tmp_path, PROBE)[0]
    assert export.path == tmp_path / "probe/b/2026-10-01.csv"


def test_no_file_is_no_error(tmp_path: Path) -> None:
    assert _names(tmp_path) == []
    (tmp_path / "probe").mkdir()
    assert _names(tmp_path) == []


def _fault(folder: Path) -> ExportError:
    with pytest.raises(ExportError) as caught:
        find_exports(folder, PROBE)
    assert caught.value.remedy
    return caught.value


def test_the_feeds_directory_is_none(tmp_path: Path) -> None:
    assert type(_fault(tmp_path / "none")) is FeedsNotADirectory
    _touch(tmp_path, "file")
    assert type(_fault(tmp_path / "file")) is FeedsNotADirectory
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert type(_fault(tmp_path / "link")) is FeedsNotADirectory


@pytest.mark.parametrize("name", ["probe/notes.txt", "probe/x.csv.bak", "probe/a/b/c", "probe"])
def test_something_that_is_no_export(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, name)
    fault = _fault(tmp_path)
    assert type(fault) is UnknownFileKind and str(tmp_path / name) in fault.where


def test_a_directory_named_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "probe.csv").mkdir()
    assert type(_fault(tmp_path)) is UnknownFileKind


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    _touch(tmp_path, "elsewhere/x.csv")
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds/probe").symlink_to(tmp_path / "elsewhere")
    assert _names(tmp_path / "feeds") == ["probe/x.csv"]
    (tmp_path / "elsewhere/loop").symlink_to(tmp_path / "elsewhere")
    assert type(_fault(tmp_path / "feeds")) is UnreadableExport
    (tmp_path / "elsewhere/loop").unlink()
    (tmp_path / "elsewhere/up").symlink_to(tmp_path / "feeds")
    assert type(_fault(tmp_path / "feeds")) is UnreadableExport


@pytest.mark.parametrize("name", ["probe.csv", "probe/x.csv"])
def test_a_link_that_leads_nowhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "probe").mkdir()
    (tmp_path / name).symlink_to(tmp_path / "gone.csv")
    assert type(_fault(tmp_path)) is UnreadableExport
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to(tmp_path / name)
    assert type(_fault(tmp_path)) is UnreadableExport


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "probe").mkdir(mode=0)
    assert type(_fault(tmp_path)) is UnreadableExport
