"""The programs that are compared, each a process of its own on the same topics."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.codec import Codec
from schemas.registry import load
from streams.bench import peers
from streams.bench.errors import BenchFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streams.bench.lab import Lab

STOP_S = 30
LOG_BYTES = 3_000

WARM_UP_PART = 5
"""The first of so many parts of the events is not measured."""

SAMPLES_PREFIX = "bench."
"""Prefix of the topics where a worker's outputs lie, for the floor to send."""


@dataclass(frozen=True)
class Job:
    """What a contender is to do.

    Attributes:
        lab: where.
        prefix: of the topics; events in ``<prefix>events``, outputs in ``<prefix><role>``.
        group: consumer group, also the application id; a new one starts from the first event.
        http_port: of contenders that serve metrics.
        events: how many there are.
    """

    lab: Lab
    prefix: str
    group: str
    http_port: int
    events: int


@dataclass(frozen=True)
class Contender:
    """One program.

    Attributes:
        name: as in the results.
        command: the program and its arguments.
        event_number: reads the number of the event out of a prediction; None where predictions are
            bytes of another event's.
        serves_metrics: it is a worker, with stages to tell apart.
        environment: settings of its own, by the lab that it runs in.
    """

    name: str
    command: Callable[[Job], list[str]]
    event_number: Callable[[bytes], int] | None
    serves_metrics: bool = False
    environment: Callable[[Lab], Mapping[str, str]] = lambda _: {}


@dataclass(frozen=True)
class Running:
    """A contender at work."""

    contender: Contender
    process: subprocess.Popen[bytes]
    log: Path
    http_port: int

    def require_alive(self) -> None:
        """Check that it still runs.

        Raises:
            BenchFailed: it ended by itself; the end of its log is in the message.
        """
        code = self.process.poll()
        if code is not None:
            raise self.failure(f"ended with exit code {code}")

    def failure(self, what: str) -> BenchFailed:
        """Return an error that quotes the end of the log."""
        text = self.log.read_bytes()[-LOG_BYTES:].decode(errors="replace")
        return BenchFailed(f"{self.contender.name} {what}. Its log ends:\n{text}")

    def metrics(self) -> Mapping[str, float]:
        """Return the contender's metrics, summed over their labels; histograms as their sums."""
        url = f"http://127.0.0.1:{self.http_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        found: dict[str, float] = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                labelled, _, value = line.rpartition(" ")
                name = labelled.partition("{")[0]
                found[name] = found.get(name, 0.0) + float(value)
        return found


@contextmanager
def running(
    contender: Contender, lab: Lab, prefix: str, group: str, events: int
) -> Iterator[Running]:
    """Start a contender; end it with SIGTERM and see that it ends well.

    Raises:
        BenchFailed: it did not end well.
    """
    job = Job(lab, prefix, group, _free_port(), events)
    log = lab.folder / f"{group}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - the commands below
            contender.command(job),
            cwd=lab.folder,  # no settings file of the caller's lies there
            env={**lab.environment(prefix, group, job.http_port), **contender.environment(lab)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    started = Running(contender, process, log, job.http_port)
    try:
        yield started
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise started.failure(f"did not end within {STOP_S} s of SIGTERM") from None
        if code != 0:
            raise started.failure(f"ended with exit code {code} after SIGTERM")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _weir(job: Job) -> list[str]:  # noqa: ARG001 - all it needs is in the environment
    return [str(Path(sys.executable).with_name("weir")), "worker", "--log-level", "warning"]


def _weir_null(job: Job) -> list[str]:  # noqa: ARG001 - the same
    return [sys.executable, "-m", "streams.bench.null_worker"]


def _raw_transactional(job: Job) -> list[str]:  # noqa: ARG001 - the same
    return [
        sys.executable,
        "-m",
        "streams.bench.raw_transactional",
        SAMPLES_PREFIX,
    ]


def _quix_river(job: Job) -> list[str]:
    schema = job.lab.folder / "event.avsc"
    schema.write_text(load("event").text, encoding="utf-8")
    # -I: nothing of this project is on its path.
    return [
        str(peers.python()),
        "-I",
        str(Path(__file__).with_name("quix_river.py")),
        job.lab.bootstrap,
        job.group,
        f"{job.prefix}events",
        f"{job.prefix}predictions",
        str(schema),
        str(job.lab.folder / job.group),
        str(job.events // WARM_UP_PART),
    ]


def _number_in_avro() -> Callable[[bytes], int]:
    decode = Codec("prediction").decode
    return lambda value: int(decode(value)["event_id"])


def _number_in_json(value: bytes) -> int:
    return int(json.loads(value)["event_id"])


def without(what: str) -> Contender:
    """Return a worker that leaves something out; see ``streams.bench.durable_worker``."""

    def command(_: Job) -> list[str]:
        return [sys.executable, "-m", "streams.bench.durable_worker", what]

    return Contender(f"without {what}", command, _number_in_avro(), serves_metrics=True)


WEIR = Contender("weir", _weir, _number_in_avro(), serves_metrics=True)
WEIR_NULL = Contender("weir_null", _weir_null, _number_in_avro(), serves_metrics=True)
RAW_TRANSACTIONAL = Contender("raw_transactional", _raw_transactional, None)
QUIX_RIVER = Contender("quix_river", _quix_river, _number_in_json)
