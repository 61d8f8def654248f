"""What an Hlm answers, and a generation of it that a sample holds on to."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from operators.errors import InvalidInput
from operators.hlm.inputs import as_features
from operators.hlm.kernels import SCRATCH_HEADER, predict_event
from operators.hlm.kernels_rule import link_of
from operators.hlm.layout import VER_BASE, VER_DELTA, HlmArrays


class HlmAck(NamedTuple):
    """Answer to an update (seed, section 14).

    Attributes:
        ver_base: generation of the base; 0 as long as none has been published.
        ver_delta: generation of the delta that takes new ids; each rebuild begins a new one.
        c_lookup_p100: dearest lookup of any event so far, in records of deltas compared.
        c_insert_p100: dearest insert so far, in steps (see operators/hlm/kernels_table.py).
    """

    ver_base: int
    ver_delta: int
    c_lookup_p100: int
    c_insert_p100: int


class Explanation(NamedTuple):
    """Where a raw score comes from.

    ``bias`` plus each contribution in turn, from the first to the last and added as the model adds
    (operators/hlm/kernels_rule.py), is ``score`` to the bit.

    Attributes:
        bias: bias of the model.
        contributions: float64[n], weight times value of each feature; 0 for unknown ids.
        score: raw score, before the link.
    """

    bias: float
    contributions: npt.NDArray[np.float64]
    score: float


class Refused(NamedTuple):
    """Ids that could not be learnt because inserts were frozen.

    Attributes:
        times: how often an event brought such an id, since it was asked last.
        ids: uint64[], the last ``REFUSED_KEPT`` of them, the earliest first.
    """

    times: int
    ids: npt.NDArray[np.uint64]


class Sample:
    """A generation that stays readable while a sample is worked on; see ``Hlm.pin``.

    Attributes:
        ver_base: generation of the base.
        ver_delta: generation of the delta.
    """

    def __init__(self, arrays: HlmArrays) -> None:
        self.ver_base = int(arrays.meta[VER_BASE])
        self.ver_delta = int(arrays.meta[VER_DELTA])
        self._arrays: HlmArrays | None = arrays

    def predict(self, ids: npt.ArrayLike, values: npt.ArrayLike) -> float:
        """Prediction for one event from the pinned generation; as ``Hlm.predict``.

        Raises:
            InvalidInput: the arrays do not fit together, or the sample is over.
            NonFiniteInput: a value is NaN or infinite.
        """
        if self._arrays is None:
            raise InvalidInput("the sample is over")
        checked_ids, checked_values = as_features(ids, values)
        score, _ = score_of(self._arrays, checked_ids, checked_values)
        return float(link_of(self._arrays, score))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._arrays = None


def score_of(
    arrays: HlmArrays, ids: npt.NDArray[np.uint64], values: npt.NDArray[np.float64]
) -> tuple[float, npt.NDArray[np.int64]]:
    """Raw score of an event, and the place of each feature (negative if unknown)."""
    scratch = np.empty(SCRATCH_HEADER + len(ids), np.int64)
    score = predict_event(arrays, scratch, ids, values, 0, len(ids))
    return float(score), scratch[SCRATCH_HEADER:]
