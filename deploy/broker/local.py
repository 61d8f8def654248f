"""Kafka on this machine: one broker or three, KRaft, data in a folder of the project.

A cluster's folder remembers ports and process ids (see ``record``), so any process may find, stop
or restart what another one started. A node is in one of three states:

    state     process         to get there
    down      none            ``stop``, ``kill``, a crash
    up        runs            ``start``, ``restart``, ``resume``
    paused    frozen          ``pause``

``start`` brings every node that is down up again with its data; ``stop`` brings all down in order.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from deploy.broker import ports, record
from deploy.broker.errors import BrokerError, BrokerNotAvailable, StartError, StorageError
from deploy.broker.jars import KAFKA_VERSION, ensure_jars
from deploy.broker.java import find_java
from deploy.broker.lock import locked
from deploy.broker.node import NodeFolder, Runtime
from deploy.broker.probe import Probe
from deploy.broker.tether import Tether

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from deploy.broker.record import Record

DEFAULT_PORT = 9092
"""Kafka's well-known port."""

_POLL_S = 0.05
_STOP_TIMEOUT_S = 20.0
_MINIMUM_FREE_BYTES = 512 * 1024 * 1024
"""Two log segments of 256 MiB: with less, the broker would soon stop with its disk full."""


@dataclass(frozen=True)
class NodeStatus:
    """How one broker fares.

    Attributes:
        number: node id.
        address: ``host:port`` for clients.
        pid: process id, or None while it is down.
        log: what the broker logs.
    """

    number: int
    address: str
    pid: int | None
    log: Path


