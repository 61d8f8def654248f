"""Where a Sera keeps what: the arrays its kernels work on, and how they are made.

The random weights follow from the seed and are never stored. What is stored is the statistics
(``SeraState``): flat float64 arrays that change wholly with every ingested event.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from operators import philox

if TYPE_CHECKING:
    from operators.sera.config import SeraConfig

Floats = npt.NDArray[np.float64]

STREAM_WEIGHTS = np.uint64(1)
"""Philox stream of the random weights; another use of the same seed takes another stream."""

STREAM_SKETCH = np.uint64(2)
"""Philox stream of the count-sketch's key."""

STREAM_TIES = np.uint64(3)
"""Philox stream of the key of the margin's tie-breakers, and of these themselves."""

# Words of ``tally``; counts are exact below 2^53.
INGESTED = 0  # events ingested: t of the statistics, and their version
COORDINATES = 1  # feature exponents computed
CLIPPED = 2  # of these, clipped
MAX_EXPONENT = 3  # largest exponent before clipping
VECTORS = 4  # vectors projected
GUARDED = 5  # of these, shortened by the norm guard
RESIDUAL_R = 6  # largest compensation term in R, absolute
RESIDUAL_S = 7  # largest compensation term in s, absolute
TALLY_WORDS = 8

GREEN, YELLOW, RED = 0.0, 1.0, 2.0


class SeraParams(NamedTuple):
    """Constants of a Sera, by value; ``SeraConfig`` has their meaning.

    All are float64: an integer from a configuration file would be another compilation.

    Attributes:
        scale: 1 / sqrt(tau), applied to keys and queries.
        radius: largest squared norm of a scaled vector.
        clip: bound of the exponent.
        norm: 1 / sqrt(r), factor of each feature.
        gamma: decay.
        prior: readout where nothing is known.
        beta_floor: least denominator.
        epsilon: added to the readout's norm.
        delta: failure probability of the policy's bound.
        c_yellow: constant of the bound above which the level is yellow.
        c_red: the same for red.
    """

    scale: float
    radius: float
    clip: float
    norm: float
    gamma: float
    prior: float
    beta_floor: float
    epsilon: float
    delta: float
    c_yellow: float
    c_red: float


class SeraState(NamedTuple):
    """What a Sera has learnt.

    Attributes:
        R: float64[d_v, r], decayed sum of value times feature.
        R_residual: float64[d_v, r], compensation terms of ``R``.
        s: float64[r], decayed sum of the features.
        s_residual: float64[r], compensation terms of ``s``.
        tally: float64[TALLY_WORDS], counters and maxima.
    """

    R: Floats
    R_residual: Floats
    s: Floats
    s_residual: Floats
    tally: Floats


class SeraScratch(NamedTuple):
    """Working memory; what it holds between calls means nothing.

    Attributes:
        u: float64[d], a scaled vector.
        phi: float64[r], features of the query, then of the key.
        high: float64[r], sums in progress.
        low: float64[r], their compensation terms.
        y: float64[3, d_v], readout from all features and from each half.
    """

    u: Floats
    phi: Floats
    high: Floats
    low: Floats
    y: Floats


class SeraArrays(NamedTuple):
    """All that a kernel needs of one Sera; pass it on whole.

    Attributes:
        W: float64[d, r], random weights; column i belongs to feature i.
        params: constants.
        state: statistics.
        scratch: working memory.
        sketch_key: uint64, key of the count-sketch. Never stored, never shown.
    """

    W: Floats
    params: SeraParams
    state: SeraState
    scratch: SeraScratch
    sketch_key: np.uint64

    def __repr__(self) -> str:
        return f"SeraArrays(d={len(self.W)}, r={self.W.shape[1]}, d_v={len(self.state.R)})"


def random_weights(config: SeraConfig, seed: int) -> Floats:
    """Random weights W, float64[d, r]: standard normal, a function of the seed alone.

    Features 0 .. r/2-1 and r/2 .. r-1 are the two halves of the diagnostics. Antithetic pairs
    stay within a half, for the halves must be independent.
    """
    columns = config.r // 2 if config.antithetic else config.r
    flat = np.empty(config.d * columns)
    philox.fill_normal(np.uint64(seed), STREAM_WEIGHTS, flat)
    # Column by column, so that a wider Sera with the same seed begins with the same features.
    drawn = flat.reshape(columns, config.d).T
    if not config.antithetic:
        return np.ascontiguousarray(drawn)
    first, second = np.split(drawn, [columns // 2], axis=1)
    return np.ascontiguousarray(np.hstack([first, -first, second, -second]))


def allocate(config: SeraConfig, seed: int) -> SeraArrays:
    """A Sera that has seen nothing. Takes O(d r) time and (2 d_v + d + 5) r numbers of memory."""
    r, d_v = config.r, config.d_v
    sketch_key, _ = philox.philox4x32(np.uint64(seed), STREAM_SKETCH, np.uint64(0))
    state = SeraState(
        R=np.zeros((d_v, r)),
        R_residual=np.zeros((d_v, r)),
        s=np.zeros(r),
        s_residual=np.zeros(r),
        tally=np.zeros(TALLY_WORDS),
    )
    state.tally[MAX_EXPONENT] = -math.inf
    return SeraArrays(
        W=random_weights(config, seed),
        params=SeraParams(
            scale=1.0 / math.sqrt(config.temperature),
            radius=float(config.norm_radius),
            clip=float(config.clip),
            norm=1.0 / math.sqrt(r),
            gamma=float(config.gamma),
            prior=float(config.prior),
            beta_floor=float(config.beta_floor),
            epsilon=float(config.epsilon),
            delta=float(config.delta),
            c_yellow=float(config.c_yellow),
            c_red=float(config.c_red),
        ),
        state=state,
        scratch=SeraScratch(
            u=np.zeros(config.d),
            phi=np.zeros(r),
            high=np.zeros(r),
            low=np.zeros(r),
            y=np.zeros((3, d_v)),
        ),
        # To numba a Python int is int64 or uint64 as its value falls; kernels are kept by type.
        sketch_key=np.uint64(sketch_key),
    )
