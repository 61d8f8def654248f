"""Random features: what they estimate, how badly, and that they follow from the seed alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from operators.sera.allocation import allocate
from operators.sera.config import SeraConfig
from operators.sera.features import (
    bounding_coefficient,
    kernel_variance,
    orthonormal,
    random_features,
)
from operators.sera.kernel_features import project
from operators.sera.layout import CLIPPED
from operators.sera.sera import Sera
from tests.unit.operators.sera.exact import Floats, on_sphere

KINDS: dict[str, dict[str, Any]] = {
    "i.i.d.": {},
    "antithetic": {"antithetic": True},
    "orthogonal": {"weights": "orthogonal"},
    "orthogonal pairs": {"weights": "orthogonal", "antithetic": True},
    "bounded": {"feature_map": "bounded"},
    "bounded, orthogonal": {"feature_map": "bounded", "weights": "orthogonal"},
}


def errors(kind: str, r: int, square: float, pairs: int = 300) -> Floats:
    """Relative errors of phi(q).phi(k) at radius ``square``, of fresh weights each."""
    rng = np.random.default_rng(3)
    config = SeraConfig(d=8, r=r, clip=50.0, **KINDS[kind])
    found = []
    for seed in range(pairs):
        arrays = allocate(config, seed)
        q, k = on_sphere(rng, 2, config, square)
        phi_q, phi_k = np.empty(r), np.empty(r)
        project(arrays, q, phi_q)
        project(arrays, k, phi_k)
        found.append(phi_q @ phi_k / np.exp(q @ k / config.temperature) - 1.0)
    return np.array(found)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_estimates_the_softmax_kernel_without_bias(kind: str) -> None:
    """phi(q).phi(k) is exp(q.k/tau) in the mean, whatever is configured."""
    found = errors(kind, 64, 0.5)
    assert abs(found.mean()) < 3.5 * found.std() / np.sqrt(len(found))


def test_each_option_lowers_the_error() -> None:
    """Pairs, orthogonal weights and the bounded map each beat independent positive features."""
    mean_square = {kind: float(np.square(errors(kind, 32, 0.5, 800)).mean()) for kind in KINDS}
    independent = mean_square.pop("i.i.d.")
    worse = {kind: each for kind, each in mean_square.items() if each > 0.95 * independent}
    assert not worse, f"{worse} against {independent}"


@pytest.mark.parametrize("feature_map", ["positive", "bounded"])
@pytest.mark.parametrize("square", [0.1, 0.3, 0.6])
def test_kernel_error_has_its_closed_form(feature_map: Any, square: float) -> None:
    """The error of a sum of r features is the stated variance over r, so r can be sized by it."""
    config = SeraConfig(d=8, r=2**16, clip=50.0, feature_map=feature_map)
    arrays = allocate(config, 0xFEED)
    q = on_sphere(np.random.default_rng(7), 1, config, square / 4.0)[0]
    phi = np.empty(config.r)  # with k = q, |q + k|^2 / tau is ``square``
    project(arrays, q, phi)
    terms = config.r * phi * phi / np.exp(q @ q / config.temperature)
    variance = kernel_variance(config, square)
    assert abs(terms.mean() - 1.0) < 4.0 * np.sqrt(variance / config.r)
    assert terms.var() == pytest.approx(variance, rel=0.1)


def test_bounded_features_have_a_bound() -> None:
    """However far out a weight is drawn, a bounded feature stays below what its length allows."""
    config = SeraConfig(d=8, r=2**14, clip=50.0, feature_map="bounded")
    weights, offsets = random_features(config, 1)
    a = bounding_coefficient(config)
    b_square = 1.0 - 4.0 * a
    assert a < 0.0
    u = on_sphere(np.random.default_rng(1), 1, config, 1.0)[0] / np.sqrt(config.temperature)
    highest = 2.0 * np.log(b_square) - b_square / (4.0 * a) - 0.5  # d/2 log B, of d = 8
    assert (u @ weights - 0.5 + offsets).max() <= highest
    lengths = np.linalg.norm(weights, axis=0) / np.sqrt(b_square)
    assert offsets[lengths.argmax()] == offsets.min()


def test_orthogonal_weights_are_orthogonal_in_blocks_and_normal_in_length() -> None:
    """Directions in a block are at right angles; lengths are those of normal vectors."""
    weights, _ = random_features(SeraConfig(d=16, r=512, weights="orthogonal"), 5)
    for start in range(0, 512, 16):
        block = weights[:, start : start + 16]
        inner = block.T @ block
        assert np.abs(inner - np.diag(np.diag(inner))).max() < 1e-12
    lengths = np.square(weights).sum(axis=0)
    assert lengths.mean() == pytest.approx(16.0, rel=0.1)
    assert lengths.var() == pytest.approx(32.0, rel=0.4)


def test_a_wider_sera_begins_with_the_same_features() -> None:
    """Features are numbered: those of a seed are the same however many there are."""
    for weights in ("iid", "orthogonal"):
        narrow, _ = random_features(SeraConfig(d=4, r=32, weights=weights), 9)
        wide, _ = random_features(SeraConfig(d=4, r=64, weights=weights), 9)
        assert wide[:, :32].tobytes() == narrow.tobytes()
        assert not np.array_equal(random_features(SeraConfig(d=4, r=32), 8)[0], narrow)


def test_basis_of_low_rank_is_orthonormal() -> None:
    """U^T U is 1, to the last bits, so that a reduced value keeps its length."""
    basis = orthonormal(64, 16, 3)
    assert np.abs(basis.T @ basis - np.eye(16)).max() < 1e-14


def test_health_counts_what_was_clipped_and_shortened() -> None:
    """The rates by which one tunes clip and radius are those of the vectors that came."""
    sera = Sera(SeraConfig(d=4, r=64, clip=0.5), 1)
    assert sera.health().clip_rate == 0.0
    rng = np.random.default_rng(1)
    keys = np.concatenate(
        [on_sphere(rng, 30, sera.config, 0.9), on_sphere(rng, 10, sera.config, 4)]
    )
    sera.ingest_batch(keys, np.ones((40, 1)))
    health = sera.health()
    assert (health.ingested, health.norm_guard_rate) == (40, 0.25)
    exponents = keys[:30] / np.sqrt(sera.config.temperature) @ sera.arrays.W - 0.45
    assert health.max_exponent >= exponents.max()
    assert 0.3 < health.clip_rate < 0.9


def test_default_clip_is_reached_by_half_a_percent_at_the_radius() -> None:
    """With vectors at the norm guard the default clips what the seed wants, 0.1 % to 1 %."""
    sera = Sera(SeraConfig(d=16, r=1024), 2)
    sera.ingest_batch(
        on_sphere(np.random.default_rng(2), 300, sera.config, 1.0), np.zeros((300, 1))
    )
    assert 0.001 <= sera.health().clip_rate <= 0.01


@pytest.mark.parametrize("start", [1.5, 8.0])
def test_bound_of_exponents_is_tuned_to_the_wanted_rate(start: float) -> None:
    """Wherever the bound starts, soon 0.1 % to 1 % of exponents are clipped, of vectors to come."""
    sera = Sera(SeraConfig(d=16, r=256, clip=start, tune_clip=True), 2)
    keys = on_sphere(np.random.default_rng(3), 3000, sera.config, 0.8)
    sera.ingest_batch(keys[:63], np.zeros((63, 1)))
    assert sera.health().clip == start, "not before a window is full"
    sera.ingest_batch(keys[63:2000], np.zeros((1937, 1)))
    before = sera.arrays.state.tally[CLIPPED]
    sera.ingest_batch(keys[2000:], np.zeros((1000, 1)))
    rate = (sera.arrays.state.tally[CLIPPED] - before) / (1000 * 256)
    assert 0.0008 <= rate <= 0.012
    assert 2.0 < sera.health().clip < 5.0
