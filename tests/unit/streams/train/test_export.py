"""Export: the same network in ONNX, in float and in eight bits, and back."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnx", reason="the train extra is not installed")

import onnxruntime  # noqa: E402 - after the check for PyTorch

pytestmark = pytest.mark.train

from operators.dlp.network.config import TINY  # noqa: E402
from operators.dlp.network.model import Network  # noqa: E402
from operators.dlp.segments import LENGTHS  # noqa: E402
from streams.dlp.inference import Engine  # noqa: E402
from streams.train import onnx_graphs, smooth, unpack  # noqa: E402
from streams.train.export import export  # noqa: E402
from streams.train.onnx_graphs import Precision  # noqa: E402
from tests.unit.streams.train.rows import batch  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


def network() -> Network:
    """A tiny network with some outlying channels."""
    torch.manual_seed(3)
    made = Network(TINY)
    made.eval()
    gain(made).data[3] = 30.0
    return made


def gain(made: Network) -> Any:
    """Of the norm before the first attention."""
    return made.get_parameter("lower.0.attention_norm.weight")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Precision, Path]:
    """The network in every precision."""
    made = {}
    for precision in Precision:
        made[precision] = tmp_path_factory.mktemp(precision.value)
        export(network(), batch(1), made[precision], precision)
    return made


@pytest.mark.parametrize("length", LENGTHS)
def test_float_graph_is_the_network(folders: dict[Precision, Path], length: int) -> None:
    """PyTorch and ONNX differ by less than 1e-4, padding and slow state included."""
    made, engine = network(), Engine(folders[Precision.FLOAT])
    ids = np.random.default_rng(length).integers(3, 16_000, (1, length))
    ids[0, -20:] = 0
    state = np.random.default_rng(1).normal(size=(2, 32)).astype(np.float32)
    found = engine.run(ids, state)
    row = torch.from_numpy(ids)
    with torch.no_grad():
        wanted = made(row, row != 0, torch.from_numpy(state)[None], False)
    assert np.abs(found.scores - wanted.scores[0, -1].numpy()).max() < 1e-4
    assert np.abs(found.spans - wanted.spans[0].numpy())[:-20].max() < 1e-4
    assert np.abs(found.memory - wanted.memory[0].numpy()).max() < 1e-4
    assert np.abs(found.states - wanted.states[0].numpy()).max() < 1e-4


def test_start_graph_is_the_networks_start(folders: dict[Precision, Path]) -> None:
    """A thread's memory becomes the same slow state."""
    memory = np.random.default_rng(2).normal(size=16).astype(np.float32)
    found = Engine(folders[Precision.FLOAT]).start(memory)
    with torch.no_grad():
        wanted = network().slow.start(torch.from_numpy(memory)[None])[0].numpy()
    assert np.abs(found - wanted).max() < 1e-4


def test_smoothing_changes_no_output() -> None:
    """Outliers move into weights, and what is computed stays."""
    plain, moved = network(), network()
    ids = torch.randint(3, 16_000, (2, 128), generator=torch.Generator().manual_seed(1))
    start = plain.slow.start(torch.zeros(2, TINY.memory)).detach()

    def run() -> list[None]:
        with torch.no_grad():
            moved(ids, ids != 0, start, False)
        return [None]

    before = smooth.ranges(moved, run)
    smooth.smooth(moved, run)
    after = smooth.ranges(moved, run)
    with torch.no_grad():
        left, right = (one(ids, ids != 0, start, False) for one in (plain, moved))
    assert torch.allclose(left.spans, right.spans, atol=1e-5)
    assert not torch.equal(gain(plain), gain(moved))
    assert before != after


def test_eight_bits_do_not_depend_on_the_batch() -> None:
    """A row gives the same bits alone and among others: scales are fixed, integers exact."""
    made = network()
    reach = {layer: 4.0 for site in smooth.sites(made) for layer in site.layers}
    rng = np.random.default_rng(7)
    ids = rng.integers(3, 16_000, (4, 128))
    state = rng.normal(size=(4, 2, 32)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = {}
    for precision, rows in product((Precision.STATIC, Precision.DYNAMIC), (1, 4)):
        graph = onnx_graphs.rewritten(
            onnx_graphs.float_graph(made, 128, rows), made, reach, precision
        )
        sessions[precision, rows] = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def spans(
        precision: Precision, rows: int, at: slice
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        feed = {"ids": ids[at], "mask": ids[at] != 0, "state": state[at]}
        found: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = sessions[precision, rows].run(
            ["spans"], feed
        )[0]
        return found

    alone = {
        precision: np.concatenate([spans(precision, 1, slice(n, n + 1)) for n in range(4)])
        for precision in (Precision.STATIC, Precision.DYNAMIC)
    }
    together = spans(Precision.STATIC, 4, slice(0, 4))
    assert np.array_equal(alone[Precision.STATIC], together)
    dynamic = spans(Precision.DYNAMIC, 4, slice(0, 4))
    assert not np.array_equal(alone[Precision.DYNAMIC], dynamic)


def test_eight_bits_stay_close_to_float(folders: dict[Precision, Path]) -> None:
    """Fixed scales lose little on a network that nobody trained to be easy."""
    ids = np.random.default_rng(9).integers(3, 40, (1, 128))
    plain = Engine(folders[Precision.FLOAT])
    small = Engine(folders[Precision.STATIC])
    left, right = plain.run(ids, plain.start(None)), small.run(ids, small.start(None))
    assert np.abs(left.spans - right.spans).mean() < 0.1 * np.abs(left.spans).std()


def test_graphs_share_one_file_of_weights(folders: dict[Precision, Path]) -> None:
    """No graph carries a matrix of its own."""
    weights = (folders[Precision.STATIC] / "weights.bin").stat().st_size
    assert weights > 16_000 * 32
    assert (folders[Precision.STATIC] / "segment-512.onnx").stat().st_size < weights


def test_weights_come_back_from_the_shipped_form(folders: dict[Precision, Path]) -> None:
    """What serving loads can be trained on: all but the heads that only training uses."""
    made, again = network(), Network(TINY)
    left = unpack.restore(again, folders[Precision.STATIC])
    assert {name.split(".")[0].split("_")[0] for name in left} == {"shuffle", "denoise"}
    ids = torch.randint(3, 40, (1, 128), generator=torch.Generator().manual_seed(1))
    start = made.slow.start(torch.zeros(1, TINY.memory)).detach()
    with torch.no_grad():
        wanted, found = (one.eval()(ids, ids != 0, start, False) for one in (made, again))
    assert (wanted.spans - found.spans).abs().mean() < 0.1 * wanted.spans.std()
