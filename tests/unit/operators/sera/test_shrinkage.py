"""lambda_*: that it shrinks where shrinking helps, and stays within its bounds."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import InvalidConfig
from operators.sera.config import SeraConfig
from operators.sera.kernel_shrinkage import ENVELOPE, NOW, QUANTILES, WITHIN
from operators.sera.sera import Sera

SEED = 0x1A3B


def after(labels: np.ndarray, **settings: float) -> Sera:
    """A Sera that has stepped through labels of random keys."""
    config = SeraConfig(d=4, r=64, **settings)  # type: ignore[arg-type]
    sera = Sera(config, SEED)
    keys = np.random.default_rng(2).normal(scale=0.5, size=(len(labels), 4))
    sera.step_batch(keys, labels[:, np.newaxis])
    return sera


def test_noise_is_shrunk_and_a_clear_signal_is_not() -> None:
    """Of labels without a pattern the prior is the best guess; of labels that are 1, it errs."""
    noise = after(np.random.default_rng(1).normal(size=2_000)).health().lambda_star
    signal = after(np.ones(2_000)).health().lambda_star
    assert noise > 8.0, "a sixth of a denominator of some 50"
    assert signal < 0.5


def test_the_average_lowers_the_error_where_the_prior_is_right() -> None:
    """With noise, readouts under the averaged lambda_* miss the truth, 0, by less than pinned."""
    labels = np.random.default_rng(3).normal(size=2_000)
    queries = np.random.default_rng(4).normal(scale=0.5, size=(200, 4))
    averaged, pinned = (
        float(np.square(sera.query_batch(queries).y).mean())
        for sera in (after(labels), after(labels, lambda_rule="fixed"))  # type: ignore[arg-type]
    )
    assert averaged < 0.8 * pinned


def test_lambda_stays_within_the_envelope_of_the_denominators() -> None:
    """It never exceeds half of the least denominator of the window, and is never negative."""
    config = SeraConfig(d=4, r=64)
    sera = Sera(config, SEED)
    rng = np.random.default_rng(5)
    shrinkage = sera.arrays.state.shrinkage
    for t in range(500):
        far = 3.0 if t % 50 == 0 else 0.4  # now and then a query that little is known of
        sera.step_batch(rng.normal(scale=far, size=(1, 4)), rng.normal(size=(1, 1)))
        if t:
            assert 0.0 <= shrinkage[NOW] <= WITHIN * shrinkage[ENVELOPE]
    low, middle, high = shrinkage[QUANTILES : QUANTILES + 3]
    assert low < middle < high
    assert shrinkage[ENVELOPE] < high


def test_pinned_it_stays_where_it_was_set() -> None:
    """The settings can fix it, and nothing that is learnt moves it."""
    labels = np.random.default_rng(6).normal(size=300)
    sera = after(labels, lambda_rule="fixed", lambda_star=0.7)  # type: ignore[arg-type]
    assert sera.health().lambda_star == 0.7
    assert after(labels[:0]).health().lambda_star == SeraConfig().lambda_star, "nothing seen yet"


def test_restoring_keeps_what_was_learnt() -> None:
    """A restored Sera goes on from the same lambda_*; with a pinned one it is the setting's."""
    sera = after(np.random.default_rng(7).normal(size=300))
    restored = Sera.from_state(sera.config, SEED, sera.to_state())
    assert restored.health().lambda_star == sera.health().lambda_star != sera.config.lambda_star
    pinned = SeraConfig(d=4, r=64, lambda_rule="fixed", lambda_star=0.3)
    assert Sera.from_state(pinned, SEED, sera.to_state()).health().lambda_star == 0.3


def test_other_rules_are_refused() -> None:
    """A rule that does not exist is named together with those that do."""
    with pytest.raises(InvalidConfig, match="lambda_rule='max': must be 'average' or 'fixed'"):
        SeraConfig(lambda_rule="max")  # type: ignore[arg-type]
