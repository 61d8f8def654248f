"""The course of a run.

Kafka     a broker is found or started; meanwhile the kernels are compiled
worker    topics and keys are made, a worker starts
stream    messages are sent at their rate; what is committed is watched
crash     after half of the predictions the worker is killed, and another one started
check     with everything predicted, the worker is stopped and the outputs are read back
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from state.secrets import FileSecrets
from streams.backtest import run_backtest
from streams.demo import checks
from streams.demo.broker import have_broker
from streams.demo.errors import DemoFailed
from streams.demo.followers import Follower, Sending
from streams.demo.problems import load_problems
from streams.demo.report import Crash, Report, crash_text
from streams.demo.scene import Scene
from streams.demo.stage import set_stage
from streams.demo.tally import Tally
from streams.demo.traffic import make_traffic
from streams.demo.watch import Watch
from streams.demo.worker_process import WorkerProcess, compile_learner
from streams.kafka.topics import (
    SOURCE_ROLE,
    admin,
    create_source,
    partition_counts,
    prepare_topics,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from subprocess import Popen

    from streams.backtest import BacktestReport
    from streams.demo.checks import Check
    from streams.demo.problems import Dataset, Problem
    from streams.demo.scene import Screen
    from streams.demo.traffic import Traffic
    from streams.settings import Settings

SEED = 7
CRASH_SHARE = 0.5
_US = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What is wanted.

    Attributes:
        dataset: what to stream.
        rounds: how much of it, see ``traffic``.
        rate: messages a second.
        crash: whether to kill the worker on the way.
    """

    dataset: Dataset
    rounds: int
    rate: float
    crash: bool


