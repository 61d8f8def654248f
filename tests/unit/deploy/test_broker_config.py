from __future__ import annotations

from pathlib import Path

import pytest

from deploy.broker.config import Node, server_properties
from deploy.broker.errors import StorageError

_THREE = [Node(1, 9092, 9192), Node(2, 9093, 9193), Node(3, 9094, 9194)]


def _parsed(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_one_broker_asks_for_one_copy_of_everything() -> None:
    """On a single broker, transactions and consumer groups work: no topic waits for replicas."""
    values = _parsed(server_properties(_THREE[0], _THREE[:1], Path("/data")))

    copies = {key: value for key, value in values.items() if "replic" in key or "isr" in key}
    copies.pop("replica.fetch.max.bytes")
    assert len(copies) == 7
    assert set(copies.values()) == {"1"}
    assert values["controller.quorum.voters"] == "1@127.0.0.1:9192"


def test_three_brokers_survive_the_loss_of_one() -> None:
    """Every topic has three copies, and two must acknowledge: one broker may be lost."""
    values = _parsed(server_properties(_THREE[1], _THREE, Path("/data")))

    assert values["node.id"] == "2"
    assert values["default.replication.factor"] == "3"
    assert values["min.insync.replicas"] == "2"
    assert values["transaction.state.log.replication.factor"] == "3"
    assert values["transaction.state.log.min.isr"] == "2"
    assert values["controller.quorum.voters"] == (
        "1@127.0.0.1:9192,2@127.0.0.1:9193,3@127.0.0.1:9194"
    )


def test_a_local_broker_listens_on_the_loopback_interface_only() -> None:
    """It has no passwords, so nobody on the network may reach it."""
    values = _parsed(server_properties(_THREE[0], _THREE, Path("/data")))

    assert values["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9192"
    assert values["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092"


def test_there_is_no_zookeeper() -> None:
    """Brokers are their own controllers (KRaft)."""
    text = server_properties(_THREE[0], _THREE, Path("/data"))

    assert "zookeeper" not in text
    assert _parsed(text)["process.roles"] == "broker,controller"


@pytest.mark.parametrize(
    ("folder", "written"),
    [
        ("/home/José/x y", r"/home/Jos\u00e9/x y"),
        ("/a\\b", r"/a\\b"),
        ("/😀", r"/\ud83d\ude00"),
    ],
)
def test_folders_are_written_as_java_reads_property_files(folder: str, written: str) -> None:
    """A project in a folder with accents, spaces or emoji works."""
    assert _parsed(server_properties(_THREE[0], _THREE, Path(folder)))["log.dirs"] == written


def test_a_folder_that_kafka_would_read_as_two_is_refused() -> None:
    """A comma in a path would put the data somewhere else without a word."""
    with pytest.raises(StorageError, match="comma in /a,b"):
        server_properties(_THREE[0], _THREE, Path("/a,b"))
