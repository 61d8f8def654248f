"""Two workers never share a folder of state."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from schemas.errors import StateError
from streams.state_folder import StateFolder

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from streams.state_folder import StateFolder
folder = StateFolder(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_the_folder_is_made(tmp_path: Path) -> None:
    """A first start needs no preparation."""
    with StateFolder(tmp_path / "state" / "weir") as folder:
        assert folder.path.is_dir()


def test_a_second_worker_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    """The message names the process to stop and the setting to change."""
    message = rf"in use by another worker \(process {os.getpid()}\).*WEIR_DATA_DIR"
    with StateFolder(tmp_path), pytest.raises(StateError, match=message):
        StateFolder(tmp_path)


def test_a_released_folder_is_free(tmp_path: Path) -> None:
    """After a stop the next worker takes the folder at once."""
    StateFolder(tmp_path).release()
    StateFolder(tmp_path).release()


def test_a_killed_worker_leaves_no_lock_behind(tmp_path: Path) -> None:
    """After kill -9 nobody has to delete a lock file."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateError, match=rf"\(process {holder.pid}\)"):
            StateFolder(tmp_path)
        holder.kill()
    StateFolder(tmp_path).release()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way, or a folder without the right to write, is told with its path."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StateError, match=re.escape(str(tmp_path / "file" / "state"))):
        StateFolder(tmp_path / "file" / "state")
    if os.geteuid() == 0:
        return  # root may write anywhere
    (tmp_path / "locked").mkdir(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StateError, match="Permission denied"):
        StateFolder(tmp_path / "locked")
