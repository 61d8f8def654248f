from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING

import pytest

from streams.demo import worker_process
from streams.demo.errors import DemoFailed
from streams.demo.stage import Stage
from streams.demo.worker_process import WorkerProcess
from streams.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage("demo-abc123", tmp_path, Settings())


@pytest.fixture
def server() -> Iterator[int]:
    """An HTTP server that answers /readyz and /metrics like a worker's; gives its port."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the same
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served.server_address[1]
        served.shutdown()
        thread.join()


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
    """Put a shell script in the place of `weir`."""
    path = tmp_path / "weir"
    path.write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
    path.chmod(0o700)
    monkeypatch.setattr(worker_process, "WEIR", path)


def wait_for(worker: WorkerProcess) -> None:
    """Wait until the process has ended."""
    worker._process.wait(10)  # noqa: SLF001 - a test may


def test_a_worker_that_ended_by_itself_is_told_with_its_last_words(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the exit code, the log's name and its end: what one would look for."""
    program(tmp_path, monkeypatch, "echo no secrets here; exit 78")
    worker = WorkerProcess(stage, "localhost:9092", 1)
    wait_for(worker)
    with pytest.raises(DemoFailed) as error:
        worker.require_alive()
    for part in ("exit code 78", str(worker.log), "no secrets here"):
        assert part in str(error.value)


def test_a_worker_is_asked_at_the_port_that_it_logs(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: int
) -> None:
    """Any free port will do: the worker says in its log which one it was given."""
    said = json.dumps({"level": "info", "message": "http", "port": server})
    program(tmp_path, monkeypatch, f"echo 'not JSON'; echo '{said}'")
    worker = WorkerProcess(stage, "localhost:9092", 1)
    wait_for(worker)
    assert worker.metrics() == "/metrics"
    assert worker.is_ready()


def test_a_worker_that_has_not_said_its_port_is_not_ready(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log line that is still being written is not read."""
    program(tmp_path, monkeypatch, """printf '{"message": "http", "port": 80'""")
    worker = WorkerProcess(stage, "localhost:9092", 1)
    wait_for(worker)
    assert not worker.is_ready()


def test_stopping_gives_the_exit_code(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that stops in order ends with 0, and its address was given on the command line."""
    ready = tmp_path / "ready"
    program(
        tmp_path,
        monkeypatch,
        f'trap "echo \\"$*\\"; exit 0" TERM; touch {ready}; while :; do sleep 0.05; done',
    )
    worker = WorkerProcess(stage, "kafka-1:9092", 1)
    while not ready.exists():
        worker.require_alive()
    assert worker.stop() == 0
    assert worker.log.read_text(encoding="utf-8") == "worker --bootstrap kafka-1:9092\n"
