"""Events for the linear learner's benchmark: Zipf ids over a known set."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.hlm.config import HlmConfig
from operators.hlm.model import Hlm

PRIMED_WITH = 128
"""Ids of each event that makes ids known before anything is measured."""


class Events(NamedTuple):
    """``n`` events of equally many features.

    Attributes:
        indptr: int64[n+1].
        places: int64[nnz], number of each feature's id among the known ones, for plain arrays.
        ids: uint64[nnz], the ids themselves.
        values: float64[nnz].
        labels: float64[n].
    """

    indptr: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint64]
    values: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]

    @property
    def features(self) -> int:
        """Features of all events."""
        return len(self.ids)


def known_ids(count: int) -> npt.NDArray[np.uint64]:
    """Different random ids."""
    rng = np.random.default_rng(count)
    found = np.unique(rng.integers(0, 1 << 64, count + count // 1000 + 10, np.uint64))
    return rng.permutation(found)[:count]


def zipf_events(known: npt.NDArray[np.uint64], events: int, features: int) -> Events:
    """Events whose ids are drawn by Zipf's law (exponent 1) from all known ids.

    The frequent ids lie anywhere among the known ones, not side by side.
    """
    rng = np.random.default_rng(features)
    weight = np.cumsum(1.0 / np.arange(1, len(known) + 1))
    ranks = np.searchsorted(weight, rng.random(events * features) * weight[-1])
    places = rng.permutation(len(known))[ranks]
    return Events(
        indptr=np.arange(0, events * features + 1, features, dtype=np.int64),
        places=places,
        ids=known[places],
        values=rng.standard_normal(events * features),
        labels=rng.standard_normal(events),
    )


def primed(known: npt.NDArray[np.uint64], *, compensated: bool = False) -> Hlm:
    """A model that knows all ids, every one in its base."""
    capacity = 1 << max(12, int(len(known) / 0.55).bit_length())
    config = HlmConfig(
        capacity=capacity,
        rebuild_events=2,
        rebuild_keys_per_event=1 << 40,
        lr=1e-3,
        compensated=compensated,
    )
    hlm = Hlm(config, salt=len(known))
    whole = len(known) // PRIMED_WITH * PRIMED_WITH
    rows = np.append(np.arange(0, whole + 1, PRIMED_WITH), len(known))
    hlm.step_batch(rows, known, np.zeros(len(known)), np.zeros(len(rows) - 1))
    hlm.request_rebuild()
    for _ in range(4):
        hlm.update([], [], 0.0)
    assert hlm.arrays.base.keys == len(known)
    return hlm
