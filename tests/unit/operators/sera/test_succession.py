"""A Sera succeeded by another: when, by what, and without a trace of how events came."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from operators.errors import InvalidConfig, NonFiniteInput, StateMismatch
from operators.sera.config import SeraConfig
from operators.sera.sera import Sera
from operators.sera.succession import SeraSuccession

SEED = 0xBEE
SMALL = SeraConfig(d=4, r=16, gamma=0.9)
LARGE = replace(SMALL, r=64)
RNG = np.random.default_rng(1)
KEYS, VALUES = RNG.normal(size=(60, 4)), RNG.normal(size=(60, 1))


def test_successor_takes_over_at_the_event_that_was_announced() -> None:
    """Until then the first answers; from then on the second, as if alone since proposed."""
    pair, alone = SeraSuccession(SMALL, SEED), Sera(SMALL, SEED)
    pair.ingest_batch(KEYS[:20], VALUES[:20])
    assert pair.propose(LARGE) == 30, "one effective window of 10 events"
    pair.ingest_batch(KEYS[20:29], VALUES[20:29])
    alone.ingest_batch(KEYS[:29], VALUES[:29])
    assert pair.query_batch(KEYS).y.tobytes() == alone.query_batch(KEYS).y.tobytes()
    assert pair.handover == 30
    pair.ingest_batch(KEYS[29:40], VALUES[29:40])
    late = Sera(LARGE, SEED)
    late.ingest_batch(KEYS[20:40], VALUES[20:40])
    assert pair.query_batch(KEYS).y.tobytes() == late.query_batch(KEYS).y.tobytes()
    assert pair.handover == 0
    assert pair.successor is None


@pytest.mark.parametrize("cut", [20, 25, 29, 30, 31, 50])
def test_cutting_and_restoring_change_nothing(cut: int) -> None:
    """Saved anywhere and restored, before, during or after, the pair ends with the same bytes."""

    def started() -> SeraSuccession:
        pair = SeraSuccession(SMALL, SEED)
        pair.ingest_batch(KEYS[:20], VALUES[:20])
        pair.propose(LARGE)
        return pair

    whole, cutting = started(), started()
    whole.ingest_batch(KEYS[20:], VALUES[20:])
    cutting.ingest_batch(KEYS[20:cut], VALUES[20:cut])
    saved = {name: array.copy() for name, array in cutting.to_state().items()}
    restored = SeraSuccession.from_state(SMALL, SEED, saved)
    assert not any(blocks.size for blocks in restored.take_dirty().values())
    restored.ingest_batch(KEYS[cut:], VALUES[cut:])
    left, right = whole.to_state(), restored.to_state()
    assert left.keys() == right.keys()
    assert all(left[name].tobytes() == right[name].tobytes() for name in left)


@pytest.mark.parametrize(
    ("proposed", "complaint"),
    [
        (replace(SMALL, r=8), "r=8: must be at least 16"),
        (replace(SMALL, tau=1.3), "tau=1.3: must be within 1.4 .. 2.8"),
        (replace(SMALL, tau=2.9), "tau=2.9: must be within 1.4 .. 2.8"),
        (replace(SMALL, d=8), "differs in r and tau alone"),
        (replace(SMALL, gamma=0.5), "differs in r and tau alone"),
        (SMALL, "change nothing"),
    ],
)
def test_settings_that_cannot_succeed_are_refused(proposed: SeraConfig, complaint: str) -> None:
    """Fewer features, a far temperature, other vectors or no change at all: said why."""
    pair = SeraSuccession(SMALL, SEED)
    with pytest.raises(InvalidConfig, match=re.escape(complaint)):
        pair.propose(proposed)
    assert pair.handover == 0


def test_one_successor_at_a_time() -> None:
    """While one warms up no other can be proposed; after it took over, one can."""
    pair = SeraSuccession(SMALL, SEED)
    pair.propose(replace(SMALL, tau=2.5))
    with pytest.raises(InvalidConfig, match="warming up until event 10"):
        pair.propose(LARGE)
    pair.ingest_batch(KEYS[:10], VALUES[:10])
    assert pair.propose(LARGE) == 20


def test_refused_events_change_neither() -> None:
    """A vector that is not finite is learnt by neither Sera, and no event is counted."""
    pair = SeraSuccession(SMALL, SEED)
    pair.propose(LARGE)
    before = {name: array.copy() for name, array in pair.to_state().items()}
    with pytest.raises(NonFiniteInput):
        pair.ingest_batch(np.array([[0.0] * 4, [np.nan] * 4]), np.zeros((2, 1)))
    assert all(before[name].tobytes() == array.tobytes() for name, array in pair.to_state().items())


def test_what_is_not_a_saved_pair_is_refused() -> None:
    """Arrays without the words that say what they are of, or without the successor's."""
    pair = SeraSuccession(SMALL, SEED)
    pair.propose(LARGE)
    state = pair.to_state()
    with pytest.raises(StateMismatch, match="no array 'succession'"):
        SeraSuccession.from_state(SMALL, SEED, pair.sera.to_state())
    with pytest.raises(StateMismatch, match="no array 's'"):
        SeraSuccession.from_state(
            SMALL, SEED, {name: array for name, array in state.items() if name != "next.s"}
        )


