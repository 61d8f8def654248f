"""Random weights are a function of their seed, the same everywhere, and really normal."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from operators import philox


@pytest.mark.parametrize(
    ("seed", "stream", "index", "words"),
    [
        (0, 0, 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (2**64 - 1, 2**64 - 1, 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            0x299F31D0A4093822,
            0x0370734413198A2E,
            0x85A308D3243F6A88,
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_generator_is_philox(
    seed: int, stream: int, index: int, words: tuple[int, int, int, int]
) -> None:
    """The known answers published with Random123 come out, so any other Philox can check us."""
    low, high = philox.philox4x32(np.uint64(seed), np.uint64(stream), np.uint64(index))
    assert int(low) == words[0] | words[1] << 32
    assert int(high) == words[2] | words[3] << 32


def python_philox(seed: int, stream: int, index: int) -> int:
    """Word pair 0 of the block, in Python integers and from the paper's definition."""
    c = [index & philox.MASK32, index >> 32, stream & philox.MASK32, stream >> 32]
    key = [seed & philox.MASK32, seed >> 32]
    for _ in range(philox.ROUNDS):
        high_0, low_0 = divmod(philox.MULTIPLIER_0 * c[0], 2**32)
        high_1, low_1 = divmod(philox.MULTIPLIER_1 * c[2], 2**32)
        c = [high_1 ^ c[1] ^ key[0], low_1, high_0 ^ c[3] ^ key[1], low_0]
        key = [(key[0] + philox.WEYL_0) % 2**32, (key[1] + philox.WEYL_1) % 2**32]
    return c[0] | c[1] << 32


def test_quantiles_are_those_of_the_standard_library() -> None:
    """The inverse normal distribution agrees with Python's own, tails included."""
    p = np.concatenate([np.linspace(1e-4, 1 - 1e-4, 2001), np.geomspace(1e-17, 1e-4, 500)])
    ours = np.array([philox.normal_quantile(x) for x in p])
    theirs = np.array([NormalDist().inv_cdf(x) for x in p])
    np.testing.assert_allclose(ours, theirs, rtol=1e-14, atol=1e-15)


def test_weights_follow_from_seed_stream_and_index() -> None:
    """Two workers with one seed hold the same weights; another seed or stream gives others."""
    a, b, c = np.empty(64), np.empty(32), np.empty(64)
    philox.fill_normal(np.uint64(7), np.uint64(1), a)
    philox.fill_normal(np.uint64(7), np.uint64(1), b)
    assert (a[:32] == b).all()
    for seed, stream in ((8, 1), (7, 2)):
        philox.fill_normal(np.uint64(seed), np.uint64(stream), c)
        assert not (a == c).any()
    uniforms = [((python_philox(7, 1, n) >> 12) + 0.5) * 2.0**-52 for n in range(64)]
    assert [philox.uniform(np.uint64(7), np.uint64(1), np.uint64(n)) for n in range(64)] == uniforms


def test_weights_are_normal() -> None:
    """A Kolmogorov-Smirnov test finds nothing in 20,000 deviates, nor do neighbours correlate."""
    x = np.empty(20_000)
    philox.fill_normal(np.uint64(20_240_229), np.uint64(0), x)
    cdf = np.array([NormalDist().cdf(v) for v in np.sort(x)])
    distance = np.abs(cdf - (np.arange(x.size) + 0.5) / x.size).max()
    assert distance * np.sqrt(x.size) < 1.95, "the 0.1 % point of Kolmogorov's distribution"
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 4 / np.sqrt(x.size)
