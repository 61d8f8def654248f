"""Why a cell predicts what it predicts: what each input of each part adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from operators.fusion import layout as at
from operators.fusion.config import FEATURE_STAGE, GATE_STAGE
from operators.fusion.kernels import advantage_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operators.hlm.answers import Explanation

TRUST = "trust"
"""Name, among the gate's terms, of what Sera's advantage adds before anything is learnt."""

_GATE_NAMES = ("bias", "half_diff", "margin", "den", "phi_l1", "error", "advantage")
_META_NAMES = ("sera", "linear", "bias")
_FEATURE_NAMES = ("half_diff", "margin", "den", "phi_l1")


class CellExplanation(NamedTuple):
    """What adds up to a cell's prediction for one event, in the order in which it is added.

    With the logistic link all of it is in logits. With the identity link it is in the label's unit,
    and Hlm's prediction and the linear half are kept near the labels seen so far.

    Attributes:
        linear: of Hlm's raw score, feature by feature.
        attention: of what attention as a feature adds to the linear half, by name; the readout's
            components are ``readout.0`` and so on. Empty before it has joined.
        gate: of the gate's logit before the clamp, ``TRUST`` first; context keys are ``context.``
            and the key in hexadecimal.
        meta: of what the meta-linear combination adds to the mixture.
    """

    linear: Explanation
    attention: Mapping[str, float]
    gate: Mapping[str, float]
    meta: Mapping[str, float]


def explained(
    linear: Explanation, scratch: at.Scratch, tally: at.Floats, params: at.FusionParams,
    contexts: Sequence[int], components: int, *, free: bool, scale: float,
) -> CellExplanation:  # fmt: skip
    """Name the terms that predicting an event left in the scratch.

    Args:
        linear: Hlm's part.
        scratch: as the kernel left it.
        tally: float64[TALLY_WORDS].
        params: constants of the fusion.
        contexts: context keys of the event.
        components: components of the readout.
        free: whether the clamp is at its ceiling.
        scale: what the fusion's sums are multiplied by: 1 for the logistic link, else the labels'
            rolling root mean square.
    """
    stage = float(tally[at.STAGE])
    weights, values = scratch.own_weights.tolist(), scratch.own_values.tolist()
    terms = zip(weights, values, strict=True)
    gate = {TRUST: params.gate_trust * advantage_of(tally)}
    if stage >= GATE_STAGE:
        for name in (*_GATE_NAMES, *(f"context.{key:016x}" for key in contexts)):
            weight, value = next(terms)
            gate[name] = gate.get(name, 0.0) + weight * value
    meta = {}
    for name in _META_NAMES:
        weight, value = next(terms)
        if name == "sera" and not free:
            weight = min(weight, 0.0)
        meta[name] = weight * value * scale
    attention = {}
    if stage >= FEATURE_STAGE and free:
        for name in (*_FEATURE_NAMES, *(f"readout.{k}" for k in range(components))):
            weight, value = next(terms)
            attention[name] = weight * value * scale
    return CellExplanation(linear, attention, gate, meta)