def test_a_handover_is_saved_whole() -> None:
    """What answered last is saved under other names than what warmed up: no block may be missed."""
    pair = SeraSuccession(SMALL, SEED)
    pair.propose(replace(SMALL, tau=2.5))
    pair.ingest_batch(KEYS[:9], VALUES[:9])
    pair.take_dirty()
    pair.ingest_batch(KEYS[9:10], VALUES[9:10])
    dirty = pair.take_dirty()
    assert dirty.keys() == pair.to_state().keys()
    assert all(blocks.size for blocks in dirty.values())
    assert not any(blocks.size for blocks in pair.take_dirty().values())


def test_better_settings_are_more_features_then_a_higher_temperature() -> None:
    """As far as the settings allow, and no farther; without permission nothing is better."""
    assert SeraSuccession(SMALL, SEED).better() is None
    pair = SeraSuccession(replace(SMALL, max_r=40, retune=True), SEED)
    tried = []
    while (config := pair.better()) is not None:
        tried.append((config.r, config.temperature))
        pair.propose(config)
        assert pair.better() is None, "one at a time"
        pair.ingest_batch(KEYS[:10], VALUES[:10])
    assert tried == [(32, 2.0), (40, 2.0), (40, 2.4), (40, pytest.approx(2.8))]
    assert pair.sera.health().ingested == 40


@pytest.mark.parametrize("tau", [0.2, 1.0, 20.0])
def test_what_is_better_can_always_be_proposed(tau: float) -> None:
    """A temperature that was configured outside the range stays, and is raised into it if low."""
    pair = SeraSuccession(replace(SMALL, tau=tau, max_r=32, retune=True), SEED)
    tried = []
    while (config := pair.better()) is not None:
        pair.propose(config)
        tried.append((config.r, config.temperature))
        pair.ingest_batch(KEYS[:10], VALUES[:10])
    assert tried[0] == (32, tau)
    assert all(1.4 <= found <= 2.8 for _, found in tried[1:])
    assert (len(tried) > 1) == (tau < 2.8)


@pytest.mark.parametrize("changed", [{"r": 32}, {"tau": 2.5}])
def test_settings_of_the_first_cannot_change_under_a_state(changed: dict[str, float]) -> None:
    """A saved pair knows what it began with, whatever it has come to since."""
    pair = SeraSuccession(replace(SMALL, max_r=64), SEED)
    pair.propose(replace(SMALL, max_r=64, r=64))
    pair.ingest_batch(KEYS[:10], VALUES[:10])
    config = replace(SMALL, max_r=64, **changed)  # type: ignore[arg-type]
    with pytest.raises(StateMismatch, match=r"began with r=16, tau=2\.0"):
        SeraSuccession.from_state(config, SEED, pair.to_state())
