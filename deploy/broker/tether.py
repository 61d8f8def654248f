"""Let brokers die with the process that started them, however it dies.

A small process waits at the end of a pipe. When the owner goes, even by SIGKILL, the kernel closes
the other end, and the small process kills what the broker's folder says is running. A parent-death
signal would not serve: it exists on Linux only, and follows the *thread* that forked.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy.broker import record
from deploy.broker.node import NodeFolder


class Tether:
    """Ties the brokers of one folder to this process.

    Args:
        home: folder of the cluster; absolute.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._pipe: int | None = None
        self._pid: int | None = None

    def tie(self) -> None:
        """Start the waiting process, once."""
        if self._pipe is not None:
            return
        # Both ends are closed at exec (PEP 446), so no other child keeps the pipe open.
        read_end, self._pipe = os.pipe()
        try:
            command = [sys.executable, "-m", __name__, str(self._home)]
            self._pid = os.posix_spawn(
                sys.executable,
                command,
                {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                file_actions=[(os.POSIX_SPAWN_DUP2, read_end, 0)],
                setsid=True,
            )
        finally:
            os.close(read_end)

    def release(self) -> None:
        """Let the waiting process go; brokers that still run die."""
        if self._pipe is not None and self._pid is not None:
            os.close(self._pipe)
            os.waitpid(self._pid, 0)
            self._pipe = self._pid = None


def kill_all(home: Path) -> None:
    """Kill every broker that the record of a folder names."""
    found = record.load(home)
    if found is not None:
        for node in found.nodes:
            if node.number in found.pids:
                NodeFolder(home, node).kill(found.pids[node.number])


if __name__ == "__main__":
    while os.read(0, 1):
        pass
    kill_all(Path(sys.argv[1]))
