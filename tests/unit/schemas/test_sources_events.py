import io
import os
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.codec import Codec
from schemas.errors import ConfigError
from schemas.mapping import Mapper, check
from schemas.packed import unpack_f64
from schemas.sources import (
    DEFAULT_START_US,
    BadRow,
    ColumnOptions,
    Format,
    MappedRow,
    UnreadableSource,
    guess_format,
    map_rows,
    read_rows,
    row_samples,
)
from tests.unit.schemas.mapping_cases import make_mapper

CSV = b"card,amount,country,when,fraud\nc-1,12.5,DE,2025-01-01,yes\nc-2,,AT,2025-01-02,no\n"
OPTIONS = ColumnOptions(
    id="card", time="when", time_unit="iso8601", label="amount", features=("country", "fraud")
)


def _events(
    path: Path, options: ColumnOptions, start_us: int = DEFAULT_START_US
) -> list[dict[str, Any]]:
    codec = Codec("event")
    with read_rows(path) as rows:
        mapper = Mapper(options.mapping(rows.format))
        mapped = list(map_rows(rows, mapper, start_us))
    assert all(isinstance(one, MappedRow) for one in mapped), mapped
    events = [one.event for one in mapped if isinstance(one, MappedRow)]
    assert [codec.decode(codec.encode(event)) for event in events] == events
    return events


def _write(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_columns_become_events(tmp_path: Path) -> None:
    """Named columns are what they are named; an empty cell is no label."""
    first, second = _events(_write(tmp_path, "a.csv", CSV), OPTIONS)
    assert first == {
        "kind": "OBSERVATION",
        "tenant": "default",
        "id": "c-1",
        "event_id": f"2-{zlib.crc32(CSV.splitlines()[1]):08x}",
        "time_us": 1735689600_000_000,
        "label": 12.5,
        "features": {"country=DE": 1.0, "fraud=yes": 1.0},
        "feature_ids": None,
        "feature_values": None,
        "key": None,
        "value": None,
        "query": None,
        "context": None,
    }
    assert (second["id"], second["label"]) == ("c-2", None)


def test_a_row_is_the_same_event_only_where_the_same_stands(tmp_path: Path) -> None:
    """A file that is sent again is recognised; another row at the same line is another event."""
    first, second = _events(_write(tmp_path, "a.csv", CSV), OPTIONS)
    again, other = _events(_write(tmp_path, "b.csv", CSV.replace(b"c-2", b"c-3")), OPTIONS)
    assert first["event_id"] == again["event_id"]
    assert second["event_id"] != other["event_id"]


def test_a_file_without_options_is_all_features(tmp_path: Path) -> None:
    """Each row is an entity of its own, and time runs on by a millisecond a row."""
    first, second = _events(_write(tmp_path, "a.csv", CSV), ColumnOptions())
    assert first["features"] == {
        "card=c-1": 1.0,
        "amount": 12.5,
        "country=DE": 1.0,
        "when=2025-01-01": 1.0,
        "fraud=yes": 1.0,
    }
    assert (first["id"], second["id"]) == ("2", "3")
    assert first["time_us"] == 1577836800_000_000
    assert second["time_us"] == 1577836800_001_000
    later = _events(tmp_path / "a.csv", ColumnOptions(), start_us=5)
    assert [event["time_us"] for event in later] == [5, 1005]


def test_every_option_has_its_part_of_the_event(tmp_path: Path) -> None:
    """Tenant, event id, vectors, context, categories and strings for nothing."""
    content = b"who,n,zip,a,b,v,drop,t\nx,1,0123,1.5,?,7,9,01/02/2025\n"
    options = ColumnOptions(
        tenant="who",
        event_id="n",
        time="t",
        time_format="%d/%m/%Y",
        categories=("zip",),
        exclude=("drop",),
        key=("a", "v"),
        query=("b",),
        value=("v",),
        context=("zip",),
        missing=("?",),
    )
    (event,) = _events(_write(tmp_path, "a.csv", content), options)
    assert (event["tenant"], event["event_id"], event["time_us"]) == ("x", "1", 1738368000_000_000)
    assert event["features"] == {"zip=0123": 1.0, "a": 1.5}
    assert unpack_f64(event["key"]).tolist() == [1.5, 7.0]
    assert unpack_f64(event["value"]).tolist() == [7.0]
    assert event["query"] is None
    assert event["context"] == {"zip": "0123"}


def test_columns_of_csv_may_have_dots_in_their_names(tmp_path: Path) -> None:
    """A header is not a path; a star among several columns is a pattern all the same."""
    content = b"sepal.length,sepal.width,petal\\n,class.*\n1,2,3,x\n"
    options = ColumnOptions(id="class.*", label="petal\\n", features=("sepal.*",))
    (event,) = _events(_write(tmp_path, "a.csv", content), options)
    assert event["features"] == {"sepal.length": 1.0, "sepal.width": 2.0}
    assert (event["id"], event["label"]) == ("x", 3.0)


def test_json_lines_and_avro_are_named_by_paths(tmp_path: Path) -> None:
    """Nested members by dotted paths, lists as vectors, timestamps without a unit in Avro."""
    lines = b'{"u": {"id": 5}, "e": [1, 2], "x": 0.5, "s": "12", "t": 60}\n'
    options = ColumnOptions(id="u.id", key=("e",), time="t", time_unit="s")
    (event,) = _events(_write(tmp_path, "a.jsonl", lines), options)
    assert (event["id"], event["time_us"]) == ("5", 60_000_000)
    assert event["features"] == {"x": 0.5, "s=12": 1.0}
    assert unpack_f64(event["key"]).tolist() == [1.0, 2.0]
    schema = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "x", "type": "float"},
        ],
    }
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(schema), [{"t": 7, "x": 0.5}])
    path = _write(tmp_path, "a.avro", out.getvalue())
    (event,) = _events(path, ColumnOptions(time="t"))
    assert (event["time_us"], event["id"], event["features"]) == (7, "1", {"x": 0.5})


