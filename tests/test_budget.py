"""What a run may use of the machine, however it is told, and what it tells of its progress."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.request import BASE_BYTES, BYTES_A_ROW, LARGEST_DAY, SMALLEST_DAY, Budget, Request
from pipeline.run import Done, execute
from schemas.datasets import DATASETS
from tests.good_feeds import PERIOD, good, save
from tests.support import bill, shown, tenantbill
from tests.worlds import world, write

MIB, GIB = 1 << 20, 1 << 30


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Budget]:
    """What the runs of a test may use; they run in a folder that has `feeds`."""
    told: list[Budget] = []

    def noted(request: Request, *more: object) -> Done:
        told.append(request.budget)
        return execute(request, *more)  # type: ignore[arg-type]

    monkeypatch.setattr("pipeline.run.execute", noted)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TENANTBILL_FEEDS", "feeds")
    save(good("acme"), tmp_path / "feeds")
    return told


@pytest.mark.parametrize(
    ("told", "memory"),
    [
        ("2GiB", 2 * GIB),
        ("1500MiB", 1500 * MIB),
        ("1 GiB", GIB),
        ("3g", 3 * GIB),
        ("900MB", 900 * MIB),
        ("1048576KiB", GIB),
        ("1TiB", 1024 * GIB),
        (str(GIB), GIB),
        (f"{GIB}B", GIB),
    ],
)
def test_memory_is_told_as_people_write_it(budgets: list[Budget], told: str, memory: int) -> None:
    assert tenantbill("ingest", PERIOD, "--memory", told).exit_code == 0
    assert [budget.memory for budget in budgets] == [memory]


@pytest.mark.parametrize("told", ["nonsense", "", "-1GiB", "1.5GiB", "2XiB", "GiB", "2GiB more"])
@pytest.mark.parametrize("way", ["word", "environment"])
def test_what_is_no_amount_of_memory_is_wrong_use(
    budgets: list[Budget], monkeypatch: pytest.MonkeyPatch, told: str, way: str
) -> None:
    if way == "environment":
        monkeypatch.setenv("TENANTBILL_MEMORY", told or "?")
    result = tenantbill("ingest", PERIOD, *(["--memory", told] if way == "word" else []))
    assert result.exit_code == 2
    assert "write it like 2GiB" in result.stderr
    assert budgets == []


@pytest.mark.parametrize("told", ["0", "-1", "many", "1.5"])
def test_fewer_than_one_worker_is_wrong_use(budgets: list[Budget], told: str) -> None:
    result = tenantbill("ingest", PERIOD, "--workers", told)
    assert result.exit_code == 2
    assert "--workers" in result.stderr
    assert budgets == []


def test_words_go_before_the_environment_and_that_before_the_settings(
    budgets: list[Budget], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("tenantbill.toml").write_text("workers = 3\n", encoding="utf-8")
    tenantbill("ingest", PERIOD)
    monkeypatch.setenv("TENANTBILL_WORKERS", "4")
    monkeypatch.setenv("TENANTBILL_MEMORY", "1GiB")
    tenantbill("ingest", PERIOD)
    tenantbill("validate", PERIOD)
    tenantbill("ingest", PERIOD, "--workers", 5, "--memory", "2GiB")
    assert [budget.workers for budget in budgets] == [3, 4, 4, 5]
    assert [budget.memory for budget in budgets[1:]] == [GIB, GIB, 2 * GIB]


def test_untold_a_run_takes_the_machines_cores_and_some_of_its_memory(
    budgets: list[Budget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.executors.choice.cores", lambda: 7)
    monkeypatch.setattr("pipeline.request.usual_memory", lambda _: 3 * GIB)
    assert tenantbill("ingest", PERIOD).exit_code == 0
    assert budgets == [Budget(7, 3 * GIB)]


@pytest.mark.parametrize(
    ("workers", "memory", "rows"),
    [
        (1, 0, SMALLEST_DAY),
        (1, BASE_BYTES, SMALLEST_DAY),
        (1, BASE_BYTES + 200_000 * BYTES_A_ROW, 200_000),
        (2, BASE_BYTES + 200_000 * BYTES_A_ROW, 100_000),
        (4, BASE_BYTES + 200_000 * BYTES_A_ROW, SMALLEST_DAY),
        (1, 64 * GIB, LARGEST_DAY),
    ],
)
def test_workers_share_the_memory_that_is_left(workers: int, memory: int, rows: int) -> None:
    """However little there is, a worker holds a small day; however much, no more than is faster."""
    assert Budget(workers, memory).rows_at_once == rows


@pytest.mark.parametrize("budget", ["--memory 700MiB", "--memory 1 --workers 3", "--workers 1"])
def test_the_budget_changes_no_result(tmp_path: Path, budget: str) -> None:
    crowd = world(7)
    write(crowd, tmp_path / "feeds")
    bill(tmp_path / "feeds", tmp_path / "usual", crowd.period)
    bill(tmp_path / "feeds", tmp_path / "told", crowd.period, *budget.split())
    for table in DATASETS:
        usual, told = (shown(table.name, crowd.period, tmp_path / one) for one in ("usual", "told"))
        assert told == usual, table.name


def test_progress_says_how_much_of_how_much_is_done(budgets: list[Budget]) -> None:
    """For schedulers: an event a line, of ingest by files, of usage by buckets, with their rows."""
    events = [
        json.loads(line)
        for line in tenantbill("run", PERIOD, "--log-format", "json").stderr.splitlines()
    ]
    assert all({"at", "event"} <= event.keys() for event in events)
    *progress, last = events
    assert last["event"] == "done"
    parts = ("stage", "done", "due", "unit", "rows")
    for event in progress:
        assert event["event"] == "progress"
        assert {name: type(event[name]) for name in parts} == dict(
            zip(parts, (str, int, int, str, int), strict=True)
        )
        assert 0 <= event["done"] <= event["due"]
    files = [event for event in progress if event["unit"] == "files"]
    feeds = len(list(Path("feeds").iterdir()))
    assert [event["done"] for event in files] == list(range(1, feeds + 1))
    assert {(event["stage"], event["due"]) for event in files} == {("ingest", feeds)}
    assert files[-1]["rows"] == sum(len(rows) for rows in good("acme").values())
    (bucket,) = (event for event in progress if event["unit"] == "buckets")
    assert [bucket[name] for name in parts] == ["usage", 1, 1, "buckets", 1]
    stages = list(dict.fromkeys(event["stage"] for event in progress))
    assert stages[:2] == ["ingest", "usage"]
    assert stages[2:] == ["validate", "split", "meter", "rate", "invoice", "access"]


def test_memory_can_be_set_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(good("acme"), tmp_path / "feeds")
    Path("tenantbill.toml").write_text('feeds = "feeds"\nmemory = "1GiB"\n', encoding="utf-8")
    result = tenantbill("ingest", PERIOD)
    assert result.exit_code == 0, result.output


def test_no_memory_at_all_is_wrong_use(tmp_path: Path) -> None:
    feeds, store = save(good("acme"), tmp_path / "feeds"), tmp_path / "store"
    words = ("ingest", PERIOD, "--feeds", feeds, "--store", store, "--memory", "0")
    assert tenantbill(*words).exit_code == 2
