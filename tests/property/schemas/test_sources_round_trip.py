"""What is written in a format is read back from it, and no bytes at all break a reader."""

import csv
import io
import json
import string
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.mapping import Mapper, Mapping, Origin, check
from schemas.sources import (
    BadRow,
    ColumnOptions,
    Format,
    MappedRow,
    Row,
    Rows,
    UnreadableSource,
    map_rows,
    row_samples,
)
from schemas.sources.stream import ByteStream

# Line ends within cells are part of the property; a bare carriage return is none of CSV's.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CELLS = TEXT.filter(bool)
NAMES = st.lists(
    st.text(string.ascii_letters + "._* ü", min_size=1, max_size=8).map(str.strip).filter(bool),
    min_size=1,
    max_size=5,
    unique=True,
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ANY_MAPPING = Mapping.model_validate(
    {
        "tenant": {"constant": "t"},
        "id": {"record": "position"},
        "time": {"record": "timestamp"},
        "label": "label",
        "features": {"auto": ["*", "*.*"]},
        "key": "e",
        "context": ["c"],
    }
)


def _rows(content: bytes, file_format: Format, delimiter: str | None = None) -> Rows:
    return Rows(ByteStream(io.BytesIO(content), "memory"), file_format, delimiter)


def _fields(content: bytes, file_format: Format, delimiter: str | None = None) -> list[Any]:
    rows = list(_rows(content, file_format, delimiter))
    assert [row.number for row in rows] == list(range(len(rows)))
    return [row.fields if isinstance(row, Row) else row for row in rows]


@given(st.data(), NAMES, st.sampled_from(",;\t|"))
def test_csv_round_trip(data: st.DataObject, names: list[str], delimiter: str) -> None:
    """Any table of strings that Python's writer writes comes back, quotes and line ends too."""
    row = st.lists(CELLS, min_size=len(names), max_size=len(names))
    table = data.draw(st.lists(row, max_size=6))
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows([names, *table])
    read = _fields(out.getvalue().encode(), Format.CSV, delimiter)
    assert read == [dict(zip(names, cells, strict=True)) for cells in table]


@given(st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1), st.sampled_from(",;\t|"))
def test_numbers_in_csv_reach_the_event_bit_by_bit(
    table: list[list[float]], delimiter: str
) -> None:
    """The delimiter is found out, and no digit of a number is lost between file and event."""
    lines = [delimiter.join("abc"), *(delimiter.join(map(repr, row)) for row in table)]
    rows = _rows("\n".join(lines).encode(), Format.CSV)
    mapped = list(map_rows(rows, Mapper(ColumnOptions(label="a").mapping(Format.CSV))))
    assert len(mapped) == len(table)
    for one, (label, b, c) in zip(mapped, table, strict=True):
        assert isinstance(one, MappedRow)
        assert repr(one.event["label"]) == repr(label)
        assert repr(one.event["features"]) == repr({"b": b, "c": c})


@given(st.lists(st.dictionaries(TEXT, JSON_VALUES, max_size=5), max_size=5))
def test_jsonl_round_trip(records: list[dict[str, Any]]) -> None:
    """Any objects that Python writes come back, one a line."""
    content = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    assert _fields(content.encode(), Format.JSONL) == records


@given(
    st.lists(
        st.tuples(
            st.none() | FLOATS,
            st.dictionaries(st.integers(0, 2**63 - 1), FLOATS, min_size=1, max_size=6),
        ),
        max_size=5,
    )
)
def test_libsvm_round_trip(rows: list[tuple[float | None, dict[int, float]]]) -> None:
    """Labels and values come back exactly, with the indexes as names."""
    lines = []
    for label, features in rows:
        words = [f"{index}:{value!r}" for index, value in features.items()]
        lines.append(" ".join(([] if label is None else [repr(label)]) + words))
    read = _fields("\n".join(lines).encode(), Format.LIBSVM)
    assert read == [
        {"label": label, "features": {str(index): value for index, value in features.items()}}
        for label, features in rows
    ]


