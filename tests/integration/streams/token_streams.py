"""Streams of text as records of ``tokens``, and the verdicts that come of them."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Any

from schemas.codec import Codec
from streams.feed import FedEvent
from streams.hierarchy.codecs import IDLE, JUDGED
from streams.hierarchy.in_memory import ShardInMemory
from streams.hierarchy.model import StreamModel
from streams.hierarchy.worker import buffer_config
from streams.kafka.topics import prepare_topics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.hierarchy.engine import TokenEngine
    from streams.kafka.reader import Record
    from streams.settings import Settings
    from streams.shard.unit import UnitOfWork
    from tests.integration.streams.under_test import Stream

WORDS: list[str] = re.split(
    " ",
    "please send the figures of last quarter to Anna and let me know when it is done . the "
    "contract was signed on Monday , we owe them a reply before noon ! could you check the "
    "invoice again ? my number is +49 30 1234567 and the card 4111 1111 1111 1111 was "
    "declined . write to "
    "john.smith@example.org about it \n the key is AKIAIOSFODNN7EXAMPLE do not share it . \n\n",
)
START_US = 1_700_000_000_000_000


def text_of(number: int, words: int) -> str:
    """The text of a stream; the same number gives the same text."""
    rng = Random(number)
    start = rng.randrange(len(WORDS))
    return " ".join(WORDS[(start + at + rng.randrange(3)) % len(WORDS)] for at in range(words))


def pieces(number: int, words: int) -> list[dict[str, Any]]:
    """The records of a stream, its end included: pieces of one to forty code points."""
    rng, text = Random(number), text_of(number, words)
    found: list[dict[str, Any]] = []
    at = 0
    while at < len(text):
        piece = text[at : at + rng.randrange(1, 40)]
        found.append(_record(number, "APPEND", at, piece))
        at += len(piece)
    return [*found, _record(number, "END", at, None)]


def _record(number: int, operation: str, position: int, text: str | None) -> dict[str, Any]:
    return {
        "tenant": "acme",
        "stream_id": f"stream-{number}",
        "operation": operation,
        "position": position,
        "text": text,
        "time_us": START_US + position * 50_000,
    }


def unended(count: int) -> list[FedEvent]:
    """Pieces of streams without an end; by their own time they come within a second."""
    encode = Codec("token").encode
    found = []
    for place in range(0, 200, 40):
        for number in range(count):
            name, text = f"stream-{number}", text_of(number, 60)
            piece = {
                "tenant": "acme", "stream_id": name, "operation": "APPEND", "position": place,
                "text": text[place : place + 40], "time_us": START_US + place * 1_000,
            }  # fmt: skip
            found.append(FedEvent(name.encode(), encode(piece)))
    return found


def is_idle_end(record: Record) -> bool:
    """Whether a worker has sent it because there was silence."""
    return _source(record) == IDLE


def is_word(record: Record) -> bool:
    """Whether a worker has sent it because a stream had been judged."""
    return _source(record) == JUDGED


def _source(record: Record) -> str | None:
    source: str | None = (Codec("token").decode(record.value)["metadata"] or {}).get("source")
    return source


def of_silence(stream: Stream) -> list[list[Record]]:
    """The ENDs that workers have sent, by partition."""
    parts = [of_partition(stream, partition) for partition in range(stream.shards)]
    return [[one for one in part if is_idle_end(one)] for part in parts]


def interleaved(streams: int, words: int) -> list[FedEvent]:
    """Records of many streams, mixed, those of each in order."""
    encode, rng = Codec("token").encode, Random(streams)
    left = [pieces(number, words) for number in range(streams)]
    found = []
    while left:
        own = rng.choice(left)
        record = own.pop(0)
        found.append(FedEvent(record["stream_id"].encode(), encode(record)))
        if not own:
            left.remove(own)
    return found


def read_tokens(stream: Stream) -> None:
    """Let the workers of a stream, which are yet to be started, read tokens."""
    enabled = stream.settings.hierarchy.model_copy(update={"enabled": True})
    stream.settings = stream.settings.model_copy(update={"hierarchy": enabled})
    stream.environment["WEIR_HIERARCHY__ENABLED"] = "true"
    prepare_topics(stream.settings)


def verdicts(stream: Stream) -> dict[str, list[dict[str, Any]]]:
    """Verdicts by stream, in the order of the topic."""
    decode = Codec("verdict").decode
    found: dict[str, list[dict[str, Any]]] = {}
    for values in stream.values("verdicts"):
        for value in values:
            record = decode(value)
            found.setdefault(record["target_id"], []).append(record)
    return found


def finals(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Final verdicts without what tells of the partial ones before: number, and names of spans.

    A worker that falls behind looks for partial verdicts less often.
    """
    return [
        {
            **{name: value for name, value in record.items() if name != "sequence"},
            "spans": [{**span, "span_id": ""} for span in record["spans"]],
        }
        for record in found
        if record["status"] == "FINAL"
    ]


def of_partition(stream: Stream, partition: int) -> list[Record]:
    """The records of a partition of ``tokens``."""
    return stream.read(stream.topic("tokens"), partition)


def undisturbed_engine(
    settings: Settings, partition: int, records: list[Record]
) -> tuple[TokenEngine, UnitOfWork]:
    """A shard that has read records in one go, without Kafka; and what came of it."""
    model = StreamModel.load(buffer_config(settings))
    values = [record.value for record in records if record.value is not None]
    shard = ShardInMemory(settings, model, number=partition)
    return shard.engine, shard.take(values)


def undisturbed(
    settings: Settings, partition: int, records: list[Record]
) -> dict[str, list[dict[str, Any]]]:
    """Final verdicts by stream of a shard that reads records in one go, without Kafka."""
    if not records:
        return {}
    _, unit = undisturbed_engine(settings, partition, records)
    decode = Codec("verdict").decode
    found: dict[str, list[dict[str, Any]]] = {}
    for message in unit.outputs["verdicts"]:
        record = decode(message["value"])
        found.setdefault(record["target_id"], []).append(record)
    return {stream: finals(own) for stream, own in found.items()}
