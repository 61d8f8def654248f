"""How many random features are needed: the seed's rule, its constant taken from data.

    r = C0 (r_v + log(1/delta)) / epsilon^2

epsilon is the error of a readout relative to the readouts' root mean square, kept with chance
1 - delta (seed section 9.2). C0 depends on norms, temperature and values; ``SeraSizing.fit``
measures it against exact attention on a sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from operators.errors import InvalidConfig, InvalidInput
from operators.sera.config import MAX_FEATURES
from operators.sera.sera import Sera

if TYPE_CHECKING:
    from operators.sera.config import SeraConfig
    from operators.sera.layout import Floats

R_V = 64
"""Length of low-rank values that the seed starts with (section 17)."""

_PROBES = (64, 256, 1024)
_SEEDS = 8
_GRANULE = 4


@dataclass(frozen=True, slots=True)
class SeraSizing:
    """The rule with its constant.

    Attributes:
        c0: C0 of the rule.
    """

    c0: float

    @classmethod
    def fit(
        cls,
        config: SeraConfig,
        keys: Floats,
        values: Floats,
        queries: Floats,
        delta: float = 0.05,
    ) -> Self:
        """Measure C0 on a sample: the median over several r of what the rule would need.

        Args:
            config: settings; ``r`` is replaced, and lambda_* stays what is configured. Clipping and
                prior err too, and count.
            keys: float64[n, d], a window of events in their order.
            values: float64[n, d_v].
            queries: float64[m, d]; 100 or more, for a quantile is taken.
            delta: the share of queries whose error may be larger.

        Raises:
            InvalidInput: shapes do not fit, or all exact readouts are 0.
            NonFiniteInput: NaN or infinity.
        """
        exact = _attention(config, keys, values, queries)
        size = math.sqrt(float(np.square(exact).sum(axis=1).mean()))
        if size == 0.0:
            raise InvalidInput("all exact readouts are 0: no relative error can be had from them")
        found = []
        for r in _PROBES:
            errors = []
            for seed in range(_SEEDS):
                sera = Sera(replace(config, r=r, lambda_rule="fixed", max_r=0, retune=False), seed)
                sera.ingest_batch(keys, values)
                errors.append(np.linalg.norm(sera.query_batch(queries).y - exact, axis=1) / size)
            error = float(np.quantile(np.concatenate(errors), 1.0 - delta))
            found.append(error**2 * r / _terms(config.d_v, delta))
        return cls(float(np.median(found)))

    def solve(self, epsilon: float, delta: float = 0.05, r_v: int = R_V) -> int:
        """Features for an error of ``epsilon`` with chance 1 - ``delta``; a multiple of 4.

        Args:
            epsilon: relative error, above 0.
            delta: between 0 and 1.
            r_v: length of the values read out; with full rank that of the values.

        Raises:
            InvalidConfig: an argument is out of range, or more features are needed than a Sera has.
        """
        if not (epsilon > 0.0 and 0.0 < delta < 1.0 and r_v >= 1):
            raise InvalidConfig(
                f"epsilon={epsilon}, delta={delta}, r_v={r_v}: "
                "epsilon > 0, 0 < delta < 1 and r_v >= 1 must hold"
            )
        r = self.c0 * _terms(r_v, delta) / epsilon**2
        if r > MAX_FEATURES:
            raise InvalidConfig(f"epsilon={epsilon}: needs {r:.0f} features of {MAX_FEATURES}")
        return _GRANULE * max(1, math.ceil(r / _GRANULE))


def _terms(r_v: int, delta: float) -> float:
    return r_v + math.log(1.0 / delta)


def _attention(config: SeraConfig, keys: Floats, values: Floats, queries: Floats) -> Floats:
    """Exact decayed softmax attention of vectors behind the norm guard; O(n m d)."""
    if len(keys) != len(values):
        raise InvalidInput(f"{len(keys)} keys and {len(values)} values: one value for each key")
    scores = _guarded(config, queries) @ _guarded(config, keys).T
    weights = config.gamma ** np.arange(len(keys))[::-1] * np.exp(scores)
    return np.asarray(weights @ values / weights.sum(axis=1, keepdims=True))


def _guarded(config: SeraConfig, vectors: Floats) -> Floats:
    scaled = vectors / math.sqrt(config.temperature)
    square = np.square(scaled).sum(axis=1, keepdims=True)
    return np.asarray(
        scaled * np.sqrt(np.minimum(1.0, config.norm_radius / np.maximum(square, 1e-300)))
    )
