from __future__ import annotations

import pytest

from pipeline.sources.kinds import KINDS
from pipeline.sources.remarks import REMARKS
from tests.sources import probe


@pytest.fixture
def probe_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a kind `probe`, and what it remarks."""
    monkeypatch.setitem(KINDS, "probe", probe.KIND)
    monkeypatch.setitem(REMARKS, "no_minutes", probe.REMARK)
