"""A bucket's vocabulary: of all landings at once, or going on from what is kept of the first."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.row import Reading
from pipeline.stages.vocabulary import NOT_OURS, Piece, vocabulary_of
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
    landed = []
    for number, export in enumerate(exports):
        (place := folder / str(number)).mkdir()
        landed.append(Reading(str(number), land(place, [export]), (number,)))
    return landed


@settings(max_examples=25, deadline=None)
@given(
    exports=st.lists(rows, min_size=1, max_size=4),
    known=st.integers(0, 4),
    tenants=st.sampled_from([None, frozenset({"bolt"})]),
)
def test_what_is_known_of_the_first_landings_is_gone_on_with(
    exports: list[list[Row]], known: int, tenants: frozenset[str] | None
) -> None:
    with TemporaryDirectory() as folder:
        landed = landings(Path(folder), exports)
        at_once = vocabulary_of(landed, EVERY_SLOT, tenants)
        work, kept = WorkStore(Path(folder) / "kept"), []
        for number, piece in enumerate(vocabulary_of(landed[:known], EVERY_SLOT, tenants).pieces):
            work.save(str(number), piece.as_frames())
            kept.append(Piece.of(work.load_all(str(number))))
        going_on = vocabulary_of(landed, EVERY_SLOT, tenants, kept)
        assert going_on.kinds.equals(at_once.kinds)
        assert going_on.users.equals(at_once.users)
        for one, other in zip(going_on.pieces, at_once.pieces, strict=True):
            for name, frame in one.as_frames().items():
                assert frame.equals(other.as_frames()[name]), name


def test_each_landings_codes_stand_for_its_own_words(tmp_path: Path) -> None:
    """A tenant that is not asked for has none, nor has what lies in other slots."""
    exports = [
        [a_row("a", user_id="u1"), a_row("b", tenant_id="bolt", user_id="u1")],
        [a_row("c", tenant_id="bolt", user_id="u2"), a_row("d", user_id="u1")],
    ]
    landed = landings(tmp_path, exports)
    words = vocabulary_of(landed, EVERY_SLOT, None)
    for one, piece in zip(landed, words.pieces, strict=True):
        own = one.landed.users(EVERY_SLOT)
        assert words.users[piece.user_codes[own["code"].to_numpy()]].equals(own.drop("code"))
        assert piece.user_codes[-1] == NOT_OURS
    assert {*words.users.rows()} == {("acme", "u1"), ("bolt", "u1"), ("bolt", "u2")}
    assert len(words.users) == 3
    for asked in (
        vocabulary_of(landed, EVERY_SLOT, frozenset({"acme"})),
        vocabulary_of(landed, range(slot_of("acme"), slot_of("acme") + 1), None),
    ):
        assert asked.users.rows() == [("acme", "u1")]
        assert asked.kinds["tenant_id"].unique().to_list() == ["acme"]
        assert {*asked.pieces[0].user_codes.tolist()} == {0, NOT_OURS}
