"""What the broker's server.properties say, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.broker.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOST = "127.0.0.1"
"""A local broker has neither TLS nor passwords, so it listens on the loopback interface only."""

MAX_MESSAGE_BYTES = 10 * 1024 * 1024
"""Ten times Kafka's default: changelog chunks stay below 512 KiB, but batches of them must fit."""


@dataclass(frozen=True)
class Node:
    """One broker, which is a controller as well.

    Attributes:
        number: node id, from 1.
        port: where clients and other brokers connect.
        controller_port: where the controllers' quorum talks.
    """

    number: int
    port: int
    controller_port: int

    @property
    def address(self) -> str:
        """The address for clients, as ``host:port``."""
        return f"{HOST}:{self.port}"


def server_properties(node: Node, nodes: Sequence[Node], data: Path) -> str:
    """Render the configuration of one node.

    Args:
        node: the node that reads it.
        nodes: all nodes of the cluster, ``node`` among them.
        data: the folder of its logs; absolute.

    Raises:
        StorageError: Kafka cannot use a folder of that name.
    """
    if "," in str(data):
        raise StorageError(
            f"Kafka takes the comma in {data} for the end of a name. Use a folder without one."
        )
    replicas = len(nodes)
    # A majority: with three brokers one may be lost and acks=all still holds on two disks.
    in_sync = replicas // 2 + 1
    voters = ",".join(f"{n.number}@{HOST}:{n.controller_port}" for n in nodes)
    values: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://{node.address},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{node.address}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        # A topic with a mistyped name is an error here, not a new topic.
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        # Fifty partitions, the default, serve big clusters; here they cost seconds at start.
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.num.partitions": 4,
        # The default of 3 s waits for a fleet of consumers that starts at once.
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
        "log.segment.bytes": 256 * 1024 * 1024,
        # Two cores are shared with the worker.
        "num.network.threads": 2,
        "num.io.threads": 4,
        # How long a broker that was killed keeps its partitions, and may not come back: its name is
        # still taken. Of one broker nobody takes over; all that counts is how soon it is back.
        "broker.session.timeout.ms": 6000 if replicas > 1 else 3000,
        "broker.heartbeat.interval.ms": 2000 if replicas > 1 else 500,
    }
    return "".join(f"{key}={_escaped(str(value))}\n" for key, value in values.items())


def _escaped(value: str) -> str:
    """Escape a value as java.util.Properties reads it: Latin-1, backslash escapes."""
    escaped = value.replace("\\", "\\\\")
    utf16 = escaped.encode("utf-16-be")
    units = (int.from_bytes(utf16[i : i + 2], "big") for i in range(0, len(utf16), 2))
    return "".join(chr(unit) if 0x20 <= unit < 0x7F else f"\\u{unit:04x}" for unit in units)  # noqa: PLR2004 - printable ASCII
