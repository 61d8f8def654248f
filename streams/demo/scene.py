"""All that there is to show of a run at one moment."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.demo.gauges import Reading
    from streams.demo.problems import Problem
    from streams.demo.talks import Talks
    from streams.demo.tally import Tally

_RATE_WINDOW_S = 3.0


class StepState(StrEnum):
    """How a step of the run stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class Step:
    """One step of the run, in words."""

    text: str
    state: StepState = StepState.RUNNING
    started: float = field(default_factory=time.monotonic)
    seconds: float | None = None

    def finish(self, text: str) -> None:
        """Say what came of it."""
        self._end(text, StepState.DONE)

    def fail(self, text: str) -> None:
        """Say what went wrong."""
        self._end(text, StepState.FAILED)

    def _end(self, text: str, state: StepState) -> None:
        self.text = text
        self.state = state
        self.seconds = time.monotonic() - self.started


class Throughput:
    """Predictions a second over the last seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def add(self, count: int, now: float) -> None:
        """Take the count of predictions at a time in seconds."""
        self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[1][0] > _RATE_WINDOW_S:  # noqa: PLR2004 - one point before the window
            self._points.popleft()

    @property
    def per_second(self) -> float:
        """The rate; 0 before the second point."""
        if not self._points:
            return 0.0
        (start, first), (end, last) = self._points[0], self._points[-1]
        return (last - first) / (end - start) if end > start else 0.0


@dataclass
class Scene:
    """The state of a run.

    Attributes:
        name: of the run.
        problems: what is streamed; empty until it is loaded.
        tally: predictions so far; None until there can be any.
        talks: conversations; None until they begin.
        steps: what has been done, and what is being done.
        total: messages to send, broken ones included.
        sent: messages sent.
        quarantined: messages in quarantine, by reason.
        is_worker_up: whether a worker serves.
        reading: the last look at /metrics.
        latency: seconds within which half and 99 % of the recent predictions were committed.
    """

    name: str
    problems: Sequence[Problem] = ()
    tally: Tally | None = None
    talks: Talks | None = None
    steps: list[Step] = field(default_factory=list)
    total: int = 0
    sent: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    is_worker_up: bool = False
    reading: Reading | None = None
    latency: tuple[float | None, float | None] = (None, None)
    throughput: Throughput = field(default_factory=Throughput)

    def begin(self, text: str) -> Step:
        """Begin a step."""
        self.steps.append(Step(text))
        return self.steps[-1]

    @property
    def is_streaming(self) -> bool:
        """Whether events of the first act are on their way."""
        return self.talks is None and 0 < self.sent < self.total

    @property
    def are_talking(self) -> bool:
        """Whether conversations are being typed, or wait for their last verdict."""
        return self.talks is not None and self.talks.sent > 0 and not self.talks.are_judged

    @property
    def predictions(self) -> int:
        """Predictions committed so far, repeated ones included."""
        return self.tally.seen.total() if self.tally is not None else 0

    @property
    def waiting(self) -> int:
        """Messages that were sent and have neither a prediction nor a place in quarantine yet."""
        return max(0, self.sent - self.predictions - self.quarantined.total())


class Screen(Protocol):
    """Where a scene is shown."""

    def show(self, scene: Scene) -> None:
        """Show a scene as it is now; called several times a second."""
