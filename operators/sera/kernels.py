"""Loops over events of a Sera alone; each is exactly the loop of its own body over single events.

What an event goes through is in ``kernel_features``, ``kernel_readout`` and ``kernel_statistics``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.compiled import inlined, kernel
from operators.sera.kernel_features import count, project
from operators.sera.kernel_readout import Reading, read_first, read_kept, read_low_rank
from operators.sera.kernel_shrinkage import follow, lambda_of
from operators.sera.kernel_statistics import ingest

if TYPE_CHECKING:
    from operators.sera.layout import Floats, SeraArrays


@kernel
def ingest_event(
    sera: SeraArrays, key: Floats, value: Floats, target: float, has_target: int
) -> int:
    """Ingest one event: key float64[d], value float64[d_v]; 1 if a residual is an alarm.

    If there is a target, lambda_* follows how near the readout for the key would have come to it.
    """
    phi = sera.scratch.phi
    count(sera, project(sera, key, phi))
    if sera.params.average and has_target:
        follow(sera, read_first(sera, phi, lambda_of(sera), sera.params.beta_floor), target)
    return int(ingest(sera, phi, value))


@kernel
def ingest_events(sera: SeraArrays, keys: Floats, values: Floats) -> None:
    """Ingest events in turn: keys float64[n, d], values float64[n, d_v]."""
    for t in range(keys.shape[0]):
        ingest_event(sera, keys[t], values[t], values[t, 0], 1)


@inlined
def _write(reading: Reading, columns: Floats, t: int) -> None:
    columns[0, t] = reading.den
    columns[1, t] = reading.phi_l1
    columns[2, t] = reading.rj_gap
    columns[3, t] = reading.half_diff
    columns[4, t] = reading.level


@kernel
def step_events(sera: SeraArrays, keys: Floats, values: Floats, y: Floats, columns: Floats) -> None:
    """Read out for each key, then ingest it, in turn; ``y`` and ``columns`` as of queries.

    lambda_* follows the first component of the values.
    """
    phi = sera.scratch.phi
    for t in range(keys.shape[0]):
        count(sera, project(sera, keys[t], phi))
        reading = read_kept(sera, phi, lambda_of(sera), sera.params.beta_floor)
        _write(reading, columns, t)
        for v in range(y.shape[1]):
            y[t, v] = sera.scratch.y[0, v]
        follow(sera, reading, values[t, 0])
        ingest(sera, phi, values[t])


@kernel
def query_events(
    sera: SeraArrays,
    queries: Floats,
    low_rank: int,
    raised: float,
    beta_floor: float,
    y: Floats,
    columns: Floats,
) -> None:
    """Read out for queries float64[n, d] into ``y``, float64[n, d_v], and ``columns``.

    The columns, float64[5, n], are den, phi_l1, rj_gap, half_diff and level. ``raised`` is added to
    lambda_*, and ``beta_floor`` is the least denominator: a controller may have moved both.
    """
    phi = sera.scratch.phi
    lambda_star = lambda_of(sera) + raised
    for t in range(queries.shape[0]):
        project(sera, queries[t], phi)
        if low_rank:
            reading = read_low_rank(sera, phi, lambda_star, beta_floor)
        else:
            reading = read_kept(sera, phi, lambda_star, beta_floor)
        for v in range(y.shape[1]):
            y[t, v] = sera.scratch.y[0, v]
        _write(reading, columns, t)
