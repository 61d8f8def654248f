"""Choose the broker to use: the first that can be had, in a fixed order.

1. an address that was given; if nothing answers there, that is an error, and nothing else is tried;
2. a local broker that runs already in the project's folder;
3. docker, where its engine answers: the Kafka service of docker-compose.yml;
4. a local broker, where Java and Maven are installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from deploy.broker.docker import ComposeBroker, compose_fault
from deploy.broker.errors import BrokerNotAvailable, ToolError
from deploy.broker.handle import BrokerHandle
from deploy.broker.local import DEFAULT_PORT, LocalBroker
from deploy.broker.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ANSWER_TIMEOUT_S = 10.0


def choose_broker(
    bootstrap: str | None,
    home: Path,
    prefer: Literal["docker", "local"] | None = None,
    *,
    brokers: Literal[1, 3] = 1,
    base_port: int = DEFAULT_PORT,
    client: Mapping[str, str] | None = None,
) -> BrokerHandle:
    """Return a broker that answers, starting one if need be.

    Args:
        bootstrap: address from the settings, or None.
        home: folder of the local broker.
        prefer: use only this of the two that can be started here.
        brokers: how many; docker has one.
        base_port: port of the first local broker; 0 draws a free one.
        client: librdkafka settings, such as TLS and SASL, for the address that was given.

    Raises:
        BrokerNotAvailable: nothing answers and nothing can be started; says what to install.
        BrokerError: a broker was there to be started, and failed; see ``errors``.
    """
    if bootstrap:
        Probe(bootstrap, client).nodes(_ANSWER_TIMEOUT_S)
        return BrokerHandle("address", bootstrap, (), _leave_alone)
    local = LocalBroker(home, brokers, base_port)
    notes: list[str] = []
    if prefer == "docker" or (prefer is None and not local.is_running()):
        fault = "docker-compose.yml has one broker only" if brokers > 1 else _compose_up()
        if fault is None:
            compose = ComposeBroker()
            return BrokerHandle("docker", compose.bootstrap, (), compose.stop)
        notes.append(f"docker: {fault}")
        if prefer == "docker":
            raise BrokerNotAvailable(_nothing(notes))
    try:
        local.start()
    except ToolError as error:
        raise BrokerNotAvailable(_nothing([*notes, f"local broker: {error}"])) from error
    return BrokerHandle("local", local.bootstrap, tuple(notes), local.stop)


def stop_broker(home: Path) -> Literal["docker", "local"] | None:
    """Stop the broker that ``choose_broker`` started, in this process or another.

    Args:
        home: folder of the local broker.

    Returns:
        Which it was; None if none ran.

    Raises:
        BrokerError: it does not stop.
    """
    local = LocalBroker(home)
    if local.is_running():
        local.stop()
        return "local"
    if compose_fault() is None and ComposeBroker().is_running():
        ComposeBroker().stop()
        return "docker"
    return None


def _compose_up() -> str | None:
    """Start the service of docker-compose.yml; return why it cannot be had, or None."""
    fault = compose_fault()
    if fault is None:
        try:
            ComposeBroker().start()
        except ToolError as error:
            return f"docker compose up failed: {error}"
    return fault


def _nothing(notes: list[str]) -> str:
    tried = "".join(f"\n- {note}" for note in notes)
    return f"No broker can be had. Give the address of one that runs, or mend one of these:{tried}"


def _leave_alone() -> None:
    """Stop nothing: a broker whose address was given belongs to someone else."""
