"""One broker's process: its folder, its Java commands, and what its log says when it dies."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.broker import process
from deploy.broker.config import Node, server_properties
from deploy.broker.errors import BrokerError, PortTakenError, StartError, StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LOG_LINES = 12
_FORMAT_TIMEOUT_S = 60
_KILL_TIMEOUT_S = 10


@dataclass(frozen=True)
class Runtime:
    """What runs a broker.

    Attributes:
        java: the ``java`` program.
        jars: folder with Kafka's jars.
        heap: size of the Java heap, as ``-Xmx`` takes it.
    """

    java: Path
    jars: Path
    heap: str

    def command(self, *options: str) -> list[str]:
        """Return the beginning of a Java command line with Kafka on its class path."""
        return [str(self.java), *options, "-cp", str(self.jars / "*")]


class NodeFolder:
    """The folder of one node in the folder of its cluster.

    Args:
        home: folder of the cluster; absolute.
        node: the node.
    """

    def __init__(self, home: Path, node: Node) -> None:
        self.node = node
        self.path = home / f"node-{node.number}"
        self.log = self.path / "broker.log"
        self._data = self.path / "data"
        self._properties = self.path / "server.properties"

    @property
    def marker(self) -> str:
        """What the command line of this node's process contains and no other's does."""
        return str(self._properties)

    def prepare(self, runtime: Runtime, nodes: Sequence[Node], cluster_id: str) -> None:
        """Write the configuration, and format the data folder if it is new.

        Raises:
            StorageError: the folder cannot be written or formatted.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            text = server_properties(self.node, nodes, self._data)
            self._properties.write_text(text, encoding="ascii")
        except OSError as error:
            raise StorageError(
                f"{self.path} cannot be written ({error.strerror}). "
                "Free some space, or make it writable."
            ) from error
        if (self._data / "meta.properties").exists():
            return
        options = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        command = [*runtime.command(*options), "kafka.tools.StorageTool", "format"]
        command += ["--cluster-id", cluster_id, "--config", str(self._properties)]
        try:
            subprocess.run(  # noqa: S603 - java was looked up and asked for its version
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_FORMAT_TIMEOUT_S,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise StorageError(
                f"Kafka could not format {self._data}: {_last_lines(str(error.stdout))}"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise StorageError(
                f"Formatting {self._data} took over {_FORMAT_TIMEOUT_S} s; try again."
            ) from error

    def spawn(self, runtime: Runtime) -> int:
        """Start the broker's process and return its id.

        Raises:
            StartError: the system does not start it.
        """
        options = (
            f"-Xmx{runtime.heap}",
            f"-Xms{runtime.heap}",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            # A broker that is dead is noticed and started again; one that limps along is not.
            "-XX:+ExitOnOutOfMemoryError",
            f"-XX:ErrorFile={self.path}/jvm-crash.log",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        )
        command = [*runtime.command(*options), "kafka.Kafka", str(self._properties)]
        return process.spawn(command, self.log)

    def is_running(self, pid: int | None) -> bool:
        """Tell whether a process id still is this node's broker."""
        return pid is not None and process.is_running(pid, self.marker)

    def terminate(self, pid: int) -> None:
        """Ask the broker to close its files and go; a stopped process is woken to hear it."""
        process.send(pid, self.marker, signal.SIGTERM)
        process.send(pid, self.marker, signal.SIGCONT)

    def await_exit(self, pid: int, timeout_s: float) -> bool:
        """Wait until the broker is gone; return whether it is."""
        return process.await_exit(pid, self.marker, timeout_s)

    def kill(self, pid: int) -> None:
        """Kill the broker with SIGKILL and wait until it is gone.

        Raises:
            StartError: the kernel cannot end it, as when its disk hangs.
        """
        process.send(pid, self.marker, signal.SIGKILL)
        if not process.await_exit(pid, self.marker, _KILL_TIMEOUT_S):
            raise StartError(f"Process {pid} does not end on SIGKILL; see whether its disk hangs.")

    def pause(self, pid: int | None) -> None:
        """Freeze the broker (SIGSTOP), if it runs: its connections stay, but it answers nothing."""
        if pid is not None:
            process.send(pid, self.marker, signal.SIGSTOP)

    def resume(self, pid: int | None) -> None:
        """Let a frozen broker go on, if there is one."""
        if pid is not None:
            process.send(pid, self.marker, signal.SIGCONT)

    def obituary(self) -> BrokerError:
        """Return the error that says, from the log, why the broker died."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        said = f"Broker {self.node.number} died. The end of {self.log}:\n{_last_lines(text)}"
        if "No space left on device" in text:
            return StorageError(f"The disk of {self.path} is full; free some space. {said}")
        if "Address already in use" in text:
            return PortTakenError(f"A port was taken meanwhile; choose another. {said}")
        if "Failed to acquire lock on file" in text:
            return StorageError(f"Another broker uses {self.path}; stop it. {said}")
        return StartError(said)


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LOG_LINES:]) or "(it is empty)"
