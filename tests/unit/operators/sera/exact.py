"""What Sera approximates: decayed softmax attention with all events kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from operators.sera.config import SeraConfig

Floats = npt.NDArray[np.float64]


def attention(config: SeraConfig, keys: Floats, values: Floats, queries: Floats) -> Floats:
    """Exact decayed softmax attention in float64: float64[queries, d_v], O(t) a query."""
    ages = np.arange(len(keys))[::-1]
    weights = config.gamma**ages * np.exp(queries @ keys.T / config.temperature)
    return np.asarray(weights @ values / weights.sum(axis=1, keepdims=True))


def on_sphere(rng: np.random.Generator, n: int, config: SeraConfig, square: float) -> Floats:
    """Vectors in all directions with |x|^2 / tau = ``square``."""
    x = rng.normal(size=(n, config.d))
    radius = np.sqrt(config.temperature * square)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True) * radius)
