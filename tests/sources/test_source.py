"""Sources: how they are set up, where their files lie, and that no record gets lost on the way."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import UsageError
from pipeline.settings import read_sources
from pipeline.sources import Source, SourceError, sources_of
from tests.good_feeds import PERIOD, assert_ties, good, save
from tests.support import shown, tenantbill

pytestmark = pytest.mark.usefixtures("probe_kind")

LINES = """\
acme e1 05 10
acme e2
acme e3 99
acme e4 15
other e5 20 25 30
"""

ROWS = """
row event_id
1   e1/05
1   e1/10
3   e3/99
4   e4/15
5   e5/20
5   e5/25
5   e5/30
"""


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "calls" / "a.txt"
    path.parent.mkdir()
    path.write_text(LINES)
    return path


def a_source(path: object, **said: object) -> Source:
    return Source.of("probe", str(path), said, "a test")


def test_each_row_keeps_the_number_of_the_record_that_it_was_made_of(lines: Path) -> None:
    batches = list(a_source(lines).read(lines))
    rows = pl.concat(batch.whole() for batch in batches)
    expected = [line.split() for line in ROWS.split("\n")[2:-1]]
    assert [[str(row), event] for row, event in rows.select("row", "event_id").rows()] == expected
    assert rows.filter(pl.col("defects").is_not_null())["row"].to_list() == [3]
    assert sum(batch.remarks.get("no_minutes", 0) for batch in batches) == 1


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"path": "x"}, "a source needs kind"),
        ({"kind": "probe"}, "a source needs path"),
        ({"kind": "prob", "path": "x"}, "did you mean 'probe'?"),
        ({"kind": "probe", "path": "x", "tenat": "a"}, "did you mean 'tenant'?"),
        ({"kind": "probe", "path": "x", "tenant": 7}, "tenant is 7"),
        ({"kind": "probe", "path": "x", "events": "e1"}, "write it as a list"),
        ({"kind": "probe", "path": "x", "events": [1]}, "write it as a list"),
        ({"kind": "probe", "path": "x", "names": {"a": 1}}, "write it as a table of texts"),
        ({"kind": "probe", "path": "x", "strict": 1}, "write it as true or false"),
    ],
)
def test_what_is_wrong_with_a_source_is_told(block: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=r"tenantbill.toml, \[\[source\]\] 2") as raised:
        sources_of([{"kind": "probe", "path": "y"}, block], "tenantbill.toml")
    assert told in str(raised.value)


@pytest.mark.parametrize("path", ["calls", "calls/a.txt", "calls/*.txt", "**/*.txt", "{abs}/*.txt"])
def test_a_source_is_a_file_a_directory_or_a_pattern(
    lines: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(lines.parent.parent)
    (lines.parent / ".hidden").write_text("")
    found = a_source(path.format(abs=lines.parent)).exports()
    assert [export.path.resolve() for export in found] == [lines]


def test_files_come_in_order_of_their_names_whatever_folder_they_lie_in(tmp_path: Path) -> None:
    """R11.1: the latest export wins, by file name."""
    for name in ("b/2026-10-01.txt", "a/2026-10-02.txt", "c/2026-10-03.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("")
    assert [one.path.stem[-1] for one in a_source(tmp_path).exports()] == ["1", "2", "3"]


def test_a_source_without_files_is_an_error_and_so_is_a_file_that_it_does_not_come_in(
    tmp_path: Path, lines: Path
) -> None:
    with pytest.raises(SourceError, match="there is no file"):
        a_source(tmp_path / "nowhere").exports()
    (lines.parent / "b.pdf").write_text("")
    with pytest.raises(SourceError, match=r"b\.pdf.*\n.*\.txt"):
        a_source(lines.parent).exports()


def test_settings_that_are_no_list_of_tables_are_told(tmp_path: Path) -> None:
    path = tmp_path / "tenantbill.toml"
    path.write_text('[source]\nkind = "probe"')
    with pytest.raises(UsageError, match=r"write each as a table of its own: \[\[source\]\]"):
        read_sources(path)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with sound feeds of `acme`, and a source that gives more usage of it."""
    save(good("acme"), tmp_path / "feeds")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "a.txt").write_text(LINES)
    set_up(tmp_path, '[[source]]\nkind = "probe"\npath = "calls"')
    return tmp_path