@pytest.mark.parametrize(
    ("name", "line", "label", "features"),
    [
        ("a.libsvm", b"-1 3:0.5 7:1 qid:2\n", -1.0, {"3": 0.5, "7": 1.0}),
        ("a.svm", b"3:0.5\n", None, {"3": 0.5}),
        ("a.vw", b"1 'tag |f a:2 b\n", 1.0, {"f^a": 2.0, "f^b": 1.0}),
    ],
)
def test_sparse_formats_bring_label_and_features(
    tmp_path: Path, name: str, line: bytes, label: float | None, features: dict[str, float]
) -> None:
    """Names are the indexes or feature names, as other learners know them."""
    (event,) = _events(_write(tmp_path, name, line), ColumnOptions())
    assert (event["label"], event["features"]) == (label, features)


def test_fields_of_a_sparse_row_can_be_named(tmp_path: Path) -> None:
    """Vowpal Wabbit's tag can be the id, as in data sets that carry one."""
    path = _write(tmp_path, "a.vw", b"1 2 'c-7 |a b\n")
    (event,) = _events(path, ColumnOptions(id="tag", label="importance"))
    assert (event["id"], event["label"]) == ("c-7", 2.0)


def test_rows_are_mapped_by_a_mapping_file_too(tmp_path: Path) -> None:
    """One mechanism: what a mapping does to messages it does to rows."""
    text = (
        "tenant: {constant: acme}\nid: card\ntime: {field: when, unit: iso8601}\n"
        "label: {field: fraud, values: {yes: 1, no: 0}}\n"
        "features: {numbers: [amount], categories: [country]}\n"
    )
    with read_rows(_write(tmp_path, "a.csv", CSV)) as rows:
        first, second = map_rows(rows, make_mapper(text))
    assert isinstance(first, MappedRow)
    assert isinstance(second, MappedRow)
    assert first.event["features"] == {"amount": 12.5, "country=DE": 1.0}
    assert [first.event["label"], second.event["label"]] == [1.0, 0.0]
    assert (first.row.line, first.row.raw) == (2, b"c-1,12.5,DE,2025-01-01,yes")


