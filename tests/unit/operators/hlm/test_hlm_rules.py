from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from operators.hlm.config import HlmConfig
from operators.hlm.model import Hlm
from operators.hlm.reference import reference_for

RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "compensated": {"compensated": True},
    "adagrad": {"rate": "adagrad"},
}


def bits(x: float) -> bytes:
    return struct.pack("<d", x)


@pytest.mark.parametrize("link", ["identity", "logistic"])
@pytest.mark.parametrize("rule", RULES)
def test_rule_is_its_definition_bit_for_bit(rule: str, link: Any) -> None:
    """Each rule predicts and learns as plain Python does, in base and deltas, through rebuilds."""
    config = HlmConfig(
        capacity=64, rebuild_events=20, rebuild_keys_per_event=10, lr=0.02, l2=0.01, link=link,
        **RULES[rule],
    )  # fmt: skip
    hlm = Hlm(config, 9)
    reference = reference_for(lr=0.02, l2=0.01, link=link, **RULES[rule])
    rng = np.random.default_rng(8)
    ids = rng.integers(0, 300, 4800).astype(np.uint64)
    values = rng.standard_normal(4800) * 10.0 ** rng.integers(-8, 8, 4800)
    values[::3] = rng.standard_normal(1600)
    values /= 100.0
    y = rng.random(600)

    predictions = hlm.step_batch(np.arange(0, 4801, 8), ids, values * 1e-6, y)

    for t, p in enumerate(predictions):
        event = ids[8 * t : 8 * t + 8].tolist(), (values[8 * t : 8 * t + 8] * 1e-6).tolist()
        assert bits(p) == bits(reference.predict(*event))
        reference.update(*event, y[t])
    known, weights = hlm.items()
    assert {i: bits(w) for i, w in zip(known.tolist(), weights.tolist(), strict=True)} == {
        i: bits(w) for i, w in reference.weights.items()
    }
    assert bits(hlm.bias) == bits(reference.bias)
    assert hlm.ack.ver_base >= 2


def test_compensation_keeps_what_cancellation_would_lose() -> None:
    """1e16 + 1 - 1e16 is 1 with compensation and 0 without, as an event's products."""
    scores = []
    for compensated in (False, True):
        hlm = Hlm(HlmConfig(lr=0.5, intercept=False, compensated=compensated))
        hlm.learn_error([1, 2, 3], [1.0, 1.0, 1.0], 2.0)
        scores.append(hlm.predict([1, 2, 3], [1e16, 1.0, -1e16]))
    assert scores == [0.0, 1.0]


def test_adagrad_takes_smaller_steps_where_gradients_were_large() -> None:
    """The first step of any feature is the rate itself; later ones shrink."""
    hlm = Hlm(HlmConfig(lr=0.1, rate="adagrad", intercept=False))
    weights = []
    for _ in range(3):
        hlm.learn_error([7], [5.0], 2.0)
        weights.append(float(hlm.items()[1][0]))
    steps = np.diff([0.0, *weights])
    np.testing.assert_allclose(steps, 0.1 / np.sqrt([1, 2, 3]), rtol=1e-8)


def test_without_intercept_there_is_no_bias() -> None:
    """An event without features then predicts nothing and teaches nothing."""
    hlm = Hlm(HlmConfig(intercept=False))
    hlm.update([], [], 5.0)
    assert (hlm.bias, hlm.predict([], [])) == (0.0, 0.0)


def test_error_of_the_callers_is_learnt_as_it_is() -> None:
    """The fused prediction's error moves weights and bias, whatever Hlm itself predicts."""
    hlm = Hlm(HlmConfig(lr=0.5))
    hlm.learn_error([4], [2.0], 3.0)
    hlm.learn_error([4], [2.0], -1.0)
    assert hlm.items()[1].tolist() == [2.0]
    assert hlm.bias == 1.0


@pytest.mark.parametrize("rule", [*RULES, "single", "river"])
def test_explanation_adds_up_as_the_model_adds(rule: str) -> None:
    """Bias and contributions, added in the rule's own way, are the score bit for bit."""
    others = {"single": {"arithmetic": "single"}, "river": {"order": "river"}}
    settings = {**RULES, **others}[rule]
    hlm = Hlm(HlmConfig(lr=0.1, **settings), 3)
    rng = np.random.default_rng(3)
    for _ in range(50):
        hlm.update(rng.integers(0, 40, 9).tolist(), rng.standard_normal(9), 1.0)
    explained = hlm.explain(range(45), rng.standard_normal(45))

    parts = [explained.bias, *explained.contributions.tolist()]
    if rule == "river":
        parts = [*parts[1:], parts[0]]  # the bias comes last
    if rule == "single":
        total: float = float(np.cumsum(np.array(parts, np.float32), dtype=np.float32)[-1])
    elif rule == "compensated":
        total = compensated_sum(parts)
    else:
        total = 0.0
        for part in parts:
            total += part
    assert bits(total) == bits(explained.score)
    assert explained.contributions[40:].tolist() == [0.0] * 5


def compensated_sum(parts: list[float]) -> float:
    """Neumaier's sum."""
    total, residual = parts[0], 0.0
    for part in parts[1:]:
        following = total + part
        big, small = (total, part) if abs(total) >= abs(part) else (part, total)
        residual += (big - following) + small
        total = following
    return total + residual
