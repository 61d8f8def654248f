"""The network as ONNX graphs that share one file of weights: in float, or in 8 bits.

Weights are known by the names that PyTorch's state has for them, so the file can be read back.

In 8 bits (``Precision.STATIC``) every linear layer over tokens takes its input as unsigned bytes at
a fixed scale and its weights as signed bytes at one scale a column; the integers in between are
exact, so a row gives the same whatever it is batched or padded with. Embeddings are bytes at one
scale a row. What runs once a chunk or once a segment stays in half precision: it costs no time,
and its error would be carried on by the slow state.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from operators.dlp.network.graphs import (
    INPUTS,
    OUTPUTS,
    SegmentGraph,
    StartGraph,
    UnrolledGraph,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from operators.dlp.network.model import Network

OPSET: Final = 17
UNROLLED: Final = 1024
_LEAST_SHARED: Final = 1024
"""Elements from which on a tensor goes into the shared file."""
_ZERO: Final = 128
_MATRIX: Final = 2
TOLD: Final = "weir.weights"
"""Property of a graph: for gains and biases, by PyTorch's name, the name that it has there."""
_CONSTANT: Final = "constant/"
"""Tensors that follow from a graph's length, the rotary positions, stay in the graph."""
_EMBEDDING: Final = "embedding.weight"


class Precision(Enum):
    """How a graph computes."""

    FLOAT = "float"
    STATIC = "static"
    DYNAMIC = "dynamic"


def float_graph(network: Network, length: int, rows: int = 1) -> onnx.ModelProto:
    """The graph over a segment of `length` tokens, or the unrolled one of 1,024; static shapes."""
    wrapped = (UnrolledGraph if length == UNROLLED else SegmentGraph)(network)
    ids = torch.full((rows, length), 3)
    state = torch.zeros(rows, network.config.slow_blocks, network.config.width)
    inputs = (ids, torch.ones_like(ids, dtype=torch.bool), state)
    return traced(wrapped, inputs, INPUTS, OUTPUTS)


def start_graph(network: Network) -> onnx.ModelProto:
    """From a thread's memory, float32 [1, 256], to the slow state that its next message starts in.

    A memory of zeros is that of a new thread.
    """
    memory = torch.zeros(1, network.config.memory)
    return traced(StartGraph(network), (memory,), ("memory",), ("state",))


