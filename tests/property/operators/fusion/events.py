"""Events and configurations for tests of whole cells: small, and with everything that may occur."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from operators.batch import EventBatch
from operators.fusion.cell import CellConfig, FusionConfig, Seeds
from operators.hlm.config import HlmConfig
from operators.sera.config import SeraConfig

Event = dict[str, Any]

SEEDS = Seeds(prf=0x5EED, prf_version=1, hash_salt=0x5A17, hash_version=1)
D = 3


def configs(d_v: int = 1) -> st.SearchStrategy[CellConfig]:
    """Small cells whose limits are soon met: growth, alarms, reds, clipping, the norm guard."""
    logistic = st.sampled_from(["logistic", "identity"])
    return st.builds(
        CellConfig,
        hlm=st.builds(
            HlmConfig, capacity=st.just(16), lr=st.sampled_from([0.05, 0.7]), l2=st.just(0.01),
            link=logistic,
        ),
        sera=st.builds(
            _sera, ranks=st.sampled_from([(0, False), (1, False), (2, True)][: d_v + 1]),
            d=st.just(D), r=st.sampled_from([8, 12]), d_v=st.just(d_v),
            max_r=st.sampled_from([0, 16]), retune=st.booleans(),
            lambda_rule=st.sampled_from(["average", "fixed"]),
            policy=st.sampled_from(["half_diff", "rj_gap"]),
            residual_limit=st.sampled_from([1e-9, 3e-17]),
            gamma=st.sampled_from([0.5, 0.98]), clip=st.sampled_from([0.5, 3.1]),
            antithetic=st.booleans(),
            weights=st.sampled_from(["iid", "orthogonal"]),
            feature_map=st.sampled_from(["positive", "bounded"]),
            whiten=st.booleans(), tune_clip=st.booleans(),
            prior=st.sampled_from([0.0, 0.5]), alpha=st.just(0.9),
            burn_in=st.sampled_from([0, 3]), c_yellow=st.just(0.05),
            c_red=st.sampled_from([0.1, 5]), beta_floor=st.sampled_from([0.1, 1.5]),
        ),
        fusion=st.builds(
            FusionConfig, output=st.sampled_from(["gate", "meta", "feature"]),
            rollout=st.sampled_from(["staged", "all"]), stage_events=st.sampled_from([1, 3]),
            learn_from=st.sampled_from(["own", "fused"]), gate_lr=st.just(0.5), hold=st.just(2),
            red_limit=st.just(3), recovery=st.just(0.5), beta_max=st.sampled_from([0.0, 1.7]),
        ),
    )  # fmt: skip


def _sera(ranks: tuple[int, bool], **settings: Any) -> SeraConfig:
    r_v, lowrank = ranks
    return SeraConfig(r_v=r_v, lowrank=lowrank, **settings)


def events(d_v: int = 1) -> st.SearchStrategy[list[Event]]:
    """Streams of good events over few ids, played over and over, so that alarms come and go."""
    number = st.floats(-4.0, 4.0).map(lambda x: round(x, 3))
    ids = st.one_of(st.integers(0, 12), st.integers(0, 2**63))
    played = st.lists(
        st.fixed_dictionaries(
            {
                "features": st.lists(st.tuples(ids, number), max_size=4),
                "label": st.one_of(st.none(), st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0)),
                "key": st.one_of(st.none(), st.lists(number, min_size=D, max_size=D)),
                "query": st.one_of(st.none(), st.lists(number, min_size=D, max_size=D)),
                "value": st.one_of(
                    st.none(), st.none(), st.lists(number, min_size=d_v, max_size=d_v)
                ),
                "context": st.lists(st.integers(0, 2**64 - 1), max_size=2),
            }
        ),
        min_size=1,
        max_size=8,
    )
    return st.builds(lambda stream, times: stream * times, played, st.integers(1, 12))


def unstable(d_v: int, *, lowrank: bool) -> tuple[CellConfig, list[Event]]:
    """A Sera with so few features that reds persist, allowed to grow, and events for it."""
    rng = np.random.default_rng(4)
    config = CellConfig(
        hlm=HlmConfig(link="identity", capacity=64),
        sera=SeraConfig(
            d=D, r=8, d_v=d_v, r_v=2 if lowrank else 0, lowrank=lowrank, gamma=0.9, max_r=24,
            retune=True, c_yellow=0.02, c_red=0.03, burn_in=5,
        ),
        fusion=FusionConfig(lambda_max=2.0, red_limit=3, hold=2),
    )  # fmt: skip
    stream: list[Event] = [
        {
            "features": [(int(rng.integers(1, 9)), float(rng.normal()))],
            "label": float(rng.normal()),
            "key": rng.normal(size=D).tolist() if t % 3 else None,
            "query": rng.normal(size=D).tolist() if t % 5 == 0 else None,
            "value": rng.normal(size=d_v).tolist() if d_v > 1 and t % 7 else None,
            "context": [],
        }
        for t in range(150)
    ]
    return config, stream


def spoilt(event: Event, how: str) -> Event:
    """The event with one number in it that no cell may learn from."""
    bad: dict[str, Event] = {
        "NON_FINITE_FEATURE": {"features": [*event["features"], (5, math.nan)]},
        "NON_FINITE_VECTOR": {"query": [0.0] * (D - 1) + [math.inf]},
        "NON_FINITE_LABEL": {"label": -math.inf},
        "RESERVED_ID": {"features": [*event["features"], (0xFFFF << 48 | 3, 1.0)]},
        "LABEL_OUT_OF_RANGE": {"label": 1.5},
        "TOO_LARGE": {"features": [*event["features"], (5, -1e101)]},
    }
    return event | bad[how]


def batch_of(events: list[Event], d: int = D, d_v: int = 1) -> EventBatch:
    """The events as columns."""
    n = len(events)

    def vectors(name: str, length: int) -> tuple[np.ndarray, np.ndarray]:
        rows = [event[name] if event[name] is not None else [math.nan] * length for event in events]
        has = np.array([event[name] is not None for event in events], np.uint8)
        return np.array(rows, np.float64).reshape(n, length), has

    key, has_key = vectors("key", d)
    query, has_query = vectors("query", d)
    value, has_value = vectors("value", d_v)
    features = [pair for event in events for pair in event["features"]]
    context = [key for event in events for key in event["context"]]
    return EventBatch(
        indptr=_offsets([len(event["features"]) for event in events]),
        ids=np.array([key for key, _ in features], np.uint64),
        values=np.array([x for _, x in features], np.float64),
        time_us=np.arange(n, dtype=np.int64),
        label=np.array([math.nan if e["label"] is None else e["label"] for e in events]),
        has_label=np.array([event["label"] is not None for event in events], np.uint8),
        key=key,
        has_key=has_key,
        query=query,
        has_query=has_query,
        value=value,
        has_value=has_value,
        ctx_indptr=_offsets([len(event["context"]) for event in events]),
        ctx_ids=np.array(context, np.uint64),
    )


def _offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
