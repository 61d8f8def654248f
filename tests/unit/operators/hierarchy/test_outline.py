"""Topics and levels of one stream, kept together."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import StateMismatch
from operators.hierarchy.outline import HierarchyWeights, Outline
from streams.dlp.package import SHIPPED
from streams.hierarchy.above import weights

SEGMENTS = np.zeros(4, np.float32)


@pytest.fixture(scope="module")
def shipped() -> HierarchyWeights:
    """The shipped weights."""
    return weights(SHIPPED)


def fed(shipped: HierarchyWeights, seed: int, *, turn: float = 0.5) -> tuple[bytes, list[float]]:
    """The state after some sentences whose tokens come in pieces by seed, and topics' chances."""
    outline, chances = Outline(shipped, turn), []
    for sentence in range(6):
        of = np.random.default_rng(sentence).normal(size=(9, 384)).astype(np.float32)
        done = 0
        for size in np.random.default_rng(seed).multinomial(9, [0.25] * 4):
            outline.tokens(of[done : done + size])
            done += size
            outline.read(SEGMENTS)
            outline = Outline(shipped, turn, outline.to_bytes())
        chances.append(outline.sentence())
        if sentence in {0, 3}:
            outline.paragraph()
        if sentence == 4:
            outline.flush()
    return outline.to_bytes(), chances


def test_pieces_readings_and_restarts_change_no_bit(shipped: HierarchyWeights) -> None:
    """Tokens one by one or together, read in between, from a saved state or not."""
    assert fed(shipped, 1) == fed(shipped, 2) == fed(shipped, 3)


def test_topics_end_by_their_threshold(shipped: HierarchyWeights) -> None:
    """With another threshold the levels come out otherwise, the chances of the sentences do not."""
    never, chances = fed(shipped, 1, turn=1.0)
    always, again = fed(shipped, 1, turn=0.0)
    assert never != always
    assert chances == again
    assert chances[:2] == [0.0, 0.0]
    assert all(0 < chance < 1 for chance in chances[2:])


def test_state_of_other_weights_is_refused(shipped: HierarchyWeights) -> None:
    """It says so, instead of reading numbers wrongly."""
    with pytest.raises(StateMismatch, match="other weights"):
        Outline(shipped, 0.5, b"\0" * 80)


def test_topics_that_rested_know_what_they_missed(shipped: HierarchyWeights) -> None:
    """A sentence ends no topic meanwhile; the next one is compared with it all the same."""
    rested, works = Outline(shipped, 0.0), Outline(shipped, 0.0)
    chances = []
    for sentence in range(6):
        of = np.random.default_rng(sentence).normal(size=(9, 384)).astype(np.float32)
        for outline in (rested, works):
            outline.tokens(of)
        chances.append((rested.sentence(topics=sentence != 4), works.sentence()))
    assert [one == other for one, other in chances] == [True] * 4 + [False, True]
    assert chances[4][0] == 0.0
    assert not rested.begins_topic(0.0)
    assert rested.to_bytes() != works.to_bytes()
