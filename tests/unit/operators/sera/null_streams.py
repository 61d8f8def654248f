"""Streams on which nothing changes, streams on which something does, and when a margin alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.sera import allocation, conformal, margin
from operators.sera.config import SeraConfig
from operators.sera.kernel_features import project
from operators.sera.kernel_readout import read
from operators.sera.kernel_statistics import ingest
from operators.sera.layout import CLIP
from operators.sera.margin import LOG_E

if TYPE_CHECKING:
    from operators.sera.layout import SeraArrays
    from operators.sera.margin import MarginArrays

Floats = npt.NDArray[np.float64]

SEED = 0xC0FFEE
SMALL = SeraConfig(d=2, r=8, alpha=0.005)
"""The smallest Sera that still learns something; of a lower alpha, to see both levels in a run."""

CHANGE = 2_000
"""Event at which the streams of ``drifting`` change."""

RAMP = 1_000
PERIOD = 200


@njit(error_model="numpy")
def learn(arrays: MarginArrays, sera: SeraArrays, keys: Floats, y: Floats, level: float) -> float:
    """Let a Sera learn a stream, its margin watching; highest log E_mix of the first epoch.

    Ends early, at ``-t - 1``, with the event ``t`` at which log E_mix exceeds ``level``.
    """
    highest = 0.0
    for t in range(y.shape[0]):
        phi = sera.scratch.phi
        project(sera, keys[t], phi)
        read(sera, phi, 0.1, 0.1)
        verdict = margin.observe(arrays, sera, y[t], sera.scratch.y[0, 0])
        highest = max(highest, verdict.log_e)
        if highest > level:
            return -t - 1.0
        if verdict.alarm:
            return highest
        ingest(sera, phi, y[t : t + 1])
    return highest


def forget(arrays: MarginArrays, sera: SeraArrays) -> None:
    """Make both as new, but for the numbers that break ties."""
    arrays.tally[: LOG_E + 1] = 0.0
    arrays.tally[margin.MARGIN] = -arrays.log_alpha
    arrays.tally[margin.REFERRED] = -1.0
    conformal.start(arrays.wealth, arrays.counts)
    clip = sera.state.tally[CLIP]
    for array in sera.state:
        array[:] = 0.0
    sera.state.tally[CLIP] = clip


def new(config: SeraConfig = SMALL) -> tuple[MarginArrays, SeraArrays]:
    """A margin and its Sera."""
    return margin.allocate(config, SEED), allocation.allocate(config, SEED)


def noise(kind: str, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Independent noise of mean 0 (t3 and log-normal with their own spreads)."""
    if kind == "normal":
        return rng.normal(size=shape)
    if kind == "t3":
        return rng.standard_t(3, size=shape)
    return np.asarray(rng.lognormal(size=shape) - np.exp(0.5))


def keys_of(rng: np.random.Generator, n: int) -> Floats:
    """Keys for ``SMALL``."""
    return rng.normal(scale=0.5, size=(n, 2))


def target(keys: Floats) -> Floats:
    """What is to be learnt."""
    return np.asarray(np.tanh(2.0 * keys[:, 0]) - keys[:, 1])


def drifting(kind: str, rng: np.random.Generator, n: int) -> Floats:
    """Standard normal residuals that change at ``CHANGE``."""
    x = rng.normal(size=n)
    after = np.arange(n - CHANGE)
    late = x[CHANGE:]
    if kind == "abrupt":
        late += 1.0
    elif kind == "gradual":  # ever more events are of the new kind
        late += rng.random(len(after)) < after / RAMP
    elif kind == "incremental":  # all events, ever more so
        late += np.minimum(after / RAMP, 1.0)
    elif kind == "spread":
        late *= 2.0
    else:  # recurring: there and gone again
        late += after // PERIOD % 2 == 0
    return x
