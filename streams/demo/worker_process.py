"""`weir worker` as a process: started, asked, killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from streams.demo.errors import DemoFailed

if TYPE_CHECKING:
    from streams.demo.stage import Stage

WEIR = Path(sys.executable).with_name("weir")
STOP_S = 30
_ASK_S = 2
_LAST_LINES = 5


class WorkerProcess:
    """A worker of the run.

    Args:
        stage: the run.
        bootstrap: address of the brokers.
        number: how many workers the run has had with this one; names the log.

    Attributes:
        log: what the worker logs.
    """

    def __init__(self, stage: Stage, bootstrap: str, number: int) -> None:
        self.log = stage.folder / f"worker-{number}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [str(WEIR), "worker", "--bootstrap", bootstrap],
                env=stage.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the demonstration, which then stops its worker in order.
                start_new_session=True,
            )
        self._port: int | None = None

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def require_alive(self) -> None:
        """Check that the worker runs.

        Raises:
            DemoFailed: it has ended by itself.
        """
        code = self._process.poll()
        if code is not None:
            lines = self.log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:]
            raise DemoFailed(
                f"the worker ended with exit code {code}; the end of {self.log}:\n"
                + "\n".join(lines)
            )

    def is_ready(self) -> bool:
        """Tell whether the worker serves its shards."""
        return self._get("/readyz") is not None

    def metrics(self) -> str | None:
        """Return what /metrics shows; None while it does not answer."""
        return self._get("/metrics")

    def kill(self) -> None:
        """Kill -9: no signal handler, no last words."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask the worker to finish the units of work in flight; return its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def _get(self, path: str) -> str | None:
        if self._port is None:
            self._port = self._find_port()
        if self._port is None:
            return None
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._port}{path}", timeout=_ASK_S
            ) as got:
                return str(got.read().decode())
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return None

    def _find_port(self) -> int | None:
        """Return the port that the worker says in its log that it was given."""
        *lines, _unfinished = self.log.read_text("utf-8", "replace").split("\n")
        for line in lines:
            if line.startswith("{"):
                said = json.loads(line)
                if said.get("message") == "http":
                    return int(said["port"])
        return None


def compile_learner() -> subprocess.Popen[bytes]:
    """Start compiling the kernels for this machine's processor; later processes find them cached.

    Half a minute the first time, some seconds from then on. A process of its own, because it leaves
    the terminal and the start of Kafka alone.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "streams.warmup"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
