import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from fastavro import _read_py

from schemas.sources import BadRow, Row, UnreadableSource, read_rows

SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "n", "type": "long"},
            {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["A", "B"]}},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "who", "type": ["null", "string", {"type": "map", "values": "double"}]},
        ],
    }
)
RECORDS: list[dict[str, Any]] = [
    {
        "n": n,
        "kind": "AB"[n % 2],
        "at": 1735689600000 + n,
        "who": [None, f"w{n}", {"x": n / 2}][n % 3],
    }
    for n in range(1_000)
]


def _file(codec: str = "null", records: list[dict[str, Any]] = RECORDS) -> bytes:
    out = BytesIO()
    fastavro.writer(out, SCHEMA, records, codec=codec, sync_interval=2_000, sync_marker=b"=" * 16)
    return out.getvalue()


def _read(tmp_path: Path, content: bytes) -> list[Row | BadRow]:
    path = tmp_path / "data.avro"
    path.write_bytes(content)
    with read_rows(path) as rows:
        return list(rows)


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_records_come_in_order_with_logical_types(tmp_path: Path, codec: str) -> None:
    """Every codec of the standard library is read; a timestamp is one."""
    rows = _read(tmp_path, _file(codec))
    assert len(rows) == len(RECORDS)
    for row, record in zip(rows, RECORDS, strict=True):
        assert isinstance(row, Row)
        assert {**row.fields, "at": record["at"]} == record
        assert row.fields["at"].timestamp() * 1000 == pytest.approx(record["at"])
    assert [(row.line, row.number) for row in rows[:2]] == [(1, 0), (2, 1)]
    assert rows[0].raw is None


def test_a_file_without_records_has_no_rows(tmp_path: Path) -> None:
    """An export of nothing is no error."""
    assert _read(tmp_path, _file(records=[])) == []


def test_a_damaged_record_costs_its_block_and_no_more(tmp_path: Path) -> None:
    """The next record is found again at the next block; the report says how many are lost."""
    content = bytearray(_file())
    start = content.index(b"=" * 16, content.index(b"=" * 16) + 16) + 16  # the second block
    at = content.index(b"w", start)  # a string of its own length: make it a huge one
    content[at - 1] = 0x7F
    rows = _read(tmp_path, bytes(content))
    (bad,) = [row for row in rows if isinstance(row, BadRow)]
    assert bad.error.reason == "BAD_AVRO"
    assert "R: field who" in bad.error.detail
    lost = int(bad.error.detail.split("; the ")[1].split()[0])
    assert lost > 0
    assert len(rows) + lost == len(RECORDS)
    last = rows[-1]
    assert isinstance(last, Row)
    assert last.fields["n"] == 999


def test_bytes_left_in_a_block_are_told(tmp_path: Path) -> None:
    """A block that holds more than its records was not written as its header says."""
    content = _file(records=RECORDS[:1])
    head, block, _ = content.split(b"=" * 16)
    count, size = block[:1], block[1:2]
    assert count == b"\x02"
    longer = struct.pack("B", size[0] + 4)
    rows = _read(tmp_path, head + b"=" * 16 + count + longer + block[2:] + b"xx" + b"=" * 16)
    assert isinstance(rows[0], Row)
    assert isinstance(rows[1], BadRow)
    assert rows[1].error.reason == "TRAILING_BYTES"


@pytest.mark.parametrize("block_reader", [fastavro.block_reader, _read_py.block_reader])
def test_a_file_that_is_cut_off_says_so_after_its_good_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_reader: object
) -> None:
    """Whatever byte it ends at: the rows before are read, and it never passes for complete."""
    # fastavro falls back to plain Python where it could not be compiled.
    monkeypatch.setattr(fastavro, "block_reader", block_reader)
    whole = _file(records=RECORDS[:200])
    header = whole.index(b"=" * 16) + 16
    ends = [index + 16 for index in range(len(whole)) if whole[index : index + 16] == b"=" * 16]
    path = tmp_path / "data.avro"
    # One byte into a block is inside the number of its records: the plain one takes it for the end.
    inside_counts = [end + 1 for end in [header, *ends[1:-1]]]
    for size in {*range(header, len(whole), 7), *inside_counts} - {header, *ends}:
        path.write_bytes(whole[:size])
        good: list[Row | BadRow] = []
        with read_rows(path) as rows, pytest.raises(UnreadableSource, match="cut off after byte"):
            good.extend(rows)
        assert len(good) < 200
        assert all(isinstance(row, Row) for row in good)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Obj",
        b"Obj\x01",
        b"a,b\n1,2\n",
        b"Xbj\x01" + _file()[4:],
        _file()[:60],
        _file().replace(b'"record"', b'"rekord"'),
        _file().replace(b"avro.codec", b"avro.kodec").replace(b"avro.schema", b"avro.skhema"),
    ],
)
def test_what_is_no_avro_file_is_refused_at_once(tmp_path: Path, content: bytes) -> None:
    """The error names the file and what to give instead."""
    with pytest.raises(UnreadableSource, match=r"data\.avro cannot be read as an Avro object"):
        _read(tmp_path, content)


def test_an_unknown_codec_is_told(tmp_path: Path) -> None:
    """A codec whose library is not there is named."""
    with pytest.raises(UnreadableSource, match="nope"):
        _read(
            tmp_path, _file().replace(b"null\x00", b"nope\x00", 1).replace(b"\x08null", b"\x08nope")
        )


@pytest.mark.parametrize(
    "length", [b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x01", b"\x80" * 8 + b"\x10"]
)
def test_a_damaged_length_is_not_believed(tmp_path: Path, length: bytes) -> None:
    """A length out of damaged bytes, negative or of exabytes, must not fill the memory."""
    content = _file(records=RECORDS[:1])
    at = content.index(b"=" * 16) + 16
    with pytest.raises(UnreadableSource, match="damaged or cut off"):
        _read(tmp_path, content[: at + 1] + length + content[at + 2 :])


def test_more_records_than_bytes_are_not_believed(tmp_path: Path) -> None:
    """A damaged count must not make a loop of years."""
    content = _file(records=RECORDS[:1])
    at = content.index(b"=" * 16) + 16
    with pytest.raises(UnreadableSource, match="cannot hold"):
        _read(tmp_path, content[:at] + b"\xfe\xff\xff\xff\x7f" + content[at + 1 :])
