"""Sera against what it approximates: exact decayed softmax attention, and its own closed forms."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from operators.errors import InvalidInput, NonFiniteInput, StateMismatch
from operators.sera.allocation import allocate
from operators.sera.config import SeraConfig
from operators.sera.kernel_features import project
from operators.sera.sera import Sera
from tests.unit.operators.sera.exact import attention

Floats = npt.NDArray[np.float64]

SEED = 0xFEED


def vectors(rng: np.random.Generator, n: int, config: SeraConfig) -> Floats:
    """Vectors inside the norm guard."""
    x = rng.normal(size=(n, config.d))
    radius = np.sqrt(config.temperature * rng.uniform(0.2, 0.9, size=(n, 1)))
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True) * radius)


def faithful(r: int, **other: float) -> SeraConfig:
    """No clipping and no prior to speak of, so that only the number of features is left."""
    return SeraConfig(
        d=8, r=r, d_v=3, clip=50.0, lambda_star=1e-12, lambda_rule="fixed", beta_floor=1e-12,
        **other,  # type: ignore[arg-type]
    )  # fmt: skip


def error_of(r: int, seed: int, rng: np.random.Generator) -> tuple[float, float]:
    """Mean error of the readout and mean half difference, over 20 queries."""
    config = faithful(r)
    keys, queries = vectors(rng, 80, config), vectors(rng, 20, config)
    values = rng.normal(size=(80, 3))
    sera = Sera(config, seed)
    sera.ingest_batch(keys, values)
    answers = sera.query_batch(queries)
    error = np.linalg.norm(answers.y - attention(config, keys, values, queries), axis=1)
    return float(error.mean()), float(answers.half_diff.mean())


def test_error_falls_with_the_square_root_of_the_features() -> None:
    """Four times the random features halve the distance to exact attention; so users can size r."""
    sizes = [2**k for k in range(5, 13)]
    errors = []
    for r in sizes:
        rng = np.random.default_rng(r)
        errors.append(np.mean([error_of(r, seed, rng)[0] for seed in range(12)]))
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert -0.6 <= slope <= -0.4, f"slope {slope:.3f}, errors {np.round(errors, 4).tolist()}"


def test_half_difference_tells_the_size_of_the_error() -> None:
    """Without knowing the truth, the half difference is of the size of the error, at every r."""
    for r in (64, 512, 4096):
        rng = np.random.default_rng(r)
        pairs = np.array([error_of(r, seed, rng) for seed in range(8)]).mean(axis=0)
        assert 0.5 <= pairs[1] / pairs[0] <= 2.0, f"r={r}: error and half difference {pairs}"


def test_antithetic_pairs_lower_the_error() -> None:
    """Pairs (w, -w) estimate the same kernel with less variance."""
    rng = np.random.default_rng(3)

    def mean_square(config: SeraConfig) -> float:
        errors = []
        for seed in range(400):
            arrays = allocate(config, seed)
            q, k = vectors(rng, 2, config)
            phi_q, phi_k = np.empty(config.r), np.empty(config.r)
            project(arrays, q, phi_q)
            project(arrays, k, phi_k)
            errors.append(phi_q @ phi_k / math.exp(q @ k / config.temperature) - 1.0)
        return float(np.square(errors).mean())

    independent = mean_square(SeraConfig(d=8, r=32, clip=50.0))
    paired = mean_square(SeraConfig(d=8, r=32, clip=50.0, antithetic=True))
    assert paired < 0.8 * independent


def test_old_events_fade() -> None:
    """After a change, the readout follows within the window that gamma sets."""
    sera = Sera(SeraConfig(d=4, gamma=0.9), SEED)
    k = np.array([0.5, 0.0, -0.5, 0.2])
    for _ in range(200):
        sera.ingest(k, np.array([1.0]))
    before = sera.query(k).y[0, 0]
    for _ in range(30):
        sera.ingest(k, np.array([-1.0]))
    after = sera.query(k).y[0, 0]
    assert before == pytest.approx(1.0, abs=0.02)
    assert after == pytest.approx(-1.0 + 2 * 0.9**30, abs=0.02)


def test_readout_without_evidence_is_the_prior() -> None:
    """Before anything is known, and while little is, the answer is what the user set."""
    sera = Sera(SeraConfig(d=4, prior=0.25, lambda_star=1.0), SEED)
    k = np.full(4, 0.3)
    empty = sera.query(k)
    assert empty.y[0, 0] == 0.25
    assert empty.half_diff[0] == 0.0
    sera.ingest(k, np.array([1.0]))
    assert 0.25 < sera.query(k).y[0, 0] < 1.0


def test_denominator_stays_above_its_floor() -> None:
    """However little has been seen, no readout divides by less than beta_floor."""
    sera = Sera(SeraConfig(d=4, lambda_star=0.01, beta_floor=0.5), SEED)
    sera.ingest(np.zeros(4), np.array([1.0]))
    for _ in range(3):
        assert sera.query(np.array([1.0, -1.0, 1.0, 0.0])).den[0] >= 0.5


def test_long_vectors_are_shortened_to_the_radius() -> None:
    """Only the direction of a vector beyond the norm guard counts, however long it is."""
    config = SeraConfig(d=4)
    sera = Sera(config, SEED)
    rng = np.random.default_rng(1)
    sera.ingest_batch(vectors(rng, 50, config), rng.normal(size=(50, 1)))
    direction = np.array([3.0, -1.0, 2.0, 0.5])
    answers = [sera.query(direction * scale).y[0, 0] for scale in (1.0, 1e3, 1e180, 1e300)]
    np.testing.assert_allclose(answers, answers[0], rtol=1e-12)


def test_batch_is_the_loop_and_queries_change_nothing() -> None:
    """Ingesting at once or one by one gives the same bits, with queries in between or without."""
    config = SeraConfig(d=5, r=64, d_v=2)
    rng = np.random.default_rng(5)
    keys, values = rng.normal(size=(40, 5)), rng.normal(size=(40, 2))
    whole, single = Sera(config, SEED), Sera(config, SEED)
    whole.ingest_batch(keys, values)
    for k, v in zip(keys, values, strict=True):
        single.query(k)
        single.ingest(k, v)
    left, right = whole.to_state(), single.to_state()
    assert all(left[name].tobytes() == right[name].tobytes() for name in left)
    together = whole.query_batch(keys)
    alone = [single.query(k) for k in keys]
    for name in together._fields:
        parts = [getattr(answer, name) for answer in alone]
        assert getattr(together, name).tobytes() == np.concatenate(parts).tobytes(), name


def test_stepping_is_the_loop_of_query_and_ingest() -> None:
    """Readouts and state of a batch of steps are those of asking and learning one by one."""
    config = SeraConfig(d=5, r=64, d_v=2)
    rng = np.random.default_rng(8)
    keys, values = rng.normal(size=(40, 5)), rng.normal(size=(40, 2))
    stepping, single = Sera(config, SEED), Sera(config, SEED)
    together = stepping.step_batch(keys, values)
    alone = []
    for k, v in zip(keys, values, strict=True):
        alone.append(single.query(k))
        single.ingest(k, v)
    for name in together._fields:
        parts = [getattr(answer, name) for answer in alone]
        assert getattr(together, name).tobytes() == np.concatenate(parts).tobytes(), name
    left, right = stepping.to_state(), single.to_state()
    assert all(left[name].tobytes() == right[name].tobytes() for name in left)


def test_sums_that_cancel_are_exact_and_raise_an_alarm() -> None:
    """What rounding left out is kept, and said so once it outweighs the sum that it belongs to."""
    config = SeraConfig(d=2, r=16, gamma=0.5, clip=50.0, lambda_star=1e-12, lambda_rule="fixed")
    sera = Sera(config, SEED)
    k = np.array([0.3, -0.2])
    for v in (1.0, 2.0, -1.5):
        sera.ingest(k, np.array([v]))
    assert sera.health().residual_alarms == 0
    assert sera.health().residual_share < 1e-15
    for v in (1e18, 1.0, -0.25e18):  # of these, 0.5 is left after the decay
        sera.ingest(k, np.array([v]))
    health = sera.health()
    assert health.residual_share > config.residual_limit
    assert health.residual_alarms >= 1
    decayed = 0.5 * 1.0 + 0.125 * -1.5 + 0.0625 * 2.0 + 0.03125 * 1.0
    wanted = decayed / sum(0.5**n for n in range(6))
    # A double that holds 1e18 has a last bit of 128: without compensation nothing of this is left.
    assert sera.query(k).y[0, 0] == pytest.approx(wanted, abs=0.02)
    for _ in range(200):  # it fades with the events that brought it
        sera.ingest(k, np.array([1.0]))
    assert sera.health().residual_share < 1e-12


def test_sums_that_fade_away_raise_no_alarm() -> None:
    """Values of 0 let sums decay to subnormal numbers, whose roundings mean nothing."""
    sera = Sera(SeraConfig(d=2, r=16, gamma=0.5), SEED)
    k = np.array([0.3, -0.2])
    sera.ingest(k, np.array([1.7]))
    for _ in range(1_200):
        sera.ingest(k, np.array([0.0]))
    assert sera.health().residual_alarms == 0


def test_policy_reads_the_diagnostic_that_was_chosen() -> None:
    """By the seed's gap, which falls like 1/r, levels are milder than by the half difference."""
    rng = np.random.default_rng(9)
    keys, values = rng.normal(size=(200, 4)), rng.normal(size=(200, 1))
    levels = {}
    for policy in ("half_diff", "rj_gap"):
        config = SeraConfig(d=4, r=64, policy=policy, c_yellow=0.3, c_red=0.6)
        answers = Sera(config, SEED).step_batch(keys, values)
        size = np.abs(answers.y[:, 0]) + config.epsilon
        bound = np.sqrt(np.log(np.maximum(np.arange(200), math.e) / config.delta) / config.r)
        ratio = answers.rj_gap if policy == "rj_gap" else answers.half_diff / size
        wanted = (ratio > 0.3 * bound).astype(float) + (ratio > 0.6 * bound)
        assert answers.level.tolist() == wanted.tolist()
        levels[policy] = answers.level.mean()
    assert levels["rj_gap"] < levels["half_diff"]


