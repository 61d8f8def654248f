"""Kafka's jars: fetched once per user by Maven, checked against committed hashes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.broker.errors import FetchError, ToolError
from deploy.broker.java import HOW_TO_INSTALL
from deploy.broker.lock import locked

KAFKA_VERSION = "4.3.1"
"""The version that pom.xml pins; it names the cache folder."""

_POM = Path(__file__).with_name("pom.xml")
_SUMS = Path(__file__).with_name("jars.sha256")
_FETCH_TIMEOUT_S = 900
_OUTPUT_LINES = 15


def default_cache() -> Path:
    """Return the folder of this user that the jars are shared from (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "weir" / f"kafka-{KAFKA_VERSION}"


def pinned_jars() -> dict[str, str]:
    """Return the SHA-256, in hex, of each jar that belongs to the pinned version."""
    lines = _SUMS.read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def faults(folder: Path) -> list[str]:
    """Compare a folder with the pinned jars.

    Every byte is hashed: 44 MB take 40 ms, and a start takes seconds.

    Returns:
        A line for each jar that is missing, differs, or does not belong there; none if all is well.
    """
    pinned = pinned_jars()
    found = {path.name: path for path in folder.glob("*.jar")} if folder.is_dir() else {}
    lines = [f"{name} is missing" for name in pinned if name not in found]
    lines += [f"{name} does not belong there" for name in found if name not in pinned]
    for name, path in found.items():
        if name in pinned:
            with path.open("rb") as jar:
                digest = hashlib.file_digest(jar, "sha256").hexdigest()
            if digest != pinned[name]:
                lines.append(f"{name} has SHA-256 {digest}, not {pinned[name]}")
    return lines


def ensure_jars(cache: Path | None = None) -> Path:
    """Return a folder with exactly the pinned jars, fetching them if they are not there.

    Processes that ask at once wait for the first of them. The folder appears by one rename, so it
    is there whole or not at all.

    Args:
        cache: the folder; the user's by default.

    Raises:
        ToolError: jars are missing and ``mvn`` is not installed.
        FetchError: Maven failed, or what came is not what is pinned.
        StorageError: the cache is not writable.
    """
    cache = cache or default_cache()
    with locked(cache.with_name(f"{cache.name}.lock")):
        if not faults(cache):
            return cache
        try:
            with tempfile.TemporaryDirectory(prefix=f"{cache.name}.", dir=cache.parent) as made:
                fetched = Path(made) / "jars"
                _fetch(fetched)
                wrong = faults(fetched)
                if wrong:
                    raise FetchError(
                        "Maven fetched jars other than the pinned ones: "
                        + "; ".join(wrong)
                        + ". Check the repository or mirror in ~/.m2/settings.xml."
                    )
                if cache.exists():
                    cache.rename(Path(made) / "replaced")
                fetched.rename(cache)
        except OSError as error:
            raise FetchError(f"Kafka's jars could not be stored in {cache}: {error}") from error
    return cache


def _fetch(into: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ToolError(
            f"There is no mvn on the PATH to fetch Kafka's jars with. {HOW_TO_INSTALL}."
        )
    command = [maven, "--quiet", "--batch-mode", "--file", str(_POM)]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={into}"]
    try:
        subprocess.run(  # noqa: S603 - the program comes from the PATH, as it should
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_FETCH_TIMEOUT_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        last = "\n".join(str(error.stdout).strip().splitlines()[-_OUTPUT_LINES:])
        raise FetchError(
            f"Maven could not fetch Kafka {KAFKA_VERSION}; does it reach its repository (proxy and "
            f"mirror are set in ~/.m2/settings.xml)? It said:\n{last}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"Maven did not finish in {_FETCH_TIMEOUT_S} s; try again.") from error
