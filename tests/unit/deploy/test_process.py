from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.broker import process
from deploy.broker.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKER = "weir-test-process-7f3a"
_WAIT = (
    f"import sys; print('{_MARKER}', flush=True); sys.stdin.close(); import signal; signal.pause()"
)


@pytest.fixture
def pid(tmp_path: Path) -> Iterator[int]:
    """A process of ours that runs until it is told to go."""
    started = process.spawn([sys.executable, "-c", _WAIT], tmp_path / "log")
    yield started
    process.send(started, _MARKER, signal.SIGKILL)
    assert process.await_exit(started, _MARKER, timeout_s=10)


def test_a_process_is_ours_only_if_its_command_line_says_so(pid: int) -> None:
    """A process id that was handed to another program is not taken for a broker."""
    assert process.is_running(pid, _MARKER)
    assert not process.is_running(pid, "another-home/server.properties")
    assert not process.is_running(os.getpid(), _MARKER)


def test_a_process_that_is_not_ours_gets_no_signal(pid: int) -> None:
    """After a crash and a reboot, stopping the broker kills no stranger."""
    process.send(pid, "another-home/server.properties", signal.SIGKILL)

    assert not process.await_exit(pid, _MARKER, timeout_s=0.2)


def test_a_process_has_a_session_of_its_own(pid: int) -> None:
    """Ctrl-C in the terminal that started the broker does not stop it."""
    assert os.getsid(pid) == pid


def test_a_killed_process_is_gone(pid: int) -> None:
    """A dead child does not count as running while nobody has waited for it."""
    process.send(pid, _MARKER, signal.SIGKILL)

    assert process.await_exit(pid, _MARKER, timeout_s=10)
    assert not process.is_running(pid, _MARKER)


def test_a_pid_that_nobody_has_is_not_running() -> None:
    """A record from before a reboot is harmless."""
    assert not process.is_running(2**22 + 1, _MARKER)
    assert process.await_exit(2**22 + 1, _MARKER, timeout_s=0)


def test_the_log_of_the_run_before_is_kept(tmp_path: Path) -> None:
    """Why a broker crashed can still be read after it was started again."""
    log = tmp_path / "log"
    for word in ("first", "second"):
        pid = process.spawn([sys.executable, "-c", f"print('{word}')"], log)
        assert process.await_exit(pid, word, timeout_s=10)

    assert log.read_text(encoding="utf-8") == "second\n"
    assert (tmp_path / "log.1").read_text(encoding="utf-8") == "first\n"


def test_a_program_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    """A Java that was removed meanwhile gives its path."""
    with pytest.raises(StartError, match="/no/such/java does not start"):
        process.spawn(["/no/such/java"], tmp_path / "log")


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="needs ps, as every macOS has it")
def test_without_proc_processes_are_told_apart_by_ps(
    pid: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On systems without /proc, such as macOS, the same questions have the same answers."""
    monkeypatch.setattr(process, "_PROC", tmp_path)

    assert process.is_running(pid, _MARKER)
    assert not process.is_running(pid, "another-home/server.properties")
    process.send(pid, _MARKER, signal.SIGKILL)
    assert process.await_exit(pid, _MARKER, timeout_s=10)