def test_saved_statistics_continue_bit_for_bit() -> None:
    """A Sera from saved arrays and the same seed is the one that was saved."""
    config = SeraConfig(d=5, r=64)
    rng = np.random.default_rng(6)
    keys, values = rng.normal(size=(40, 5)), rng.normal(size=(40, 1))
    sera = Sera(config, SEED)
    sera.ingest_batch(keys[:20], values[:20])
    saved = {name: array.copy() for name, array in sera.to_state().items()}
    restored = Sera.from_state(config, SEED, saved)
    for each in (sera, restored):
        each.ingest_batch(keys[20:], values[20:])
    assert restored.query_batch(keys).y.tobytes() == sera.query_batch(keys).y.tobytes()


def test_restoring_keeps_a_tuned_bound_and_takes_a_configured_one() -> None:
    """A bound that was tuned goes on from where it was; one that is set is the one in force."""
    tuned = SeraConfig(d=2, r=8, clip=9.0, tune_clip=True)
    sera = Sera(tuned, SEED)
    sera.ingest_batch(np.zeros((64, 2)), np.zeros((64, 1)))
    assert sera.health().clip < 9.0
    restored = Sera.from_state(tuned, SEED, sera.to_state())
    assert restored.health().clip == sera.health().clip
    fixed = Sera.from_state(SeraConfig(d=2, r=8, clip=2.5), SEED, sera.to_state())
    assert fixed.health().clip == 2.5


