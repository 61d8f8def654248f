"""Latencies against the schedule."""

from __future__ import annotations

import pytest

from streams.bench.lab import PARTITIONS
from streams.bench.latency import MEASURED, PRIMER, RATE, WARM_UP, Arrival, percentiles

START_NS = 5_000_000_000
DUE_NS = 1_000_000_000 // RATE


def _arrivals(delays_ms: list[float]) -> list[Arrival]:
    """Predictions of all events, those after the primer with these delays."""
    primer = [Arrival(number % PARTITIONS, 0, b"") for number in range(PRIMER)]
    return primer + [
        Arrival(
            (PRIMER + number) % PARTITIONS, START_NS + number * DUE_NS + round(delay * 1e6), b""
        )
        for number, delay in enumerate(delays_ms)
    ]


def test_latency_is_from_when_an_event_was_due() -> None:
    """Events that all take 7 ms have percentiles of 7 ms."""
    found = percentiles(_arrivals([7.0] * (WARM_UP + MEASURED)), START_NS)

    assert found == pytest.approx((7.0, 7.0))


def test_warm_up_does_not_count() -> None:
    """A slow start of the processes is not the stream's latency."""
    found = percentiles(_arrivals([900.0] * WARM_UP + [7.0] * MEASURED), START_NS)

    assert found == pytest.approx((7.0, 7.0))


def test_a_stall_counts_for_every_event_that_was_due_meanwhile() -> None:
    """A stop of one second delays a thousand events, not one: the schedule waits for nobody."""
    stall_ms = 1_000
    delays = [7.0 + max(0, stall_ms - number) for number in range(MEASURED)]
    found = percentiles(_arrivals([7.0] * WARM_UP + delays), START_NS)

    assert found.p50_ms == pytest.approx(7.0)
    assert found.p99_ms > 0.9 * stall_ms


def test_order_within_partitions_is_all_that_matters() -> None:
    """Partitions are read one after the other; each prediction is still matched with its event."""
    arrivals = _arrivals([7.0] * (WARM_UP + MEASURED))
    by_partition = sorted(arrivals, key=lambda arrival: arrival.partition)

    assert percentiles(by_partition, START_NS) == pytest.approx((7.0, 7.0))
