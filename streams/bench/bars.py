"""What each figure should reach at the least; slower is reported, not an error."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.bench.measured import Measured


class Bar(NamedTuple):
    """A least value, a greatest value, or a least ratio to the peer.

    Attributes:
        bench: name of the benchmark.
        metric: name of the figure.
        least: what must be reached.
        is_ratio: ``least`` is of the ratio, not of the value.
        words: the bar, as one would say it.
        where: parameters of the figures that it is of; all if empty.
        greatest: ``least`` is the most that the value may be.
    """

    bench: str
    metric: str
    least: float
    is_ratio: bool
    words: str
    where: Mapping[str, Any] = MappingProxyType({})
    greatest: bool = False

    def met(self, line: Measured) -> bool:
        """Tell whether a figure reaches the bar."""
        reached = line.ratio if self.is_ratio else line.value
        if reached is None:
            return False
        return reached <= self.least if self.greatest else reached >= self.least

    def concerns(self, line: Measured) -> bool:
        """Tell whether a figure is one that the bar is of."""
        named = (self.bench, self.metric) == (line.bench, line.metric)
        said = {**line.params, "against": line.against}
        return named and all(said.get(name) == value for name, value in self.where.items())


BARS = (
    Bar("dlp", "latency_p50_ms", 150.0, False, "below 150 ms", {"size": 2_048}, greatest=True),
    Bar("dlp", "latency_p95_ms", 200.0, False, "below 200 ms", {"size": 2_048}, greatest=True),
    Bar("stream", "events_per_s", 3.0, True, "at least 3 times the peer"),
    Bar("stream", "events_per_s", 25_000.0, False, "at least 25,000 events/s"),
    Bar("stream", "null_events_per_s", 0.4, True, "at least 40 % of the floor"),
    Bar("stream", "latency_p50_ms", 0.5, True, "at most twice the floor"),
    Bar("stream", "latency_p99_ms", 0.5, True, "at most twice the floor"),
    Bar("sera", "ns_per_event", 1 / 1.5, True, "within 1.5 times NumPy"),
    Bar("sera", "p99_over_p50", 2.0, False, "at most 2", greatest=True),
    Bar("sera", "drift_in_t", 0.9, False, "at least 0.9"),
    Bar("sera", "drift_in_t", 1.1, False, "at most 1.1", greatest=True),
    Bar("fuse", "events_per_s", 60_000.0, False, "at least 60,000 events/s"),
    Bar("fuse", "events_per_s", 10.0, True, "at least 10 times the peer's"),
    Bar("fuse", "p99_over_p50", 2.0, False, "at most 2", greatest=True),
    *(
        Bar("accuracy", metric, 1 / 1.02, True, "at most 2 % worse", {"against": half})
        for metric in ("log_loss", "error_rate", "rmse", "mae")
        for half in ("linear_alone", "attention_alone")
    ),
    *(
        Bar(
            "hlm",
            "ns_per_feature",
            1.0 / times,
            True,
            f"at most {times} times the floor",
            {"ids": ids, "mode": "plain"},
        )
        for ids, times in ((10_000, 4), (1_000_000, 2.5), (10_000_000, 3))
    ),
    Bar("durable", "exactly_once_cost", 0.1, False, "at most 10 %", greatest=True),
    Bar(
        "durable",
        "restore_s",
        1 / 3,
        True,
        "at most 3 times the raw read",
        {"source": "changelog_uncompacted", "against": "raw_read"},
    ),
    Bar("durable", "verify_records_per_s", 0.2, True, "at least 20 % of SHA-256 alone"),
    Bar("tokens", "token_latency_p99_ms", 50.0, False, "below 50 ms", greatest=True),
    Bar("tokens", "tokens_per_s", 8.0, True, "at least 8 times running again"),
    Bar("hlm", "events_per_s", 1.0, True, "at least the peer's", {"against": "vw"}),
    Bar("hlm", "events_per_s", 20.0, True, "at least 20 times the peer's", {"against": "river"}),
    Bar("hlm", "p99_over_p50", 2.0, False, "at most 2", {"during": "rebuild"}, greatest=True),
    Bar("hlm", "last_over_first_tenth", 1.2, False, "at most 1.2", greatest=True),
)


def bars_of(line: Measured) -> list[Bar]:
    """Return the bars of a figure."""
    return [bar for bar in BARS if bar.concerns(line)]
