"""Streams of text on a real broker: each has one final verdict, whatever happens to the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.hierarchy.observer import StreamObserver
from streams.kafka.topics import prepare_topics
from tests.integration.streams.token_streams import finals, interleaved, verdicts

if TYPE_CHECKING:
    from tests.integration.streams.under_test import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def tokens(stream: Stream) -> Stream:
    """A stream whose workers read tokens."""
    enabled = stream.settings.hierarchy.model_copy(update={"enabled": True})
    stream.settings = stream.settings.model_copy(update={"hierarchy": enabled})
    stream.environment["WEIR_HIERARCHY__ENABLED"] = "true"
    prepare_topics(stream.settings)
    return stream


def test_each_stream_has_one_final_verdict(tokens: Stream) -> None:
    """Also if the worker is killed -9 several times."""
    tokens.produce(interleaved(20, 60), role="tokens")
    worker = tokens.start()
    tokens.until(lambda: len(verdicts(tokens)) == 20 and all(finals(v) for v in verdicts(tokens).values()), "final verdicts")
    found = verdicts(tokens)
    assert all(len(finals(one)) == 1 for one in found.values())
    print({k: len(v) for k, v in found.items()})
    assert worker.terminate() == 0