class LocalBroker:
    """One cluster of Kafka brokers in one folder.

    Args:
        home: folder of the cluster; made if need be.
        brokers: 1, or 3 with every topic on three brokers and two in sync.
        base_port: port of the first broker; 0 draws free ports at each start.
        heap: Java heap of each broker, as ``-Xmx`` takes it.
        tethered: the brokers die with this process, however it dies.
    """

    kind: Literal["local"] = "local"

    def __init__(
        self,
        home: Path,
        brokers: Literal[1, 3] = 1,
        base_port: int = 0,
        *,
        heap: str = "512m",
        tethered: bool = False,
    ) -> None:
        self._home = home.absolute()
        self._brokers = brokers
        self._base_port = base_port
        self._heap = heap
        self._tether = Tether(self._home) if tethered else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """Addresses of all brokers, for clients.

        Raises:
            BrokerNotAvailable: the cluster was never started.
        """
        return ",".join(node.address for node in self._require_record().nodes)

    def start(self, timeout_s: float = 90.0) -> None:
        """Start every broker that is down, and wait until all of them answer a client.

        Does nothing but ask if they all run. If one cannot be started, those that this call started
        are killed again.

        Raises:
            BrokerError: see ``errors``; the message says what to do.
        """
        with locked(self._home / "lock"):
            found = self._fresh_record()
            folders = self._folders(found)
            for folder in folders:
                folder.resume(found.pids.get(folder.node.number))
            self._bring_up(found, folders, timeout_s)

    def stop(self) -> None:
        """Stop every broker: SIGTERM, and SIGKILL for one that has not gone after 20 s.

        Killing loses nothing that was acknowledged; the next start takes a little longer.
        """
        if record.load(self._home) is None:
            return
        with locked(self._home / "lock"):
            found = self._require_record()
            self._bring_down(found, self._folders(found))
        if self._tether is not None:
            self._tether.release()

    def terminate(self, node: int = 1) -> None:
        """Stop one broker in order, as an operator would: SIGTERM, and SIGKILL after 20 s."""
        with locked(self._home / "lock"):
            found = self._require_record()
            self._bring_down(found, [self._folder(found, node)])

    def _bring_down(self, found: Record, wanted: list[NodeFolder]) -> None:
        running = [folder for folder in wanted if folder.node.number in found.pids]
        for folder in running:
            folder.terminate(found.pids[folder.node.number])
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        for folder in running:
            pid = found.pids[folder.node.number]
            if not folder.await_exit(pid, max(0.0, deadline - time.monotonic())):
                folder.kill(pid)
            found = found.with_pid(folder.node.number, None)
        record.save(self._home, found)

    def kill(self, node: int = 1) -> None:
        """Kill one broker with SIGKILL, as a crash would, and wait until it is gone."""
        with locked(self._home / "lock"):
            found = self._require_record()
            folder = self._folder(found, node)
            pid = found.pids.get(node)
            if pid is not None:
                folder.kill(pid)
                record.save(self._home, found.with_pid(node, None))

    def restart(self, node: int = 1, timeout_s: float = 90.0) -> None:
        """Start one broker that is down, at the port it had, and wait until it answers.

        Raises:
            BrokerError: see ``errors``.
        """
        with locked(self._home / "lock"):
            found = self._require_record()
            folder = self._folder(found, node)
            self._bring_up(found, [folder], timeout_s)

    def pause(self, node: int = 1) -> None:
        """Freeze one broker: it holds its connections and answers nothing, as a hung one would."""
        found = self._require_record()
        self._folder(found, node).pause(found.pids.get(node))

    def resume(self, node: int = 1) -> None:
        """Let a paused broker go on."""
        found = self._require_record()
        self._folder(found, node).resume(found.pids.get(node))

    def status(self) -> list[NodeStatus]:
        """Return how each broker fares; nothing if the cluster was never started."""
        found = record.load(self._home)
        if found is None:
            return []
        statuses = []
        for folder in self._folders(found):
            pid = found.pids.get(folder.node.number)
            alive = pid if folder.is_running(pid) else None
            statuses.append(NodeStatus(folder.node.number, folder.node.address, alive, folder.log))
        return statuses

    def is_running(self) -> bool:
        """Tell whether any broker of the cluster has a process."""
        return any(node.pid is not None for node in self.status())

    def _fresh_record(self) -> Record:
        """Return the record to start from; with new ports where nothing runs."""
        found = record.load(self._home)
        if found is None:
            return record.new_record(KAFKA_VERSION, ports.place(self._brokers, self._base_port))
        if len(found.nodes) != self._brokers:
            raise StorageError(
                f"{self._home} holds a cluster of {len(found.nodes)}, not of {self._brokers}. "
                f"Ask for {len(found.nodes)}, or use another folder."
            )
        if self.is_running():
            return found
        nodes = tuple(ports.place(self._brokers, self._base_port))
        return record.Record(KAFKA_VERSION, found.cluster_id, nodes, {})

    def _bring_up(self, found: Record, wanted: list[NodeFolder], timeout_s: float) -> None:
        """Start those of the nodes that are down, and wait until each of them answers.

        On failure what was started is killed again.
        """
        missing = [f for f in wanted if not f.is_running(found.pids.get(f.node.number))]
        if missing:
            self._require_space()
            ports.require_free([folder.node for folder in missing])
            runtime = Runtime(find_java(), ensure_jars(), self._heap)
            for folder in missing:
                folder.prepare(runtime, found.nodes, found.cluster_id)
        if self._tether is not None:
            self._tether.tie()
        try:
            for folder in missing:
                found = found.with_pid(folder.node.number, folder.spawn(runtime))
                record.save(self._home, found)
            self._await_answer(found, wanted, timeout_s)
        except BaseException:
            for folder in missing:
                pid = found.pids.get(folder.node.number)
                if pid is not None:
                    folder.kill(pid)
                    found = found.with_pid(folder.node.number, None)
            record.save(self._home, found)
            raise

    def _await_answer(self, found: Record, wanted: list[NodeFolder], timeout_s: float) -> None:
        """Wait until each of the nodes sees all of them up."""
        deadline = time.monotonic() + timeout_s
        numbers = {folder.node.number for folder in wanted}
        for folder in wanted:
            probe: Probe | None = None
            while True:
                for other in wanted:
                    if not other.is_running(found.pids[other.node.number]):
                        raise other.obituary()
                # The client is made when there is something to talk to: it backs off otherwise.
                if probe is None and ports.is_open(folder.node.port):
                    probe = Probe(folder.node.address)
                if probe is not None and self._sees(probe, numbers):
                    break
                if time.monotonic() > deadline:
                    raise StartError(
                        f"Broker {folder.node.number} at {folder.node.address} did not answer "
                        f"within {timeout_s:g} s. Its log says what it waits for: {folder.log}"
                    )
                time.sleep(_POLL_S)

    @staticmethod
    def _sees(probe: Probe, numbers: set[int]) -> bool:
        try:
            return numbers <= probe.nodes(timeout_s=1.0)
        except BrokerNotAvailable:
            return False

    def _require_space(self) -> None:
        free = shutil.disk_usage(self._home).free
        if free < _MINIMUM_FREE_BYTES:
            raise StorageError(
                f"The disk of {self._home} has {free // 2**20} MiB left; a broker needs "
                f"{_MINIMUM_FREE_BYTES // 2**20} MiB. Free some space, or use another folder."
            )

    def _require_record(self) -> Record:
        found = record.load(self._home)
        if found is None:
            raise BrokerNotAvailable(f"There is no broker in {self._home}; start one first.")
        return found

    def _folders(self, found: Record) -> list[NodeFolder]:
        return [NodeFolder(self._home, node) for node in found.nodes]

    def _folder(self, found: Record, number: int) -> NodeFolder:
        for folder in self._folders(found):
            if folder.node.number == number:
                return folder
        raise BrokerError(
            f"There is no broker {number} in {self._home}; it has 1 to {len(found.nodes)}."
        )
