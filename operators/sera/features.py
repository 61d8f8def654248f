"""Random weights of the features: functions of configuration and seed alone, never stored.

``weights`` says how the w_i are drawn. ``"iid"``: independent N(0, I). ``"orthogonal"``: in blocks
of d, the directions of a block orthogonal to each other, each w_i still N(0, I) by itself (Yu et
al., 2016, "Orthogonal random features", NeurIPS). Antithetic pairs (w, -w) go with both.

``feature_map`` says what is made of them, with u = x / sqrt(tau):

    positive   phi_i = r^-1/2 exp(w.u - |u|^2/2)
    bounded    phi_i = r^-1/2 D exp(A|w|^2 + B w.u - |u|^2/2),  B = sqrt(1 - 4A),  D = B^(d/2)

Both have E[phi(q).phi(k)] = exp(q.k/tau). With A < 0 the second is bounded in w: no feature exceeds
r^-1/2 D exp(-(B^2/4A + 1/2)|u|^2), so that no rare w dominates a sum (OPRF of Likhosherstov et al.,
2022, "Chefs' random tables", NeurIPS). A is that paper's optimum for |q + k|^2 / tau = 2
``norm_radius``: vectors at the guard that point in unrelated directions.

The mean squared relative error of phi(q).phi(k) for independent weights, z^2 = |q + k|^2 / tau:

    [(1-4A)^d (1-8A)^(-d/2) exp(z^2 (2(1-4A)/(1-8A) - 1)) - 1] / r        A = 0: (e^(z^2) - 1) / r
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from operators import philox
from operators.compiled import kernel
from operators.numerics import log
from operators.sera.layout import STREAM_BASIS, STREAM_LENGTHS, STREAM_WEIGHTS, Floats

if TYPE_CHECKING:
    from operators.sera.config import SeraConfig


def bounding_coefficient(config: SeraConfig) -> float:
    """A of the feature map: 0 for the positive one, else negative."""
    if config.feature_map == "positive":
        return 0.0
    phi, d = 2.0 * config.norm_radius, float(config.d)
    rho = (math.sqrt((2.0 * phi + d) ** 2 + 8.0 * d * phi) - 2.0 * phi - d) / (4.0 * phi)
    return (1.0 - 1.0 / rho) / 8.0


def kernel_variance(config: SeraConfig, square: float) -> float:
    """Mean squared relative error of phi(q).phi(k) with one independent feature.

    Args:
        config: settings; antithetic and orthogonal weights have less than this.
        square: |q + k|^2 / tau.
    """
    a, d = bounding_coefficient(config), config.d
    growth = square * (2.0 * (1.0 - 4.0 * a) / (1.0 - 8.0 * a) - 1.0)
    return math.expm1(d * math.log1p(-4.0 * a) - 0.5 * d * math.log1p(-8.0 * a) + growth)


def random_features(config: SeraConfig, seed: int) -> tuple[Floats, Floats]:
    """Weights float64[d, r], a column a feature, and what each adds to its exponent, float64[r].

    Features 0 .. r/2-1 and r/2 .. r-1 are the two halves of the diagnostics. Pairs and blocks stay
    within a half, for the halves must be independent. Takes O(d r) time, orthogonal O(d^2 r).
    """
    columns = config.r // 2 if config.antithetic else config.r
    # Row by row a feature, so that a wider Sera with the same seed begins with the same ones.
    rows = np.empty((columns, config.d))
    philox.fill_normal(np.uint64(seed), STREAM_WEIGHTS, rows.reshape(-1))
    if config.weights == "orthogonal":
        others = np.empty((columns, config.d))
        philox.fill_normal(np.uint64(seed), STREAM_LENGTHS, others.reshape(-1))
        for half in (slice(None, columns // 2), slice(columns // 2, None)):
            _orthogonalise(rows[half], others[half])
    drawn = rows.T
    if config.antithetic:
        first, second = np.split(drawn, [columns // 2], axis=1)
        drawn = np.hstack([first, -first, second, -second])
    weights = np.ascontiguousarray(drawn)
    offsets = np.zeros(config.r)
    a = bounding_coefficient(config)
    if a != 0.0:
        _bound(weights, offsets, a)
    return weights, offsets


@kernel
def _orthogonalise(rows: Floats, others: Floats) -> None:
    """Make the rows of each block of d orthogonal, each as long as the same row of ``others``.

    Gram-Schmidt, done twice: what rounding left of the first pass the second takes away. Sums are
    sequential, for LAPACK's order is the machine's.
    """
    n, d = rows.shape
    for first in range(0, n, d):
        for i in range(first, min(first + d, n)):
            for _ in range(2):
                for j in range(first, i):
                    along = 0.0
                    for k in range(d):
                        along += rows[i, k] * rows[j, k]
                    for k in range(d):
                        rows[i, k] -= along * rows[j, k]
            _stretch(rows[i], 1.0)
        for i in range(first, min(first + d, n)):
            length = 0.0
            for k in range(d):
                length += others[i, k] * others[i, k]
            _stretch(rows[i], math.sqrt(length))


@kernel
def _stretch(row: Floats, length: float) -> None:
    square = 0.0
    for k in range(row.shape[0]):
        square += row[k] * row[k]
    factor = length / math.sqrt(square)
    for k in range(row.shape[0]):
        row[k] *= factor


@kernel
def _bound(weights: Floats, offsets: Floats, a: float) -> None:
    """Offsets A|w|^2 + log D, and weights times B."""
    d, r = weights.shape
    b = math.sqrt(1.0 - 4.0 * a)
    log_d = 0.25 * d * log(1.0 - 4.0 * a)
    for i in range(r):
        square = 0.0
        for j in range(d):
            square += weights[j, i] * weights[j, i]
            weights[j, i] *= b
        offsets[i] = a * square + log_d


def orthonormal(rows: int, columns: int, seed: int) -> Floats:
    """A matrix U, float64[rows, columns], columns <= rows, with U^T U = 1; O(rows columns^2).

    A function of the seed alone: Gram-Schmidt of normal columns.
    """
    drawn = np.empty((columns, rows))
    philox.fill_normal(np.uint64(seed), STREAM_BASIS, drawn.reshape(-1))
    unit = np.zeros((columns, rows))
    unit[:, 0] = 1.0
    _orthogonalise(drawn, unit)
    return np.ascontiguousarray(drawn.T)
