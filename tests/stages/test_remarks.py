"""What is said of the records of sources, and of which exports of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from string import Formatter

import pytest

from pipeline.findings import CODES
from pipeline.sources.remarks import REMARKS
from pipeline.stages.export_findings import remark_findings
from pipeline.store.landing import ListedExport, Listing

NOW = datetime(2026, 10, 1, tzinfo=UTC)


def _findings(*exports: tuple[str, Mapping[str, int]]) -> Iterable[tuple[str, str | None]]:
    listed = [
        ListedExport(
            *("usage", name, "", 1, 1, NOW.isoformat(), "landing", 0, "reader"),
            kind="a kind",
            source="as it is set up",
            remarks=tuple(remarks.items()),
        )
        for name, remarks in exports
    ]
    listing = Listing(1, NOW, tuple(listed))
    return [(found.code, found.subject) for found in remark_findings(listing)]


def test_only_the_last_page_of_a_folder_can_lack_pages() -> None:
    more = {"more_pages": 250}
    found = _findings(("a/1.json", more), ("b/1.json", more), ("a/2.json", more), ("b/2.json", {}))
    assert found == [("export_not_whole", "a/2.json")]


def test_other_remarks_are_made_of_every_export() -> None:
    found = _findings(("a/1.json", {"task_without_channel": 1}), ("a/2.json", {}))
    assert found == [("usage_not_queried", "a/1.json")]


@pytest.mark.parametrize("code", REMARKS)
def test_every_remark_is_a_finding_with_a_sentence_and_a_remedy(code: str) -> None:
    remark = REMARKS[code]
    assert remark.finding in CODES
    assert [name for _, name, *_ in Formatter().parse(remark.message) if name] == ["records"]
    assert remark.message.endswith(".") and remark.remedy.endswith(".")
