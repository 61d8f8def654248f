"""What each figure should reach at the least; slower is reported, not an error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from streams.bench.measured import Measured


class Bar(NamedTuple):
    """A least value, or a least ratio to the peer.

    Attributes:
        bench: name of the benchmark.
        metric: name of the figure.
        least: what must be reached.
        is_ratio: ``least`` is of the ratio, not of the value.
        words: the bar, as one would say it.
        most: what must not be exceeded.
    """

    bench: str
    metric: str
    least: float
    is_ratio: bool
    words: str
    most: float = math.inf

    def met(self, line: Measured) -> bool:
        """Tell whether a figure reaches the bar."""
        reached = line.ratio if self.is_ratio else line.value
        return reached is not None and self.least <= reached <= self.most


BARS = (
    Bar("stream", "events_per_s", 3.0, True, "at least 3 times the peer"),
    Bar("stream", "events_per_s", 25_000.0, False, "at least 25,000 events/s"),
    Bar("stream", "null_events_per_s", 0.4, True, "at least 40 % of the floor"),
    Bar("stream", "latency_p50_ms", 0.5, True, "at most twice the floor"),
    Bar("stream", "latency_p99_ms", 0.5, True, "at most twice the floor"),
    Bar("sera", "ns_per_event", 1 / 1.5, True, "within 1.5 times NumPy"),
    Bar("sera", "p99_over_p50", 0.0, False, "at most 2", 2.0),
    Bar("sera", "drift_in_t", 0.9, False, "flat within 10 %", 1.1),
)


def bars_of(line: Measured) -> list[Bar]:
    """Return the bars of a figure."""
    return [bar for bar in BARS if (bar.bench, bar.metric) == (line.bench, line.metric)]
