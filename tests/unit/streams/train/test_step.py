"""Export of the causal graphs with caches: the same network, in float and in eight bits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnx", reason="the train extra is not installed")

pytestmark = pytest.mark.train

from operators.dlp.network.config import TINY  # noqa: E402
from operators.dlp.network.model import Network  # noqa: E402
from operators.dlp.segments import LENGTHS  # noqa: E402
from streams.dlp.inference import Engine  # noqa: E402
from streams.dlp.package import Package, seal  # noqa: E402
from streams.hierarchy.encoder import StepEngine  # noqa: E402
from streams.train import ship, smooth, step_graphs  # noqa: E402
from streams.train.export import export  # noqa: E402
from streams.train.onnx_graphs import Precision  # noqa: E402
from tests.unit.streams.train import tiny_steps  # noqa: E402
from tests.unit.streams.train.rows import batch  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIZES = ([1] * 512, [512], [64, 63, 1, 128, 130, 126], [7] * 73 + [1], [33] * 15 + [17])


@pytest.fixture(scope="module")
def ids() -> NDArray[np.int64]:
    """A segment."""
    return np.random.default_rng(1).integers(3, tiny_steps.CONFIG.vocabulary, 512)


def stepped(engine: StepEngine, ids: NDArray[np.int64], sizes: list[int]) -> NDArray[np.float32]:
    """Tag logits of a segment that comes in pieces."""
    cache, found, done = engine.begin(), [], 0
    for size in sizes:
        found.append(engine.encode([(cache, ids[done : done + size])])[0].spans)
        done += size
    return np.concatenate(found)


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> StepEngine:
    """The network in float, its caches too."""
    folder = tmp_path_factory.mktemp("float")
    tiny_steps.write(tiny_steps.network(), folder)
    return StepEngine(Engine(folder), half=False)


@pytest.mark.parametrize("sizes", SIZES)
def test_float_graphs_are_the_uncached_network_at_every_position(
    floats: StepEngine, ids: NDArray[np.int64], sizes: list[int]
) -> None:
    """Tags everywhere; scores, memory and slow state where pieces end, chunks' ends or not."""
    made, engine, row = tiny_steps.network(), floats, torch.from_numpy(ids)
    wanted = tiny_steps.uncached(made, row, 512).spans[0].numpy()
    assert np.abs(stepped(engine, ids, sizes) - wanted).max() < 1e-4
    cache, done = engine.begin(), 0
    for number, size in enumerate(sizes):
        engine.encode([(cache, ids[done : done + size])])
        done += size
        if number % 37 == 0 or done % 128 == 0:
            (reading,) = engine.read([cache])
            out = tiny_steps.uncached(made, row, done)
            last = (done - 1) // 64
            assert np.abs(reading.scores - out.scores[0, last].numpy()).max() < 1e-4
            assert np.abs(reading.state - out.states[0, last].numpy()).max() < 1e-4
            if last == 7:
                assert np.abs(reading.memory - out.memory[0].numpy()).max() < 1e-4


@pytest.fixture(scope="module")
def eight_bits(tmp_path_factory: pytest.TempPathFactory) -> StepEngine:
    """The network in eight bits."""
    folder = tmp_path_factory.mktemp("static")
    made = tiny_steps.network()
    reach = {layer: 4.0 for site in smooth.sites(made) for layer in site.layers}
    tiny_steps.write(made, folder, Precision.STATIC, reach)
    return StepEngine(Engine(folder))


@pytest.mark.parametrize("sizes", SIZES)
def test_eight_bits_do_not_depend_on_the_pieces(
    eight_bits: StepEngine, ids: NDArray[np.int64], sizes: list[int]
) -> None:
    """To the bit: each call adds the same numbers in the same order."""
    assert np.array_equal(stepped(eight_bits, ids, sizes), stepped(eight_bits, ids, [100] * 6))


def test_eight_bits_do_not_depend_on_other_streams(
    eight_bits: StepEngine, ids: NDArray[np.int64]
) -> None:
    """To the bit, at other lengths and places in the batch."""
    alone = stepped(eight_bits, ids, [9] * 57)
    caches = [eight_bits.begin() for _ in range(3)]
    eight_bits.encode([(caches[1], ids[:300]), (caches[2], ids[5:9])])
    found = []
    for low in range(0, 190, 9):
        waiting = [(cache, ids[low : low + 9]) for cache in caches]
        found.append(eight_bits.encode(waiting)[0].spans)
    assert np.array_equal(np.concatenate(found), alone[:198])


def test_being_watched_changes_no_bit(eight_bits: StepEngine, ids: NDArray[np.int64]) -> None:
    """The same tags and caches; a token attends to all before it and itself, and nothing else."""
    plain, watched, done = eight_bits.begin(), eight_bits.begin(), 0
    for size in (5, 70, 1, 40, 64):
        part = ids[done : done + size]
        rows = sorted({0, size // 3, size - 1}) if size != 40 else [37]
        (wanted,) = eight_bits.encode([(plain, part)])
        (found,) = eight_bits.encode([(watched, part)], [rows])
        assert np.array_equal(found.spans, wanted.spans)
        assert np.array_equal(found.hidden, wanted.hidden)
        for row, weights in zip(rows, found.attention, strict=True):
            assert weights.shape == (tiny_steps.CONFIG.layers, done + row + 1)
            assert np.abs(weights.sum(1) - 1).max() < 1e-5
            assert (weights > 0).all()
        done += size
        assert np.array_equal(watched.keys, plain.keys)
        assert np.array_equal(watched.values, plain.values)


def test_graphs_are_added_to_an_exported_model(tmp_path: Path) -> None:
    """They use its weights where they are; what is there stays, bit for bit."""
    torch.manual_seed(3)
    export(Network(TINY), batch(1), tmp_path, Precision.STATIC)
    (tmp_path / "tokenizer.model").write_bytes(b"")
    (tmp_path / "calib.json").write_text(json.dumps(ship.neutral().to_json()))
    seal(tmp_path, "one", "tiny")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    row, state = np.full((1, LENGTHS[0]), 9), Engine(tmp_path).start(None)
    plain = Engine(tmp_path).run(row, state)

    sizes = step_graphs.add(tmp_path)

    weights = (tmp_path / "weights.bin").read_bytes()
    assert weights.startswith(before["weights.bin"])
    assert sizes["weights.bin"] < 0.02 * len(weights)
    assert all((tmp_path / name).read_bytes() == before[name] for name in before if ".onnx" in name)
    assert Package.open(tmp_path).version == "one"
    assert np.array_equal(Engine(tmp_path).run(row, state).spans, plain.spans)
    engine = StepEngine(Engine(tmp_path))
    cache = engine.begin()
    assert engine.encode([(cache, row[0])])[0].spans.shape == (LENGTHS[0], 21)
    assert not np.isnan(engine.read([cache])[0].scores).any()
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    step_graphs.add(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == after
