"""A second worker with the same identity is told apart before it does harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.streams.under_test import make_events

if TYPE_CHECKING:
    from tests.integration.streams.under_test import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow]

UNAVAILABLE = 69
STATE = 73
MISCONFIGURED = 78


def test_a_second_worker_on_the_same_folder_is_refused(stream: Stream) -> None:
    """It never joins the group; the first goes on undisturbed."""
    first = stream.start("w0")
    stream.wait_ready(first)
    second = stream.start("w0")
    assert second.wait_ended() == STATE
    assert f"in use by another worker (process {first.process.pid})" in second.text()
    assert "WEIR_DATA_DIR" in second.text()
    stream.produce(make_events(500))
    stream.wait_committed()
    assert first.terminate() == 0
    stream.assert_undisturbed()


def test_of_two_workers_with_one_name_the_older_ends(stream: Stream) -> None:
    """They do not evict each other for ever: the one that was replaced says so and goes."""
    stream.produce(make_events(600))
    first = stream.start("w0", options=("--member", "alpha"))
    stream.wait_committed()
    second = stream.start("w1", options=("--member", "alpha"))
    assert first.wait_ended() in {UNAVAILABLE, MISCONFIGURED}
    stream.wait_ready(second)
    stream.produce(make_events(600, start=600))
    stream.wait_committed()
    assert second.terminate() == 0
    stream.assert_undisturbed()


def test_a_worker_that_is_replaced_while_idle_names_the_name(stream: Stream) -> None:
    """With nothing to commit, it is the group that tells; the setting to change is named."""
    first = stream.start("w0", options=("--member", "alpha"))
    stream.wait_ready(first)
    stream.start("w1", options=("--member", "alpha"))
    assert first.wait_ended() == MISCONFIGURED, first.text()
    assert "under the same name 'alpha'" in first.text()
    assert "stream.static_member" in first.text()


def test_a_restart_under_its_own_name_is_no_second_worker(stream: Stream) -> None:
    """A worker that was killed comes back under its name at once and keeps its shards."""
    stream.produce(make_events(600))
    first = stream.start("w0", options=("--member", "alpha"))
    stream.wait_committed()
    first.kill()
    second = stream.start("w0", options=("--member", "alpha"))
    stream.produce(make_events(600, start=600))
    stream.wait_committed()
    assert second.terminate() == 0
    stream.assert_undisturbed()
