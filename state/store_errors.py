"""What RocksDB's errors mean for the person who runs the worker.

rocksdict raises bare ``Exception`` with RocksDB's status as its text; the text is all there is to
tell a full disk from a damaged file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

RESTORE: Final = "delete this folder: the state will be restored from the changelog"

_LOCKED_BY_US: Final = ("lock hold by current process",)
_LOCKED: Final = ("While lock file",)
_FULL: Final = ("No space left on device", "Disk quota exceeded", "File too large")
_DENIED: Final = ("Permission denied", "Read-only file system", "Operation not permitted")
_TOO_MANY_FILES: Final = ("Too many open files",)
_DAMAGED: Final = ("Corruption", "No such file or directory")

# The first row of which a mark occurs in the text applies.
_MEANINGS: Final = (
    (
        _LOCKED_BY_US,
        "it is open in this process already",
        "close the other store, or drop its open scans",
    ),
    (
        _LOCKED,
        "another process holds its lock",
        "another worker uses this data folder: stop it, or give each its own (WEIR_DATA_DIR)",
    ),
    (
        _FULL,
        "no space is left for it",
        "free space (or raise the limit) and start the worker again; the changelog has it all",
    ),
    (
        _DENIED,
        "it may not be read or written",
        "give the user that runs the worker the right to read and write this folder",
    ),
    (
        _TOO_MANY_FILES,
        "the process has too many open files",
        "raise the limit (ulimit -n) and start the worker again",
    ),
    (_DAMAGED, "it is damaged", RESTORE),
)


def state_error(path: Path, doing: str, error: Exception) -> StateError:
    """The error to raise instead of RocksDB's.

    Args:
        path: folder of the store.
        doing: what was tried, as in "cannot open".
        error: what rocksdict raised; chain it as the cause.
    """
    text = str(error)
    for marks, what, remedy in _MEANINGS:
        if any(mark in text for mark in marks):
            return StateError(f"cannot {doing} shard state {path}: {what}; {remedy}")
    return StateError(f"cannot {doing} shard state {path}: {text}; if it persists, {RESTORE}")