def set_up(place: Path, text: str) -> None:
    (place / "tenantbill.toml").write_text(f'feeds = "feeds"\nstore = "store"\n{text}\n')


def test_a_run_counts_the_sources_beside_the_feeds(place: Path) -> None:
    """R11.2: rows in = rows out, and what is refused says where it stands."""
    result = tenantbill("run", PERIOD)
    assert result.exit_code == 0, result.output
    store = place / "store"
    controls = assert_ties(store, rows=8)
    assert controls["billed"] == 4, "the session of the feed, and three calls"
    refused = shown("quarantine", PERIOD, store)
    assert [(one["file"], one["row"], one["rules"]) for one in refused] == [
        ("calls/a.txt", "3", "started_at_unreadable;ended_at_unreadable"),
        ("calls/a.txt", "5", "tenant_unknown"),
        ("calls/a.txt", "5", "tenant_unknown"),
        ("calls/a.txt", "5", "tenant_unknown"),
    ]
    [finding] = [one for one in shown("findings", PERIOD, store) if "say no" in one["message"]]
    assert (finding["subject"], finding["message"]) == (
        "calls/a.txt",
        "calls/a.txt: 1 record say no minutes.",
    )


def test_running_again_reads_no_file_of_a_source_again(place: Path) -> None:
    tenantbill("run", PERIOD)
    before = sorted(path for path in (place / "store" / "landed").rglob("*.json"))
    assert "nothing has changed" in tenantbill("run", PERIOD).output
    (place / "calls" / "b.txt").write_text("acme e9 40\n")
    assert "published" in tenantbill("run", PERIOD).output
    after = sorted(path for path in (place / "store" / "landed").rglob("*.json"))
    assert len(after) == len(before) + 1 and set(before) < set(after)


def test_other_settings_of_a_source_are_another_reading(place: Path) -> None:
    tenantbill("run", PERIOD)
    set_up(place, '[[source]]\nkind = "probe"\npath = "calls"\ntenant = "acme"')
    assert tenantbill("run", PERIOD).exit_code == 0
    refused = shown("quarantine", PERIOD, place / "store")
    assert [one["row"] for one in refused] == ["3"], "the rows of `other` are of acme now"


def test_what_was_taken_in_from_a_source_may_not_go_missing(place: Path) -> None:
    tenantbill("run", PERIOD)
    set_up(place, "")
    result = tenantbill("run", PERIOD)
    assert (
        result.exit_code == 1 and "calls/a.txt" in result.stderr and "DataMissing" in result.stderr
    )


def test_nothing_is_taken_in_twice(place: Path) -> None:
    block = '[[source]]\nkind = "probe"\npath = "calls"\n'
    set_up(place, 2 * block)
    result = tenantbill("run", PERIOD)
    assert result.exit_code == 2 and "calls/a.txt is taken in twice" in result.stderr


def test_sources_alone_say_which_feed_they_do_not_give(place: Path) -> None:
    (place / "tenantbill.toml").write_text('[[source]]\nkind = "probe"\npath = "calls"\n')
    result = tenantbill("run", PERIOD, "--store", "store")
    assert result.exit_code == 1 and "no source gives subscriptions" in result.stderr


@pytest.mark.parametrize("command", ["run", "ingest"])
def test_without_feeds_and_sources_nobody_says_where_exports_lie(place: Path, command: str) -> None:
    (place / "tenantbill.toml").unlink()
    result = tenantbill(command, PERIOD)
    assert result.exit_code == 2 and "nothing says where the exports lie" in result.stderr


def test_a_plan_takes_the_sources_in_as_well(place: Path) -> None:
    tenantbill("run", PERIOD)
    assert tenantbill("close", PERIOD).exit_code == 0
    (place / "calls" / "b.txt").write_text("acme e9 40\n")
    assert "calls/b.txt" not in tenantbill("show", "quarantine", PERIOD).output
    result = tenantbill("plan", PERIOD)
    assert result.exit_code == 0, result.output
    assert len(list((place / "store" / "listings").glob("*.json"))) == 2
