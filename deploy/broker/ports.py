"""Find ports for brokers, and tell whether one is free."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

from deploy.broker.config import HOST, Node
from deploy.broker.errors import PortTakenError

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTROLLER_DISTANCE = 100
"""A controller listens this far above its broker, so brokers' ports follow one another."""

# Below the ports that kernels hand to outgoing connections (Linux from 32768, others from 49152).
# A client that keeps trying a dead broker's port would otherwise some day be given that very port
# as its own, connect to itself, and keep the broker from coming back.
_CHOICE = range(20000, 32000)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Java does: connections that are still winding down do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError:
            return False
        return True


def is_open(port: int) -> bool:
    """Tell whether something accepts connections on a port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((HOST, port)) == 0


def place(brokers: int, base_port: int) -> list[Node]:
    """Give each broker its ports.

    Args:
        brokers: how many.
        base_port: port of the first; the others follow, the controllers are 100 above. With 0,
            ports that are free now are drawn at random.

    Raises:
        PortTakenError: a port that was asked for is taken, or none is free.
    """
    if base_port:
        nodes = [
            Node(i + 1, base_port + i, base_port + CONTROLLER_DISTANCE + i) for i in range(brokers)
        ]
        require_free(nodes)
        return nodes
    order = random.sample(_CHOICE, len(_CHOICE))
    free = [port for port, _ in zip(filter(is_free, order), range(2 * brokers), strict=False)]
    if len(free) < 2 * brokers:
        raise PortTakenError(f"No free port between {_CHOICE.start} and {_CHOICE.stop} on {HOST}.")
    return [Node(i + 1, free[2 * i], free[2 * i + 1]) for i in range(brokers)]


def require_free(nodes: Sequence[Node]) -> None:
    """Raise unless every port of the nodes is free.

    Raises:
        PortTakenError: one is taken.
    """
    for port in (port for node in nodes for port in (node.port, node.controller_port)):
        if not is_free(port):
            raise PortTakenError(
                f"Port {port} on {HOST} is taken by another program. Stop that program, or choose "
                f"another port for the broker; if a Kafka broker listens there, you can use it by "
                f"giving {HOST}:{port} as the bootstrap address."
            )
