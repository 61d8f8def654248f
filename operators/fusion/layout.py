"""Where a cell keeps what beside Hlm's and Sera's own arrays: ids, tallies, working memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.fusion.config import LAST_STAGE, META_STAGE
from operators.fusion.controller import ControlParams
from operators.hlm.kernels import SCRATCH_HEADER

if TYPE_CHECKING:
    from operators.fusion.config import CellConfig
    from operators.hlm.layout import HlmArrays
    from operators.sera.layout import SeraArrays
    from operators.sera.margin import MarginArrays

Floats = npt.NDArray[np.float64]

# -- ids of the fusion's own weights in Hlm --------------------------------------------------------
RESERVED = np.uint64(0xFFFF << 48)
"""Ids with these 16 bits set are the fusion's; an event that brings one is quarantined."""

CONTEXT = np.uint64(0x1FFFF << 47)
"""Prefix of a context key's id in the gate."""

CONTEXT_MASK = np.uint64((1 << 47) - 1)
"""Bits of a context key's hash that its id keeps; 10^5 keys collide with odds of 4 in 10^5."""

# Inputs of the gate, in order; input k has the id RESERVED + k. Context keys follow them.
Z_BIAS = 0  # 1
Z_HALF_DIFF = 1  # relative half difference over the yellow bound, a quarter, at most 1
Z_MARGIN = 2  # m_{t-1} over the capital of its epoch, in [-1, 1]
Z_DEN = 3  # log(den (1 - gamma)): 0 where the mean kernel value is 1; a quarter, in [-1, 1]
Z_PHI = 4  # log of the mean of sqrt(r) phi_i(q), whose expectation is 1; in [-1, 1]
Z_ERROR = 5  # rolling |e|, relative to the labels' rolling root mean square; at most 1
Z_ADVANTAGE = 6  # Sera's advantage over Hlm, see ADVANTAGE; an eighth, in [-1, 1]
GATE_INPUTS = 7

# Inputs of the meta-linear combination; input k has the id RESERVED + META + k.
META = 16
META_SERA = 0
META_HLM = 1
META_BIAS = 2
META_INPUTS = 3

# Attention as features of the linear half; input k has the id RESERVED + FEATURE + k. The readout's
# components follow the diagnostics, which are the gate's inputs of the same names.
FEATURE = 32
FEATURE_HALF_DIFF = 0
FEATURE_MARGIN = 1
FEATURE_DEN = 2
FEATURE_PHI = 3
FEATURE_READOUT = 4

# -- tally, float64[TALLY_WORDS] -------------------------------------------------------------------
STEPS = 0  # steps done
LABELLED = 1  # of these, with a label
ERROR = 2  # rolling |label - y_hat|
ERROR_HLM = 3  # the same of Hlm
ERROR_SERA = 4  # the same of Sera
LABEL_SQUARE = 5  # rolling squared label
ERROR_SQUARE = 6  # rolling squared error of the gated mixture
ADVANTAGE = 7  # discounted sum of squared errors, Hlm's less Sera's; each at most 1
G_MAX = 8  # controls in force at the next step, see ``operators.fusion.controller.Controls``
HOLD = 9
REDS = 10
LAMBDA_STAR = 11
LABEL_MIN = 12  # least and largest label so far; 0 before the first
LABEL_MAX = 13
THINS = 14  # further controls
BETA_FLOOR = 15
LR_SHARE = 16
CALM = 17
TAU_LOW = 18
STAGE = 19
HEALTHY = 20
TALLY_WORDS = 21


OUTPUTS = ("gate", "meta", "feature")
"""Values of ``FusionConfig.output``, by number."""

OUTPUT_GATE, OUTPUT_META, OUTPUT_FEATURE = 0, 1, 2


class FusionParams(NamedTuple):
    """Constants of the fusion, by value; ``FusionConfig`` and ``HlmConfig`` have their meaning."""

    logistic: int
    output: int
    learn_fused: int
    gate_lr: float
    gate_trust: float
    meta_lr: float
    feature_lr: float
    rolling: float
    g_min: float
    lr: float
    l2: float


