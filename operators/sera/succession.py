"""More features or another temperature without a break: a second Sera takes over from the first.

Statistics cannot be resized or carried to another temperature. So a successor learns beside the
incumbent for one effective window, and takes over at an event that is fixed when it is proposed.

    state     means                         propose            the event ``handover`` is ingested
    ALONE     one Sera                      -> WARMING         (there is none)
    WARMING   a successor learns as well    refused            the successor is the Sera -> ALONE

Temperature, number of features and the event of the handover are part of the state, so a restored
pair takes over at the same event.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from operators.blocks import BLOCK_BYTES
from operators.errors import InvalidConfig, InvalidInput, StateMismatch
from operators.sera.layout import INGESTED
from operators.sera.sera import Sera

if TYPE_CHECKING:
    import numpy.typing as npt

    from operators.sera.config import SeraConfig
    from operators.sera.layout import Floats
    from operators.sera.sera import Readouts, State

TAU_RANGE = (0.7, 1.4)
"""Temperatures that may be proposed, over the square root of d (seed section 9.2)."""

TAU_STEP = 1.2
"""Factor of the temperature where there are no features to add."""

# Words of the state array ``succession``.
HANDOVER = 0  # number of the event after which the successor answers; 0 without one
SINCE = 1  # events ingested when the present Sera took over
R, TAU = 2, 3  # of the Sera that answers
NEXT_R, NEXT_TAU = 4, 5  # of its successor; 0 without one
FIRST_R, FIRST_TAU = 6, 7  # of the first, as it was configured
WORDS = 8

SUCCESSION = "succession"
_NEXT = "next."


class SeraSuccession:
    """A Sera that can be succeeded by a larger one, or one of another temperature.

    Costs what one Sera costs, and while a successor warms up what both cost.

    Args:
        config: settings of the first Sera.
        seed: 64-bit seed of all of them; a wider one begins with the features of the narrower.

    Attributes:
        sera: the Sera that answers.
        successor: the one that warms up, if any.
        words: float64[WORDS], when and to what it changes: part of the state.
    """

    def __init__(self, config: SeraConfig, seed: int) -> None:
        self._seed = seed
        self.sera = Sera(config, seed)
        self.successor: Sera | None = None
        self.words = np.zeros(WORDS)
        self.words[[R, TAU]] = self.words[[FIRST_R, FIRST_TAU]] = config.r, config.temperature
        self._reported = np.zeros(0)  # the words as of the last report of changes

    @property
    def handover(self) -> int:
        """Number of the event after which the successor answers; 0 without one."""
        return int(self.words[HANDOVER])

    @property
    def due(self) -> bool:
        """Whether the event of the handover is ingested."""
        return 0 < self.handover <= self.sera.health().ingested

    def better(self) -> SeraConfig | None:
        """Settings that err less: twice the features, up to ``max_r``; then a higher temperature.

        ``None`` if the settings allow neither, or a successor is warming up already. The kernel is
        estimated with an error of e^(|q+k|^2/tau)/r, so both lower it.
        """
        if self.successor is not None or self.sera.config.horizon:
            return None
        now = self.sera.config
        if now.r < now.max_r:
            return replace(now, r=min(2 * now.r, now.max_r))
        highest = TAU_RANGE[1] * math.sqrt(now.d)
        if now.retune and now.temperature < highest:
            lowest = TAU_RANGE[0] * math.sqrt(now.d)
            return replace(now, tau=min(max(now.temperature * TAU_STEP, lowest), highest))
        return None

    def propose(self, config: SeraConfig) -> int:
        """Let a successor warm up, from the next event on, for its effective window.

        Args:
            config: its settings: as they are but for r, which is not smaller, and tau, which, if it
                is another one, is within 0.7 to 1.4 times the root of d.

        Returns:
            Number of the event after which it answers.

        Raises:
            InvalidConfig: the settings do not succeed the present ones, or one is warming up.
        """
        if self.successor is not None:
            raise InvalidConfig(f"a successor is warming up until event {self.handover}")
        now = self.sera.config
        if replace(config, r=now.r, tau=now.tau) != now or config.horizon:
            raise InvalidConfig("a successor differs in r and tau alone, and has no horizon")
        if config.r < now.r:
            raise InvalidConfig(f"r={config.r}: must be at least {now.r}")
        low, high = (bound * math.sqrt(config.d) for bound in TAU_RANGE)
        if config.tau != now.tau and not low <= config.temperature <= high:
            raise InvalidConfig(f"tau={config.temperature}: must be within {low:.4g} .. {high:.4g}")
        if config == now:
            raise InvalidConfig("a successor with the same settings would change nothing")
        self.successor = Sera(config, self._seed)
        self.words[HANDOVER] = self.sera.health().ingested + config.window
        self.words[[NEXT_R, NEXT_TAU]] = config.r, config.temperature
        return self.handover

    def hand_over(self) -> None:
        """Let the successor answer from now on. It counts events on from where the first stood.

        Raises:
            InvalidConfig: there is no successor.
        """
        if self.successor is None:
            raise InvalidConfig("no successor is warming up: propose one")
        ingested = self.sera.arrays.state.tally[INGESTED]
        self.sera, self.successor = self.successor, None
        self.sera.arrays.state.tally[INGESTED] = ingested
        self.sera.take_all_as_changed()
        self.words[[R, TAU]] = self.words[[NEXT_R, NEXT_TAU]]
        self.words[[HANDOVER, NEXT_R, NEXT_TAU]] = 0.0
        self.words[SINCE] = ingested

    def ingest_batch(self, keys: Floats, values: Floats) -> None:
        """Learn ``n`` events in turn, handing over among them if that is due.

        Raises:
            InvalidInput: wrong shapes; nothing has changed.
            NonFiniteInput: NaN or infinity; nothing has changed.
        """
        keys, values = self.sera.checked_events(keys, values)
        left = len(keys)
        if self.successor is not None:
            left = self.handover - self.sera.health().ingested
            self.successor.ingest_batch(keys[:left], values[:left])
        self.sera.ingest_batch(keys[:left], values[:left])
        if self.due:
            self.hand_over()
        if len(keys) > left:
            self.sera.ingest_batch(keys[left:], values[left:])

    def query_batch(self, queries: Floats, *, lowrank: bool = False) -> Readouts:
        """Readouts of the Sera that answers; see ``Sera.query_batch``."""
        return self.sera.query_batch(queries, lowrank=lowrank)

    def to_state(self) -> dict[str, Floats]:
        """Named flat arrays, views: those of the Sera, and of its successor if there is one."""
        state = {**self.sera.to_state(), SUCCESSION: self.words}
        if self.successor is not None:
            state |= {_NEXT + name: array for name, array in self.successor.to_state().items()}
        return state

    def take_dirty(self) -> dict[str, npt.NDArray[np.int64]]:
        """Numbers of the blocks of each array that changed since the last call, and forget them.

        After a handover all of the Sera is dirty: it was saved under other names.
        """
        dirty = self.sera.take_dirty()
        same = np.array_equal(self.words, self._reported)
        dirty[SUCCESSION] = np.arange(0 if same else 1, dtype=np.int64)
        self._reported = self.words.copy()
        if self.successor is not None:
            taken = self.successor.take_dirty()
            dirty |= {_NEXT + name: blocks for name, blocks in taken.items()}
        return dirty

    def block_bytes(self, name: str) -> int:
        """Bytes of one block of the named array of the state.

        Raises:
            InvalidInput: there is no such array.
        """
        if name not in self.to_state():
            raise InvalidInput(f"a succession of Seras has no state array {name!r}")
        return BLOCK_BYTES

    @classmethod
    def shaped(cls, config: SeraConfig, seed: int, state: State) -> Self:
        """A pair that has seen nothing, with the settings that were in force in a saved one.

        Args:
            config: settings of the first Sera, before any succession.
            seed: the same seed.
            state: what ``to_state`` gave; only ``succession`` is read.

        Raises:
            StateMismatch: there is no such array, or it does not follow from the settings.
        """
        pair = cls(config, seed)
        words = state.get(SUCCESSION)
        if words is None or words.shape != pair.words.shape or words.dtype != pair.words.dtype:
            raise StateMismatch(f"the saved Sera has no array {SUCCESSION!r} of {WORDS} numbers")
        first_r, first_tau = float(words[FIRST_R]), float(words[FIRST_TAU])
        if first_r != config.r or first_tau != config.temperature:
            raise StateMismatch(
                f"the saved Sera began with r={first_r:.0f}, tau={first_tau}, the settings say "
                f"r={config.r}, tau={config.temperature}: neither can change in place"
            )
        pair.words[:] = words
        pair.sera = Sera(_with(config, words[R], words[TAU]), seed)
        if words[HANDOVER]:
            pair.successor = Sera(_with(config, words[NEXT_R], words[NEXT_TAU]), seed)
        return pair

    @classmethod
    def from_state(cls, config: SeraConfig, seed: int, state: State) -> Self:
        """The pair that was saved; it goes on bit for bit. Arrays are copied, none of it is dirty.

        Args:
            config: settings of the first Sera, before any succession.
            seed: the same seed.
            state: what ``to_state`` gave.

        Raises:
            StateMismatch: arrays are missing or do not fit the settings.
        """
        pair = cls.shaped(config, seed, state)
        pair.sera = Sera.from_state(pair.sera.config, seed, state)
        if pair.successor is not None:
            saved = {
                name.removeprefix(_NEXT): array
                for name, array in state.items()
                if name.startswith(_NEXT)
            }
            pair.successor = Sera.from_state(pair.successor.config, seed, saved)
        pair.take_dirty()
        return pair


def _with(config: SeraConfig, r: float, tau: float) -> SeraConfig:
    """The settings with other features, and with another temperature if it is another."""
    return replace(config, r=int(r), tau=config.tau if tau == config.temperature else float(tau))
