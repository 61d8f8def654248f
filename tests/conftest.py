"""Real Kafka for tests: from docker where an engine answers, else started from its jars."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from deploy.broker import docker, ports
from deploy.broker.errors import BrokerNotAvailable, StartError
from deploy.broker.local import LocalBroker
from deploy.broker.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testcontainers.community.kafka import KafkaContainer

    from deploy.broker.handle import CrashableBroker

_KAFKA_IMAGE = "confluentinc/cp-kafka:7.9.0"  # Kafka 3.9, the oldest that is supported
_CONTAINER_PORT = 9093
_START_TIMEOUT_S = 90


def pytest_configure() -> None:
    """Set what the processes of the tests inherit."""
    # Let tables be as wide as in a pipe: under xdist the workers are told of a terminal.
    os.environ.pop("COLUMNS", None)
    # Brokers live for minutes: what Java's second compiler takes they never earn back.
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


@pytest.fixture(scope="session")
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CrashableBroker]:
    """One broker for the whole run; who kills or pauses it brings it back."""
    if docker.engine_fault() is None:
        with _container() as made:
            yield made
    else:
        with _local(request, tmp_path_factory, 1) as started:
            yield started


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalBroker]:
    """Three brokers for the whole run, two of which must acknowledge; always local processes."""
    with _local(request, tmp_path_factory, 3) as started:
        yield started


@contextmanager
def _local(
    request: pytest.FixtureRequest, folders: pytest.TempPathFactory, brokers: int
) -> Iterator[LocalBroker]:
    home = folders.mktemp(f"kafka-{brokers}")
    with LocalBroker(home, 3 if brokers > 1 else 1, tethered=True) as started:
        yield started
    # After a failure the brokers' logs are worth more than the space they take.
    if not request.session.testsfailed:
        shutil.rmtree(home)


@contextmanager
def _container() -> Iterator[_ContainerBroker]:
    # Imported here because it reads docker's configuration, which need not be there.
    from testcontainers.community.kafka import KafkaContainer  # noqa: PLC0415

    # A fixed port, because docker draws another one when a container starts again.
    port = ports.place(1, base_port=0)[0].port
    container = KafkaContainer(_KAFKA_IMAGE, port=_CONTAINER_PORT).with_kraft()
    container.with_bind_ports(_CONTAINER_PORT, port)
    for name, value in {
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": 1,
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": 1,
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_MESSAGE_MAX_BYTES": 10 * 1024 * 1024,
    }.items():
        container.with_env(name, str(value))
    with container as started:
        yield _ContainerBroker(started)


class _ContainerBroker:
    """A broker in a container, to be broken as ``LocalBroker`` can be."""

    def __init__(self, container: KafkaContainer) -> None:
        self._container = container
        self.bootstrap: str = container.get_bootstrap_server()

    def kill(self, node: int = 1) -> None:
        assert node == 1
        self._container.get_wrapped_container().kill()
        self._container.get_wrapped_container().wait()

    def restart(self, node: int = 1) -> None:
        assert node == 1
        self._container.get_wrapped_container().start()
        probe = Probe(self.bootstrap)
        for _ in range(_START_TIMEOUT_S):
            try:
                probe.nodes(timeout_s=1)
            except BrokerNotAvailable:
                continue
            return
        raise StartError(f"The container at {self.bootstrap} did not come back.")

    def pause(self, node: int = 1) -> None:
        assert node == 1
        self._container.get_wrapped_container().pause()

    def resume(self, node: int = 1) -> None:
        assert node == 1
        self._container.get_wrapped_container().unpause()
