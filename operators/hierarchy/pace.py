"""How a worker that falls behind on its streams does less, step by step, and when it stops reading.

Once a window (half a second, say) the worker says how long tokens and updates took and how many
pieces wait. The *load* is the worst of the three as a share of its budget. Above 1 the worker is
behind; at `calm` and below it has room; between the two nothing changes. Steps come in this order,
each with what the ones before it do:

    step             what is done less
    NORMAL           nothing
    LARGER_CHUNKS    tokens are gathered for longer, so that a call takes more of them
    FEWER_PARTIALS   partial verdicts come less often
    NO_TOPICS        the topic level rests: topics neither end nor begin

    state       window                                    next
    any         behind, `patience` windows in a row       the next step, if there is one
    any         room, `needed` windows in a row           the step before, if there is one
    any         anything else                             the same step

A step that helps makes room, and going back then puts the worker behind again. So `needed`, which
begins at `calm_windows`, doubles (up to `longest`) whenever a step has to be taken again within
`needed` windows after going back, and is as at the beginning once going back has held for longer.

A step changes when partial verdicts come, and the levels that they rest on. Final verdicts are
functions of the text: nothing that a step leaves out may go into them.

Reading is another matter: a partition whose waiting pieces reach `pause_at` is paused, and resumed
once they have fallen to `resume_at`. That bounds memory, whatever the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from operators.errors import InvalidConfig, InvalidInput


class Step(StrEnum):
    """How much less is done, from nothing to most."""

    NORMAL = "normal"
    LARGER_CHUNKS = "larger_chunks"
    FEWER_PARTIALS = "fewer_partials"
    NO_TOPICS = "no_topics"


STEPS: Final = tuple(Step)


@dataclass(frozen=True, slots=True)
class PaceConfig:
    """Budgets, and what is done about them (token budgets: seed section 1.1).

    Attributes:
        token_ms: longest that a token may take, at the 99th percentile of a window.
        update_ms: the same for an update of sentence, paragraph, topic or document.
        backlog: waiting pieces of a worker at which it is behind.
        calm: share of the budgets at which there is room.
        patience: windows in a row, behind, before the next step.
        calm_windows: windows in a row with room before the step back, to begin with.
        longest: most that they grow to.
        gather_ms: how long tokens are gathered for a call.
        gather_longer_ms: the same from LARGER_CHUNKS on; within the budget of a token.
        partial_ms: least time of a stream between two partial verdicts.
        partial_longer_ms: the same from FEWER_PARTIALS on.
        pause_at: waiting pieces at which a partition is paused.
        resume_at: waiting pieces at which it is resumed.
    """

    token_ms: float = 50.0
    update_ms: float = 200.0
    backlog: int = 2_000
    calm: float = 0.5
    patience: int = 2
    calm_windows: int = 10
    longest: int = 320
    gather_ms: float = 5.0
    gather_longer_ms: float = 25.0
    partial_ms: float = 500.0
    partial_longer_ms: float = 2_000.0
    pause_at: int = 20_000
    resume_at: int = 10_000

    def __post_init__(self) -> None:
        for name in ("token_ms", "update_ms", "backlog", "patience", "calm_windows"):
            if not getattr(self, name) > 0:
                raise InvalidConfig(f"{name}={getattr(self, name)}: must be above 0")
        if not 0 < self.calm < 1:
            raise InvalidConfig(f"calm={self.calm}: a share of the budgets, between 0 and 1")
        if self.longest < self.calm_windows:
            raise InvalidConfig(f"longest={self.longest}: at least calm_windows")
        if not 0 <= self.gather_ms <= self.gather_longer_ms < self.token_ms:
            raise InvalidConfig(
                f"gather_ms={self.gather_ms}, gather_longer_ms={self.gather_longer_ms}: the second "
                f"is no shorter, and both are below token_ms={self.token_ms}, or gathering alone "
                "takes the budget"
            )
        if not 0 <= self.partial_ms <= self.partial_longer_ms:
            raise InvalidConfig(
                f"partial_ms={self.partial_ms}, partial_longer_ms={self.partial_longer_ms}: the "
                "second must be no shorter"
            )
        if not 0 <= self.resume_at < self.pause_at:
            raise InvalidConfig(
                f"resume_at={self.resume_at}: must be below pause_at={self.pause_at}"
            )


class Window(NamedTuple):
    """What was measured in one window.

    Attributes:
        token_ms: 99th percentile over tokens, waiting included; 0 if there were none.
        update_ms: the same over updates.
        waiting: pieces that wait at its end.
    """

    token_ms: float
    update_ms: float
    waiting: int


class Plan(NamedTuple):
    """What is done at a step.

    Attributes:
        gather_ms: how long tokens are gathered for a call.
        partial_ms: least time between two partial verdicts of a stream.
        topics: whether the topic level works.
    """

    gather_ms: float
    partial_ms: float
    topics: bool


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a worker stands; plain values.

    Attributes:
        step: what is done less.
        needed: windows with room in a row before going back.
        behind: windows in a row that were over budget.
        room: windows in a row that had room.
        held: windows since the worker last went back; None: it has not, or it held for longer than
            needed.
    """

    step: Step = Step.NORMAL
    needed: int = 0
    behind: int = 0
    room: int = 0
    held: int | None = None

    def next(self, window: Window, config: PaceConfig) -> Pace:
        """Where it stands after one more window.

        Raises:
            InvalidInput: something measured is negative or not finite.
        """
        now = _aged(self, config)
        share = load(window, now.step, config)
        if share > 1.0:
            return _when_behind(now, config)
        if share <= config.calm:
            return _with_room(now)
        return replace(now, behind=0, room=0)

    def plan(self, config: PaceConfig) -> Plan:
        """What is done at the step."""
        rank = STEPS.index(self.step)
        return Plan(
            config.gather_longer_ms if rank >= 1 else config.gather_ms,
            config.partial_longer_ms if rank >= STEPS.index(Step.FEWER_PARTIALS)
            else config.partial_ms,
            topics=self.step is not Step.NO_TOPICS,
        )  # fmt: skip


