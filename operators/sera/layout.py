"""Where a Sera keeps what: the arrays its kernels work on, and how they are made.

The random weights (``operators.sera.features``) follow from the seed and are never stored. What is
stored is the statistics (``SeraState``): float64 arrays that change wholly with every event.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MAGNITUDE = np.int64(0x7FFFFFFFFFFFFFFF)
"""All bits of a float64 but its sign."""

STREAM_WEIGHTS = np.uint64(1)
"""Philox stream of the random weights; another use of the same seed takes another stream."""

STREAM_SKETCH = np.uint64(2)
"""Philox stream of the count-sketch's key."""

STREAM_TIES = np.uint64(3)
"""Philox stream of the key of the margin's tie-breakers, and of these themselves."""

STREAM_LENGTHS = np.uint64(4)
"""Philox stream of the lengths of orthogonal weights."""

STREAM_BASIS = np.uint64(5)
"""Philox stream of the basis that low-rank values are expressed in."""

# Words of ``tally``; counts are exact below 2^53.
INGESTED = 0  # events ingested: t of the statistics, and their version
COORDINATES = 1  # feature exponents computed
CLIPPED = 2  # of these, clipped
MAX_EXPONENT = 3  # largest exponent before clipping
VECTORS = 4  # vectors projected
GUARDED = 5  # of these, shortened by the norm guard
RESIDUAL_R = 6  # largest compensation term in R, absolute
RESIDUAL_S = 7  # largest compensation term in s, absolute
CLIP = 8  # the bound of exponents in force
CLIPPED_BEFORE = 9  # CLIPPED at the last change of the bound, or when none was needed
RESIDUAL_SHARE = 10  # largest compensation term, over the largest sum of its array
RESIDUAL_ALARMS = 11  # events at which that was above its limit
TALLY_WORDS = 12

GREEN, YELLOW, RED = 0.0, 1.0, 2.0


class SeraParams(NamedTuple):
    """Constants of a Sera, by value; ``SeraConfig`` has their meaning.

    All are float64: an integer from a configuration file would be another compilation.

    Attributes:
        tau: temperature.
        scale: 1 / sqrt(tau), applied to keys and queries.
        radius: largest squared norm of a scaled vector.
        tune_clip: 1 to tune the bound of exponents, else 0.
        norm: 1 / sqrt(r), factor of each feature.
        gamma: decay.
        prior: first component of the readout where nothing is known.
        beta_floor: least denominator.
        epsilon: added to the readout's norm.
        delta: failure probability of the policy's bound.
        c_yellow: constant of the bound above which the level is yellow.
        c_red: the same for red.
        by_gap: 1 where the policy reads ``rj_gap``, 0 where it reads ``half_diff``.
        average: 1 where lambda_* is averaged, 0 where it stays as configured.
        residual_limit: share of its sum above which a compensation term is an alarm.
    """

    tau: float
    scale: float
    radius: float
    tune_clip: float
    norm: float
    gamma: float
    prior: float
    beta_floor: float
    epsilon: float
    delta: float
    c_yellow: float
    c_red: float
    by_gap: float
    average: float
    residual_limit: float


class SeraState(NamedTuple):
    """What a Sera has learnt.

    Attributes:
        R: float64[d_v, r], decayed sum of value times feature; no rows where only low rank is kept.
        R_residual: float64[d_v, r], compensation terms of ``R``.
        s: float64[r], decayed sum of the features.
        s_residual: float64[r], compensation terms of ``s``.
        H: float64[r_v, r], decayed sum of U^T value times feature; no rows without low rank.
        H_residual: float64[r_v, r], compensation terms of ``H``.
        moments: float64[2, r], running mean and variance of the keys' features; no rows without
            whitening.
        shrinkage: float64[SHRINKAGE_WORDS], lambda_* and what it follows from.
        tally: float64[TALLY_WORDS], counters and maxima.
    """

    R: Floats
    R_residual: Floats
    s: Floats
    s_residual: Floats
    H: Floats
    H_residual: Floats
    moments: Floats
    shrinkage: Floats
    tally: Floats


class SeraScratch(NamedTuple):
    """Working memory; what it holds between calls means nothing.

    Attributes:
        u: float64[d], a scaled vector.
        phi: float64[r], features of the query, then of the key.
        high: float64[r], sums in progress.
        low: float64[r], their compensation terms.
        y: float64[3, d_v], readout from all features and from each half.
        weights: float64[r], features of the query as they are read with: whitened or not.
        y_reduced: float64[3, r_v], as ``y``, in the basis U.
    """

    u: Floats
    phi: Floats
    high: Floats
    low: Floats
    y: Floats
    weights: Floats
    y_reduced: Floats


class SeraArrays(NamedTuple):
    """All that a kernel needs of one Sera; pass it on whole.

    Attributes:
        W: float64[d, r], random weights; column i belongs to feature i.
        offsets: float64[r], what each feature's exponent has added.
        U: float64[d_v, r_v], orthonormal columns, the basis of low-rank values.
        prior: float64[d_v], the prior of each value.
        prior_reduced: float64[r_v], the same in the basis U.
        params: constants.
        state: statistics.
        scratch: working memory.
        sketch_key: uint64, key of the count-sketch. Never stored, never shown.
    """

    W: Floats
    offsets: Floats
    U: Floats
    prior: Floats
    prior_reduced: Floats
    params: SeraParams
    state: SeraState
    scratch: SeraScratch
    sketch_key: np.uint64

    def __repr__(self) -> str:
        return f"SeraArrays(d={len(self.W)}, r={self.W.shape[1]}, d_v={len(self.U)})"
