"""A release takes over from the one before while the stream goes on."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.streams.under_test import Stream, make_events, open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.broker.handle import CrashableBroker

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
PROGRAM = ("deploy", "operators", "schemas", "state", "streams")
PREVIOUS = "71ac7251e21b379af7dc137bda7642c7d5bf2310"
"""Commit of the release whose state is kept as tests/compat/state/v1."""


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the release before."""
    folder = tmp_path_factory.mktemp("previous")
    archive = folder / "tree.tar"
    done = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "-o", str(archive), PREVIOUS, *PROGRAM],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"the history does not reach back to {PREVIOUS}: {done.stderr.decode()}")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    archive.unlink()
    return folder


@pytest.fixture
def stream(broker: CrashableBroker, tmp_path: Path) -> Iterator[Stream]:
    with open_stream(broker, tmp_path) as opened:
        yield opened


def test_old_and_new_workers_share_a_group(stream: Stream, previous: Path) -> None:
    """Rolled from one release to the next, each event is learnt once, with the same bits."""
    stream.produce(make_events(500))
    old = stream.start("old", program=previous)
    stream.wait_committed()
    new = stream.start("new")
    stream.wait_ready(new)
    stream.until(lambda: 0 < new.metric("weir_shard_state") < 3, "shards of both")
    stream.produce(make_events(500, start=500))
    stream.wait_committed()
    assert old.terminate() == 0
    stream.produce(make_events(500, start=1_000))
    stream.wait_committed()
    stream.assert_undisturbed()

    # Back to the release before: what the newer one wrote it does not touch.
    assert new.terminate() == 0
    outputs = stream.values("predictions")
    stream.produce(make_events(50, start=1_500))
    refused = stream.start("old", program=previous)
    assert refused.wait_ended() == 73
    assert "a newer release wrote them" in refused.text()
    assert stream.values("predictions") == outputs
    stream.start("new")
    stream.wait_committed()
    stream.assert_undisturbed()