def traced(
    module: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    names: tuple[str, ...],
    results: tuple[str, ...],
    free: Mapping[str, dict[int, str]] | None = None,
) -> onnx.ModelProto:
    """The module as a graph; `free` names the dimensions, by tensor, that are not fixed."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter is the one for this opset
        torch.onnx.export(
            module.eval(),
            inputs,
            out,  # type: ignore[arg-type]
            opset_version=OPSET,
            dynamo=False,
            input_names=list(names),
            output_names=list(results),
            dynamic_axes=free,
        )
    return onnx.load_from_string(out.getvalue())


def rewritten(
    graph: onnx.ModelProto,
    network: Network,
    reach: Mapping[str, float],
    precision: Precision,
    bits: int = 7,
) -> onnx.ModelProto:
    """The float graph in the given precision, its weights under the names of PyTorch's state.

    Args:
        graph: from `float_graph`.
        network: that the graph was exported from.
        reach: for each linear layer to be quantised, the |input| that 8 bits reach to.
        precision: how to compute.
        bits: of the weights. With 7, no kernel of any processor saturates in between.
    """
    return _Rewriter(graph, network, reach, precision, bits).model()


class _Rewriter:
    def __init__(
        self,
        graph: onnx.ModelProto,
        network: Network,
        reach: Mapping[str, float],
        precision: Precision,
        bits: int,
    ) -> None:
        self.graph, self.reach, self.precision = graph, reach, precision
        self.most = 2 ** (bits - 1) - 1
        self.known: dict[bytes, tuple[str, bool]] = {}
        self.vectors: dict[bytes, list[str]] = {}
        for name, weight in network.state_dict().items():
            plain = weight.detach().float().numpy()
            if plain.ndim == _MATRIX:
                self.known[_digest(plain.T)] = (name, True)
            self.known[_digest(plain)] = (name, False)
            self.vectors.setdefault(_digest(plain), []).append(name)
        self.tensors: dict[str, onnx.TensorProto] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.values: dict[str, NDArray[Any]] = {}
        self.names: dict[str, tuple[str, bool]] = {}
        self.quantised: dict[str, str] = {}

    def model(self) -> onnx.ModelProto:
        told: dict[str, str] = {}
        for tensor in self.graph.graph.initializer:
            value = numpy_helper.to_array(tensor)
            self.values[tensor.name] = value
            known = self.known.get(_digest(value)) if value.ndim == _MATRIX else None
            if known:
                self.names[tensor.name] = known
            else:
                self._keep(tensor.name, value)
                told |= dict.fromkeys(self.vectors.get(_digest(value), ()), tensor.name)
        makers = {node.output[0]: node for node in self.graph.graph.node}
        for node in self.graph.graph.node:
            guard = makers.get(node.input[0]) if node.op_type == "Where" else None
            if guard is not None and guard.op_type == "IsNaN":
                # The exporter guards against rows that attend to nothing; no row does, and the
                # guard is a sixth of the time.
                self.nodes.append(helper.make_node("Identity", [node.input[2]], list(node.output)))
            elif node.op_type != "IsNaN":
                self._node(node)
        made = helper.make_graph(
            self.nodes,
            "segment",
            list(self.graph.graph.input),
            list(self.graph.graph.output),
            list(self.tensors.values()),
        )
        model = helper.make_model(
            made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8
        )
        helper.set_model_props(model, {TOLD: json.dumps(told)})
        return model

    def _keep(self, name: str, value: NDArray[Any]) -> str:
        if name not in self.tensors:
            self.tensors[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def _node(self, node: onnx.NodeProto) -> None:
        if node.op_type == "Constant" and self._constant(node):
            return
        if node.op_type == "Identity" and node.input[0] in self.names:
            self.names[node.output[0]] = self.names[node.input[0]]
            self.values[node.output[0]] = self.values[node.input[0]]
            return  # one weight, read in two places
        shared = [place for place, name in enumerate(node.input) if name in self.names]
        for place in shared:
            value = self.values[node.input[place]]
            name, turned = self.names[node.input[place]]
            layer = name.removesuffix(".weight")
            if self.precision is Precision.FLOAT:
                node.input[place] = self._keep(name + ("/T" if turned else ""), value)
            elif name == _EMBEDDING and node.op_type == "Gather":
                self._embedding(node, value)
                return
            elif turned and node.op_type == "MatMul" and layer in self.reach:
                self._matmul(node, layer, value)
                return
            else:
                node.input[place] = self._half(name, value, turned=turned)
        self.nodes.append(node)

    def _constant(self, node: onnx.NodeProto) -> bool:
        """Make large constants (the rotary positions of every layer) tensors, one of a kind."""
        value = numpy_helper.to_array(node.attribute[0].t)
        if node.attribute[0].name != "value" or value.size < _LEAST_SHARED:
            return False
        name = f"{_CONSTANT}{_digest(value).hex()[:16]}"
        self._keep(name, value)
        self.nodes.append(helper.make_node("Identity", [name], list(node.output)))
        return True

    def _half(self, name: str, value: NDArray[Any], *, turned: bool) -> str:
        name += "/T" if turned else ""
        wide = name + "/float"
        if name not in self.tensors:
            self._keep(name, value.astype(np.float16))
            self.nodes.append(helper.make_node("Cast", [name], [wide], wide, to=TensorProto.FLOAT))
        return wide

    def _embedding(self, node: onnx.NodeProto, value: NDArray[Any]) -> None:
        scale = np.maximum(np.abs(value).max(1, keepdims=True), 1e-8) / 127
        rows = self._keep(_EMBEDDING, np.rint(value / scale).astype(np.int8))
        scales = self._keep(_EMBEDDING + "/scale", scale.astype(np.float32))
        out, ids = node.output[0], node.input[1]
        self.nodes += [
            helper.make_node("Gather", [rows, ids], [out + "/bytes"]),
            helper.make_node("Cast", [out + "/bytes"], [out + "/wide"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [scales, ids], [out + "/scale"]),
            helper.make_node("Mul", [out + "/wide", out + "/scale"], [out]),
        ]

    def _matmul(self, node: onnx.NodeProto, layer: str, value: NDArray[Any]) -> None:
        scale = np.maximum(np.abs(value).max(0), 1e-8) / self.most
        weight = self._keep(f"{layer}.weight/T", np.rint(value / scale).astype(np.int8))
        scales = self._keep(f"{layer}.weight/scale", scale.astype(np.float32))
        if self.precision is Precision.DYNAMIC:
            self._dynamic(node, weight, scales)
            return
        source = node.input[0]
        step = self._keep(f"{layer}.input/scale", np.array(self.reach[layer] / 127, np.float32))
        zero = self._keep("zero", np.array(_ZERO, np.uint8))
        key = f"{source}/{self.reach[layer]}"
        if key not in self.quantised:
            self.quantised[key] = source + "/bytes"
            self.nodes.append(
                helper.make_node("QuantizeLinear", [source, step, zero], [source + "/bytes"])
            )
        out = node.output[0]
        self.nodes += [
            helper.make_node(
                "DequantizeLinear", [self.quantised[key], step, zero], [out + "/input"]
            ),
            helper.make_node("DequantizeLinear", [weight, scales], [out + "/weight"], axis=1),
            helper.make_node("MatMul", [out + "/input", out + "/weight"], [out], name=node.name),
        ]

    def _dynamic(self, node: onnx.NodeProto, weight: str, scales: str) -> None:
        out, source = node.output[0], node.input[0]
        self.nodes += [
            helper.make_node(
                "DynamicQuantizeLinear",
                [source],
                [out + "/bytes", out + "/step", out + "/zero"],
            ),
            helper.make_node(
                "MatMulInteger", [out + "/bytes", weight, out + "/zero"], [out + "/whole"]
            ),
            helper.make_node("Cast", [out + "/whole"], [out + "/wide"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [out + "/step", scales], [out + "/scale"]),
            helper.make_node("Mul", [out + "/wide", out + "/scale"], [out]),
        ]


def _digest(value: NDArray[Any]) -> bytes:
    return hashlib.sha256(
        str(value.shape).encode() + np.ascontiguousarray(value).tobytes()
    ).digest()


def shared(graphs: Mapping[str, onnx.ModelProto], weights: str) -> tuple[dict[str, bytes], bytes]:
    """Graphs by file name without their large tensors, and the one file that holds these.

    Raises:
        ValueError: two graphs have different tensors of one name.
    """
    places: dict[str, tuple[int, bytes]] = {}
    data = bytearray()
    out = {}
    for name, graph in graphs.items():
        for tensor in graph.graph.initializer:
            raw = tensor.raw_data
            if len(raw) < _LEAST_SHARED or tensor.name.startswith(_CONSTANT):
                continue
            if tensor.name not in places:
                data += b"\0" * (-len(data) % 64)
                places[tensor.name] = (len(data), hashlib.sha256(raw).digest())
                data += raw
            offset, digest = places[tensor.name]
            if digest != hashlib.sha256(raw).digest():
                raise ValueError(f"{name}: tensor {tensor.name} is another in an earlier graph")
            length = len(raw)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, entry in (("location", weights), ("offset", offset), ("length", length)):
                tensor.external_data.add(key=key, value=str(entry))
        out[name] = graph.SerializeToString(deterministic=True)
    return out, bytes(data)
