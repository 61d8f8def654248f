"""The causal graphs between attentions: ``layer-{0…}.onnx``, and ``read.onnx``, ``drive.onnx``.

The first embeds, the last tags; each other one ends a layer and begins the next.

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
from operators.dlp.network.step import DriveGraph, FirstGraph, LastGraph, LayerGraph, ReadGraph
from streams.dlp.package import Package, seal
from streams.train import onnx_graphs, unpack
from streams.train.onnx_graphs import TOLD, Precision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

WEIGHTS: Final = "weights.bin"
_SHIPPED: Final = ("segment-512.onnx", "start.onnx")
_OWN: Final = ("layer-", "read.", "drive.")
_REACH: Final = ".input/scale"
_SAMPLE_ROWS: Final = 2
_CLOSE: Final = 1e-5


def step_graphs(
    network: Network, reach: Mapping[str, float], precision: Precision
) -> dict[str, onnx.ModelProto]:
    """The graphs by file name, with all their weights.

    Args:
        network: trained, its activations smooth where `precision` asks for it.
        reach: for each linear layer over tokens, the |input| that 8 bits reach to.
        precision: of the graphs.
    """
    network.eval()
    layers = range(network.config.layers + 1)
    made = {f"layer-{number}.onnx": _layer(network, number) for number in layers}
    made |= {"read.onnx": _read(network), "drive.onnx": _drive(network)}
    return {
        name: _slim(onnx_graphs.rewritten(graph, network, reach, precision))
        for name, graph in made.items()
    }


def _layer(network: Network, number: int) -> onnx.ModelProto:
    config = network.config
    rows, first = _SAMPLE_ROWS, len(network.lower)
    whole = torch.zeros(rows, dtype=torch.int64)
    wide = torch.zeros(1, rows, config.width)
    inputs, results = {"mixed": wide, "before": wide}, ["hidden", "asked"]
    if not number:
        inputs, results = (
            {"ids": whole[None], "places": whole[None]},
            ["hidden", "input", "asked", "turns"],
        )
        graph: torch.nn.Module = FirstGraph(network)
    elif number == config.layers:
        results = ["spans", "hidden"]
        graph = LastGraph(network)
    else:
        if number >= first:
            drive = torch.zeros(rows, 2, config.width)
            inputs |= {"input": wide, "drive": drive, "streams": whole}
        if number == first:
            results.append("lower")
        graph = LayerGraph(network, number)
    free = {name: {1: "tokens"} for name in (*inputs, *results)}
    free |= {"drive": {0: "rows"}, "streams": {0: "tokens"}, "turns": {1: "tokens"}}
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
