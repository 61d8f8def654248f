"""Readouts other than the plain one: of low rank, whitened, and without decay."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import InvalidInput, OutOfCapacity
from operators.sera.config import SeraConfig
from operators.sera.sera import Sera
from tests.unit.operators.sera.exact import attention, on_sphere

SEED = 0xACE


def test_low_rank_readout_is_the_projection_of_the_full_one() -> None:
    """U(phi H / den) is what lies of (phi R) / den in the span of U, prior included."""
    config = SeraConfig(d=4, r=64, d_v=12, r_v=5, prior=0.3)
    sera = Sera(config, SEED)
    rng = np.random.default_rng(1)
    sera.ingest_batch(rng.normal(size=(50, 4)), rng.normal(size=(50, 12)))
    queries = rng.normal(size=(9, 4))
    full, reduced = sera.query_batch(queries), sera.query_batch(queries, lowrank=True)
    basis = sera.arrays.U
    np.testing.assert_allclose(reduced.y, full.y @ basis @ basis.T, atol=1e-13)
    assert reduced.den.tobytes() == full.den.tobytes()
    assert np.linalg.norm(reduced.y - full.y) > 0.1


def test_values_within_the_basis_lose_nothing() -> None:
    """Of values that have the low rank, the low-rank readout is the full one."""
    sera = Sera(SeraConfig(d=4, r=64, d_v=12, r_v=5), SEED)
    rng = np.random.default_rng(2)
    values = rng.normal(size=(50, 5)) @ sera.arrays.U.T
    sera.ingest_batch(rng.normal(size=(50, 4)), values)
    q = rng.normal(size=4)
    np.testing.assert_allclose(sera.query(q, lowrank=True).y, sera.query(q).y, atol=1e-13)


def test_low_rank_alone_answers_as_beside_the_full_statistics() -> None:
    """Without R the state is smaller by all of it, and low-rank readouts are the same bits."""
    both = Sera(SeraConfig(d=4, r=64, d_v=12, r_v=5, prior=0.3, lambda_rule="fixed"), SEED)
    alone = Sera(
        SeraConfig(d=4, r=64, d_v=12, r_v=5, prior=0.3, lambda_rule="fixed", lowrank=True), SEED
    )
    rng = np.random.default_rng(6)
    keys, values = rng.normal(size=(50, 4)), rng.normal(size=(50, 12))
    stepped = alone.step_batch(keys, values)
    both.ingest_batch(keys[:49], values[:49])
    assert stepped.y[49].tobytes() == both.query(keys[49], lowrank=True).y.tobytes()
    both.ingest_batch(keys[49:], values[49:])
    queries = rng.normal(size=(9, 4))
    wanted = both.query_batch(queries, lowrank=True)
    assert alone.query_batch(queries).y.tobytes() == wanted.y.tobytes()
    assert alone.query_batch(queries, lowrank=True).y.tobytes() == wanted.y.tobytes()
    assert both.to_state().keys() - alone.to_state().keys() == {"R", "R_residual"}


def test_low_rank_must_be_configured() -> None:
    """Asking for a readout whose statistics are not kept is an error."""
    with pytest.raises(InvalidInput, match="r_v above 0"):
        Sera(SeraConfig(d=4), SEED).query(np.zeros(4), lowrank=True)


def test_whitened_readout_weighs_features_by_their_spread() -> None:
    """A query's features are divided by the standard deviations of the keys' over the window."""
    config = SeraConfig(
        d=4, r=32, whiten=True, epsilon=1e-9, lambda_star=1e-12, lambda_rule="fixed",
        beta_floor=1e-12,
    )  # fmt: skip
    sera, plain = Sera(config, SEED), Sera(SeraConfig(d=4, r=32, lambda_star=1e-12), SEED)
    rng = np.random.default_rng(3)
    keys, values = rng.normal(size=(4000, 4)) * 0.5, rng.normal(size=(4000, 1))
    sera.ingest_batch(keys, values)
    plain.ingest_batch(keys, values)
    q = rng.normal(size=4) * 0.5
    u = keys / np.sqrt(config.temperature)
    u *= np.minimum(1.0, 1.0 / np.linalg.norm(u, axis=1, keepdims=True))
    half = 0.5 * np.square(u).sum(axis=1, keepdims=True)
    phi = np.exp(np.clip(u @ sera.arrays.W - half, -3.1, 3.1)) / np.sqrt(32)
    weights = 0.98 ** np.arange(4000)[::-1]
    weights /= weights.sum()
    variance = weights @ np.square(phi - weights @ phi)
    np.testing.assert_allclose(sera.arrays.state.moments[1], variance, rtol=1e-6)
    sera.query(q)
    white = sera.arrays.scratch.phi / np.sqrt(variance + 1e-9)
    state = plain.arrays.state
    wanted = (white @ state.R[0]) / (white @ state.s)
    assert sera.query(q).y[0, 0] == pytest.approx(wanted, rel=1e-6)


def test_without_decay_all_events_count_alike_up_to_the_horizon() -> None:
    """Gamma = 1 is plain softmax attention over all events, and refuses more than was declared."""
    config = SeraConfig(
        d=4, r=4096, gamma=1.0, horizon=300, clip=50.0, lambda_star=1e-12, lambda_rule="fixed",
        beta_floor=1e-12,
    )  # fmt: skip
    sera = Sera(config, SEED)
    rng = np.random.default_rng(4)
    keys, values = on_sphere(rng, 300, config, 0.3), 1.0 + rng.normal(size=(300, 1))
    sera.ingest_batch(keys[:299], values[:299])
    before = sera.query(keys[0]).y
    with pytest.raises(OutOfCapacity, match="event 301 is beyond horizon=300"):
        sera.ingest_batch(keys[:2], values[:2])
    assert sera.query(keys[0]).y.tobytes() == before.tobytes()
    sera.ingest(keys[299], values[299])
    wanted = attention(config, keys, values, keys[:20])
    assert np.abs(sera.query_batch(keys[:20]).y - wanted).max() < 0.1


def test_options_continue_bit_for_bit() -> None:
    """The statistics of every option are part of the state: a restored Sera goes on the same."""
    config = SeraConfig(d=4, r=32, d_v=6, r_v=2, whiten=True, weights="orthogonal")
    rng = np.random.default_rng(5)
    keys, values = rng.normal(size=(40, 4)), rng.normal(size=(40, 6))
    sera = Sera(config, SEED)
    sera.ingest_batch(keys[:20], values[:20])
    restored = Sera.from_state(config, SEED, {n: a.copy() for n, a in sera.to_state().items()})
    assert {"H", "H_residual", "moments"} <= sera.to_state().keys()
    for each in (sera, restored):
        each.ingest_batch(keys[20:], values[20:])
    for lowrank in (False, True):
        left, right = (each.query_batch(keys, lowrank=lowrank).y for each in (sera, restored))
        assert left.tobytes() == right.tobytes()
