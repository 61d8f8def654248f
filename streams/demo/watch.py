"""Keeps the scene true: what was sent, what was committed, what the worker says of itself."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from schemas.codec import Codec
from streams.demo.errors import DemoFailed
from streams.demo.gauges import RecentLatency, quantile, read_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.demo.followers import Follower, Sending
    from streams.demo.keyboard import Keyboard
    from streams.demo.scene import Scene, Screen, Step
    from streams.demo.talks import Talks
    from streams.demo.tally import Tally
    from streams.demo.worker_process import WorkerProcess

TICK_S = 0.1
METRICS_S = 0.5
PATIENCE_S = 300.0
"""How long nothing at all may happen before a run is given up: compiling takes some of it."""


class Watch:
    """Looks at a run from outside.

    Args:
        scene: kept true.
        screen: shown the scene.

    Attributes:
        worker: the one that should run; None while none should.
        sending, predictions, quarantine, keyboard, verdicts: None until they run.
    """

    def __init__(self, scene: Scene, screen: Screen) -> None:
        self.worker: WorkerProcess | None = None
        self.sending: Sending | None = None
        self.predictions: Follower | None = None
        self.quarantine: Follower | None = None
        self.keyboard: Keyboard | None = None
        self.verdicts: Follower | None = None
        self._scene = scene
        self._screen = screen
        self._latency = RecentLatency()
        self._metrics_due = 0.0
        self._clock = threading.Event()
        self._read_prediction = Codec("prediction").decode
        self._read_quarantine = Codec("quarantine").decode
        self._read_verdict = Codec("verdict").decode

    @property
    def latency(self) -> tuple[float | None, float | None]:
        """Seconds from event to prediction, median and 99 %, since the worker's start."""
        reading = self._scene.reading
        buckets = reading.latency if reading is not None else {}
        return quantile(buckets, 0.5), quantile(buckets, 0.99)

    def begin(self, text: str) -> Step:
        """Begin a step of the run and show it."""
        step = self._scene.begin(text)
        self._screen.show(self._scene)
        return step

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Keep looking until a condition holds.

        Args:
            holds: the condition.
            what: is waited for, in words.

        Raises:
            DemoFailed: nothing has happened for ``PATIENCE_S``, or the worker has ended.
            WeirError: something else went wrong in a thread.
        """
        progress, since = self._progress(), time.monotonic()
        while not holds():
            self.look()
            now = time.monotonic()
            if self._progress() != progress:
                progress, since = self._progress(), now
            elif now - since > PATIENCE_S:
                raise DemoFailed(f"waited {PATIENCE_S:.0f} s in vain for {what}")
            self._clock.wait(TICK_S)
        self.look()

    def look(self) -> None:
        """Take in what has come and show it.

        Raises:
            DemoFailed: the worker has ended.
            WeirError: something went wrong in a thread.
        """
        scene = self._scene
        if self.worker is not None:
            self.worker.require_alive()
        if self.sending is not None:
            self.sending.check()
            scene.sent = self.sending.sent
        if self.predictions is not None and scene.tally is not None:
            self._judge(self.predictions, scene.tally)
        if self.quarantine is not None:
            self.quarantine.check()
            for came in self.quarantine.take():
                scene.quarantined[self._read_quarantine(came.record.value)["reason"]] += 1
        if scene.talks is not None:
            self._listen(scene.talks)
        now = time.monotonic()
        scene.throughput.add(scene.predictions, now)
        if now >= self._metrics_due:
            self._metrics_due = now + METRICS_S
            self.read_metrics()
        self._screen.show(scene)

    def read_metrics(self) -> None:
        """Ask the worker for its metrics, if it serves."""
        text = self.worker.metrics() if self.worker and self._scene.is_worker_up else None
        if text is not None:
            reading = self._scene.reading = read_metrics(text)
            self._latency.add(reading.latency)
            self._scene.latency = (self._latency.quantile(0.5), self._latency.quantile(0.99))

    def stop(self) -> None:
        """Stop looking: the threads end."""
        threads = (self.sending, self.keyboard, self.predictions, self.verdicts, self.quarantine)
        for thread in threads:
            if thread is not None and thread.is_alive():
                thread.stop()

    def _judge(self, predictions: Follower, tally: Tally) -> None:
        predictions.check()
        for came in predictions.take():
            tally.judge(self._read_prediction(came.record.value))

    def _listen(self, talks: Talks) -> None:
        if self.keyboard is not None:
            self.keyboard.check()
            talks.sent = self.keyboard.sent
            for name, typed in self.keyboard.typed.items():
                talks.by_name[name].typed = typed
        if self.verdicts is not None:
            self.verdicts.check()
            for came in self.verdicts.take():
                talks.take(self._read_verdict(came.record.value), came.at_s)

    def _progress(self) -> tuple[int, ...]:
        scene = self._scene
        talks = (scene.talks.sent, scene.talks.verdicts) if scene.talks is not None else ()
        return scene.sent, scene.predictions, scene.quarantined.total(), *talks