def test_rows_that_cannot_be_mapped_come_out_as_bad_rows(tmp_path: Path) -> None:
    """Unreadable and unmappable rows alike keep line, reason and bytes, and time does not shift."""
    content = b"card,amount\nc-1,1\nc-2,much\nc-3\n,2\nc-5,5\n"
    options = ColumnOptions(id="card", label="amount", features=("amount",))
    with read_rows(_write(tmp_path, "a.csv", content)) as rows:
        results = list(map_rows(rows, Mapper(options.mapping(rows.format))))
    bad = [one for one in results if isinstance(one, BadRow)]
    good = [one for one in results if isinstance(one, MappedRow)]
    assert [(one.line, one.error.reason, one.raw) for one in bad] == [
        (3, "BAD_FIELD", b"c-2,much"),
        (4, "BAD_MAPPING", b"c-3"),
        (5, "BAD_FIELD", b",2"),
    ]
    assert not any("much" in one.error.detail for one in bad)
    assert [one.event["time_us"] - DEFAULT_START_US for one in good] == [0, 4_000]


def test_a_file_is_checked_as_messages_are(tmp_path: Path) -> None:
    """``weir map --check`` takes files: bad rows are failures of the source, at their line."""
    with read_rows(_write(tmp_path, "a.csv", CSV + b"c-3\n")) as rows:
        report = check(Mapper(OPTIONS.mapping(rows.format)), row_samples(rows))
    assert (report.samples, report.mapped) == (3, 2)
    assert report.parts[0].failures[0].positions == ["4"]
    assert report.unused == {}


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (ColumnOptions(time="when"), "the time column 'when' needs a unit"),
        (ColumnOptions(time="when", time_unit="min"), "time.unit: Input should be 's'"),
        (ColumnOptions(time="when", time_format="%H"), "time.format: '%H' does not give"),
        (ColumnOptions(features=("a", "a")), "features: two features are called 'a'"),
        (ColumnOptions(tenant_name=""), "tenant.constant: String should have at least"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: ColumnOptions, fault: str) -> None:
    """Before a row is read, in the words of a mapping file."""
    with pytest.raises(ConfigError, match=fault):
        options.mapping(Format.CSV)


def test_a_format_is_told_by_the_name_or_has_to_be_given(tmp_path: Path) -> None:
    """What cannot be guessed is asked for, with the formats there are."""
    assert guess_format(Path("A.CSV")) is Format.CSV
    for path in (Path("-"), Path("data.txt"), Path("data")):
        with pytest.raises(ConfigError, match="say which it is: csv, jsonl, libsvm, vw, avro"):
            guess_format(path)
    with pytest.raises(UnreadableSource, match=r"gone\.csv cannot be opened .*; give a file"):
        read_rows(tmp_path / "gone.csv")
    with read_rows(tmp_path, Format.CSV) if os.name == "nt" else pytest.raises(UnreadableSource):
        read_rows(tmp_path, Format.CSV)


def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """``-`` reads a pipe: its length is not known, and it is not ours to close."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(CSV)
    with os.fdopen(reading, "rb") as raw, io.TextIOWrapper(raw) as text:
        monkeypatch.setattr(sys, "stdin", text)
        with read_rows(Path("-"), Format.CSV) as rows:
            assert rows.total_bytes is None
            assert len(list(rows)) == 2
            assert rows.bytes_read == len(CSV)
        assert not raw.closed


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.libsvm", "a.vw", "a.avro"])
def test_progress_reaches_the_end_and_memory_does_not_grow(tmp_path: Path, name: str) -> None:
    """A progress bar has its figures, and a file larger than memory can be read."""
    out = io.BytesIO()
    count = 20_000
    match Path(name).suffix:
        case ".csv":
            out.write(b"a,b\n" + b"1.5,some text that is not short\n" * count)
        case ".jsonl":
            out.write(b'{"a": 1.5, "b": "some text that is not short"}\n' * count)
        case ".libsvm":
            out.write(b"1 1:0.5 2:0.25 17:1 # a comment\n" * count)
        case ".vw":
            out.write(b"1 |name a:0.5 b:0.25 c\n" * count)
        case _:
            schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}
            records = ({"a": "some text that is not short"} for _ in range(count))
            fastavro.writer(out, fastavro.parse_schema(schema), records)
    path = _write(tmp_path, name, out.getvalue())
    with read_rows(path) as rows:
        assert rows.total_bytes == len(out.getvalue())
        iterator = iter(rows)
        next(iterator)
        assert 0 < rows.bytes_read < rows.total_bytes / 2
        tracemalloc.start()
        read = 1 + sum(1 for _ in iterator)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert read == count
        assert rows.bytes_read == rows.total_bytes
    assert peak < 400_000