def test_changed_blocks_are_what_a_checkpoint_needs() -> None:
    """All of a new Sera, nothing of a restored or asked one, all statistics after an event."""
    config = SeraConfig(d=3, r=64, d_v=256, r_v=2, whiten=True)
    sera = Sera(config, SEED)
    state, dirty = sera.to_state(), sera.take_dirty()
    assert dirty.keys() == state.keys()
    for name, blocks in dirty.items():
        assert blocks.tolist() == list(range(-(-state[name].nbytes // sera.block_bytes(name))))
    assert len(dirty["R"]) == 2
    sera.query(np.ones(3))
    assert not any(blocks.size for blocks in sera.take_dirty().values())
    sera.ingest(np.ones(3), np.ones(256))
    assert all(blocks.size for blocks in sera.take_dirty().values())
    restored = Sera.from_state(config, SEED, sera.to_state())
    assert not any(blocks.size for blocks in restored.take_dirty().values())
    with pytest.raises(InvalidInput, match="no state array 'nothing'"):
        sera.block_bytes("nothing")


def test_state_of_another_size_is_refused() -> None:
    """Restoring with another r, or without an array, names the array and both sizes."""
    saved = Sera(SeraConfig(r=64), SEED).to_state()
    with pytest.raises(StateMismatch, match=r"'R' was saved as float64\[64\].*float64\[128\]"):
        Sera.from_state(SeraConfig(r=128), SEED, saved)
    del saved["s"]
    with pytest.raises(StateMismatch, match="no array 's'"):
        Sera.from_state(SeraConfig(r=64), SEED, saved)


def test_bad_vectors_are_refused_and_change_nothing() -> None:
    """A wrong length or a number that is not finite is an error that says where."""
    sera = Sera(SeraConfig(d=3), SEED)
    before = {name: array.copy() for name, array in sera.to_state().items()}
    with pytest.raises(InvalidInput, match=r"key has shape \(1, 2\): must be \(n, 3\)"):
        sera.ingest(np.zeros(2), np.zeros(1))
    with pytest.raises(InvalidInput, match="2 keys and 1 values"):
        sera.ingest_batch(np.zeros((2, 3)), np.zeros((1, 1)))
    with pytest.raises(NonFiniteInput, match="key 4 is nan"):
        sera.ingest_batch(np.array([[0.0] * 3, [0.0, math.nan, 0.0]]), np.zeros((2, 1)))
    with pytest.raises(NonFiniteInput, match="query 0 is inf"):
        sera.query(np.array([math.inf, 0.0, 0.0]))
    after = sera.to_state()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


def test_representation_shows_no_seed() -> None:
    """Neither weights nor keys that follow from the secret seed appear when arrays are printed."""
    arrays = allocate(SeraConfig(), SEED)
    assert repr(arrays) == "SeraArrays(d=16, r=256, d_v=1)"
