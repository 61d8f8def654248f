from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.broker.errors import ToolError
from deploy.broker.java import find_java, parse_java_version

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "11.0.2" 2019-01-15', 11),
    ],
)
def test_java_versions_are_read_as_their_vendors_print_them(printed: str, version: int) -> None:
    """Old and new numbering, early access and warnings before the version are all understood."""
    assert parse_java_version(printed) == version


def test_output_without_a_version_is_an_error_that_shows_it() -> None:
    """A program that is called java and is none does not pass for one."""
    with pytest.raises(ToolError, match="no version: 'command not found'"):
        parse_java_version("command not found\n")


def _install_java(folder: Path, script: str) -> None:
    (folder / "bin").mkdir()
    java = folder / "bin" / "java"
    java.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    java.chmod(0o755)


def test_a_java_that_is_too_old_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has Java 11 learns which java that is, and what Kafka needs."""
    _install_java(tmp_path, """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(ToolError, match=rf"{tmp_path}/bin/java is Java 11; Kafka needs 17\."):
        find_java()


def test_java_home_wins_over_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every Java program, JAVA_HOME says which Java to use."""
    _install_java(tmp_path, """echo 'openjdk version "25" 2025-09-16' >&2""")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert find_java() == tmp_path / "bin" / "java"


def test_a_missing_java_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Java the message holds the command that installs it."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ToolError, match=r"no java on the PATH.*apt-get install openjdk-17"):
        find_java()


def test_a_java_that_cannot_run_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken installation, such as one for another processor, gives no bare OSError."""
    (tmp_path / "bin").mkdir()
    broken = tmp_path / "bin" / "java"
    broken.write_bytes(b"\x7fELF not for this machine")
    broken.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(ToolError, match="does not run"):
        find_java()
