"""State, changelog and log that do not belong together are refused, and nothing is overwritten."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition

from streams.kafka.topics import admin, changelog_name, create_source
from tests.integration.streams.under_test import POLL_S, make_events

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from tests.integration.streams.under_test import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow]

STATE = 73
MISCONFIGURED = 78


@pytest.fixture
def learnt(stream: Stream) -> Stream:
    """A stream that has learnt 900 events and whose worker has stopped."""
    stream.produce(make_events(900))
    worker = stream.start()
    stream.wait_committed()
    assert worker.terminate() == 0
    return stream


def delete_topic(client: AdminClient, name: str) -> None:
    """Delete a topic, and wait until the cluster no longer shows it."""
    client.delete_topics([name])[name].result(timeout=30)
    while name in client.list_topics(timeout=10).topics:
        time.sleep(POLL_S)


def delete_events(stream: Stream, before: list[int]) -> None:
    """Delete the events of each partition before an offset, as retention does."""
    topic = stream.topic("events")
    wanted = [TopicPartition(topic, p, offset) for p, offset in enumerate(before)]
    client = admin(stream.settings.broker)
    for deleted in client.delete_records(wanted).values():
        deleted.result(timeout=30)


def test_a_changelog_made_anew_is_not_mixed_with_older_tables(learnt: Stream) -> None:
    """Tables ahead of their changelog are refused, with the folder, and kept."""
    changelog = changelog_name(learnt.settings.application_id)
    delete_topic(admin(learnt.settings.broker), changelog)
    worker = learnt.start()
    assert worker.wait_ended() == STATE
    assert f"of {changelog}[" in worker.text()
    assert "the changelog was deleted and made anew" in worker.text()
    assert str(learnt.folder / "w0" / "state") in worker.text()


def test_without_changelog_and_tables_it_does_not_begin_anew(learnt: Stream) -> None:
    """Beginning anew would repeat every prediction: what the group committed is proof of more."""
    changelog = changelog_name(learnt.settings.application_id)
    delete_topic(admin(learnt.settings.broker), changelog)
    shutil.rmtree(learnt.folder / "w0" / "state")
    worker = learnt.start()
    assert worker.wait_ended() == STATE
    assert f"{changelog}[" in worker.text()
    assert "holds no state, but this application has committed the source" in worker.text()
    predictions = sum(len(part) for part in learnt.records("predictions"))
    assert predictions == len(learnt.sent), "nothing was predicted a second time"


def test_a_source_made_anew_is_not_taken_for_the_one_that_was_learnt(learnt: Stream) -> None:
    """Offsets of another log mean nothing; skipping its events in silence would be worse."""
    source = learnt.topic("events")
    delete_topic(admin(learnt.settings.broker), source)
    create_source(learnt.settings)
    worker = learnt.start()
    assert worker.wait_ended() == STATE
    assert f"{source}[" in worker.text()
    assert "the topic was deleted and made anew" in worker.text()


def test_events_deleted_before_they_were_read_are_not_passed_over(learnt: Stream) -> None:
    """Retention shorter than a worker's absence is an error, not a hole in what is learnt."""
    learnt.produce(make_events(900, start=900))
    delete_events(learnt, [end - 10 for end in learnt.ends()])
    worker = learnt.start()
    assert worker.wait_ended() == STATE
    assert "were deleted before they were learnt" in worker.text()
    assert "retention.ms" in worker.text()


def test_events_deleted_before_they_were_stepped_again_are_named(learnt: Stream) -> None:
    """The events since the last checkpoint are needed to rebuild memory after a crash."""
    crashing = learnt.start()
    learnt.produce(make_events(300, start=900))
    learnt.wait_committed()
    crashing.kill()
    delete_events(learnt, learnt.committed())
    worker = learnt.start()
    assert worker.wait_ended() == STATE
    assert "were deleted before they were learnt for good" in worker.text()
    assert "stream.checkpoint_events" in worker.text()


def test_another_configuration_is_refused_on_existing_state(learnt: Stream) -> None:
    """Each setting that differs is named; set back, the worker goes on as if nothing had been."""
    worker = learnt.start(WEIR_LEARNER__HLM__LR="0.25", WEIR_LEARNER__SERA__GAMMA="0.5")
    assert worker.wait_ended() == MISCONFIGURED
    assert "learner.hlm.lr was 0.05 and is 0.25" in worker.text()
    assert "learner.sera.gamma was " in worker.text()
    assert "application_id" in worker.text()
    learnt.start()
    learnt.produce(make_events(600, start=900))
    learnt.wait_committed()
    learnt.assert_undisturbed()


def test_a_full_disk_ends_the_worker_and_loses_nothing(learnt: Stream) -> None:
    """The commit came first, so a table that cannot be written is restored from the changelog."""
    learnt.produce(make_events(3_000, start=900))
    worker = learnt.start(largest_file_kib=64, WEIR_STREAM__CHECKPOINT_EVENTS="200")
    assert worker.wait_ended() == STATE
    assert "no space is left for it" in worker.text()
    assert "shard-0000" in worker.text()
    learnt.start()
    learnt.wait_committed()
    learnt.assert_undisturbed()
