"""What a worker says of itself at /metrics, as far as it is shown."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping

LATENCY = "weir_end_to_end_seconds"
WINDOW_READINGS = 6

Buckets = dict[float, float]
"""Upper bound in seconds → how many took at most that long."""


class Health(NamedTuple):
    """Health of one problem's cells; of several shards the worst.

    Attributes:
        margin: evidence that the probabilities are biased is affordable while this is above 0.
        half_diff: how far the two halves of the attention's random features disagree.
    """

    margin: float
    half_diff: float


class Reading(NamedTuple):
    """One look at /metrics.

    Attributes:
        heights: audit records by shard.
        health: by tenant.
        latency: from the arrival of an event in Kafka to the commit of its prediction, for the
            oldest event of each unit of work.
    """

    heights: Mapping[int, int]
    health: Mapping[str, Health]
    latency: Buckets


def read_metrics(text: str) -> Reading:
    """Read the Prometheus text format."""
    heights: defaultdict[int, int] = defaultdict(int)
    margins: defaultdict[str, list[float]] = defaultdict(list)
    diffs: defaultdict[str, list[float]] = defaultdict(list)
    latency: defaultdict[float, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels, value = sample.labels, float(sample.value)
            # Chains of other sources than the events name it with their shard.
            if sample.name == "weir_chain_height" and labels["shard"].isdigit():
                heights[int(labels["shard"])] += int(value)
            elif sample.name == "weir_margin":
                margins[labels["tenant"]].append(value)
            elif sample.name == "weir_half_diff":
                diffs[labels["tenant"]].append(value)
            elif sample.name == f"{LATENCY}_bucket":
                latency[float(labels["le"])] += value
    health = {
        tenant: Health(min(values), max(diffs[tenant], default=math.nan))
        for tenant, values in margins.items()
    }
    return Reading(dict(sorted(heights.items())), health, dict(latency))


def quantile(buckets: Buckets, share: float) -> float | None:
    """Return the time within which a share was done, as Prometheus interpolates it.

    Returns:
        Seconds; None without observations.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total <= 0:
        return None
    wanted = share * total
    below, bound_below = 0.0, 0.0
    for bound in bounds:
        count = buckets[bound]
        if count >= wanted and count > below:
            if math.isinf(bound):
                return bound_below
            return bound_below + (bound - bound_below) * (wanted - below) / (count - below)
        below, bound_below = count, bound
    return bound_below


class RecentLatency:
    """The latency of the last readings of one worker."""

    def __init__(self) -> None:
        self._readings: deque[Buckets] = deque(maxlen=WINDOW_READINGS)

    def add(self, buckets: Buckets) -> None:
        """Take the buckets of a reading; those of a new worker begin anew."""
        if self._readings and _total(buckets) < _total(self._readings[-1]):
            self._readings.clear()
        self._readings.append(buckets)

    def quantile(self, share: float) -> float | None:
        """Return a quantile over what the last readings added."""
        if not self._readings:
            return None
        last = self._readings[-1]
        # The first reading of a worker counts from its start.
        first = self._readings[0] if len(self._readings) > 1 else {}
        return quantile({bound: n - first.get(bound, 0.0) for bound, n in last.items()}, share)


def _total(buckets: Buckets) -> float:
    return max(buckets.values(), default=0.0)
