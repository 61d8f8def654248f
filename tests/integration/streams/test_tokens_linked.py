"""Final verdicts of streams as events on a real broker, and analysts' labels that teach by them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.codec import Codec
from state.audit.leaf import FORMAT, LATE_LABEL, RECORD_DTYPE
from streams.audit_reader import leaf_of
from streams.backtest import run_backtest
from streams.feed import FedEvent
from streams.gate.linked import key_of
from streams.kafka.topics import prepare_topics
from streams.labels import prepare_labels
from tests.integration.streams.token_streams import finals, interleaved, verdicts
from tests.integration.streams.under_test import SHARDS

if TYPE_CHECKING:
    from tests.integration.streams.under_test import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow]

STREAMS, WORDS = 12, 40
PATIENCE_S = 600
EVENT = Codec("event")


@pytest.fixture
def linked(stream: Stream) -> Stream:
    """A stream whose workers read tokens and let final verdicts be events."""
    labels, settings = stream.topic("labels"), stream.settings
    hierarchy = settings.hierarchy.model_copy(update={"enabled": True, "link": True})
    topic = settings.labels.model_copy(update={"topic": labels})
    stream.settings = settings.model_copy(update={"hierarchy": hierarchy, "labels": topic})
    stream.environment |= {
        "WEIR_HIERARCHY__ENABLED": "true",
        "WEIR_HIERARCHY__LINK": "true",
        "WEIR_LABELS__TOPIC": labels,
        "WEIR_STREAM__MAX_UNIT_EVENTS": "10",
        "WEIR_STREAM__STATIC_MEMBER": "w0",
    }
    prepare_topics(stream.settings)
    prepare_labels(stream.settings, SHARDS)
    return stream


def events(stream: Stream) -> list[dict[str, Any]]:
    """What stands in the events."""
    values = [value for part in stream.values("events") for value in part]
    return [dict(EVENT.decode(value)) for value in values]


def formats(stream: Stream) -> Counter[float]:
    """How many audit records of the learner there are of each kind."""
    records = [leaf_of(value) for part in stream.values("audit") for value in part]
    leaves = np.frombuffer(b"".join(records), RECORD_DTYPE)["leaf"]
    return Counter(float(kind) for kind in leaves["format"])


def released(event: dict[str, Any]) -> FedEvent:
    """What an analyst says who releases a stream."""
    named = {name: event[name] for name in ("tenant", "id", "event_id", "time_us")}
    label = EVENT.encode({**named, "kind": "LABEL", "label": 0.0})
    return FedEvent(event["id"].encode(), label)


def assert_event_of(event: dict[str, Any], verdict: dict[str, Any], dimension: int) -> None:
    """An event says what the final verdict says."""
    name = verdict["target_id"]
    assert (event["tenant"], event["id"], event["event_id"]) == (verdict["tenant"], name, name)
    assert (event["time_us"], event["label"]) == (verdict["time_us"], None)
    features = {f"dlp.{score}": chance for score, chance in verdict["scores"].items()}
    for span in verdict["spans"]:
        kind = f"dlp.span.{span['type']}"
        features[kind] = max(features.get(kind, 0.0), span["confidence"])
    assert event["features"] == features | {f"dlp.decision.{verdict['decision']}": 1.0}
    memory = np.frombuffer(verdict["memory_vec"], "<f4")
    assert event["key"] == event["query"] == key_of(memory, dimension).astype("<f8").tobytes()


def test_final_verdicts_are_predicted_and_labels_teach(linked: Stream) -> None:
    """Killed -9 around commits: one event a stream; a label for each is learnt from, once."""
    stream = linked
    stream.produce(interleaved(STREAMS, WORDS), role="tokens")
    for stage in ("stepped", "open-transaction", "committed"):
        # It may have kernels to compile first.
        assert stream.start(crash=stage).process.wait(PATIENCE_S) == -9
    worker = stream.start()
    stream.until(lambda: len(events(stream)) >= STREAMS, "events of all streams", PATIENCE_S)
    stream.until(lambda: formats(stream)[FORMAT] >= STREAMS, "predictions of all of them")

    made = events(stream)
    said = {name: finals(own) for name, own in verdicts(stream).items()}
    assert Counter(event["id"] for event in made) == Counter(dict.fromkeys(said, 1))
    dimension = stream.settings.learner.sera.d
    for event in made:
        [verdict] = said[event["id"]]
        assert_event_of(event, verdict, dimension)

    stream.produce([released(event) for event in made], role="labels")
    stream.until(lambda: formats(stream)[LATE_LABEL] >= STREAMS, "labels that teach")
    assert worker.terminate() == 0
    assert formats(stream) == {FORMAT: STREAMS, LATE_LABEL: STREAMS}
    assert not any(stream.values("quarantine"))
    assert len(events(stream)) == 2 * STREAMS

    # Predictions, audit and weights are those that the same events and labels give without Kafka,
    # and others than the events alone give.
    records = [record for part in stream.records("events") for record in part]
    stream.sent = [FedEvent(record.key or b"", record.value or b"") for record in records]
    stream.assert_undisturbed()
    unlabelled = [e for e in stream.sent if EVENT.decode(e.value)["kind"] == "OBSERVATION"]
    alone = {
        cell.shard: cell.state_digest for cell in run_backtest(stream.settings, unlabelled).cells
    }
    taught = {shard: found[3] for (_, shard), found in stream.cells().items()}
    assert alone.keys() == taught.keys()
    assert all(alone[shard] != digest for shard, digest in taught.items())
