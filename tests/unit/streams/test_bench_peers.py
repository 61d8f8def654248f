"""The environment of the peers."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import ConfigError
from streams.bench import peers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the environment."""
    where = tmp_path / "peers"
    where.mkdir()
    monkeypatch.setattr(peers, "home", lambda: where)
    return where


def test_every_locked_package_has_a_hash() -> None:
    """What is installed is what was locked."""
    text = peers.LOCK.read_text(encoding="utf-8")

    assert {"quixstreams", "river", "confluent-kafka"} <= set(peers.versions())
    assert text.count("--hash=sha256:") >= len(peers.versions())


def test_an_environment_of_this_lock_is_left_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run installs nothing and needs no network."""
    (home / ".installed").write_text(hashlib.sha256(peers.LOCK.read_bytes()).hexdigest())

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("something was started")

    monkeypatch.setattr(subprocess, "run", refuse)
    peers.ensure()


def test_an_environment_of_another_lock_is_made_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who pulls a new lock measures against the new peers."""
    (home / ".installed").write_text("of another lock")
    started = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: started.append(command))
    peers.ensure()

    assert any("--require-hashes" in command for command in started)
    assert (home / ".installed").read_text() != "of another lock"


@pytest.mark.usefixtures("home")
def test_what_the_installer_said_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the peers cannot be had, the error says why and how to go on without them."""
    broken = tmp_path / "uv"
    broken.write_text("#!/bin/sh\necho no route to host\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(broken))

    with pytest.raises(ConfigError, match=r"(?s)--only.*no route to host"):
        peers.ensure()
