from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from streams.demo.gauges import Health, RecentLatency, quantile, read_metrics
from streams.metrics import Metrics


def test_a_reading_has_what_the_worker_shows() -> None:
    """Heights are added up by shard, health is the worst of a tenant's cells."""
    metrics = Metrics()
    for shard, tenant, height, margin, diff in (
        (1, "bananas", 30, 3.0, 0.01),
        (0, "phishing", 10, 2.0, 0.02),
        (0, "bananas", 5, 1.5, 0.03),
    ):
        metrics.chain_height.labels(shard, tenant).set(height)
        metrics.cell["margin"].labels(str(shard), tenant).set(margin)
        metrics.cell["half_diff"].labels(str(shard), tenant).set(diff)
    metrics.end_to_end.labels(0).observe(0.04)
    metrics.end_to_end.labels(1).observe(0.04)
    reading = read_metrics(generate_latest(metrics.registry).decode())
    assert reading.heights == {0: 15, 1: 30}
    assert reading.health == {"bananas": Health(1.5, 0.03), "phishing": Health(2.0, 0.02)}
    assert quantile(reading.latency, 0.5) == pytest.approx(0.04, abs=0.01)


def test_a_worker_without_units_of_work_gives_an_empty_reading() -> None:
    """Before the first event there is nothing to show, and nothing fails."""
    reading = read_metrics(generate_latest(Metrics().registry).decode())
    assert not reading.heights
    assert not reading.health
    assert quantile(reading.latency, 0.99) is None


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.25, 0.5), (0.5, 1.0), (0.75, 1.5), (1.0, 2.0), (0.0, 0.0)]
)
def test_quantiles_lie_within_their_bucket(share: float, seconds: float) -> None:
    """Times are interpolated between the bounds of a bucket."""
    assert quantile({1.0: 2.0, 2.0: 4.0, float("inf"): 4.0}, share) == pytest.approx(seconds)


def test_beyond_the_last_bound_the_bound_is_given() -> None:
    """What took longer than the last bound is told as that bound, not as infinity."""
    assert quantile({1.0: 0.0, float("inf"): 3.0}, 0.5) == 1.0


def test_recent_latency_forgets_what_was_long_ago() -> None:
    """A slow start does not show in the latency of later seconds."""
    latency = RecentLatency()
    latency.add({0.1: 0.0, 10.0: 100.0})
    for count in range(1, 8):
        latency.add({0.1: 10.0 * count, 10.0: 100.0 + 10.0 * count})
    recent = latency.quantile(0.99)
    assert recent is not None
    assert recent <= 0.1


def test_recent_latency_begins_anew_with_another_worker() -> None:
    """Counters of a restarted worker begin at 0 and are not taken for negative counts."""
    latency = RecentLatency()
    latency.add({0.1: 500.0, 10.0: 500.0})
    latency.add({0.1: 0.0, 10.0: 3.0})
    slow = latency.quantile(0.5)
    assert slow is not None
    assert slow > 0.1
