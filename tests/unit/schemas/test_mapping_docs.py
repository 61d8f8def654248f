"""The examples of docs/mapping.md, run as they stand there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.codec import Codec
from schemas.packed import unpack_f64
from tests.unit.schemas.mapping_cases import ORIGIN, make_mapper
from tests.unit.schemas.protobuf_cases import RIDE_PROTO, encode_ride, ride_descriptors

MANUAL = Path(__file__).parents[3] / "docs" / "mapping.md"
_BLOCK = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Example:
    """The blocks that lead to one event."""

    mapping: str = ""
    message: str | None = None
    record: str | None = None
    event: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    proto: str | None = None


def _examples() -> list[Example]:
    examples = []
    example = Example()
    for language, what, text in _BLOCK.findall(MANUAL.read_text(encoding="utf-8")):
        if language == "yaml":
            example.mapping = text
        elif language == "proto":
            example.proto = text
        elif what == "message":
            example.message = text
        elif what == "record":
            example.record = text
        elif what.startswith("schema="):
            example.files[what.removeprefix("schema=")] = text
        elif what == "event":
            example.event = json.loads(text)
            examples.append(example)
            example = Example()
        else:
            pytest.fail(f"a block of docs/mapping.md that no example uses: {language} {what}")
    return examples


EXAMPLES = _examples()


def test_the_manual_has_an_example_of_each_format() -> None:
    """JSON with and without globs, Avro, Protobuf and late labels each have one that runs."""
    assert len(EXAMPLES) == 5
    assert all(example.mapping and example.event for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.event["event_id"])
def test_an_example_gives_the_event_that_stands_beside_it(example: Example, tmp_path: Path) -> None:
    """What the manual says a message becomes is what it becomes."""
    for name, text in example.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    if example.proto is not None:
        assert example.proto.split() == RIDE_PROTO.split()
        (tmp_path / "ride.desc").write_bytes(ride_descriptors().SerializeToString())
    event = make_mapper(example.mapping, tmp_path).map_message(_bytes(example), ORIGIN)
    Codec("event").encode(event)
    for part in ("key", "query", "value"):
        if event[part] is not None:
            event[part] = unpack_f64(event[part]).tolist()
    expected = dict.fromkeys(event) | example.event
    features = expected.pop("features")
    if features is not None:  # log1p may differ in its last bit between machines
        features = pytest.approx(features, rel=1e-15)
    assert event.pop("features") == features
    assert event == expected


def _bytes(example: Example) -> bytes:
    if example.message is not None:
        return example.message.encode()
    assert example.record is not None
    if example.proto is not None:
        return encode_ride(json.loads(example.record))
    (schema,) = example.files.values()
    out = BytesIO()
    record = json.loads(example.record, parse_float=Decimal)
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema)), record)
    return out.getvalue()