@given(
    st.lists(
        st.tuples(
            FLOATS,
            st.dictionaries(
                st.text(string.ascii_lowercase, max_size=3),
                st.dictionaries(st.text(string.ascii_letters, min_size=1), FLOATS, max_size=4),
                max_size=3,
            ),
        ),
        max_size=4,
    )
)
def test_vowpal_wabbit_round_trip(rows: list[tuple[float, dict[str, dict[str, float]]]]) -> None:
    """Labels, namespaces, names and values come back exactly."""
    lines = []
    for label, spaces in rows:
        parts = [
            f"|{space} " + " ".join(f"{name}:{value!r}" for name, value in features.items())
            for space, features in spaces.items()
        ]
        lines.append(f"{label!r} {' '.join(parts) or '|'}")
    read = _fields("\n".join(lines).encode(), Format.VOWPAL_WABBIT)
    assert [(row["label"], row["features"]) for row in read] == [
        (
            label,
            {
                f"{space}^{name}" if space else name: value
                for space, features in spaces.items()
                for name, value in features.items()
            },
        )
        for label, spaces in rows
    ]


@pytest.mark.parametrize("file_format", list(Format))
@given(data=st.data())
def test_no_bytes_break_a_reader(file_format: Format, data: st.DataObject) -> None:
    """Whatever a file holds: rows, bad rows and events, or one error that says what it is."""
    head = {
        Format.CSV: b'a,"b;\tc',
        Format.JSONL: b'{"a": [1, ',
        Format.LIBSVM: b"1 qid:1 3:0.5 ",
        Format.VOWPAL_WABBIT: b"1 0.5 'tag|n:2 a:1 ",
        Format.AVRO: _avro_file(),
    }[file_format]
    pieces = st.sampled_from([head, b"\n", b"\r\n", b'"', b",", b":", b"|", b"\0", b"nan", b"}"])
    content = b"".join(data.draw(st.lists(pieces | st.binary(max_size=6), max_size=12)))
    if file_format is Format.AVRO and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(head) - 1))
        content = head[:at] + data.draw(st.binary(max_size=3)) + head[at + 1 :]
    rows = _rows(content, file_format)
    mapper = Mapper(ANY_MAPPING)
    codec = Codec("event")
    try:
        for number, one in enumerate(map_rows(rows, mapper)):
            if isinstance(one, BadRow):
                assert one.number == number
                one.error.detail.encode()
            else:
                assert one.row.number == number
                assert codec.decode(codec.encode(one.event)) == one.event
    except UnreadableSource:
        pass


def _avro_file() -> bytes:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "label", "type": ["null", "double"]},
            {"name": "e", "type": {"type": "array", "items": "float"}},
            {"name": "c", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
            {"name": "t", "type": {"type": "int", "logicalType": "date"}},
        ],
    }
    out = io.BytesIO()
    records = [{"label": 1.0, "e": [0.5], "c": "B", "t": n} for n in range(3)]
    fastavro.writer(out, fastavro.parse_schema(schema), records, sync_marker=b"=" * 16)
    return out.getvalue()


@given(JSON_VALUES | st.dictionaries(st.sampled_from(["label", "e", "c", "x"]), JSON_VALUES))
def test_any_json_becomes_an_event_or_a_reason(message: Any) -> None:
    """A mapping never fails in a way of its own, and what it gives can always be encoded."""
    mapper = Mapper(ANY_MAPPING)
    codec = Codec("event")
    value = json.dumps(message).encode()
    try:
        event = mapper.map_message(value, Origin.kafka("t", 0, 0, timestamp_ms=0))
    except BadMessage:
        return
    assert codec.decode(codec.encode(event)) == event
    assert mapper.map_message(value, Origin.kafka("t", 0, 0, timestamp_ms=0)) == event


@given(st.lists(st.dictionaries(st.sampled_from(["label", "e", "c", "x"]), JSON_VALUES)))
def test_a_check_counts_what_mapping_does(records: list[dict[str, Any]]) -> None:
    """The report says of samples what mapping them does: as many events, as many failures."""
    content = "".join(json.dumps(record) + "\n" for record in records).encode()
    mapper = Mapper(ANY_MAPPING)
    mapped = list(map_rows(_rows(content, Format.JSONL), mapper))
    report = check(mapper, row_samples(_rows(content, Format.JSONL)), preview=len(records))
    assert report.samples == len(records)
    assert report.mapped == sum(isinstance(one, MappedRow) for one in mapped)
    assert report.failed == sum(isinstance(one, BadRow) for one in mapped)
    json.dumps(report.as_dict())
