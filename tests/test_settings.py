"""The settings file: tables for documents beside the options, every key known, every type right."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.documents.parties import deals_of
from pipeline.errors import UsageError
from pipeline.settings import read_settings, read_tables
from tests.support import tenantbill

GOOD = """
store = "bills"
[seller]
name = "Metered Voice"
[tax]
category = "S"
percent = 19.60
[buyers."acme/eu"]
name = "Acme"
tax_percent = 7
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tenantbill.toml"
    path.write_text(GOOD)
    return path


def test_options_do_not_see_the_tables_nor_tables_the_options(file: Path) -> None:
    assert read_settings(file) == {"store": "bills"}
    assert read_tables(file) == {
        "seller": {"name": "Metered Voice"},
        "tax": {"category": "S", "percent": Decimal("19.60")},
        "buyers": {"acme/eu": {"name": "Acme", "tax_percent": 7}},
    }


def test_rates_are_exact_decimals(file: Path) -> None:
    assert str(read_tables(file)["tax"]["percent"]) == "19.60"


def test_without_a_file_every_table_is_empty(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "none.toml") == {}
    assert read_tables(tmp_path / "none.toml") == {"seller": {}, "tax": {}, "buyers": {}}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[seler]", "did you mean 'seller'?"),
        ('[seller]\nnmae = "x"', "there is no setting 'nmae' in [seller]"),
        ('[buyers."a"]\nnmae = "x"', "did you mean 'name'?"),
        ("[seller]\nname = 1", "name in [seller] is 1"),
        ('[tax]\npercent = "19"', "such as 19 or 5.5"),
        ("[tax]\npercent = true", "such as 19 or 5.5"),
        ('seller = "me"', "write it as a table: [seller]"),
        ('[buyers]\nname = "x"', 'write it as a table: [buyers."name"]'),
        ("buyers = 1", 'write it as a table: [buyers."NAME"]'),
        ("[store]", "store is {}"),
    ],
)
def test_wrong_tables_are_wrong_use_for_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tenantbill.toml").write_text(content)
    with pytest.raises(UsageError):
        read_tables(Path("tenantbill.toml"))
    result = tenantbill("status")
    assert result.exit_code == 2
    assert told in result.stderr
    assert "tenantbill.toml" in result.stderr


def test_the_example_in_the_readme_is_all_that_an_e_invoice_needs(tmp_path: Path) -> None:
    readme = Path(__file__).resolve().parent.parent / "README.md"
    [example] = [
        block for block in readme.read_text(encoding="utf-8").split("```") if "[seller]" in block
    ]
    (tmp_path / "tenantbill.toml").write_text(example, encoding="utf-8")
    tables = read_tables(tmp_path / "tenantbill.toml")
    deal = deals_of(tables, ["harbor-city"])["harbor-city"]
    assert (deal.seller.country, deal.buyer.country, deal.tax.category) == ("DE", "NL", "AE")
