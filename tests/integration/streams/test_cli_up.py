"""`weir up` gives a newcomer what a worker needs, and `weir down` takes it away again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from state.secrets import SECRET_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.slow]

WEIR = str(Path(sys.executable).with_name("weir"))


@pytest.fixture
def environment() -> dict[str, str]:
    """No settings from outside; and no docker, whose one Kafka service others may be using."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    return kept | {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


@pytest.fixture
def folder(tmp_path: Path, environment: dict[str, str]) -> Iterator[Path]:
    """An empty project folder; its broker is stopped whatever happens."""
    yield tmp_path
    weir(tmp_path, environment, "down")


def weir(
    folder: Path, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WEIR, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_a_broker_for_a_newcomer_comes_and_goes(folder: Path, environment: dict[str, str]) -> None:
    """Up, down and up again: topics and secrets stay; purged, the topics go, but no secret."""
    before = weir(folder, environment, "inspect")
    assert before.returncode == 69
    assert "weir up" in before.stderr

    up = weir(folder, environment, "up", "--port", "0")
    assert up.returncode == 0, up.stderr
    assert "127.0.0.1:" in up.stdout
    assert "weir worker" in up.stdout
    secrets = {path.name: path.read_bytes() for path in (folder / ".weir/secrets").iterdir()}
    assert {name.partition(".")[0] for name in secrets} == set(SECRET_NAMES)

    rows = folder / "rows.csv"
    rows.write_text("card,amount\nc1,3\nc2,4\n", encoding="utf-8")
    # Without an address: commands find the broker that runs in the folder.
    sent = weir(folder, environment, "produce", "rows.csv", "--id", "card")
    assert sent.returncode == 0, sent.stderr
    again = weir(folder, environment, "up", "--port", "0")
    assert again.returncode == 0, again.stderr

    assert weir(folder, environment, "down").returncode == 0
    assert weir(folder, environment, "inspect").returncode == 69
    assert weir(folder, environment, "up", "--port", "0").returncode == 0
    assert sent_events(folder, environment) == 2

    purged = weir(folder, environment, "down", "--purge")
    assert purged.returncode == 0
    assert not (folder / ".weir/broker").exists()
    kept = {path.name: path.read_bytes() for path in (folder / ".weir/secrets").iterdir()}
    assert kept == secrets
    nothing = weir(folder, environment, "down")
    assert nothing.returncode == 0
    assert "no broker" in nothing.stdout


def sent_events(folder: Path, environment: dict[str, str]) -> int:
    shown = weir(folder, environment, "inspect", "--json").stdout
    [events] = [t for t in json.loads(shown)["topics"] if t["role"] == "events"]
    return sum(events["ends"])


def test_number_of_brokers_is_one_or_three(folder: Path, environment: dict[str, str]) -> None:
    """Two brokers would not survive the loss of one, so they are refused."""
    result = weir(folder, environment, "up", "--brokers", "2")
    assert result.returncode == 78
    assert not (folder / ".weir/broker").exists()
