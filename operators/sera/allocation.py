"""How the arrays of a Sera are made."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from operators import philox
from operators.sera.features import orthonormal, random_features
from operators.sera.kernel_shrinkage import NOW, SHRINKAGE_WORDS
from operators.sera.layout import (
    CLIP,
    MAX_EXPONENT,
    STREAM_SKETCH,
    TALLY_WORDS,
    SeraArrays,
    SeraParams,
    SeraScratch,
    SeraState,
)

if TYPE_CHECKING:
    from operators.sera.config import SeraConfig


def allocate(config: SeraConfig, seed: int) -> SeraArrays:
    """A Sera that has seen nothing.

    Takes O(d r) time, with orthogonal weights O(d^2 r), and (2 d_v + 2 r_v + d + 9) r numbers of
    memory.
    """
    weights, offsets = random_features(config, seed)
    basis = orthonormal(config.d_v, config.r_v, seed)
    prior_reduced = config.prior * np.array([math.fsum(column) for column in basis.T])
    sketch_key, _ = philox.philox4x32(np.uint64(seed), STREAM_SKETCH, np.uint64(0))
    return SeraArrays(
        W=weights,
        offsets=offsets,
        U=basis,
        prior=np.full(config.d_v, float(config.prior)),
        prior_reduced=prior_reduced,
        params=_params(config, math.fsum(basis[0] * prior_reduced)),
        state=_state(config),
        scratch=SeraScratch(
            u=np.zeros(config.d),
            phi=np.zeros(config.r),
            high=np.zeros(config.r),
            low=np.zeros(config.r),
            y=np.zeros((3, config.d_v)),
            weights=np.zeros(config.r),
            y_reduced=np.zeros((3, config.r_v)),
        ),
        # To numba a Python int is int64 or uint64 as its value falls; kernels are kept by type.
        sketch_key=np.uint64(sketch_key),
    )


def _params(config: SeraConfig, lifted_prior: float) -> SeraParams:
    return SeraParams(
        tau=float(config.temperature),
        scale=1.0 / math.sqrt(config.temperature),
        radius=float(config.norm_radius),
        tune_clip=float(config.tune_clip),
        norm=1.0 / math.sqrt(config.r),
        gamma=float(config.gamma),
        prior=lifted_prior if config.lowrank else float(config.prior),
        beta_floor=float(config.beta_floor),
        epsilon=float(config.epsilon),
        delta=float(config.delta),
        c_yellow=float(config.c_yellow),
        c_red=float(config.c_red),
        by_gap=float(config.policy == "rj_gap"),
        average=float(config.lambda_rule == "average"),
        residual_limit=float(config.residual_limit),
    )


def _state(config: SeraConfig) -> SeraState:
    r, rows = config.r, 0 if config.lowrank else config.d_v
    state = SeraState(
        R=np.zeros((rows, r)),
        R_residual=np.zeros((rows, r)),
        s=np.zeros(r),
        s_residual=np.zeros(r),
        H=np.zeros((config.r_v, r)),
        H_residual=np.zeros((config.r_v, r)),
        moments=np.zeros((2 if config.whiten else 0, r)),
        shrinkage=np.zeros(SHRINKAGE_WORDS),
        tally=np.zeros(TALLY_WORDS),
    )
    state.shrinkage[NOW] = config.lambda_star
    state.tally[MAX_EXPONENT] = -math.inf
    state.tally[CLIP] = config.clip
    return state
