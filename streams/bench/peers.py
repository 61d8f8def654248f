"""The environment of the peers, which pin other versions of what the application uses."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import deploy
from schemas.errors import ConfigError

LOCK = Path(deploy.__file__).with_name("locks") / "peers.txt"
INSTALL_S = 900
_STAMP = ".installed"


def home() -> Path:
    """Return the folder of the environment, beside the one that runs this."""
    return Path(sys.prefix).with_name(".venv-peers")


def python() -> Path:
    """Return the environment's interpreter."""
    return home() / "bin" / "python"


def versions() -> dict[str, str]:
    """Return the locked version of each package."""
    pins = (
        line.split()[0].partition("==")
        for line in LOCK.read_text(encoding="utf-8").splitlines()
        if "==" in line and line[0].isalnum()
    )
    return {name: version for name, _, version in pins}


def ensure() -> None:
    """Make the environment from the committed lock, where it is not there yet or the lock changed.

    Raises:
        ConfigError: it cannot be made.
    """
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    stamp = home() / _STAMP
    if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
        return
    uv = shutil.which("uv")
    lock, where = str(LOCK), str(home())
    commands = (
        [
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, where],
            [uv, "pip", "sync", "--quiet", "--python", str(python()), "--require-hashes", lock],
        ]
        if uv
        else [
            [sys.executable, "-m", "venv", "--clear", where],
            [str(python()), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock],
        ]
    )
    for command in commands:
        try:
            subprocess.run(  # noqa: S603 - the programs above, with paths of our own
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=INSTALL_S,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = str(error.stdout or "").strip()
            raise ConfigError(
                f"the peers' environment {where} cannot be made from {lock}: "
                f"`{' '.join(command)}` failed. Without it, leave the peer out (--only). "
                f"It said:\n{said}"
            ) from error
    stamp.write_text(digest, encoding="ascii")
