"""What the documents say is checked against what is there: commands, codes, rules, names, links."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import polars as pl
import pytest

from pipeline.cli import converting, main
from pipeline.findings import CODES
from pipeline.sources import describe
from pipeline.sources.kinds import KINDS
from pipeline.stages.terms_rules import rules_across
from schemas import dictionary
from schemas.columns import Table
from schemas.datasets import DATASETS
from schemas.feeds import FEEDS, TERMS

PROJECT = Path(__file__).resolve().parent.parent
READMES = (
    "README.md",
    "pipeline/README.md",
    "pipeline/sources/README.md",
    "schemas/README.md",
    "sample_data/README.md",
)
DOCUMENTS = (*READMES, "pipeline/DECISIONS.md")

CLAUSES = {"1": 3, "2": 3, "3": 5, "4": 4, "5": 5, "6": 5, "7": 3, "8": 4, "9": 4, "10": 6, "11": 2}
"""How many numbered clauses each rule has."""


def text_of(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def rule_rows() -> list[tuple[str, list[str]]]:
    """The rule table of pipeline/README.md: each clause with the names said to decide it."""
    rows = re.findall(r"^\| (R\d+[^|]*) \|[^|]*\| (`.*`) \|$", text_of("pipeline/README.md"), re.M)
    return [(clause, re.findall(r"`([^`]+)`", names)) for clause, names in rows]


def empty_terms() -> dict[str, pl.DataFrame]:
    """A frame of no rows for every feed but usage, as `stages.terms` takes them."""
    extra = {"file": pl.String(), "row": pl.Int64(), "defects": pl.String(), "raw": pl.String()}
    return {table.name: pl.DataFrame(schema={**table.dtypes, **extra}) for table in TERMS}


def test_data_dictionary_is_fresh() -> None:
    assert dictionary.is_fresh(), "run `python -m schemas.dictionary`"


def test_stale_data_dictionary_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dictionary, "FILE", tmp_path / "README.md")
    monkeypatch.setattr(dictionary, "is_fresh", lambda: False)
    assert dictionary.main(["--check"]) == 1
    assert capsys.readouterr().err == "README.md is stale: run `python -m schemas.dictionary`\n"
    assert not (tmp_path / "README.md").exists()


@pytest.mark.parametrize("table", TERMS, ids=lambda table: table.name)
def test_rules_across_rows_are_told_as_they_are_judged(table: Table) -> None:
    frames = empty_terms()
    judged = [rule.name for rule in rules_across(table, frames[table.name], frames)]
    assert sorted(judged) == sorted(dictionary.ACROSS_ROWS.get(table.name, {}))


@pytest.mark.parametrize("table", FEEDS, ids=lambda table: table.name)
def test_every_rule_of_a_feed_is_in_its_section(table: Table) -> None:
    section = text_of("schemas/README.md").split(f"\n### {table.name}\n")[1].split("\n### ")[0]
    told = dictionary.rule_names(table)
    assert {rule.name for rule in table.row_rules()} <= set(told)
    assert [name for name in told if f"`{name}`" not in section] == []


def test_every_dataset_and_column_is_documented() -> None:
    text = text_of("schemas/README.md")
    for table in DATASETS:
        section = text.split(f"\n### {table.name}\n")[1].split("\n### ")[0]
        assert [name for name in table.names if f"| `{name}` |" not in section] == []


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"^\| `{command}[ `]", text_of("README.md"), re.M)


def test_the_page_of_the_kinds_of_sources_is_fresh() -> None:
    assert describe.PAGE.read_text(encoding="utf-8") == describe.page()


def test_the_commands_know_every_kind_of_source() -> None:
    assert tuple(KINDS) == converting.KINDS


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_finding_is_documented_with_its_severity_and_rule(code: str) -> None:
    severity, rule = CODES[code]
    assert f"| `{code}` | {severity} | {rule} |" in text_of("pipeline/README.md")


def test_every_clause_of_the_rules_is_in_the_table() -> None:
    told = [clause for clause, _ in rule_rows()]
    numbered = [f"R{rule}.{n}" for rule, last in CLAUSES.items() for n in range(1, last + 1)]
    assert [clause for clause in numbered if told.count(clause) != 1] == []


@pytest.mark.parametrize(("clause", "names"), rule_rows(), ids=lambda value: str(value)[:12])
def test_what_decides_a_rule_exists(clause: str, names: list[str]) -> None:
    assert names, clause
    for name in names:
        assert exists(name if name.startswith("schemas.") else f"pipeline.{name}"), name


def exists(name: str) -> bool:
    """Whether a dotted name leads to a module, or to something within one."""
    parts = name.split(".")
    for depth in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:depth]))
        except ModuleNotFoundError:
            continue
        for part in parts[depth:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("document", DOCUMENTS)
def test_relative_links_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(document))
    here = (PROJECT / document).parent
    broken = [link for link in links if ":" not in link and not (here / link).exists()]
    assert broken == []
