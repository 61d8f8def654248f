"""The network's weights back from the files that serving loads, to be trained further."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from streams.train.onnx_graphs import TOLD

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.dlp.network.model import Network

_GRAPHS = ("segment-512.onnx", "start.onnx")


def restore(network: Network, folder: Path) -> list[str]:
    """Read the weights of a model's folder into a network of its size.

    Eight-bit weights come back as the floats that they stand for. Heads that serve training only
    (denoising, shuffling) are not shipped.

    Returns:
        Names of the weights that were not there and are as they were.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for name in _GRAPHS:
        graph = onnx.load(str(folder / name))
        here = {one.name: numpy_helper.to_array(one) for one in graph.graph.initializer}
        tensors |= here
        for entry in graph.metadata_props:
            if entry.key == TOLD:
                told = json.loads(entry.value)
                tensors |= {known: here[stored] for known, stored in told.items()}
    state = network.state_dict()
    left = []
    for name, weight in state.items():
        value = _weight(name, tensors)
        if value is None:
            left.append(name)
        else:
            weight.copy_(torch.from_numpy(np.ascontiguousarray(value.reshape(weight.shape))))
    network.load_state_dict(state)
    return left


def _weight(name: str, tensors: dict[str, NDArray[Any]]) -> NDArray[np.float32] | None:
    for stored in (f"{name}/T", name):
        if stored not in tensors:
            continue
        value = tensors[stored].astype(np.float32)
        scale = tensors.get(f"{name}/scale")
        if scale is not None and tensors[stored].dtype == np.int8:
            value = value * scale
        return value.T if stored.endswith("/T") else value
    return None
