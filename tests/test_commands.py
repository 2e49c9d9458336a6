"""What commands print and take: formats, status, settings, environment, help, wrong words."""

from __future__ import annotations

import errno
import io
import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from pipeline.cli import main
from pipeline.steps import Step
from pipeline.tell import words_of
from schemas.datasets import DATASETS
from tests.good_feeds import PERIOD, good, save
from tests.support import bill, by_value, shown, tenantbill
from tests.worlds import world, write

NAMES = [table.name for table in DATASETS]


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The store of a world with rows in every dataset, and its period."""
    folder, crowd = tmp_path_factory.mktemp("billed"), world(0)
    write(crowd, folder / "feeds")
    bill(folder / "feeds", folder / "store", crowd.period)
    return folder / "store", crowd.period


@pytest.mark.parametrize("dataset", NAMES)
def test_every_dataset_says_the_same_in_every_format(
    billed: tuple[Path, str], dataset: str
) -> None:
    store, period = billed
    words = ("show", dataset, period, "--store", store, "--format")
    rows = shown(dataset, period, store)
    columns = next(table.names for table in DATASETS if table.name == dataset)
    assert list(rows[0]) == columns
    parquet = pl.read_parquet(io.BytesIO(tenantbill(*words, "parquet").stdout_bytes))
    texts = parquet.with_columns(
        pl.col(pl.Datetime).dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ"),
        pl.col(pl.Decimal, pl.Date).cast(str),
    )
    assert by_value(texts.rows(named=True), columns) == by_value(rows, columns)
    told = json.loads(tenantbill(*words, "json").stdout)
    assert by_value(told, columns) == by_value(rows, columns)
    table = tenantbill(*words, "table").stdout
    assert all(value.split("\n")[0] in table for row in rows for value in row.values())


def test_numbers_are_plain_decimals_and_instants_end_in_z(billed: tuple[Path, str]) -> None:
    store, period = billed
    for row in shown("overage", period, store):
        for name in ("usage", "entitlement", "overage"):
            assert not set(row[name]) - set("0123456789.")
        assert row["overage_at"] == "" or row["overage_at"].endswith("Z")


def test_rows_of_a_tenant_are_shown_alone(billed: tuple[Path, str]) -> None:
    store, period = billed
    everybody = shown("access", period, store)
    own = shown("access", period, store, "--tenant", "T1")
    assert own == [row for row in everybody if row["tenant_id"] == "T1"] != everybody


def test_an_unknown_dataset_is_wrong_use_with_a_guess(billed: tuple[Path, str]) -> None:
    store, period = billed
    result = tenantbill("show", "invoice", period, "--store", store)
    assert result.exit_code == 2
    assert "'invoice'" in result.stderr
    assert "did you mean invoices?" in result.stderr


def test_what_findings_say_to_type_can_be_typed(billed: tuple[Path, str]) -> None:
    store, period = billed
    remedies = {row["remedy"] for row in shown("findings", period, store)}
    typed = {words for one in remedies for words in re.findall(r"`tenantbill (.*?)`", one)}
    assert {words.split()[1] for words in typed} >= {"quarantine", "superseded", "unbilled"}
    for words in typed:
        assert tenantbill(*words.split(), "--store", store).exit_code == 0, words


def test_status_says_what_is_published_and_what_is_missing(tmp_path: Path) -> None:
    feeds, store = save(good("good"), tmp_path / "feeds"), tmp_path / "store"
    before = tenantbill("status", "--store", store)
    assert before.exit_code == 1
    assert "tenantbill run PERIOD --feeds" in before.stderr
    assert not store.exists()
    tenantbill("ingest", "2026-09", "--feeds", feeds, "--store", store)
    bill(feeds, store, PERIOD)
    after = tenantbill("status", "--store", store)
    lines = after.stdout.splitlines()
    assert lines[0].startswith("period,state,run,command,published_at,")
    assert [line.split(",")[0] for line in lines[1:]] == ["2026-09", PERIOD]
    assert "validate, split, meter, rate, invoice, access" in lines[1]
    assert "USD 10.00" in lines[2]
    assert tenantbill("status", PERIOD, "--store", store).stdout.splitlines()[1:] == [lines[2]]
    of_no_run = tenantbill("status", "2026-01", "--store", store)
    assert of_no_run.exit_code == 1
    assert f"{store}: nothing is published of 2026-01 [InputMissing]" in of_no_run.stderr
    assert "`tenantbill run 2026-01 --feeds DIR`" in of_no_run.stderr


@pytest.mark.parametrize("words", ["show invoices 2026-10", "log", "status", "plan", "diff"])
@pytest.mark.parametrize("what", ["nowhere", "file"])
def test_a_place_without_a_store_is_named_and_left_as_it_is(
    tmp_path: Path, words: str, what: str
) -> None:
    (tmp_path / "file").write_text("")
    result = tenantbill(*words.split(), "--store", tmp_path / what)
    assert result.exit_code == 1, result.output
    told = {"nowhere": "there is no store yet", "file": "this is not a directory"}
    assert f"{tmp_path / what}: {told[what]} [InputMissing]" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_of_a_tenant_of_whom_nothing_is_published_that_is_said_with_a_guess(
    billed: tuple[Path, str],
) -> None:
    """A tenant may have nothing in a month, so it is no error: programs see no rows."""
    store, period = billed
    for dataset in ("invoices", "unbilled", "chargeback"):
        words = ("show", dataset, period, "--store", store, "--format", "csv", "--tenant")
        nobody, somebody = tenantbill(*words, "T11"), tenantbill(*words, "T1")
        assert (nobody.exit_code, len(nobody.stdout.splitlines())) == (0, 1)
        assert f"there is nothing of a tenant 'T11' in {period}" in nobody.stderr
        assert "did you mean 'T1'?" in nobody.stderr
        assert (somebody.exit_code, somebody.stderr) == (0, "")


def test_what_is_shown_as_of_an_instant_before_any_run_cannot_be_run(tmp_path: Path) -> None:
    feeds, store = save(good("good"), tmp_path / "feeds"), tmp_path / "store"
    bill(feeds, store, PERIOD)
    words = ("show", "invoices", PERIOD, "--store", store, "--as-of", "2020-01-01")
    refused = tenantbill(*words)
    assert refused.exit_code == 1
    assert "as of 2020-01-01T00:00:00Z [InputMissing]" in refused.stderr
    assert f"name a later instant with --as-of: `tenantbill log {PERIOD}`" in refused.stderr


@pytest.mark.parametrize(
    "words",
    ["2026-13", "2026-1", "october", "", "2026-10..", "2026-10..2026-08", "2026-10-01", "0000-01"],
)
@pytest.mark.parametrize("command", ["run", "show invoices", "split", "status"])
def test_a_wrong_period_is_wrong_use(tmp_path: Path, command: str, words: str) -> None:
    place = ("--feeds", tmp_path) if command == "run" else ()
    result = tenantbill(*command.split(), words, "--store", tmp_path / "store", *place)
    assert result.exit_code == 2
    assert "2026-10" in result.stderr or "2026-08" in result.stderr


@pytest.mark.parametrize("command", [None, *main.commands])
def test_the_help_of_every_command_shows_examples(command: str | None) -> None:
    result = tenantbill(*([command] if command else []), "--help")
    assert result.exit_code == 0
    _, examples = result.stdout.split("Examples:\n")
    assert f"tenantbill {command or 'run'} " in examples


def test_a_mistyped_command_is_wrong_use_with_a_guess() -> None:
    result = tenantbill("ivoice", PERIOD)
    assert result.exit_code == 2
    assert "invoice" in result.stderr


def test_options_come_from_the_command_line_then_the_environment_then_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(good("good", "acme"), tmp_path / "exports")
    Path("tenantbill.toml").write_text('feeds = "exports"\nstore = "by-file"\ntenant = ["acme"]\n')
    assert tenantbill("run", PERIOD).exit_code == 0
    assert Path("by-file").is_dir()
    assert {row["tenant_id"] for row in shown("invoices", PERIOD, Path("by-file"))} == {"acme"}
    monkeypatch.setenv("TENANTBILL_STORE", "by-environment")
    monkeypatch.setenv("TENANTBILL_TENANT", "acme good")
    assert tenantbill("run", PERIOD).exit_code == 0
    assert len(shown("invoices", PERIOD, Path("by-environment"))) == 2
    assert tenantbill("run", PERIOD, "--store", "by-word").exit_code == 0
    assert Path("by-word").is_dir()
    monkeypatch.setenv("TENANTBILL_SHOW_FORMAT", "json")
    assert tenantbill("show", "invoices", PERIOD).stdout.startswith("[{")
    monkeypatch.setenv("TENANTBILL_WORKERS", "none")
    assert tenantbill("run", PERIOD).exit_code == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'stroe = "x"', "did you mean 'store'?"),
        (b'quite_other = "x"', "known are feeds, store"),
        (b"store = 1", "store is 1"),
        (b"workers = true", "workers is True"),
        (b"allow_shrink = 1", "allow_shrink is 1"),
        (b'allow_shrink = "yes"', "true or false"),
        (b'workers = "2"', "a whole number"),
        (b'tenant = "acme"', "a list"),
        (b"tenant = [1]", "a list"),
        (b"workers = 0", "workers"),
        (b'log_format = "xml"', "log_format"),
        (b"store = ", "this is not TOML"),
        (b"\xff\xfe", "this is not TOML"),
    ],
)
def test_wrong_settings_are_wrong_use_and_say_how_to_write_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tenantbill.toml").write_bytes(content)
    result = tenantbill("run", PERIOD, "--feeds", "exports")
    assert result.exit_code == 2, result.output
    assert told in result.stderr.replace("--log-format", "log_format")
    assert not Path("tenantbill-store").exists()


def test_progress_for_schedulers_is_one_json_event_a_line(tmp_path: Path) -> None:
    feeds, store = save(good("good"), tmp_path / "feeds"), tmp_path / "store"
    words = ("run", PERIOD, "--feeds", feeds, "--store", store, "--log-format", "json")
    done = tenantbill(*words)
    assert done.stdout == ""
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()][-1] == "done"
    (feeds / "rates.csv").unlink()
    failed = tenantbill(*words)
    assert failed.exit_code == 1
    last = json.loads(failed.stderr.splitlines()[-1])
    assert (last["event"], last["error"]) == ("failed", "FeedMissing")
    assert last["what"]
    assert last["remedy"]


def last_event(*words: object, code: int) -> dict[str, object]:
    """The last event of a command, which leaves with that code and says nothing but events."""
    result = tenantbill(*words, "--log-format", "json")
    assert result.exit_code == code, result.output
    events: list[dict[str, object]] = [json.loads(line) for line in result.stderr.splitlines()]
    return events[-1]


def test_what_the_system_refuses_and_what_nobody_said_are_events_and_in_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    feeds, summary = save(good("good"), tmp_path / "feeds"), tmp_path / "summary.json"
    Path("file").write_text("")
    words = ("run", PERIOD, "--summary", summary, "--store", "store")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.run.take_in", full)
        refused = last_event(*words, "--feeds", feeds, code=1)
    assert (refused["event"], refused["error"]) == ("failed", "SystemFailed")
    shutil.rmtree("store")
    unsaid = last_event(*words, code=2)
    assert (unsaid["event"], unsaid["error"]) == ("failed", "UsageError")
    told = json.loads(summary.read_text())
    assert (told["exit_code"], told["error"]["what"]) == (2, unsaid["what"])
    assert not Path("store").exists()
    sessions = ("convert", "csv", "file", "-o", "usage.csv")
    assert last_event(*sessions, code=2)["error"] == "UsageError"


def test_what_a_plan_notes_beside_its_changes_is_an_event(tmp_path: Path) -> None:
    feeds, store = save(good("good"), tmp_path / "feeds"), tmp_path / "store"
    bill(feeds, store, PERIOD)
    note = last_event("plan", PERIOD, "--store", store, code=0)
    assert (note["event"], note["period"]) == ("not_compared", PERIOD)


def test_progress_is_told_in_words_with_the_rate() -> None:
    assert words_of(Step("rate"), 1) == "rate"
    assert words_of(Step("ingest", 3, 31, "files", 900_000), 0.5) == (
        "ingest 3 of 31 files, 900,000 rows, 1,800,000 a second"
    )
    assert words_of(Step("usage", 1, 4, "buckets", 10, 40), 0) == "usage 1 of 4 buckets, 10 rows"
