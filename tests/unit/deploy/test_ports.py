from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from deploy.broker import ports
from deploy.broker.config import HOST, Node
from deploy.broker.errors import PortTakenError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as server:
        yield server


def test_a_port_in_use_is_neither_free_nor_silently_replaced(listener: socket.socket) -> None:
    """Who asks for a port gets that one or an error that names it."""
    port = listener.getsockname()[1]

    assert ports.is_open(port)
    assert not ports.is_free(port)
    with pytest.raises(PortTakenError, match=rf"Port {port} on 127\.0\.0\.1 is taken"):
        ports.place(1, base_port=port)


def test_the_controllers_port_counts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker whose second port is in use is not half started."""
    monkeypatch.setattr(ports, "is_free", lambda port: port != 9194)

    with pytest.raises(PortTakenError, match="Port 9194 "):
        ports.place(3, base_port=9092)


def test_brokers_follow_one_another_from_the_base_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses of a cluster can be told from its first port."""
    monkeypatch.setattr(ports, "is_free", lambda port: port > 0)

    assert ports.place(3, base_port=9092) == [
        Node(1, 9092, 9192),
        Node(2, 9093, 9193),
        Node(3, 9094, 9194),
    ]


def test_drawn_ports_differ_are_free_and_no_client_is_given_them() -> None:
    """A restarted broker finds its port: the system hands it to no outgoing connection."""
    nodes = ports.place(3, base_port=0)
    drawn = [port for node in nodes for port in (node.port, node.controller_port)]

    assert len(set(drawn)) == 6
    assert all(ports.is_free(port) and 1024 < port < 32768 for port in drawn)


def test_no_free_port_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running out of ports is said, and does not search for ever."""
    monkeypatch.setattr(ports, "is_free", lambda port: port < 0)

    with pytest.raises(PortTakenError, match="No free port"):
        ports.place(1, base_port=0)
