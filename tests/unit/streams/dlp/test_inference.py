"""The shipped graphs: replayable to the bit, and the same network at every length."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from operators.dlp.segments import LENGTHS, OVERLAP, merged, padded, plan
from streams.dlp.errors import ModelUnusable
from streams.dlp.inference import Engine, Outputs
from streams.dlp.package import SHIPPED


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The shipped graphs."""
    return Engine(SHIPPED)


def row(length: int, filled: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Random tokens and padding."""
    ids = np.zeros((1, length), np.int64)
    ids[0, :filled] = np.random.default_rng(seed).integers(3, 16_000, filled)
    return ids


def equal(left: Outputs, right: Outputs) -> bool:
    """Bit for bit."""
    return all(np.array_equal(one, other) for one, other in zip(left, right, strict=True))


@pytest.mark.parametrize("length", LENGTHS)
def test_a_row_gives_the_same_bits_whatever_ran_before(engine: Engine, length: int) -> None:
    """Also in another process's session, and between other rows."""
    start = engine.start(None)
    rows = [row(length, length - 9 * number, number) for number in range(4)]
    alone = [engine.run(ids, start) for ids in rows]
    other = Engine(SHIPPED)
    again = [other.run(ids, start) for ids in reversed(rows)][::-1]
    assert all(equal(left, right) for left, right in zip(alone, again, strict=True))


def test_eight_bits_are_in_the_graphs_and_scales_are_fixed() -> None:
    """No scale is taken from the data of a call: that is what would break replay."""
    for length in LENGTHS:
        data = (SHIPPED / f"segment-{length}.onnx").read_bytes()
        assert data.count(b"QuantizeLinear") > 30
        assert b"DynamicQuantizeLinear" not in data


def test_unrolled_graph_is_two_segments(engine: Engine) -> None:
    """The seed's graph of 1,024 tokens gives what two segments give, the state carried."""
    import onnxruntime  # noqa: PLC0415 - the graph is not one that the engine runs

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        SHIPPED / "unrolled-1024.onnx", options, providers=["CPUExecutionProvider"]
    )
    ids, start = row(1024, 900, 3), engine.start(None)
    found = session.run(None, {"ids": ids, "mask": ids != 0, "state": start[None]})
    unrolled = Outputs(*(value[0] for value in found))
    first = engine.run(ids[:, :512], start)
    second = engine.run(ids[:, 512:], first.states[-1])
    assert np.allclose(unrolled.scores, second.scores, atol=1e-4)
    assert np.allclose(unrolled.memory, second.memory, atol=1e-4)
    assert np.allclose(unrolled.spans[:512], first.spans, atol=1e-4)
    assert np.allclose(unrolled.spans[512:900], second.spans[:388], atol=1e-4)


def test_a_short_row_means_the_same_in_a_longer_graph(engine: Engine) -> None:
    """Padding is not read: tags differ by rounding only."""
    start = engine.start(None)
    short, long = row(128, 100, 4), np.zeros((1, 256), np.int64)
    long[0, :128] = short[0]
    left, right = engine.run(short, start), engine.run(long, start)
    assert np.abs(left.spans[:100] - right.spans[:100]).max() < 0.5
    assert (left.spans[:100].argmax(-1) == right.spans[:100].argmax(-1)).mean() > 0.97


def test_missing_provider_is_named() -> None:
    """A setting that this build cannot serve is refused with what it could."""
    with pytest.raises(ModelUnusable, match="CPUExecutionProvider"):
        Engine(SHIPPED, ["NoSuchExecutionProvider"])


@pytest.mark.parametrize("tokens", [0, 1, 128, 129, 256, 257, 512, 513, 640, 897, 5_000])
def test_plan_covers_every_token_once(tokens: int) -> None:
    """Kept ranges tile the text; segments share 128 tokens; the state is handed on before these."""
    segments = plan(tokens)
    assert [one.kept[0] for one in segments[1:]] == [one.kept[1] for one in segments[:-1]]
    assert (segments[0].kept[0], segments[-1].kept[1]) == (0, tokens)
    for left, right in pairwise(segments):
        assert left.stop - right.start == OVERLAP
        assert right.start == left.start + 64 * (left.handed + 1)
    ids = np.arange(1, tokens + 1, dtype=np.int32)
    parts = [padded(ids, one)[0, :, None].astype(np.float32) for one in segments]
    assert np.array_equal(merged(segments, parts, 1)[:, 0], ids)
