"""Events reach the step alike from plain topics, through a registry and through a mapping."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from fastavro import schemaless_writer

from schemas import single_object
from schemas.codec import Codec
from schemas.confluent import SchemaRegistry
from schemas.errors import BadMessage, ConfigError
from schemas.registry import canonical_form, crc64_of, load
from schemas.wire import WireCodec
from streams.kafka.reader import Record
from streams.messages import build_codecs, file_codecs
from streams.settings import load_settings
from tests.unit.schemas.registry_double import RegistryDouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENT: dict[str, Any] = {
    "kind": "OBSERVATION",
    "tenant": "acme",
    "id": "card-7",
    "event_id": "e-1",
    "time_us": 1_735_689_600_000_000,
    "label": 1.0,
    "features": {"amount": 2.5},
}

MAPPING = """
tenant: {constant: acme}
id: card
time: {field: at, unit: s}
label: fraud
features:
  numbers: [amount]
"""


def at_offset(value: bytes | None, offset: int = 42) -> Record:
    """Return a record as the fetcher hands it on."""
    return Record(offset, 1_735_689_600_000, b"card-7", value)


def test_plain_events_are_audited_as_they_came() -> None:
    """Without a registry the audited bytes are the record's own, with a header or without."""
    codecs = build_codecs(load_settings())
    value = Codec("event").encode(EVENT)
    for written in (value, Codec("event", single_object=True).encode(EVENT)):
        payload, ours = codecs.reader.payload(at_offset(written), 0)
        event = codecs.reader.event(ours)
        assert payload == ours == value
        assert event["features"] == {"amount": 2.5}


@pytest.fixture
def older() -> Iterator[dict[str, Any]]:
    """The schema of a release whose events had no context."""
    schema: dict[str, Any] = json.loads(load("event").text)
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "context"]
    with pytest.MonkeyPatch.context() as patch:
        single_object.released_writers.cache_clear()
        patch.setattr(single_object, "released", lambda _: (json.dumps(schema),))
        yield schema
    single_object.released_writers.cache_clear()


def test_an_event_of_another_release_is_read_as_ours(older: dict[str, Any]) -> None:
    """What came is audited, without header; what is learnt from is today's version of it."""
    out = BytesIO()
    schemaless_writer(out, fastavro.parse_schema(older), EVENT)
    bare = out.getvalue()
    written = single_object.MARKER + crc64_of(canonical_form(older)) + bare
    payload, ours = build_codecs(load_settings()).reader.payload(at_offset(written), 0)
    assert payload == bare
    assert Codec("event").decode(ours)["context"] is None


@pytest.mark.parametrize("framing", ["single-object", "bare"])
def test_outputs_tell_their_schema_unless_they_are_to_be_bare(framing: str) -> None:
    """A consumer without a registry can tell which release wrote a record."""
    codecs = build_codecs(load_settings(topics={"framing": framing}))
    header = single_object.header_of(load("audit_record")) if framing == "single-object" else b""
    assert codecs.audit("acme", [b"leaf"]) == [{"key": b"acme", "value": header + b"leaf"}]


def test_files_hold_bare_records() -> None:
    """An Avro file has its schema in its own header."""
    assert file_codecs().audit("acme", [b"leaf"]) == [{"key": b"acme", "value": b"leaf"}]


def test_a_tombstone_is_a_bad_message() -> None:
    """A record without a value goes to quarantine, not to the learner."""
    codecs = build_codecs(load_settings())
    with pytest.raises(BadMessage, match="EMPTY_VALUE"):
        codecs.reader.payload(at_offset(None), 0)


def test_the_wire_header_is_read_and_written_and_not_audited() -> None:
    """With a registry, messages carry schema ids both ways; audited is what stands behind them."""
    with RegistryDouble() as double:
        registry = SchemaRegistry(double.url)
        producer = WireCodec("event", registry, "p.events", may_register=True)
        value = producer.encode(EVENT)
        settings = load_settings(topics={"prefix": "p."}, registry={"url": double.url})
        codecs = build_codecs(settings)
        payload, ours = codecs.reader.payload(at_offset(value), 0)
        event = codecs.reader.event(ours)
        assert payload == Codec("event").encode(EVENT) == value[5:]
        assert event["id"] == "card-7"
        [framed] = codecs.audit("acme", [b"leaf"])
        audit_id = registry.find("p.audit-value", load("audit_record"))
        assert framed["value"] == b"\x00" + audit_id.to_bytes(4, "big") + b"leaf"


def test_a_foreign_message_becomes_an_event_through_the_mapping(tmp_path: Path) -> None:
    """JSON of somebody's topic is learnt from; its place names the event."""
    path = tmp_path / "mapping.yaml"
    path.write_text(MAPPING)
    codecs = build_codecs(load_settings(mapping=path, topics={"prefix": "pay."}))
    message = b'{"card": "card-7", "at": 1735689600, "fraud": true, "amount": 2.5}'
    payload, ours = codecs.reader.payload(at_offset(message), 3)
    assert payload == ours
    event = codecs.reader.event(ours)
    assert event["event_id"] == "pay.events/3/42"
    assert event["label"] == 1.0
    assert event["time_us"] == EVENT["time_us"]
    with pytest.raises(BadMessage):
        codecs.reader.payload(at_offset(b'{"card": "card-7"}'), 3)


def test_a_missing_mapping_file_is_said_at_the_start(tmp_path: Path) -> None:
    """A worker with a wrong path does not start and quarantine everything."""
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        build_codecs(load_settings(mapping=tmp_path / "nowhere.yaml"))
