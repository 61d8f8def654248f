"""More features or another temperature without a break: a second Sera takes over from the first.

Statistics cannot be resized or carried to another temperature. So a successor learns beside the
incumbent for one effective window, and takes over at an event that is fixed when it is proposed.

    state     means                         propose            the event ``handover`` is ingested
    ALONE     one Sera                      -> WARMING         (there is none)
    WARMING   a successor learns as well    refused            the successor is the Sera -> ALONE

The event counts are part of the state, so a restored pair takes over at the same event.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import numpy as np

from operators.errors import InvalidConfig, StateMismatch
from operators.sera.sera import Sera

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.sera.config import SeraConfig
    from operators.sera.layout import Floats
    from operators.sera.sera import Readouts, State

TAU_RANGE = (0.7, 1.4)
"""Temperatures that may be proposed, over the square root of d (seed section 9.2)."""

_INGESTED, _HANDOVER = 0, 1
_CURRENT, _NEXT, _EVENTS = "current.", "next.", "events"


class SeraSuccession:
    """A Sera that can be succeeded by a larger one, or one of another temperature.

    Costs what one Sera costs, and while a successor warms up what both cost.

    Args:
        config: settings of the first Sera.
        seed: 64-bit seed of all of them; a wider one begins with the features of the narrower.

    Attributes:
        sera: the Sera that answers.
        successor: the one that warms up, if any.
    """

    def __init__(self, config: SeraConfig, seed: int) -> None:
        self._seed = seed
        self.sera = Sera(config, seed)
        self.successor: Sera | None = None
        self._events = np.zeros(2)

    @property
    def handover(self) -> int:
        """Number of the event after which the successor answers; 0 without one."""
        return int(self._events[_HANDOVER])

    def propose(self, config: SeraConfig) -> int:
        """Let a successor warm up, from the next event on, for its effective window.

        Args:
            config: its settings: r is not smaller, tau within 0.7 to 1.4 times the root of d.

        Returns:
            Number of the event after which it answers.

        Raises:
            InvalidConfig: the settings do not succeed the present ones, or one is warming up.
        """
        if self.successor is not None:
            raise InvalidConfig(f"a successor is warming up until event {self.handover}")
        now = self.sera.config
        if (config.d, config.d_v, config.gamma, config.horizon) != (
            now.d, now.d_v, now.gamma, now.horizon,
        ) or config.horizon:  # fmt: skip
            raise InvalidConfig("a successor has the same d, d_v and gamma, and no horizon")
        if config.r < now.r:
            raise InvalidConfig(f"r={config.r}: must be at least {now.r}")
        low, high = (bound * math.sqrt(config.d) for bound in TAU_RANGE)
        if not low <= config.temperature <= high:
            raise InvalidConfig(f"tau={config.temperature}: must be within {low:.4g} .. {high:.4g}")
        if config == now:
            raise InvalidConfig("a successor with the same settings would change nothing")
        self.successor = Sera(config, self._seed)
        self._events[_HANDOVER] = self._events[_INGESTED] + config.window
        return self.handover

    def ingest_batch(self, keys: Floats, values: Floats) -> None:
        """Learn ``n`` events in turn, handing over among them if that is due.

        Raises:
            InvalidInput: wrong shapes; nothing has changed.
            NonFiniteInput: NaN or infinity; nothing has changed.
        """
        if self.successor is not None:
            left = self.handover - int(self._events[_INGESTED])
            self.sera.ingest_batch(keys, values)  # checks all of them before anything changes
            self.successor.ingest_batch(keys, values)
            if len(keys) >= left:
                self.sera, self.successor = self.successor, None
                self._events[_HANDOVER] = 0.0
        else:
            self.sera.ingest_batch(keys, values)
        self._events[_INGESTED] += len(keys)

    def query_batch(self, queries: Floats, *, lowrank: bool = False) -> Readouts:
        """Readouts of the Sera that answers; see ``Sera.query_batch``."""
        return self.sera.query_batch(queries, lowrank=lowrank)

    def to_state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Named flat arrays, views; whether there is a successor shows in the names."""
        state: dict[str, npt.NDArray[np.generic]] = {_EVENTS: self._events}
        state |= {_CURRENT + name: array for name, array in self.sera.to_state().items()}
        if self.successor is not None:
            state |= {_NEXT + name: array for name, array in self.successor.to_state().items()}
        return state

    @classmethod
    def from_state(
        cls, config: SeraConfig, successor: SeraConfig | None, seed: int, state: State
    ) -> Self:
        """The pair that was saved; it goes on bit for bit. Arrays are copied.

        Args:
            config: settings of the Sera that answered.
            successor: settings of the one that was warming up, if one was.
            seed: the same seed.
            state: what ``to_state`` gave.

        Raises:
            StateMismatch: arrays are missing or do not fit the settings.
        """
        pair = cls(config, seed)
        events = state.get(_EVENTS)
        if events is None or events.shape != pair._events.shape:
            raise StateMismatch("the saved succession has no array 'events' of 2 numbers")
        pair._events[:] = events
        if (pair.handover > 0) != (successor is not None):
            raise StateMismatch(
                f"handover={pair.handover}: the settings of a successor must fit it"
            )
        pair.sera = Sera.from_state(config, seed, _part(state, _CURRENT))
        if successor is not None:
            pair.successor = Sera.from_state(successor, seed, _part(state, _NEXT))
        return pair


def _part(state: State, prefix: str) -> dict[str, npt.NDArray[np.generic]]:
    return {
        name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)
    }
