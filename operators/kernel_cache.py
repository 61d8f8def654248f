"""Where compiled kernels are kept: one folder for each version of the package's sources.

numba takes a compiled function from its cache as long as the function's own file is unchanged. The
functions that it inlined from other files may have changed since: after an update a kernel could go
on computing what the version before did, and two workers with the same sources could disagree. So
the folder is named by a digest of all sources of the package.

``operators.numerics``, which every kernel here is built on, calls ``use_folder_of_these_sources``
before the first kernel is declared. Kernels elsewhere call it too and then share the folder; they
must stand whole in one file, whose changes numba sees by itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from hashlib import sha256
from pathlib import Path

import numba

KEPT = 8
"""Folders of other versions that are kept, those used last; one takes some 20 MB."""

_DIGEST_CHARACTERS = 16


def source_digest(package: Path) -> str:
    """Digest of names and contents of all Python files below a folder; reads each once."""
    digest = sha256()
    for path in sorted(package.rglob("*.py")):
        for part in (path.relative_to(package).as_posix().encode(), path.read_bytes()):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
    return digest.hexdigest()[:_DIGEST_CHARACTERS]


def folder_for(package: Path, base: Path) -> Path:
    """Folder below ``base`` for the kernels of these sources; drops others that nobody uses.

    A folder's time is that of its last use: one that is full is not changed any more, and a version
    that runs every day must not lose its kernels to eight others that were tried once.
    """
    chosen = base / source_digest(package)
    with contextlib.suppress(OSError):
        os.utime(chosen)
    others = [folder for folder in base.glob("*") if folder.is_dir() and folder != chosen]
    others.sort(key=_last_use, reverse=True)
    for folder in others[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
    return chosen


def use_folder_of_these_sources() -> None:
    """Point numba's cache at the folder of this package's sources.

    The base is ``NUMBA_CACHE_DIR`` if it is set, else ``weir/kernels`` in the user's cache folder.
    Where that cannot be written numba falls back to folders of its own choice.
    """
    given = os.environ.get("NUMBA_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    base = Path(given) if given else Path(user) / "weir" / "kernels"
    vars(numba.config)["CACHE_DIR"] = str(folder_for(Path(__file__).parent, base))


def _last_use(folder: Path) -> float:
    """Time of the last use of a folder; 0 if another process has just dropped it."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
