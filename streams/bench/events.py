"""The events of the stream benchmark: sparse features, an attention key and query, a label.

Event number ``i`` belongs to partition ``i mod partitions``: the shards have equally much to do,
and the n-th record of a partition tells which event it is.
"""

from __future__ import annotations

from itertools import count as naturals
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.codec import Codec
from streams.feed import FedEvent, murmur2_partition

if TYPE_CHECKING:
    from collections.abc import Iterator

TENANT = "bench"
FEATURES = 30
FEATURE_IDS = 100_000
ZIPF = 1.2  # exponent of the features' popularity: a few are in most events, most in very few
ENTITIES = 2_000
DIMENSION = 16  # of key and query
FIRST_US = 1_700_000_000_000_000
STEP_US = 1_000

_CHUNK = 5_000


def entities(partitions: int) -> list[list[str]]:
    """Return the ids of the entities by partition, equally many in each."""
    each = ENTITIES // partitions
    found: list[list[str]] = [[] for _ in range(partitions)]
    for number in naturals():
        name = f"entity-{number}"
        ids = found[murmur2_partition(name.encode(), partitions)]
        if len(ids) < each:
            ids.append(name)
        elif all(len(ids) == each for ids in found):
            return found
    raise AssertionError


def make_events(count: int, partitions: int) -> Iterator[FedEvent]:
    """Yield events; the same arguments give the same bytes.

    The label is drawn from a logistic model of the features, so that there is something to learn.
    """
    encode = Codec("event").encode
    names = entities(partitions)
    rng = np.random.default_rng(20_240_101)
    weights = rng.normal(size=FEATURE_IDS)
    for start in range(0, count, _CHUNK):
        n = min(_CHUNK, count - start)
        ids = rng.zipf(ZIPF, (n, FEATURES)).astype(np.uint64) % np.uint64(FEATURE_IDS)
        values = rng.normal(size=(n, FEATURES))
        keys = rng.normal(size=(n, DIMENSION))
        chance = 1.0 / (1.0 + np.exp(-(values * weights[ids]).mean(axis=1) * FEATURES**0.5))
        labels = rng.random(n) < chance
        members = rng.integers(ENTITIES // partitions, size=n)
        for row in range(n):
            number = start + row
            vector = keys[row].tobytes()
            event: dict[str, Any] = {
                "kind": "OBSERVATION",
                "tenant": TENANT,
                "id": names[number % partitions][members[row]],
                "event_id": str(number),
                "time_us": FIRST_US + STEP_US * number,
                "label": float(labels[row]),
                "feature_ids": ids[row].astype("<u8").tobytes(),
                "feature_values": values[row].astype("<f8").tobytes(),
                "key": vector,
                "query": vector,
            }
            yield FedEvent(event["id"].encode(), encode(event))
