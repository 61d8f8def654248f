"""What the client library refuses to send ends the unit of work, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError

from streams.settings import load_settings
from streams.shard.commit import CommitFailed, Fenced, ShardProducer

if TYPE_CHECKING:
    from collections.abc import Iterator


class Refusing:
    """A producer that takes some messages of a batch, and refuses the others with an error."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.taken: list[bytes] = []
        self.polls = 0

    def produce_batch(self, _: str, messages: list[dict[str, Any]], partition: int) -> int:
        """Take one message and refuse the rest, as long as there are errors left."""
        assert partition == 3
        refused = messages[1:] if self.codes else []
        for message in refused:
            message["_error"] = KafkaError(self.codes[0])
        del self.codes[:1]
        self.taken += [message["value"] for message in messages if "_error" not in message]
        return len(messages) - len(refused)

    def poll(self, _: float) -> None:
        """Note that somebody waits."""
        self.polls += 1

    def purge(self) -> None:
        """Forget everything."""

    def flush(self, _: float) -> None:
        """Send everything."""


@pytest.fixture
def producer() -> Iterator[ShardProducer]:
    """Give a shard's producer that has no broker."""
    settings = load_settings(broker={"bootstrap": "127.0.0.1:1"})
    topics = {role: role for role in ("predictions", "audit", "audit-checkpoints", "quarantine")}
    made = ShardProducer(settings.broker, "test", 3, "events", "changelog", topics, 60, 30)
    yield made
    made.close()


def sent(producer: ShardProducer, library: Refusing) -> None:
    """Send a unit through a library that refuses."""
    producer._producer = library  # type: ignore[assignment]  # noqa: SLF001 - the seam
    values = [{"key": None, "value": b"%d" % n} for n in range(3)]
    producer._send("audit", values)  # type: ignore[arg-type]  # noqa: SLF001 - the same


def test_a_full_local_queue_is_waited_for(producer: ShardProducer) -> None:
    """Nothing is lost, repeated or put in another order."""
    library = Refusing(KafkaError._QUEUE_FULL, KafkaError._QUEUE_FULL)  # noqa: SLF001 - its name
    sent(producer, library)
    assert library.taken == [b"0", b"1", b"2"]
    assert library.polls == 2


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, CommitFailed),
        (KafkaError._UNKNOWN_TOPIC, CommitFailed),  # noqa: SLF001 - its name
        (KafkaError._STATE, CommitFailed),  # noqa: SLF001 - the same
        (KafkaError._FENCED, Fenced),  # noqa: SLF001 - the same
    ],
)
def test_any_other_refusal_ends_the_unit(
    producer: ShardProducer, code: int, error: type[Exception]
) -> None:
    """It would be refused again for ever: the worker ends, and says which topic and why."""
    with pytest.raises(error, match=r"shard 3 .*produce to audit"):
        sent(producer, Refusing(code))
