"""A mapping, compiled: messages of a topic or rows of a file in, events out.

The same message from the same place always gives the same event: nothing here reads a clock, draws
a random number or remembers an earlier message. (``log1p`` is the platform's; two machines may
differ in its last bit.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.errors import BadMessage
from schemas.mapping.compile import compile_steps
from schemas.mapping.decode import make_decoder
from schemas.reasons import Reason

if TYPE_CHECKING:
    from schemas.mapping.decode import SchemaLookup
    from schemas.mapping.model import Mapping
    from schemas.mapping.origin import Origin
    from schemas.mapping.steps import Event, Step

_KINDS = {"observation": "OBSERVATION", "label": "LABEL"}


class Mapper:
    """Turns messages or rows into events.

    Args:
        mapping: what to do.
        schema_lookup: finds the schema of Avro messages with ``framing: confluent``, and only of
            those; ``schemas.confluent.SchemaRegistry.fetch`` does. What it raises comes out of
            ``map_message`` as it is.

    Raises:
        ConfigError: a file that the mapping names cannot be used, or ``schema_lookup`` is missing.
    """

    def __init__(self, mapping: Mapping, schema_lookup: SchemaLookup | None = None) -> None:
        self.mapping = mapping
        self.steps: tuple[Step, ...] = compile_steps(mapping)
        self._kind = _KINDS[mapping.kind]
        self._decode = make_decoder(mapping.source, schema_lookup)

    def map_message(self, value: bytes | None, origin: Origin) -> Event:
        """The event of one Kafka message.

        Raises:
            BadMessage: the value is empty, does not read as the mapping's format, or lacks what the
                mapping needs. The detail names the field and a type, never the value.
        """
        return self.map_record(self.decode(value), origin)

    def decode(self, value: bytes | None) -> dict[str, Any]:
        """The fields of one Kafka message.

        Raises:
            BadMessage: as ``map_message``.
        """
        if value is None:
            raise BadMessage(Reason.EMPTY_VALUE, "the message has no value; it is a tombstone")
        return self._decode(value)

    def map_record(self, record: dict[str, Any], origin: Origin) -> Event:
        """The event of fields that are decoded already, such as a row of a file. O(fields).

        Raises:
            BadMessage: as ``map_message``.
        """
        event = self.blank()
        for step in self.steps:
            step.fill(record, origin, event)
        return finished(event)

    def blank(self) -> Event:
        """An event that no step has filled yet."""
        return {
            "kind": self._kind,
            "tenant": "",
            "id": "",
            "event_id": "",
            "time_us": 0,
            "label": None,
            "features": {},
            "feature_ids": None,
            "feature_values": None,
            "key": None,
            "value": None,
            "query": None,
            "context": None,
        }


def finished(event: Event) -> Event:
    """An event that all steps have filled: without features it has none, rather than no names."""
    if not event["features"]:
        event["features"] = None
    return event
