"""Processes that outlive whoever started them, told apart by their command line.

A process id alone proves nothing: after a crash or a reboot it may belong to anyone. Ours is the
one whose command line names our configuration file.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.broker.errors import StartError

if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence

_POLL_S = 0.02
_PROC = Path("/proc")


def spawn(command: Sequence[str], log: Path) -> int:
    """Start a process in a session of its own, so that no terminal and no Ctrl-C reaches it.

    Args:
        command: absolute path of a program, and its arguments.
        log: file for both output streams; what an earlier process wrote is kept as ``<log>.1``.

    Returns:
        The process id.

    Raises:
        StartError: the system does not start it.
    """
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        pid = os.posix_spawn(command[0], list(command), os.environ, file_actions=files, setsid=True)
    except OSError as error:
        raise StartError(f"{command[0]} does not start: {error}") from error
    while _is_nameless(pid):
        time.sleep(_POLL_S)
    return pid


def is_running(pid: int, marker: str) -> bool:
    """Tell whether a process lives and its command line contains ``marker``."""
    # A child of this process stays a zombie until it is waited for; of others init takes care.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return marker in _command_line(pid)


def send(pid: int, marker: str, what: signal.Signals) -> None:
    """Send a signal, if the process is still ours."""
    if is_running(pid, marker):
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def await_exit(pid: int, marker: str, timeout_s: float) -> bool:
    """Wait until a process has given up its files and ports; return whether it has."""
    deadline = time.monotonic() + timeout_s
    while is_running(pid, marker) or _is_nameless(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _is_nameless(pid: int) -> bool:
    """Tell whether a process lives that has no command line yet, or no longer.

    A new one gets it a moment after it began. A killed one loses it with its memory, and then its
    ports; the last thread to go closes them.
    """
    folder = _PROC / str(pid)
    try:
        if (folder / "cmdline").read_bytes():
            return False
        state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" or len(list((folder / "task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def _command_line(pid: int) -> str:
    """Return a process's arguments joined by spaces; empty for none and for a zombie."""
    if _PROC.joinpath("self").exists():
        try:
            return os.fsdecode((_PROC / str(pid) / "cmdline").read_bytes()).replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, text=True, check=False).stdout  # noqa: S603 - fixed words and a number
