"""What a benchmark says of its figures."""

from __future__ import annotations

import pytest

from streams.bench.bars import BARS, bars_of
from streams.bench.measured import Measured, measured


def test_ratio_says_how_many_times_faster() -> None:
    """Twice the rate of the peer reads as 2."""
    line = measured("stream", "events_per_s", "events/s", [40_000.0], {}, "peer", [20_000.0])

    assert line.ratio == 2.0


def test_ratio_says_how_many_times_sooner() -> None:
    """Half the latency of the peer reads as 2 as well: above 1 is always better for us."""
    line = measured("stream", "latency_p50_ms", "ms", [10.0], {}, "peer", [20.0])

    assert line.ratio == 2.0


def test_figures_are_medians_with_their_spread() -> None:
    """One bad repeat moves the spread and not the figure."""
    line = measured(
        "stream", "events_per_s", "events/s", [9.0, 10.0, 1.0], {"d": 16}, "peer", [4.0, 5.0, 6.0]
    )

    assert (line.value, line.against_value, line.ratio) == (9.0, 5.0, 1.8)
    assert line.params == {
        "d": 16,
        "repeats": 3,
        "min": 1.0,
        "max": 10.0,
        "against_min": 4.0,
        "against_max": 6.0,
        "ratio_min": pytest.approx(0.1667),
        "ratio_max": 2.25,
    }


def test_figures_have_four_digits() -> None:
    """More digits would claim more than a benchmark knows."""
    line = measured("stream", "events_per_s", "events/s", [31_244.7], {})

    assert line.value == 31_240.0
    assert measured("stream", "share", "", [0.123456], {}).value == 0.1235
    assert measured("stream", "share", "", [0.0], {}).value == 0.0


def test_keys_of_a_line_are_those_that_tools_rely_on() -> None:
    """Other tools read these keys."""
    assert Measured._fields == (
        "bench",
        "metric",
        "params",
        "value",
        "unit",
        "against",
        "against_value",
        "ratio",
    )


@pytest.mark.parametrize(
    ("metric", "value", "ratio", "verdicts"),
    [
        ("events_per_s", 25_000.0, 3.0, [True, True]),
        ("events_per_s", 24_999.0, 3.1, [True, False]),
        ("events_per_s", 90_000.0, 2.9, [False, True]),
        ("null_events_per_s", 1.0, 0.4, [True]),
        ("null_events_per_s", 1.0, 0.39, [False]),
        ("latency_p50_ms", 50.0, 0.5, [True]),
        ("latency_p99_ms", 50.0, 0.49, [False]),
        ("share", 1.0, None, []),
    ],
)
def test_bars(metric: str, value: float, ratio: float | None, verdicts: list[bool]) -> None:
    """A figure is held to what was promised, from the promised value on."""
    line = Measured("stream", metric, {}, value, "", "peer", 1.0, ratio)

    assert [bar.met(line) for bar in bars_of(line)] == verdicts


def test_a_bar_on_a_ratio_is_missed_without_a_peer() -> None:
    """A figure that was compared with nothing has not been shown to be good enough."""
    alone = Measured("stream", "null_events_per_s", {}, 1e9, "")

    assert [bar.met(alone) for bar in BARS if bar.metric == alone.metric] == [False]
