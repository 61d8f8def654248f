"""The causal graphs with caches, on a tiny network: what PyTorch gives without, in any pieces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.errors import InvalidInput
from operators.hierarchy.calls import MOST
from streams.dlp.inference import Engine
from streams.hierarchy.encoder import StepEngine

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 16
TINY = Path(__file__).with_name("tiny")
CHECKED = 100


@pytest.fixture(scope="module")
def engine() -> StepEngine:
    """The graphs beside this file, made by tests/unit/streams/train/tiny_steps.py."""
    return StepEngine(Engine(TINY))


@pytest.fixture(scope="module")
def expected() -> dict[str, NDArray[np.float32]]:
    """What the network gave in PyTorch, in one pass without caches."""
    with np.load(TINY / "expected.npz") as found:
        return dict(found)


def ids_of(expected: dict[str, NDArray[np.float32]], length: int) -> NDArray[np.int64]:
    """The tokens of a stream."""
    return expected[f"ids.{length}"].astype(np.int64)


def sizes(seed: int, length: int) -> list[int]:
    """Pieces that add up to a length: of one token, of all, or of anything in between."""
    if seed < 2:
        return [1] * length if seed else [length]
    rng = np.random.default_rng(seed)
    cuts = np.unique(rng.integers(0, length, 2 ** (seed % 6)))
    found: list[int] = np.diff([0, *cuts[cuts > 0], length]).tolist()
    return found


def encoded(engine: StepEngine, ids: NDArray[np.int64], pieces: list[int]) -> NDArray[np.float32]:
    """Tag logits of a stream that comes in pieces."""
    cache, found, done = engine.begin(), [], 0
    for size in pieces:
        found.append(engine.encode([(cache, ids[done : done + size])])[0].spans)
        done += size
    return np.concatenate(found)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("length", [512, 130])
def test_logits_are_those_without_caches(
    engine: StepEngine, expected: dict[str, NDArray[np.float32]], length: int, seed: int
) -> None:
    """Tags, and scores and slow state at the end, within 1e-3, caches in half precision."""
    ids = ids_of(expected, length)
    found = encoded(engine, ids, sizes(seed, length))
    assert np.abs(found[-CHECKED:] - expected[f"spans.{length}"]).max() < 1e-3
    cache = engine.begin()
    engine.encode([(cache, ids)])
    (reading,) = engine.read([cache])
    assert np.abs(reading.scores - expected[f"scores.{length}"]).max() < 1e-3
    assert np.abs(reading.state - expected[f"state.{length}"]).max() < 1e-3


def test_expected_logits_tell_tokens_apart(expected: dict[str, NDArray[np.float32]]) -> None:
    """The comparison above could fail: logits are far from each other, compared with 1e-3."""
    spans = expected["spans.512"]
    assert spans.std(0).min() > 0.05


def test_streams_do_not_see_each_other(
    engine: StepEngine, expected: dict[str, NDArray[np.float32]]
) -> None:
    """More tokens than a call takes, at different places and with different pieces; to the bit."""
    ids = ids_of(expected, 512)
    streams = [np.roll(ids, number)[: 30 + 23 * number] for number in range(ROWS + 3)]
    alone = [encoded(engine, one, [len(one)]) for one in streams]
    caches = [engine.begin() for _ in streams]
    parts: list[list[NDArray[np.float32]]] = [[] for _ in streams]
    for step in range(12):
        waiting = []
        for number, one in enumerate(streams):
            low, high = (len(one) * part // 12 for part in (step, step + 1))
            waiting.append((caches[number], one[low:high]))
        for number, out in enumerate(engine.encode(waiting)):
            if len(out.spans):
                parts[number].append(out.spans)
    assert sum(len(one) for one in streams) > 12 * MOST
    for number, whole in enumerate(alone):
        assert np.array_equal(np.concatenate(parts[number]), whole)


def test_evicted_segment_is_rebuilt_from_its_tokens(
    engine: StepEngine, expected: dict[str, NDArray[np.float32]]
) -> None:
    """Tokens and the slow state before them are enough: what follows comes out the same."""
    ids = ids_of(expected, 512)
    before = engine.begin()
    engine.encode([(before, ids[:200])])
    state = engine.read([before])[0].state
    kept = engine.begin(state)
    for low in range(0, 90, 7):
        engine.encode([(kept, ids[low : min(low + 7, 90)])])
    rebuilt = engine.begin(state)
    engine.encode([(rebuilt, ids[:90])])
    left, right = engine.encode([(kept, ids[90:200]), (rebuilt, ids[90:200])])
    assert np.array_equal(left.spans, right.spans)
    other = engine.begin()
    engine.encode([(other, ids[:90])])
    assert np.abs(engine.encode([(other, ids[90:200])])[0].spans - left.spans).max() > 1e-2


def test_full_segment_takes_no_more(
    engine: StepEngine, expected: dict[str, NDArray[np.float32]]
) -> None:
    """It has to be flushed first; the cache is as it was."""
    ids = ids_of(expected, 512)
    cache = engine.begin()
    engine.encode([(cache, ids[:510])])
    with pytest.raises(InvalidInput, match="flush it first"):
        engine.encode([(cache, ids[:3])])
    assert cache.count == 510
    assert len(engine.encode([(cache, ids[510:])])[0].spans) == 2


def test_last_tokens_of_many_segments_go_together(
    engine: StepEngine, expected: dict[str, NDArray[np.float32]]
) -> None:
    """Each segment takes the tokens that it has room for, and no more."""
    ids = ids_of(expected, 512)
    caches = [engine.begin() for _ in range(ROWS)]
    engine.encode([(cache, ids[:509]) for cache in caches])
    for out in engine.encode([(cache, ids[509:]) for cache in caches]):
        assert np.abs(out.spans - expected["spans.512"][-3:]).max() < 1e-3


def test_cache_grows_with_its_tokens(
    engine: StepEngine, expected: dict[str, NDArray[np.float32]]
) -> None:
    """Its bytes are counted, and follow the tokens in steps of 64."""
    cache = engine.begin()
    assert cache.nbytes < 2 * (cache.keys.nbytes + cache.values.nbytes)
    engine.encode([(cache, ids_of(expected, 512)[:129])])
    assert cache.room == 192
    assert cache.keys.dtype == cache.values.dtype == np.float16


@pytest.mark.parametrize("pieces", [[512], [1] * 512, [7] * 73 + [1], [100] * 6])
def test_logits_are_the_same_in_any_pieces(
    engine: StepEngine, expected: dict[str, NDArray[np.float32]], pieces: list[int]
) -> None:
    """To the bit, in float as well: nothing that is summed depends on the calls."""
    ids = ids_of(expected, 512)
    assert np.array_equal(encoded(engine, ids, pieces), encoded(engine, ids, [63, 2, 447]))


def test_caches_in_float_are_the_network_closer_still(
    expected: dict[str, NDArray[np.float32]],
) -> None:
    """Half precision is all that lies between: in float the logits are those of PyTorch."""
    floats = StepEngine(Engine(TINY), half=False)
    found = encoded(floats, ids_of(expected, 512), [33] * 15 + [17])
    assert np.abs(found[-CHECKED:] - expected["spans.512"]).max() < 1e-4
    assert floats.begin().keys.dtype == np.float32


def test_watched_token_attends_to_what_came_before(
    engine: StepEngine, expected: dict[str, NDArray[np.float32]]
) -> None:
    """The same bits as unwatched; its weights are above 0, and add up to 1 in every layer."""
    ids = ids_of(expected, 130)
    plain, watched, done = engine.begin(), engine.begin(), 0
    for size in (5, 70, 1, 54):
        part = ids[done : done + size]
        rows = sorted({0, size // 3, size - 1})
        (wanted,) = engine.encode([(plain, part)])
        assert wanted.attention == []
        beside = engine.begin()
        other, found = engine.encode([(beside, ids[:9]), (watched, part)], [[4], rows])
        assert len(other.attention) == 1
        assert np.array_equal(found.spans, wanted.spans)
        assert np.array_equal(watched.values, plain.values)
        for row, weights in zip(rows, found.attention, strict=True):
            assert weights.shape == (engine.shape.layers, done + row + 1)
            assert np.abs(weights.sum(1) - 1).max() < 1e-5
            assert (weights > 0).all()
        done += size