def _aged(pace: Pace, config: PaceConfig) -> Pace:
    """One window later, whatever is in it."""
    needed = pace.needed or config.calm_windows
    if pace.held is None:
        return replace(pace, needed=needed)
    if pace.held >= needed:
        return replace(pace, needed=config.calm_windows, held=None)
    return replace(pace, needed=needed, held=pace.held + 1)


def _when_behind(pace: Pace, config: PaceConfig) -> Pace:
    count = pace.behind + 1
    if count < config.patience or pace.step is STEPS[-1]:
        return replace(pace, behind=min(count, config.patience), room=0)
    needed = pace.needed if pace.held is None else min(2 * pace.needed, config.longest)
    return Pace(STEPS[STEPS.index(pace.step) + 1], needed)


def _with_room(pace: Pace) -> Pace:
    if pace.step is Step.NORMAL:
        return replace(pace, behind=0, room=0)
    if pace.room + 1 < pace.needed:
        return replace(pace, behind=0, room=pace.room + 1)
    return Pace(STEPS[STEPS.index(pace.step) - 1], pace.needed, held=0)


def load(window: Window, step: Step, config: PaceConfig) -> float:
    """The worst of what was measured, as a share of its budget.

    What tokens wait on purpose, because they are gathered, is left out of both their time and their
    budget: no step makes itself necessary.

    Raises:
        InvalidInput: something measured is negative or not finite.
    """
    if not all(math.isfinite(value) and value >= 0 for value in window):
        raise InvalidInput(f"{window}: times and counts are finite and not negative")
    gathered = Pace(step).plan(config).gather_ms
    return max(
        max(0.0, window.token_ms - gathered) / (config.token_ms - gathered),
        window.update_ms / config.update_ms,
        window.waiting / config.backlog,
    )


def paused(waiting: int, was: bool, config: PaceConfig) -> bool:
    """Whether a partition is to be paused.

    Args:
        waiting: its pieces that wait.
        was: whether it is paused now.
        config: the two marks.
    """
    return waiting >= config.pause_at or (was and waiting > config.resume_at)
