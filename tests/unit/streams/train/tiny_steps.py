"""A network small enough to be kept beside the tests, and its causal graphs.

    python -m tests.unit.streams.train.tiny_steps tests/unit/streams/hierarchy/tiny

writes the graphs and what the network gives without caches.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from operators.dlp.network.config import NetworkConfig
from operators.dlp.network.model import Network
from streams.train import onnx_graphs, step_graphs
from streams.train.onnx_graphs import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operators.dlp.network.model import Outputs

CONFIG = NetworkConfig(
    vocabulary=48, width=32, layers=2, heads=2, hidden=32, slow_blocks=2, memory=8
)
LENGTHS = (512, 130)
CHECKED = 100
"""Tokens at the end of each stream whose logits are kept."""


def network() -> Network:
    """Weights large enough that every part of it shows in the logits."""
    torch.manual_seed(11)
    made: Network = Network(CONFIG).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if weight.ndim > 1 or "bias" in name or "seed" in name:
                weight.mul_(6.0 if weight.ndim > 1 else 1.0).add_(0.02 * torch.randn_like(weight))
    return made


def write(
    made: Network,
    folder: Path,
    precision: Precision = Precision.FLOAT,
    reach: Mapping[str, float] | None = None,
) -> None:
    """The causal graphs and the start, with their file of weights."""
    graphs = step_graphs.step_graphs(made, reach or {}, precision)
    start = onnx_graphs.start_graph(made)
    graphs["start.onnx"] = onnx_graphs.rewritten(start, made, {}, precision)
    files, weights = onnx_graphs.shared(graphs, step_graphs.WEIGHTS)
    (folder / step_graphs.WEIGHTS).write_bytes(weights)
    for name, data in files.items():
        (folder / name).write_bytes(data)


@torch.no_grad()
def uncached(made: Network, ids: torch.Tensor, count: int) -> Outputs:
    """The causal forward pass over the first `count` tokens of a segment."""
    config = made.config
    row = torch.zeros(1, config.segment, dtype=torch.int64)
    row[0, :count] = ids[:count]
    found: Outputs = made(row, row != 0, made.slow.start(torch.zeros(1, config.memory)), True)
    return found


def main() -> None:
    """Write the fixture."""
    folder = Path(sys.argv[1])
    made = network()
    write(made, folder)
    expected: dict[str, Any] = {}
    rng = np.random.default_rng(5)
    for length in LENGTHS:
        ids = rng.integers(3, CONFIG.vocabulary, length)
        out = uncached(made, torch.from_numpy(ids), length)
        last = (length - 1) // CONFIG.chunk
        expected |= {
            f"ids.{length}": ids.astype(np.uint8),
            f"spans.{length}": out.spans[0, length - CHECKED : length].numpy(),
            f"scores.{length}": out.scores[0, last].numpy(),
            f"state.{length}": out.states[0, last].numpy(),
        }
    np.savez_compressed(folder / "expected.npz", **expected)


if __name__ == "__main__":
    main()
