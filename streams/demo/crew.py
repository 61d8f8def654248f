"""The workers of a run, of which one serves at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from streams.demo.errors import DemoFailed
from streams.demo.worker_process import WorkerProcess

if TYPE_CHECKING:
    from streams.demo.scene import Scene
    from streams.demo.stage import Stage
    from streams.demo.watch import Watch


class Crew:
    """Starts workers, kills them, and stops the last one.

    Args:
        stage: the run.
        bootstrap: address of the brokers.
        scene: told whether a worker serves.
        watch: looks at the run while a worker starts.
    """

    def __init__(self, stage: Stage, bootstrap: str, scene: Scene, watch: Watch) -> None:
        self._stage = stage
        self._bootstrap = bootstrap
        self._scene = scene
        self._watch = watch
        self._workers = 0

    def start(self) -> WorkerProcess:
        """Start a worker and wait until it serves.

        Raises:
            DemoFailed: it does not.
        """
        self._workers += 1
        worker = WorkerProcess(self._stage, self._bootstrap, self._workers)
        self._watch.worker = worker
        self._watch.until(worker.is_ready, f"a worker that serves; see {worker.log}")
        self._scene.is_worker_up = True
        return worker

    def replace(self) -> float:
        """Kill the worker (kill -9) and start another one; return how long nobody served, in s.

        Raises:
            DemoFailed: the other one does not serve.
        """
        killed, self._watch.worker = self._watch.worker, None
        assert killed is not None
        started = time.monotonic()
        killed.kill()
        self._scene.is_worker_up = False
        self.start()
        return time.monotonic() - started

    def dismiss(self) -> None:
        """Stop the worker in order.

        Raises:
            DemoFailed: it does not end in order.
        """
        worker, self._watch.worker = self._watch.worker, None
        assert worker is not None
        code = worker.stop()
        self._scene.is_worker_up = False
        if code != 0:
            raise DemoFailed(
                f"the worker ended with exit code {code} when asked to stop; see {worker.log}"
            )

    def stop(self) -> None:
        """Stop whatever runs, however it ends."""
        self._watch.stop()
        if self._watch.worker is not None:
            self._watch.worker.stop()
