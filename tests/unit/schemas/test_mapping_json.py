import pytest

from schemas.errors import BadMessage
from tests.unit.schemas.mapping_cases import HEAD, ORIGIN, make_mapper

TEXT = HEAD + "features: {numbers: [x]}\n"
GOOD = b'{"id": "c-7", "at": 1, "x": 2}'


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"", "breaks off at character 0"),
        (b'{"id": "secret', "breaks off at character 7: Unterminated string"),
        (b'{"id": "secret"} x', "breaks off at character 17: Extra data"),
        (b"[1, 2]", "is a list or a single value"),
        (b'"secret"', "is a list or a single value"),
        (b'{"x": NaN}', "NaN is no JSON number"),
        (b'{"x": -Infinity}', "-Infinity is no JSON number"),
        (b'{"x": ' + b"9" * 5000 + b"}", "number that cannot be used"),
        (b'{"x": "\xff"}', "is not UTF-8 at byte 7"),
        (b"[" * 100_000, "nests too deeply"),
        (b"\0\0\0\0\1" + GOOD, "set `framing: confluent`"),
    ],
)
def test_bytes_that_are_no_json_object_are_refused_without_being_quoted(
    value: bytes, fault: str
) -> None:
    """Whatever a producer writes, the answer is a reason and a position."""
    with pytest.raises(BadMessage, match=f"BAD_MAPPING: .*{fault}") as refused:
        make_mapper(TEXT).map_message(value, ORIGIN)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_header_of_a_schema_registry_is_skipped_when_the_mapping_says_so() -> None:
    """Confluent's JSON Schema serialiser writes five bytes before each message."""
    framed = make_mapper(TEXT + "source: {format: json, framing: confluent}")
    assert framed.map_message(b"\0\0\0\0\1" + GOOD, ORIGIN)["id"] == "c-7"
    for value in (GOOD, b"\0\0\0"):
        with pytest.raises(BadMessage, match=r"BAD_WIRE_HEADER: .*set `framing: none`"):
            framed.map_message(value, ORIGIN)
