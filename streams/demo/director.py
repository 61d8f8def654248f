"""The course of a run.

Kafka          a broker is found or started; meanwhile the kernels are compiled
worker         topics and keys are made, a worker starts
stream         messages are sent at their rate; what is committed is watched
crash          after half of the predictions the worker is killed, and another one started
conversations  are typed; the verdicts on them are watched, and again a worker is killed
check          with everything predicted and judged, the worker is stopped, the outputs read back
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from state.secrets import FileSecrets
from streams.demo.broker import have_broker
from streams.demo.crew import Crew
from streams.demo.errors import DemoFailed
from streams.demo.learning import Learning
from streams.demo.problems import load_problems
from streams.demo.report import Report
from streams.demo.scene import Scene
from streams.demo.stage import set_stage
from streams.demo.talking import Talking
from streams.demo.watch import Watch
from streams.demo.worker_process import compile_learner
from streams.kafka.topics import (
    SOURCE_ROLE,
    admin,
    create_source,
    partition_counts,
    prepare_topics,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future
    from subprocess import Popen

    from streams.demo.acts import Plan
    from streams.demo.checks import Check
    from streams.demo.problems import Problem
    from streams.demo.scene import Screen
    from streams.settings import Settings


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
        self._stage = set_stage(base, talks=plan.talks)
        self._settings = self._stage.settings
        self._scene = Scene(self._stage.name)
        self._watch = Watch(self._scene, screen)
        self._learning: Learning | None = None
        self._talking: Talking | None = None

    def run(self) -> Report:
        """Run to the end; whatever was started is stopped, however it ends.

        Raises:
            WeirError: the run could not come to its end.
        """
        started = time.monotonic()
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="demo"))
            reading = pool.submit(load_problems, self._plan.dataset) if self._plan.learns else None
            compiling = compile_learner()
            stack.callback(compiling.wait)
            stack.callback(compiling.kill)
            self._settings = stack.enter_context(have_broker(self._settings, self._watch.begin))
            self._prepare(reading)
            self._await_compiler(compiling)
            assert self._settings.broker.bootstrap is not None
            crew = Crew(self._stage, self._settings.broker.bootstrap, self._scene, self._watch)
            stack.callback(crew.stop)
            self._first_worker(crew)
            self._play(crew, pool)
            found = self._check(crew)
        report = self._report(found, time.monotonic() - started)
        report.save()
        return report

    # -- before the acts --------------------------------------------------------------------------

    def _prepare(self, reading: Future[list[Problem]] | None) -> None:
        scene, settings, plan = self._scene, self._settings, self._plan
        reads = ", reading the data" if reading is not None else ""
        step = self._watch.begin(f"Making topics and keys{reads}")
        if settings.secrets.provider == "file":
            FileSecrets.initialise(settings.secrets_dir)
        self._make_topics()
        made = f"Made topics {self._stage.name}.* with {settings.topics.partitions} shards"
        if reading is not None:
            problems = reading.result()
            self._learning = Learning(plan, settings, problems, scene, self._watch)
            rows = (f"{len(problem.rows):,} rows of {problem.name}" for problem in problems)
            made = f"{made}; read {' and '.join(rows)}"
        if plan.talks:
            self._talking = Talking(plan, settings, scene, self._watch)
        step.finish(made)

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

    def _first_worker(self, crew: Crew) -> None:
        with_model = ", which loads the model of the scanner" if self._plan.talks else ""
        step = self._watch.begin(f"Starting a worker{with_model}")
        worker = crew.start()
        step.finish(f"A worker serves (process {worker.pid})")

    # -- the acts ---------------------------------------------------------------------------------

    def _play(self, crew: Crew, pool: Executor) -> None:
        if self._learning is not None:
            self._learning.play(crew, pool)
        if self._talking is not None:
            self._talking.play(crew, pool)

    def _check(self, crew: Crew) -> list[Check]:
        """Stop the worker, read everything back, and compare."""
        watch = self._watch
        step = watch.begin("Stopping the worker; reading everything back and verifying it")
        watch.stop()
        crew.dismiss()
        found: list[Check] = []
        for act in (self._learning, self._talking):
            found += act.check() if act is not None else []
        if all(check.holds for check in found):
            trail = ", the audit trail verifies" if self._learning is not None else ""
            step.finish(f"Read everything back: nothing lost, nothing repeated{trail}")
        else:
            step.fail("Read everything back: something does not hold, see below")
        watch.look()
        return found

    def _report(self, found: list[Check], seconds: float) -> Report:
        learning, talking = self._learning, self._talking
        return Report(
            stage=self._stage,
            problems=learning.tally.problems if learning is not None else {},
            checks=found,
            crash=learning.crash if learning is not None else None,
            latency=learning.latency if learning is not None else (None, None),
            seconds=seconds,
            talks=talking.report if talking is not None else None,
        )
