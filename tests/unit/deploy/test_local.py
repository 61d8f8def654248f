from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from deploy.broker import record
from deploy.broker.config import Node
from deploy.broker.errors import (
    BrokerError,
    BrokerNotAvailable,
    PortTakenError,
    StartError,
    StorageError,
)
from deploy.broker.local import LocalBroker
from deploy.broker.node import NodeFolder

if TYPE_CHECKING:
    from pathlib import Path

_NODE = Node(1, 29092, 29192)


class _Usage(NamedTuple):
    free: int


def test_a_pid_of_another_program_is_a_broker_that_is_down(tmp_path: Path) -> None:
    """After a reboot, ids are dealt anew: the broker is seen to be down and the stranger lives."""
    claimed = record.new_record("4.3.1", [_NODE]).with_pid(1, os.getpid())
    record.save(tmp_path, claimed)
    broker = LocalBroker(tmp_path)

    assert [node.pid for node in broker.status()] == [None]
    broker.pause()
    broker.kill()
    broker.stop()

    assert record.load(tmp_path) == claimed.with_pid(1, None)


def test_a_full_disk_is_said_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka dies of a full disk in the middle of a run; so it is not started with little left."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(free=100 * 2**20))

    with pytest.raises(StorageError, match=rf"{tmp_path} has 100 MiB left; a broker needs 512 MiB"):
        LocalBroker(tmp_path).start()

    assert not LocalBroker(tmp_path).is_running()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A project on a read-only medium gives the path and what to do."""
    (tmp_path / "file").touch()

    with pytest.raises(StorageError, match=f"{tmp_path}/file/.* Make its folder writable"):
        LocalBroker(tmp_path / "file" / "home").start()


def test_a_broker_that_was_never_started_has_no_address(tmp_path: Path) -> None:
    """Asking too early says so; stopping and status are harmless and make nothing."""
    broker = LocalBroker(tmp_path / "home")

    broker.stop()
    assert broker.status() == []
    for early in (lambda: broker.bootstrap, broker.pause, broker.resume):
        with pytest.raises(BrokerNotAvailable, match="start one first"):
            early()
    assert not (tmp_path / "home").exists()


def test_a_node_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """A test that kills node 3 of one broker fails; it does not pass for having killed nothing."""
    record.save(tmp_path, record.new_record("4.3.1", [_NODE]))

    with pytest.raises(BrokerError, match="There is no broker 3"):
        LocalBroker(tmp_path).kill(3)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("java.io.IOException: No space left on device", StorageError),
        ("java.net.BindException: Address already in use", PortTakenError),
        ("Failed to acquire lock on file .lock in /x/data", StorageError),
        ("ERROR Exiting Kafka due to fatal exception", StartError),
        ("", StartError),
    ],
)
def test_a_dead_broker_s_log_tells_what_to_do(
    tmp_path: Path, line: str, kind: type[BrokerError]
) -> None:
    """The common causes have errors of their own; each shows where the log is and how it ends."""
    folder = NodeFolder(tmp_path, _NODE)
    folder.path.mkdir()
    folder.log.write_text(f"starting\n{line}\n", encoding="utf-8")

    error = folder.obituary()

    assert type(error) is kind
    assert f"The end of {folder.log}:\nstarting\n{line}".strip() in str(error)
