"""Rates, shares, and the check that a contender did its work."""

from __future__ import annotations

import json

import pytest

from streams.bench.contenders import QUIX_RIVER, RAW_TRANSACTIONAL
from streams.bench.errors import BenchFailed
from streams.bench.lab import PARTITIONS
from streams.bench.throughput import STAGES, Reading, check_once, summarised


def _reading(at: float, committed: int, cpu: float = 0.0, stage_s: float = 0.0) -> Reading:
    metrics = {f"weir_{stage}_seconds_sum": stage_s for stage in STAGES}
    return Reading(at, committed, {"process": cpu}, metrics)


def test_rate_is_of_what_was_committed_after_the_warm_up() -> None:
    """What was committed before the first reading counts for nothing, nor does its time."""
    run = summarised(_reading(100.0, 20_000), _reading(104.0, 100_000))

    assert run.events_per_s == 20_000.0


def test_processor_time_is_given_by_event() -> None:
    """Two seconds for 80,000 events are 25 µs each."""
    run = summarised(_reading(0.0, 20_000, cpu=1.0), _reading(4.0, 100_000, cpu=3.0))

    assert run.cpu_us == {"process": pytest.approx(25.0)}


def test_shares_are_of_the_time_of_all_shards() -> None:
    """Each stage took 1.6 of the shards' 16 seconds; what no stage took is the rest."""
    run = summarised(_reading(0.0, 0, stage_s=0.4), _reading(4.0, 1_000, stage_s=2.0))

    assert PARTITIONS == 4
    assert run.shares == pytest.approx(dict.fromkeys(STAGES, 0.1) | {"rest": 0.4})
    assert sum(run.shares.values()) == pytest.approx(1.0)


def test_a_run_that_was_over_at_once_has_no_rate() -> None:
    """Where nothing is left to measure after the warm-up, that is said, with what to do."""
    with pytest.raises(BenchFailed, match="--events"):
        summarised(_reading(0.0, 20_000), _reading(1.0, 20_000))


def _predictions(numbers: list[int]) -> list[bytes]:
    return [json.dumps({"event_id": str(number)}).encode() for number in numbers]


def test_one_prediction_an_event_is_right() -> None:
    """Partition 1 of 4 has the events 1, 5, 9, in whatever order they come out."""
    check_once(QUIX_RIVER, 1, _predictions([5, 1, 9]), 3)


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([1, 5], id="one is missing"),
        pytest.param([1, 5, 9, 9], id="one is there twice"),
        pytest.param([1, 5, 5], id="one is there twice in place of another"),
        pytest.param([1, 5, 10], id="one is of another partition"),
        pytest.param([1, 5, 13], id="one is of an event that is not committed"),
    ],
)
def test_wrong_output_fails_the_benchmark(numbers: list[int]) -> None:
    """A fast contender that loses or repeats events has no figure."""
    with pytest.raises(BenchFailed, match="partition 1"):
        check_once(QUIX_RIVER, 1, _predictions(numbers), 3)


def test_output_without_numbers_is_counted() -> None:
    """The floor sends other events' bytes: their number must be right."""
    check_once(RAW_TRANSACTIONAL, 0, [b"x", b"x"], 2)
    with pytest.raises(BenchFailed, match="1 predictions for 2 events"):
        check_once(RAW_TRANSACTIONAL, 0, [b"x"], 2)
