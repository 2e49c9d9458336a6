"""The words of a bucket: of all landings at once, or of the newest with what is kept of others."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.row import Reading
from pipeline.stages.words import NOT_OURS, Words, words_of
from pipeline.store.usage import SLOTS, slot_of
from pipeline.store.work import WorkStore
from tests.store.landings import a_row, land
from tests.support import Row

EVERY_SLOT = range(SLOTS)

rows = st.lists(
    st.builds(
        lambda tenant, user, meter, deployment: a_row(
            "e", tenant_id=tenant, user_id=user, meter=meter, deployment=deployment
        ),
        st.sampled_from(["acme", "bolt", ""]),
        st.sampled_from(["", "u1", "u2"]),
        st.sampled_from(["", "ivr_port", "premium_agent"]),
        st.sampled_from(["", "", "moon"]),
    ),
    max_size=6,
)


def landings(folder: Path, exports: list[list[Row]]) -> list[Reading]:
    """Each export landed on its own."""
    readings = []
    for number, export in enumerate(exports):
        (place := folder / str(number)).mkdir()
        readings.append(Reading(str(number), land(place, [export]), (number,)))
    return readings


def same(some: Words, others: Words) -> None:
    for name, frame in some.as_frames().items():
        assert frame.equals(others.as_frames()[name]), name
    assert len(some.kind_codes) == len(others.kind_codes)


@settings(max_examples=25, deadline=None)
@given(
    exports=st.lists(rows, min_size=1, max_size=4),
    known=st.integers(1, 4),
    tenants=st.sampled_from([None, frozenset({"bolt"})]),
)
def test_words_of_the_first_landings_are_gone_on_with(
    exports: list[list[Row]], known: int, tenants: frozenset[str] | None
) -> None:
    with TemporaryDirectory() as folder:
        readings = landings(Path(folder), exports)
        at_once = words_of(readings, EVERY_SLOT, tenants)
        work = WorkStore(Path(folder) / "kept")
        work.save("words", words_of(readings[:known], EVERY_SLOT, tenants).as_frames())
        kept = Words.of(work.load_all("words"))
        same(words_of(readings, EVERY_SLOT, tenants, kept), at_once)


def test_each_landings_codes_stand_for_its_own_words(tmp_path: Path) -> None:
    """A tenant that is not asked for has none, nor has what lies in other slots."""
    exports = [
        [a_row("a", user_id="u1"), a_row("b", tenant_id="bolt", user_id="u1")],
        [a_row("c", tenant_id="bolt", user_id="u2"), a_row("d", user_id="u1")],
    ]
    readings = landings(tmp_path, exports)
    words = words_of(readings, EVERY_SLOT, None)
    for reading, codes in zip(readings, words.user_codes, strict=True):
        own = reading.landed.users(EVERY_SLOT)
        assert words.users[codes[own["code"].to_numpy()]].equals(own.drop("code"))
        assert codes[-1] == NOT_OURS
    assert {*words.users.rows()} == {("acme", "u1"), ("bolt", "u1"), ("bolt", "u2")}
    assert len(words.users) == 3
    for asked in (
        words_of(readings, EVERY_SLOT, frozenset({"acme"})),
        words_of(readings, range(slot_of("acme"), slot_of("acme") + 1), None),
    ):
        assert asked.users.rows() == [("acme", "u1")]
        assert asked.kinds["tenant_id"].unique().to_list() == ["acme"]
        assert {*asked.user_codes[0].tolist()} == {0, NOT_OURS}


def test_broken_rows_keep_all_their_words_and_their_landing(tmp_path: Path) -> None:
    broken = a_row("x", deployment="moon")
    readings = landings(tmp_path, [[a_row("a")], [a_row("b"), broken]])
    found = words_of(readings, EVERY_SLOT, None).broken
    assert found.select("landing", "row", "event_id", "defects").rows() == [
        (1, 2, "x", "deployment_unknown")
    ]
    assert found["raw"].str.contains("moon").all()
    assert isinstance(found.schema["landing"], pl.Int32)