class Scratch(NamedTuple):
    """Working memory; what it holds between calls means nothing.

    Attributes:
        slots: int64[], Hlm's scratch for the event's features.
        own_slots: int64[], Hlm's scratch for the fusion's own ids.
        own_ids: uint64[], inputs of the gate, context keys, inputs of the meta-linear combination,
            attention as features; of the roll-out's stage, those that have joined.
        own_values: float64[], their values.
        own_weights: float64[], their weights.
        vector: float64[d], a sketched vector.
        value: float64[d_v], a label as a value.
    """

    slots: npt.NDArray[np.int64]
    own_slots: npt.NDArray[np.int64]
    own_ids: npt.NDArray[np.uint64]
    own_values: Floats
    own_weights: Floats
    vector: Floats
    value: Floats


class CellArrays(NamedTuple):
    """All that the step kernel needs of one cell.

    Attributes:
        hlm: the linear learner.
        sera: the streaming attention.
        successor: the one that warms up beside it; the same again if none does.
        succession: float64[], when it takes over, see ``operators.sera.succession``.
        settled: events that a Sera has to have answered for before another is proposed; -1: none
            may be.
        margin: the e-process.
        tally: float64[TALLY_WORDS], rolling errors and controls.
        squares: float64[d_v], rolling squares of the readout's components.
        params: constants of the fusion.
        control: constants of the controller.
    """

    hlm: HlmArrays
    sera: SeraArrays
    successor: SeraArrays
    succession: Floats
    settled: int
    margin: MarginArrays
    tally: Floats
    squares: Floats
    params: FusionParams
    control: ControlParams


def fusion_params(config: CellConfig) -> FusionParams:
    """Constants of the fusion."""
    fusion = config.fusion
    return FusionParams(
        logistic=int(config.logistic),
        output=OUTPUTS.index(fusion.output),
        learn_fused=int(fusion.learn_from == "fused"),
        gate_lr=float(fusion.gate_lr),
        gate_trust=float(fusion.gate_trust),
        meta_lr=float(fusion.meta_lr),
        feature_lr=float(fusion.feature_lr),
        rolling=float(fusion.rolling),
        g_min=float(fusion.g_min),
        lr=float(config.hlm.lr),
        l2=float(config.hlm.l2),
    )


def control_params(config: CellConfig) -> ControlParams:
    """Constants of the controller."""
    fusion = config.fusion
    staged = fusion.rollout == "staged"
    return ControlParams(
        g_max=float(fusion.g_max),
        g_hold=float(fusion.g_hold),
        g_weak=float(fusion.g_weak),
        step_down=float(fusion.step_down),
        hold=float(fusion.hold),
        recovery=float(fusion.recovery),
        red_limit=float(fusion.red_limit),
        thin_margin=float(fusion.thin_margin),
        lambda_star=float(config.sera.lambda_star),
        lambda_step=float(fusion.lambda_step),
        lambda_max=float(fusion.lambda_max),
        beta_floor=float(config.sera.beta_floor),
        beta_step=float(fusion.beta_step),
        beta_max=float(config.beta_max),
        lr_calm=float(fusion.lr_calm),
        tau_low=float(config.hlm.tau_low),
        tau_low_alert=float(min(fusion.tau_low_alert, config.hlm.tau_low)),
        first_stage=META_STAGE if staged else LAST_STAGE,
        stage_events=float(fusion.stage_events),
        healthy_margin=float(fusion.healthy_margin),
    )


def working_memory(config: CellConfig, features: int, contexts: int) -> Scratch:
    """Working memory for events of at most so many features and context keys."""
    own = GATE_INPUTS + contexts + META_INPUTS + FEATURE_READOUT + config.sera.d_v
    return Scratch(
        slots=np.zeros(SCRATCH_HEADER + features, np.int64),
        own_slots=np.zeros(SCRATCH_HEADER + own, np.int64),
        own_ids=np.zeros(own, np.uint64),
        own_values=np.zeros(own),
        own_weights=np.zeros(own),
        vector=np.zeros(config.sera.d),
        value=np.zeros(config.sera.d_v),
    )
