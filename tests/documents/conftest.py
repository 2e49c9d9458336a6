"""The months that every test of documents reads; nobody changes them."""

from __future__ import annotations

import pytest

from tests.documents.months import CLOCK, Months, ticking


@pytest.fixture(scope="session")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    with pytest.MonkeyPatch.context() as patch:
        ticking(CLOCK, patch)
        return Months(tmp_path_factory.mktemp("months"))
