"""The causal graphs with caches: ``step-{1,8,32,128}.onnx``, ``read.onnx``, ``drive.onnx``.

``watched-32.onnx`` is ``step-32.onnx`` that also says what its tokens attend to.

They share the file of weights with the graphs of whole segments (`streams.train.export`), or are
added to a model that was exported without them:

    python -m streams.train.step_graphs --folder operators/dlp/model
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from operators.dlp.network.config import SIZES
from operators.dlp.network.model import Network
from operators.dlp.network.step import DriveGraph, ReadGraph, StepGraph
from operators.hierarchy.cache import GRANULE
from operators.hierarchy.calls import NEW, WATCHED
from streams.dlp.package import Package, seal
from streams.train import onnx_graphs, unpack
from streams.train.onnx_graphs import TOLD, Precision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

WEIGHTS: Final = "weights.bin"
_SHIPPED: Final = ("segment-512.onnx", "start.onnx")
_OWN: Final = ("step-", "watched-", "read.", "drive.")
_REACH: Final = ".input/scale"
_SAMPLE_ROWS: Final = 2
_CLOSE: Final = 1e-5


def step_graphs(
    network: Network, reach: Mapping[str, float], precision: Precision, *, half: bool = True
) -> dict[str, onnx.ModelProto]:
    """The graphs by file name, with all their weights.

    Args:
        network: trained, its activations smooth where `precision` asks for it.
        reach: for each linear layer over tokens, the |input| that 8 bits reach to.
        precision: of the graphs.
        half: whether caches are in half precision; else in float.
    """
    network.eval()
    made = {f"step-{new}.onnx": _step(network, new, half=half) for new in NEW}
    made |= {f"watched-{WATCHED}.onnx": _step(network, WATCHED, half=half, watched=True)}
    made |= {"read.onnx": _read(network), "drive.onnx": _drive(network)}
    return {
        name: _slim(onnx_graphs.rewritten(graph, network, reach, precision))
        for name, graph in made.items()
    }


def _step(network: Network, new: int, *, half: bool, watched: bool = False) -> onnx.ModelProto:
    config = network.config
    rows, upper = _SAMPLE_ROWS, config.layers - config.layers // 2
    ids = torch.full((rows, new), 3)
    inputs = {"ids": ids, "past": torch.zeros(rows, dtype=torch.int64)}
    inputs["drive"] = torch.zeros(rows, upper, 2, config.width)
    results = ["spans", "hidden", "lower", "made"]
    if new > config.chunk:
        inputs["state"] = torch.zeros(rows, config.slow_blocks, config.width)
        results.append("state_after")
    if watched:
        results.append("attention")
    free: dict[str, dict[int, str]] = {name: {0: "rows"} for name in (*inputs, *results)}
    free |= {"attention": {0: "rows", 3: "room"}} if watched else {}
    kind = torch.float16 if half else torch.float32
    for layer in range(config.layers):
        for name in (f"keys.{layer}", f"values.{layer}"):
            head = config.width // config.heads
            inputs[name] = torch.zeros(rows, config.heads, GRANULE, head, dtype=kind)
            free[name] = {0: "rows", 2: "room"}
    graph = StepGraph(network, new, watched=watched)
    return onnx_graphs.traced(graph, tuple(inputs.values()), tuple(inputs), tuple(results), free)


def _read(network: Network) -> onnx.ModelProto:
    config, rows = network.config, _SAMPLE_ROWS
    inputs = {
        "chunk": torch.zeros(rows, 3 * config.width),
        "state": torch.zeros(rows, config.slow_blocks, config.width),
        "advances": torch.ones(rows, dtype=torch.bool),
        "segment": torch.zeros(rows, 2 * config.width),
    }
    results = ("scores", "memory", "state_after")
    free = {name: {0: "rows"} for name in (*inputs, *results)}
    return onnx_graphs.traced(
        ReadGraph(network), tuple(inputs.values()), tuple(inputs), results, free
    )


def _drive(network: Network) -> onnx.ModelProto:
    config = network.config
    state = torch.zeros(_SAMPLE_ROWS, config.slow_blocks, config.width)
    free = {name: {0: "rows"} for name in ("state", "drive")}
    return onnx_graphs.traced(DriveGraph(network), (state,), ("state",), ("drive",), free)


def _slim(model: onnx.ModelProto) -> onnx.ModelProto:
    """Short names for what is computed, and names by content for tensors that have none.

    The exporter numbers the latter anew in every graph; graphs that share a file of weights must
    not call two tensors the same.
    """
    graph = model.graph
    kept = {one.name for one in (*graph.input, *graph.output)}
    names = {}
    for tensor in graph.initializer:
        names[tensor.name] = tensor.name
        if tensor.name.startswith("onnx::"):
            digest = hashlib.sha256(tensor.raw_data + str(tensor.dims).encode()).hexdigest()
            names[tensor.name] = tensor.name = f"vector/{digest[:16]}"
    for node in graph.node:
        node.ClearField("name")
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
        for place, name in enumerate(node.output):
            if name and name not in kept:
                names[name] = node.output[place] = str(len(names))
    unique = {tensor.name: tensor for tensor in graph.initializer}
    tensors = [unique[name] for name in sorted(unique)]
    graph.ClearField("initializer")
    graph.initializer.extend(tensors)
    told = {
        known: names[stored]
        for entry in model.metadata_props
        if entry.key == TOLD
        for known, stored in json.loads(entry.value).items()
    }
    helper.set_model_props(model, {TOLD: json.dumps(told)})
    return model


def add(folder: Path) -> dict[str, int]:
    """Add the graphs to an exported model in eight bits, and seal it again.

    Weights that the model has are used as they are, bit for bit; what it has not is put behind
    them.

    Returns:
        Bytes of every new file, and by how many the file of weights grew.

    Raises:
        ValueError: a weight of the model is not the one that its name says.
    """
    package = Package.open(folder)
    network = Network(SIZES[package.size])
    unpack.restore(network, folder)
    there = _there(folder)
    reach = {
        name.removesuffix(_REACH): float(value.reshape(())) * 127
        for name, (value, _) in there.items()
        if name.endswith(_REACH)
    }
    graphs = step_graphs(network, reach, Precision.STATIC)
    for name, graph in graphs.items():
        for tensor in graph.graph.initializer:
            if tensor.name in there:
                _reuse(name, tensor, *there[tensor.name])
    held = (folder / WEIGHTS).read_bytes()[: _end(folder)]
    held += b"\0" * (-len(held) % 64)
    files, more = onnx_graphs.shared(graphs, WEIGHTS)
    sizes = {}
    for name, data in files.items():
        graph = onnx.load_from_string(data)
        for tensor in graph.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "offset" and tensor.name not in there:
                    entry.value = str(int(entry.value) + len(held))
        done = graph.SerializeToString(deterministic=True)
        (folder / name).write_bytes(done)
        sizes[name] = len(done)
    (folder / WEIGHTS).write_bytes(held + more)
    seal(folder, package.version, package.size)
    return sizes | {WEIGHTS: len(more)}


def _there(folder: Path) -> dict[str, tuple[NDArray[Any], onnx.TensorProto]]:
    """The tensors of a model by name: their values, and where they are."""
    found = {}
    for name in _SHIPPED:
        whole = onnx.load(str(folder / name))
        bare = onnx.load(str(folder / name), load_external_data=False)
        for full, place in zip(whole.graph.initializer, bare.graph.initializer, strict=True):
            if not full.name.startswith("onnx::"):
                found[full.name] = (numpy_helper.to_array(full), place)
    return found


def _end(folder: Path) -> int:
    """Where the weights of the other graphs end; behind are those of graphs added before."""
    ends = [0]
    for path in folder.glob("*.onnx"):
        if path.name.startswith(_OWN):
            continue
        for tensor in onnx.load(str(path), load_external_data=False).graph.initializer:
            place = {entry.key: entry.value for entry in tensor.external_data}
            ends.append(int(place.get("offset", 0)) + int(place.get("length", 0)))
    return max(ends)


def _reuse(
    graph: str, tensor: onnx.TensorProto, value: NDArray[Any], place: onnx.TensorProto
) -> None:
    own = numpy_helper.to_array(tensor)
    if (
        own.shape != value.shape
        or own.dtype != value.dtype
        or not np.allclose(own.astype(np.float32), value.astype(np.float32), rtol=_CLOSE, atol=0)
    ):
        raise ValueError(f"{graph}: {tensor.name} is not the model's: export the model anew")
    tensor.CopyFrom(place)


def main() -> None:
    """Add the graphs to a model's folder; print sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    print(json.dumps(add(parser.parse_args().folder), indent=1))


if __name__ == "__main__":
    main()
