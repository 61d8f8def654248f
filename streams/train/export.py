"""From a trained network to the folder that serving loads (docs/dlp-model.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from operators.dlp.segments import LENGTHS
from streams.train import onnx_graphs, smooth
from streams.train.onnx_graphs import UNROLLED, Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import onnx

    from operators.dlp.generator.rows import Batch
    from operators.dlp.network.model import Network

WEIGHTS: Final = "weights.bin"
_ROWS: Final = 8


def calibration(network: Network, batch: Batch) -> Callable[[], Iterable[None]]:
    """Run the network over the long rows of a batch, the slow state carried between halves."""

    def run() -> Iterable[None]:
        with torch.no_grad():
            for start in range(0, len(batch.long_ids), _ROWS):
                ids = torch.from_numpy(batch.long_ids[start : start + _ROWS].astype("int64"))
                state = network.slow.start(torch.zeros(len(ids), network.config.memory))
                first = network(ids[:, 0], ids[:, 0] != 0, state, False)
                network(ids[:, 1], ids[:, 1] != 0, first.states[:, -1], False)
                yield

    return run


def export(
    network: Network, batch: Batch, folder: Path, precision: Precision = Precision.STATIC
) -> None:
    """Write the graphs and their one file of weights.

    Args:
        network: trained; its activations are smoothed in place, which changes no output.
        batch: generated messages, from which the activation ranges come.
        folder: for ``segment-{128,256,384,512}.onnx``, ``unrolled-1024.onnx``, ``start.onnx`` and
            ``weights.bin``.
        precision: of the graphs.
    """
    network.eval()
    reach: dict[str, float] = {}
    if precision is not Precision.FLOAT:
        run = calibration(network, batch)
        smooth.smooth(network, run)
        reach = smooth.ranges(network, run)
    write_graphs(network, reach, folder, precision)


def write_graphs(
    network: Network, reach: Mapping[str, float], folder: Path, precision: Precision
) -> None:
    """Write the graphs and their weights as they are, without smoothing.

    Args:
        network: whose activations are smooth already, or need not be.
        reach: for each linear layer, the |input| that 8 bits reach to.
        folder: for the files.
        precision: of the graphs.
    """
    network.eval()
    graphs: dict[str, onnx.ModelProto] = {}
    for length in (*LENGTHS, UNROLLED):
        name = f"{'unrolled' if length == UNROLLED else 'segment'}-{length}.onnx"
        graph = onnx_graphs.float_graph(network, length)
        graphs[name] = onnx_graphs.rewritten(graph, network, reach, precision)
    start = onnx_graphs.start_graph(network)
    graphs["start.onnx"] = onnx_graphs.rewritten(start, network, reach, precision)
    files, weights = onnx_graphs.shared(graphs, WEIGHTS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(weights)
    for name, data in files.items():
        (folder / name).write_bytes(data)
