"""The events that all contenders get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.codec import Codec
from state.secrets import FileSecrets
from streams.backtest import run_backtest
from streams.bench.events import DIMENSION, FEATURES, entities, make_events
from streams.feed import murmur2_partition
from streams.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_an_event_goes_to_the_partition_that_its_number_says() -> None:
    """The n-th record of a partition tells which event it is, so latencies can be matched."""
    partitions = [murmur2_partition(event.key, 4) for event in make_events(1_000, 4)]

    assert partitions == [number % 4 for number in range(1_000)]


def test_partitions_have_equally_many_entities() -> None:
    """No shard has more to keep than another."""
    assert [len(set(ids)) for ids in entities(4)] == [500] * 4


def test_the_same_arguments_give_the_same_bytes() -> None:
    """Every contender, and every repeat, gets the same events; a longer run begins with them."""
    longer = list(make_events(12_000, 4))

    assert list(make_events(12_000, 4)) == longer
    assert longer[5] != longer[5_005]


def test_events_are_as_large_as_they_are_said_to_be() -> None:
    """30 packed features, a key and a query: about 780 bytes."""
    first = next(make_events(1, 4))
    event = Codec("event").decode(first.value)

    assert len(event["feature_ids"]) == len(event["feature_values"]) == 8 * FEATURES
    assert len(event["key"]) == len(event["query"]) == 8 * DIMENSION
    assert 750 < len(first.value) < 800


def test_the_learner_takes_every_event(tmp_path: Path) -> None:
    """What is measured is learning, not quarantine."""
    FileSecrets.initialise(tmp_path / "secrets")
    settings = load_settings(data_dir=tmp_path, broker={"bootstrap": "nowhere:9092"})

    report = run_backtest(settings, make_events(400, 4))

    assert (report.predictions, report.quarantined) == (400, 0)
