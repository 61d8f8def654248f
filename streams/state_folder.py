"""One folder of state belongs to one worker at a time.

RocksDB locks each shard's table, but only while it is open: two workers with one folder would hand
shards to each other for a while before they met at a table, in the middle of a rebalance. The lock
here is taken before anything else, and the kernel gives it back however the worker ends.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from schemas.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

LOCK_FILE = "worker.lock"


class StateFolder:
    """The folder of a worker's tables, made if need be and locked until ``release``.

    Args:
        path: the folder.

    Raises:
        StateError: another worker has it, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._file = (path / LOCK_FILE).open("a+", encoding="ascii")
        except OSError as error:
            raise StateError(
                f"the state folder {path} cannot be written: {error.strerror}; make it writable, "
                "or name another (data_dir, WEIR_DATA_DIR)"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise StateError(
                f"the state folder {path} is in use by another worker (process {owner}): stop it, "
                "or give each worker a folder of its own (data_dir, WEIR_DATA_DIR)"
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Give the folder to others."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