class Director:
    """Takes one run from its start to its report.

    Args:
        plan: what is wanted.
        base: the user's settings: broker, data folder, secrets.
        screen: where the scene is shown.

    Raises:
        OSError: the folder of the run cannot be made.
    """

    def __init__(self, plan: Plan, base: Settings, screen: Screen) -> None:
        self._plan = plan
        self._stage = set_stage(base)
        self._settings = self._stage.settings
        self._scene = Scene(self._stage.name)
        self._watch = Watch(self._scene, screen)
        self._workers = 0

    def run(self) -> Report:
        """Run to the end; whatever was started is stopped, however it ends.

        Raises:
            WeirError: the run could not come to its end.
        """
        started = time.monotonic()
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="demo"))
            reading = pool.submit(load_problems, self._plan.dataset)
            compiling = compile_learner()
            stack.callback(compiling.wait)
            stack.callback(compiling.kill)
            self._settings = stack.enter_context(have_broker(self._settings, self._watch.begin))
            traffic, tally = self._prepare(reading.result)
            self._await_compiler(compiling)
            stack.callback(self._stop)
            self._first_worker()
            offline = pool.submit(run_backtest, self._settings, traffic.messages)
            crash, latency = self._stream(traffic, tally)
            found = self._check(traffic, offline)
        report = Report(
            stage=self._stage,
            problems=tally.problems,
            checks=found,
            crash=crash,
            latency=latency,
            seconds=time.monotonic() - started,
        )
        report.save()
        return report

    # -- before the stream ------------------------------------------------------------------------

    def _prepare(self, problems_read: Callable[[], list[Problem]]) -> tuple[Traffic, Tally]:
        scene, settings, plan = self._scene, self._settings, self._plan
        step = self._watch.begin("Making topics and keys, reading the data")
        if settings.secrets.provider == "file":
            FileSecrets.initialise(settings.secrets_dir)
        self._make_topics()
        problems = problems_read()
        period_us = max(1, int(_US / plan.rate))
        traffic = make_traffic(problems, plan.rounds, SEED, int(time.time() * _US), period_us)
        scene.problems = problems
        scene.total = len(traffic.messages)
        scene.tally = Tally([problem.name for problem in problems], traffic.first_time)
        data = " and ".join(f"{len(problem.rows):,} rows of {problem.name}" for problem in problems)
        shards = settings.topics.partitions
        step.finish(f"Made topics {self._stage.name}.* with {shards} shards; read {data}")
        return traffic, scene.tally

    def _make_topics(self) -> None:
        settings = self._settings
        create_source(settings)
        # A broker may take a moment to tell of a topic that has just been made.
        source, client = settings.topics.name(SOURCE_ROLE), admin(settings.broker)
        self._watch.until(
            lambda: source in partition_counts(client, settings.broker.bootstrap), f"topic {source}"
        )
        prepare_topics(settings)

    def _await_compiler(self, compiling: Popen[bytes]) -> None:
        if compiling.poll() is None:
            step = self._watch.begin("Compiling the learner (the first time takes half a minute)")
            self._watch.until(lambda: compiling.poll() is not None, "the learner to be compiled")
            step.finish("Compiled the learner for this processor")
        if compiling.returncode != 0:
            raise DemoFailed(
                f"compiling the learner ended with exit code {compiling.returncode}; `weir worker` "
                "does the same and shows why"
            )

    def _first_worker(self) -> None:
        step = self._watch.begin("Starting a worker")
        worker = self._start_worker()
        step.finish(f"A worker serves (process {worker.pid})")

    def _start_worker(self) -> WorkerProcess:
        """Start a worker and wait until it serves."""
        assert self._settings.broker.bootstrap is not None
        self._workers += 1
        worker = WorkerProcess(self._stage, self._settings.broker.bootstrap, self._workers)
        self._watch.worker = worker
        self._watch.until(worker.is_ready, f"a worker that serves; see {worker.log}")
        self._scene.is_worker_up = True
        return worker

    def _stop(self) -> None:
        self._watch.stop()
        if self._watch.worker is not None:
            self._watch.worker.stop()

    # -- the stream -------------------------------------------------------------------------------

    def _stream(
        self, traffic: Traffic, tally: Tally
    ) -> tuple[Crash | None, tuple[float | None, float | None]]:
        """Send everything and wait for what becomes of it.

        Returns:
            The crash, if one was wanted; and the latency before it.
        """
        scene, watch = self._scene, self._watch
        rate, total = self._plan.rate, len(traffic.messages)
        watch.predictions = Follower(self._settings, "predictions")
        watch.quarantine = Follower(self._settings, "quarantine")
        watch.sending = Sending(self._settings, traffic.messages, rate)
        for thread in (watch.predictions, watch.quarantine, watch.sending):
            thread.start()
        step = watch.begin(f"Streaming {total:,} messages, {rate:,.0f} a second")
        crash = None
        if self._plan.crash:
            half = int(CRASH_SHARE * len(traffic.names))
            watch.until(lambda: scene.predictions >= half, "predictions")
            watch.read_metrics()
            latency = watch.latency
            crash = self._crash(tally)
        watch.until(
            lambda: (
                len(tally.seen) >= len(traffic.names)
                and scene.quarantined.total() >= len(traffic.broken)
            ),
            "the rest of the predictions",
        )
        if crash is None:
            watch.read_metrics()
            latency = watch.latency
        step.finish(f"Streamed {total:,} messages, {len(traffic.broken)} of them broken on purpose")
        return crash, latency

    def _crash(self, tally: Tally) -> Crash:
        """Kill the worker and start another one; the sending goes on meanwhile."""
        scene, watch = self._scene, self._watch
        killed, watch.worker = watch.worker, None
        assert killed is not None
        before = {name: problem.scores.labels for name, problem in tally.problems.items()}
        step = watch.begin(
            f"Killed the worker (kill -9) at prediction {scene.predictions:,}; the next one starts"
        )
        started = time.monotonic()
        killed.kill()
        scene.is_worker_up = False
        self._start_worker()
        crash = Crash(before, time.monotonic() - started, scene.waiting)
        step.finish(crash_text(crash))
        return crash

    # -- after the stream -------------------------------------------------------------------------

    def _check(self, traffic: Traffic, offline: Future[BacktestReport]) -> list[Check]:
        """Stop the worker, read everything back, and compare."""
        scene, watch = self._scene, self._watch
        step = watch.begin("Stopping the worker; reading everything back and verifying it")
        watch.stop()
        worker, watch.worker = watch.worker, None
        assert worker is not None
        code = worker.stop()
        scene.is_worker_up = False
        if code != 0:
            raise DemoFailed(
                f"the worker ended with exit code {code} when asked to stop; see {worker.log}"
            )
        predicted, quarantined, reports = checks.read_back(self._settings)
        ends = checks.log_ends(self._settings.application_id, offline.result())
        found = [
            checks.check_predictions(traffic.names, predicted),
            checks.check_quarantine(traffic.broken, quarantined),
            checks.check_trail(reports, predicted.total()),
            checks.check_offline(reports, ends),
        ]
        if all(check.holds for check in found):
            step.finish(
                "Read everything back: nothing lost, nothing repeated, the audit trail verifies"
            )
        else:
            step.fail("Read everything back: something does not hold, see below")
        watch.look()
        return found
