"""Sera's arithmetic in NumPy: the floor that its kernels are compared with.

A matrix-vector product for the features, one for the readout, and a decayed rank-one update, in
place where NumPy can. Without compensation and diagnostics, so it does less than Sera does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from operators.sera.config import SeraConfig

Floats = npt.NDArray[np.float64]


class NumpySera:
    """A Sera with ``weights`` float64[d, r] of its own; vectors must lie within the norm guard."""

    def __init__(self, config: SeraConfig, weights: Floats) -> None:
        self.config = config
        self.W = weights / math.sqrt(config.temperature)
        self.norm = 1.0 / math.sqrt(config.r)
        self.R = np.zeros((config.d_v, config.r))
        self.s = np.zeros(config.r)
        self.added = np.empty((config.d_v, config.r))

    def step_batch(self, keys: Floats, values: Floats) -> Floats:
        """Read out for each key, then learn it: float64[n, d_v]."""
        c, tau = self.config, self.config.temperature
        y = np.empty(values.shape)
        for t, key in enumerate(keys):
            phi = key @ self.W
            phi -= 0.5 * (key @ key) / tau
            np.maximum(phi, -c.clip, out=phi)
            np.minimum(phi, c.clip, out=phi)
            np.exp(phi, out=phi)
            phi *= self.norm
            y[t] = (self.R @ phi) / (phi @ self.s + c.lambda_star)
            self.R *= c.gamma
            np.multiply(values[t][:, np.newaxis], phi, out=self.added)
            self.R += self.added
            self.s *= c.gamma
            self.s += phi
        return y
