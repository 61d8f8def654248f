"""An advisory lock between processes, held while a folder changes."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deploy.broker.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is made if need be; wait for whoever holds it.

    The kernel drops the lock when its holder dies, so it never goes stale.

    Raises:
        StorageError: the file cannot be made or opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error.strerror}). "
            "Make its folder writable, or choose another."
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
