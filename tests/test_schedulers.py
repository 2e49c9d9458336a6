"""The examples for schedulers do what the documents say: they are read from there and tried."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pipeline.cli import main
from tests.test_documents import text_of

PLACE = "/srv/billing"
PROGRAM = ".venv/bin/tenantbill"
SUCCESS = (0, 3)
CODES = (0, 1, 2, 3, 75)


def blocks(document: str, section: str, language: str) -> list[str]:
    """The examples in a section of a document that are in a language."""
    text = text_of(document).split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


UNITS = blocks("pipeline/README.md", "Every night", "ini")
PYTHON = blocks("pipeline/README.md", "Every night", "python")
CRON = [
    *blocks("pipeline/README.md", "Every night", "crontab"),
    *blocks("README.md", "Every night", ""),
]


@pytest.fixture
def billing_folder(tmp_path: Path) -> Path:
    """A folder with a program that writes down its words and leaves with the code in `code`."""
    program = tmp_path / PROGRAM
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$*" >> words\necho "{}"\nexit "$(cat code)"\n')
    program.chmod(0o755)
    return tmp_path


def said(folder: Path) -> list[list[str]]:
    """The words that the program was started with, each time."""
    return [shlex.split(line) for line in (folder / "words").read_text().splitlines()]


def assert_runs_every_month_that_is_due(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The words are a command of ours, with `feeds` from the settings."""
    monkeypatch.setenv("TENANTBILL_FEEDS", "exports")
    assert words[0] == "run"
    context = main.commands["run"].make_context("run", words[1:])
    assert context.params["periods"] is None, "the word auto"


def test_there_is_an_example_for_every_scheduler() -> None:
    assert [unit.splitlines()[0] for unit in UNITS] == [
        "# tenantbill.service",
        "# tenantbill.timer",
    ]
    assert (len(PYTHON), len(CRON)) == (2, 2)


@pytest.mark.parametrize("line", CRON)
def test_cron_starts_a_night_and_its_words_are_ours(
    line: str, billing_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line.count("\n") == 1, "one line"
    *fields, command = line.rstrip().split(" ", 5)
    assert len(fields) == 5
    assert all(re.fullmatch(r"\*|\d+", field) for field in fields)
    assert fields[2:] == ["*", "*", "*"], "every night"
    assert "%" not in command, "cron ends the command there"
    (billing_folder / "code").write_text("3")
    command = command.replace(PLACE, shlex.quote(str(billing_folder)))
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 3
    (words,) = said(billing_folder)
    assert_runs_every_month_that_is_due(words, monkeypatch)


def test_systemd_starts_a_night_and_its_words_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    service = dict(line.split("=", 1) for line in UNITS[0].splitlines() if "=" in line)
    assert service["WorkingDirectory"] == PLACE
    program, *words = shlex.split(service["ExecStart"])
    assert program == f"{PLACE}/{PROGRAM}"
    assert_runs_every_month_that_is_due(words, monkeypatch)
    assert service["SuccessExitStatus"] == "3"
    assert service["RestartPreventExitStatus"].split() == ["1", "2"], "75 is tried again"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    names = []
    for unit in UNITS:
        title, text = unit.split("\n", 1)
        names.append(tmp_path / title.removeprefix("# "))
        names[-1].write_text(text.replace(f"{PLACE}/{PROGRAM}", sys.executable))
    verified = subprocess.run(
        ["systemd-analyze", "verify", *names], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def run_example(code: str, modules: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Run an example as it is, in another folder, with stand-ins for what it imports."""
    names: dict[str, Any] = {"__name__": "example"}
    with pytest.MonkeyPatch.context() as patch:
        for name, content in modules.items():
            module = ModuleType(name)
            vars(module).update(content)
            patch.setitem(sys.modules, name, module)
        exec(compile(code.replace(PLACE, str(folder)), "example", "exec"), names)
    return names


class Dag:
    """Stands in for Airflow's DAG: takes what the example tells it."""

    def __init__(self, name: str, **options: Any) -> None:
        self.name, self.options = name, options

    def __enter__(self) -> Dag:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("code", CODES)
def test_airflow_starts_a_night_and_knows_its_exit_codes(
    billing_folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    tasks: list[dict[str, Any]] = []
    dags: list[Dag] = []

    def dag(*words: Any, **options: Any) -> Dag:
        dags.append(Dag(*words, **options))
        return dags[-1]

    modules: dict[str, dict[str, Any]] = {
        "airflow.sdk": {"DAG": dag},
        "airflow.providers.standard.operators.bash": {
            "BashOperator": lambda **options: tasks.append(options)
        },
    }
    run_example(PYTHON[0], modules, billing_folder)
    assert (dags[0].options["schedule"], dags[0].options["catchup"]) == ("15 4 * * *", False)
    (task,) = tasks
    assert not {"{{", "{%", "{#"} & {*re.findall(r"\{.", task["bash_command"])}, "no template"
    (billing_folder / "code").write_text(str(code))
    done = subprocess.run(["bash", "-c", task["bash_command"]], cwd=task["cwd"], check=False)
    assert done.returncode == (0 if code in SUCCESS else code)
    assert task["skip_on_exit_code"] == 75
    (words,) = said(billing_folder)
    assert_runs_every_month_that_is_due(words, monkeypatch)


class Retry(Exception):
    """Stands in for Dagster's request to try again."""


class Failure(Exception):
    """Stands in for Dagster's failure."""


@pytest.mark.parametrize("code", CODES)
def test_dagster_starts_a_night_and_knows_its_exit_codes(
    billing_folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def raising(kind: type[Exception]) -> Callable[..., Exception]:
        return lambda *words, **options: kind(*words, options)

    dagster = {
        "asset": lambda function: function,
        "MaterializeResult": SimpleNamespace,
        "RetryRequested": raising(Retry),
        "Failure": raising(Failure),
    }
    names = run_example(PYTHON[1], {"dagster": dagster}, billing_folder)
    (billing_folder / "code").write_text(str(code))
    if code in SUCCESS:
        assert names["bills"]().metadata == {}, "what the program wrote to stdout"
    else:
        with pytest.raises(Retry if code == 75 else Failure):
            names["bills"]()
    (words,) = said(billing_folder)
    assert_runs_every_month_that_is_due(words, monkeypatch)
    assert words[-2:] == ["--summary", "-"]
