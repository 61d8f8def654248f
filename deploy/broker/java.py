"""Find a Java runtime that Kafka runs on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from deploy.broker.errors import ToolError

MINIMUM_JAVA = 17
"""Kafka 4's brokers need Java 17 (KIP-1013)."""

HOW_TO_INSTALL = (
    "A local broker needs Java 17 or newer and Maven (Debian, Ubuntu: apt-get install "
    "openjdk-17-jre-headless maven; macOS: brew install openjdk maven)"
)

_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?')


def parse_java_version(text: str) -> int:
    """Read the feature release from what ``java -version`` prints.

    Args:
        text: the output, on whichever stream; lines before the version line are passed over.

    Returns:
        17 for ``openjdk version "17.0.15" 2025-04-15``, 8 for ``java version "1.8.0_392"``.

    Raises:
        ToolError: there is no version in the text.
    """
    match = _VERSION.search(text)
    if match is None:
        raise ToolError(f"java -version printed no version: {text.strip()!r}. {HOW_TO_INSTALL}.")
    major, minor = int(match[1]), match[2]
    # Until Java 8 the feature release was the second number.
    return int(minor) if major == 1 and minor is not None else major


def find_java() -> Path:
    """Return the ``java`` of JAVA_HOME, else of the PATH, after asking for its version.

    Raises:
        ToolError: there is none, it does not run, or it is older than ``MINIMUM_JAVA``.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        where = f"in JAVA_HOME={home}" if home else "on the PATH"
        raise ToolError(f"There is no java {where}. {HOW_TO_INSTALL}.")
    try:
        ran = subprocess.run(  # noqa: S603 - the program comes from PATH or JAVA_HOME, as it should
            [java, "-version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{java} -version does not run: {error}. {HOW_TO_INSTALL}.") from error
    found = parse_java_version(ran.stderr + ran.stdout)
    if found < MINIMUM_JAVA:
        raise ToolError(f"{java} is Java {found}; Kafka needs {MINIMUM_JAVA}. {HOW_TO_INSTALL}.")
    return Path(java)
