"""Which topics a worker refuses, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import ConfigError, TopologyError
from streams.kafka.topics import LEAST_BATCH_BYTES, admin, check_limits, check_partitions
from streams.settings import BrokerSettings

if TYPE_CHECKING:
    from pathlib import Path

CHANGELOG = "weir-state-changelog"


@pytest.mark.parametrize("have", [4, None])
def test_topics_that_fit_or_are_still_to_be_made_are_accepted(have: int | None) -> None:
    """A first start and every later one pass."""
    check_partitions("events", 4, {CHANGELOG: have, "audit": 4}, CHANGELOG)


def test_state_sharded_by_another_number_is_refused() -> None:
    """Both numbers are told, what would go wrong, how to go on and how to migrate."""
    with pytest.raises(TopologyError) as caught:
        check_partitions("events", 6, {CHANGELOG: 4, "audit": 6, "predictions": None}, CHANGELOG)
    said = str(caught.value)
    assert f"events has 6 partitions, but {CHANGELOG} has 4. The state is sharded" in said
    assert "To migrate, let `weir reshard` copy the events into a new application" in said
    assert "audit has" not in said


def test_all_topics_that_do_not_fit_are_named() -> None:
    """Who mends it reads the whole list at once."""
    with pytest.raises(TopologyError, match=r"audit has 2, predictions has 8\. What was written"):
        check_partitions("events", 4, {CHANGELOG: None, "audit": 2, "predictions": 8}, CHANGELOG)


def test_topics_that_take_the_batches_are_accepted() -> None:
    """Kafka's default limit is enough."""
    check_limits({CHANGELOG: 10_000_000, "audit": LEAST_BATCH_BYTES})


def test_topics_that_take_too_little_are_refused_before_a_shard_fails_at_them() -> None:
    """Topic, limit and setting are told."""
    with pytest.raises(TopologyError, match=r"audit takes 1000 bytes \(max\.message\.bytes\)"):
        check_limits({CHANGELOG: 10_000_000, "audit": 1_000})


def test_settings_that_the_client_refuses_are_told_as_such(tmp_path: Path) -> None:
    """A certificate file that holds none is a fault of the settings, not of the brokers."""
    file = tmp_path / "ca.pem"
    file.write_text("no certificate", encoding="ascii")
    settings = BrokerSettings(bootstrap="localhost:9092", security_protocol="SSL", ssl_ca_file=file)
    with pytest.raises(ConfigError, match="settings of broker cannot be used"):
        admin(settings)
