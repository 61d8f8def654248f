"""Days of stream logs, written by the logs themselves with a clock that runs fast."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from operators.dlp.tags import SCORES
from operators.hierarchy.pace import Pace, PaceConfig, Window, load
from streams.hierarchy.logs.stream_logs import StreamLogs
from streams.hierarchy.observer import (
    BoundaryType,
    Encoded,
    Ended,
    Failed,
    FailureType,
    Paced,
    PredictionType,
    Recovery,
    SentSpan,
    State,
    StateType,
    Taken,
    Updated,
)
from tests.unit.streams.hierarchy.logs.happenings import Counted, verdict

if TYPE_CHECKING:
    from pathlib import Path

    from streams.hierarchy.settings import StreamLogSettings

START = 1_795_000_000.0
"""2026-11-18, 11:06:40 UTC."""


class Days:
    """Writes logs of workers whose load rises in the afternoon.

    Args:
        folder: for the logs.
        settings: of the logs.
        seed: of what happens.
    """

    def __init__(self, folder: Path, settings: StreamLogSettings, seed: int = 1) -> None:
        self.now = START
        self.counts = Counted()
        self.logs = StreamLogs(settings, folder, self.counts, clock=lambda: self.now)
        self.draws = random.Random(seed)
        self.pace = Pace()
        self.streams = 0

    def run(self, hours: int, streams_an_hour: int) -> None:
        """Let so much happen."""
        for hour in range(hours):
            for place in range(streams_an_hour):
                self.now = START + 3_600 * (hour + place / streams_an_hour)
                self._stream(1.0 + 1.6 * (hour % 24 in range(4, 9)))
        self.logs.close()

    def _stream(self, slow: float) -> None:
        draws, logs = self.draws, self.logs
        self.streams += 1
        name = f"chat-{self.streams}"
        risky = draws.random() < 0.3
        characters = draws.randint(200, 900)
        config = PaceConfig()
        times = [draws.lognormvariate(2.6, 0.5) * slow for _ in range(8)]
        window = Window(max(times), 40 * slow * draws.random(), int(400 * slow * draws.random()))
        share = load(window, self.pace.step, config)
        before, self.pace = self.pace, self.pace.next(window, config)
        logs.paced(Paced(before.step, self.pace.step, window, share))
        shown = 0
        for number, took in enumerate(times):
            place = characters * (number + 1) // 8
            logs.taken(Taken(name, 4 * number, [1, 2, 3, 4], ["ab"] * 4, 4 * number + 4))
            logs.encoded(Encoded(name, 4 * number + 3, 4, took / 1e3, took / 2e3))
            if logs.wanted_states(name, range(number, number + 1)):
                vector = np.full(128, draws.random())
                logs.state(State(name, number, StateType.TOKEN, vector, vector, 10**8))
            if number % 2:
                took_ms = draws.lognormvariate(3.5, 0.6) * slow
                logs.updated(Updated(name, number, StateType.SENTENCE, took_ms / 1e3))
                logs.ended(Ended(name, BoundaryType.SENTENCE, place, None, "a.", "b"))
            chance = min(max(draws.gauss(0.75 if risky else 0.2, 0.18), 0.01), 0.99)
            right = draws.random() < 0.6 + 0.05 * number
            shown = max(shown, int(risky and number > 2))
            spans = [SentSpan(0, "SSN", 4, 15, 0.9)] * shown
            logs.sent(
                verdict(
                    name, number, decision="BLOCK" if risky is right else "ALLOW",
                    confidence=0.6 + 0.05 * number, scores=dict.fromkeys(SCORES, chance),
                    spans=spans, revised=int(draws.random() < 0.02 * shown), characters=place,
                    latency_s=took / 1e3, step=self.pace.step,
                )
            )  # fmt: skip
        logs.ended(Ended(name, BoundaryType.PARAGRAPH, characters, None, "a.", "b"))
        if draws.random() < 0.4:
            logs.ended(Ended(name, BoundaryType.TOPIC, characters, draws.random(), "a.", "b"))
        if draws.random() < 0.02:
            self._failure(name)
        logs.sent(
            verdict(
                name, 8, type=PredictionType.FINAL, decision="BLOCK" if risky else "ALLOW",
                scores=dict.fromkeys(SCORES, 0.95 if risky else 0.03), characters=characters,
            )
        )  # fmt: skip

    def _failure(self, name: str) -> None:
        lost = self.draws.random() < 0.2
        self.logs.failed(
            Failed(
                name, 3, FailureType.ENCODE, MemoryError("no room"), 3 if lost else 1,
                Recovery.QUARANTINED if lost else Recovery.REBUILT, recovered=not lost,
            )
        )  # fmt: skip
