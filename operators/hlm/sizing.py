"""How large a delta must be so that a rebuild is published before it is full.

The seed's scheduling inequality (sections 2.1 and 9.1), with every quantity counted in events and
ids, none in seconds:

    C * (tau_high - tau_low) >= lambda_max * T_rb + margin

lambda_max is new ids an event, T_rb events from the beginning of a rebuild to its publication.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from operators.errors import InvalidConfig
from operators.hlm.config import MAX_CAPACITY, HlmConfig
from operators.hlm.layout import (
    ACTIVE_CAPACITY,
    BURST_WORDS,
    BURSTS,
    EVENTS,
    GROW,
    KNOWN,
    LATENESS,
    LATENESS_WORDS,
    NOVELTY,
    WINDOW_BITS,
    WINDOW_KNOWN,
    WINDOW_MAX,
)

if TYPE_CHECKING:
    from operators.hlm.layout import Ints

FIRST_DEPLOYMENT = 2.0
"""The seed's safety factor (section 17) while nothing has been measured."""

_BURST_SHARE = 0.001
_ROOM = 2  # a delta has at most so many slots for each known id, rounded up to a power of two


class Estimate(NamedTuple):
    """What a running model has measured of its stream.

    Attributes:
        lambda_max: new ids an event, the most in any 256 events lately.
        t_rebuild: events that the next rebuild takes.
        burst: new ids that one event in a thousand brings, or more.
        spread: events between the earliest and the latest of the last rebuilds, against their plan.
        slack: ids that the delta has room for beyond what the inequality asks for.
    """

    lambda_max: float
    t_rebuild: int
    burst: int
    spread: int
    slack: float


@dataclass(frozen=True, slots=True)
class Sizing:
    """The inequality, solved for the capacity.

    Attributes:
        tau_low: load at which a rebuild begins.
        tau_high: load that no event may pass.
        burst: new ids in a burst of novelty (99.9th percentile of an event).
        spread: events between the shortest and the longest rebuild.
        safety: factor on the whole.

    Raises:
        InvalidConfig: the thresholds are not ``0 < tau_low < tau_high < 1``, or a number is
            negative.
    """

    tau_low: float = 0.6
    tau_high: float = 0.8
    burst: float = 0.0
    spread: float = 0.0
    safety: float = FIRST_DEPLOYMENT

    def __post_init__(self) -> None:
        if not 0.0 < self.tau_low < self.tau_high < 1.0:
            raise InvalidConfig("0 < tau_low < tau_high < 1 must hold")
        if min(self.burst, self.spread) < 0.0 or self.safety < 1.0:
            raise InvalidConfig("burst and spread must be 0 or more, safety 1 or more")

    def needed(self, lambda_max: float, t_rebuild: float, margin: float | None = None) -> float:
        """Ids that must find room while a rebuild runs.

        Args:
            lambda_max: new ids an event.
            t_rebuild: events of a rebuild.
            margin: ids; by default the larger of the burst and of what comes in twice the spread.

        Raises:
            InvalidConfig: a number is negative or not finite.
        """
        if margin is None:
            margin = max(self.burst, 2.0 * self.spread * lambda_max)
        if not (lambda_max >= 0.0 and t_rebuild >= 0.0 and margin >= 0.0):
            raise InvalidConfig("lambda_max, t_rebuild and margin must be 0 or more")
        room = self.safety * (lambda_max * t_rebuild + margin)
        if not math.isfinite(room):
            raise InvalidConfig("lambda_max, t_rebuild and margin must be finite")
        return room

    def solve(self, lambda_max: float, t_rebuild: float, margin: float | None = None) -> int:
        """Least capacity, a power of two, that satisfies the inequality; arguments as ``needed``.

        Raises:
            InvalidConfig: no delta may be that large: lower ``t_rebuild`` or use more shards.
        """
        least = self.needed(lambda_max, t_rebuild, margin) / (self.tau_high - self.tau_low)
        capacity = power_of_two(least)
        if capacity > MAX_CAPACITY:
            raise InvalidConfig(
                f"{least:.3g} slots are needed, a delta has at most {MAX_CAPACITY}: rebuild in "
                "fewer events or use more shards"
            )
        return capacity


def power_of_two(least: float) -> int:
    """Least power of two that is no smaller than ``least``, and at least 1."""
    return 1 << max(0, math.ceil(least) - 1).bit_length()


def estimate(config: HlmConfig, meta: Ints) -> Estimate:
    """What the counters of a model say; a function of the events alone in stable mode."""
    window = max(meta[NOVELTY], meta[WINDOW_MAX], meta[KNOWN] - meta[WINDOW_KNOWN])
    rate = int(window) / (1 << WINDOW_BITS)
    planned = config.publication(int(meta[KNOWN]))
    late = [int(n) for n in meta[LATENESS : LATENESS + LATENESS_WORDS]]
    spread = max(late) - min(late)
    duration = planned + max(late)
    burst = _burst(meta)
    sizing = _running(config, burst, spread)
    room = int(meta[ACTIVE_CAPACITY]) * (config.tau_high - config.tau_low)
    slack = room - sizing.needed(rate, duration)
    return Estimate(rate, duration, burst, spread, slack)


def next_capacity(config: HlmConfig, meta: Ints, unknown: int) -> int:
    """Capacity of the delta that begins with a rebuild; at least that of the one it follows.

    What the inequality asks for, but no more than the power of two above twice the known ids: at
    the beginning of a stream all ids are new, and deltas double. A delta that was found too small
    is followed by one at least twice as large.

    Args:
        config: settings.
        meta: counters.
        unknown: ids that the event at hand may add at once.
    """
    now = int(meta[ACTIVE_CAPACITY])
    measured = estimate(config, meta)
    wanted = now
    if measured.slack < 0.0:
        sizing = _running(config, measured.burst, measured.spread)
        room = sizing.needed(measured.lambda_max, measured.t_rebuild)
        enough = power_of_two(room / (config.tau_high - config.tau_low))
        wanted = min(enough, power_of_two(_ROOM * int(meta[KNOWN])))
    if meta[GROW]:
        wanted = max(wanted, 2 * now)
    return min(max(wanted, now, power_of_two(unknown / config.tau_low)), MAX_CAPACITY)


def _running(config: HlmConfig, burst: int, spread: int) -> Sizing:
    return Sizing(config.tau_low, config.tau_high, burst, spread, safety=1.0)


def _burst(meta: Ints) -> int:
    """New ids that no more than one event in a thousand exceeds, rounded up to 2^k - 1."""
    above = 0
    for size in range(BURST_WORDS - 1, 0, -1):
        above += int(meta[BURSTS + size])
        if above > _BURST_SHARE * int(meta[EVENTS]):
            return (1 << size) - 1
    return 0
