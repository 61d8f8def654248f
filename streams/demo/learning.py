"""The first act: data sets are streamed, predicted and learnt, a worker is killed on the way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from streams.backtest import run_backtest
from streams.demo import checks
from streams.demo.followers import Follower, Sending
from streams.demo.report import Crash, crash_text
from streams.demo.tally import Tally
from streams.demo.traffic import make_traffic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor, Future

    from streams.backtest import BacktestReport
    from streams.demo.acts import Plan
    from streams.demo.checks import Check
    from streams.demo.crew import Crew
    from streams.demo.problems import Problem
    from streams.demo.scene import Scene
    from streams.demo.watch import Watch
    from streams.settings import Settings

SEED = 7
CRASH_SHARE = 0.5
_US = 1_000_000


class Learning:
    """Takes the first act to its end.

    Args:
        plan: what is wanted.
        settings: of the run.
        problems: what is learnt.
        scene: kept true.
        watch: looks at the run.

    Attributes:
        tally: what was predicted.
        crash: of the worker; None where there was none.
        latency: seconds from event to prediction, median and 99 %, before any crash.
    """

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        problems: Sequence[Problem],
        scene: Scene,
        watch: Watch,
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._scene = scene
        self._watch = watch
        self._offline: Future[BacktestReport] | None = None
        period_us = max(1, int(_US / plan.rate))
        self._traffic = make_traffic(problems, plan.rounds, SEED, int(time.time() * _US), period_us)
        self.tally = Tally([problem.name for problem in problems], self._traffic.first_time)
        self.crash: Crash | None = None
        self.latency: tuple[float | None, float | None] = (None, None)
        scene.problems = problems
        scene.total = len(self._traffic.messages)
        scene.tally = self.tally

    def play(self, crew: Crew, pool: Executor) -> None:
        """Send everything and wait for what becomes of it.

        Args:
            crew: has a worker that serves.
            pool: where the same messages are stepped through offline meanwhile.
        """
        scene, watch, traffic = self._scene, self._watch, self._traffic
        self._offline = pool.submit(run_backtest, self._settings, traffic.messages)
        rate, total = self._plan.rate, len(traffic.messages)
        watch.predictions = Follower(self._settings, "predictions")
        watch.quarantine = Follower(self._settings, "quarantine")
        watch.sending = Sending(self._settings, traffic.messages, rate)
        for thread in (watch.predictions, watch.quarantine, watch.sending):
            thread.start()
        step = watch.begin(f"Streaming {total:,} messages, {rate:,.0f} a second")
        if self._plan.crash:
            half = int(CRASH_SHARE * len(traffic.names))
            watch.until(lambda: scene.predictions >= half, "predictions")
            watch.read_metrics()
            self.latency = watch.latency
            self._crash(crew)
        watch.until(
            lambda: (
                len(self.tally.seen) >= len(traffic.names)
                and scene.quarantined.total() >= len(traffic.broken)
            ),
            "the rest of the predictions",
        )
        if self.crash is None:
            watch.read_metrics()
            self.latency = watch.latency
        step.finish(f"Streamed {total:,} messages, {len(traffic.broken)} of them broken on purpose")

    def _crash(self, crew: Crew) -> None:
        """Kill the worker and start another one; the sending goes on meanwhile."""
        scene, problems = self._scene, self.tally.problems
        before = {name: problem.scores.labels for name, problem in problems.items()}
        step = self._watch.begin(
            f"Killed the worker (kill -9) at prediction {scene.predictions:,}; the next one starts"
        )
        seconds = crew.replace()
        self.crash = Crash(before, seconds, scene.waiting)
        step.finish(crash_text(self.crash))

    def check(self) -> list[Check]:
        """Read everything back, and compare; the worker has stopped."""
        assert self._offline is not None
        traffic = self._traffic
        predicted, quarantined, reports = checks.read_back(self._settings)
        ends = checks.log_ends(self._settings.application_id, self._offline.result())
        return [
            checks.check_predictions(traffic.names, predicted),
            checks.check_quarantine(traffic.broken, quarantined),
            checks.check_trail(reports, predicted.total()),
            checks.check_offline(reports, ends),
        ]
