from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.sources import BadRow, Format, Row, UnreadableSource, read_rows


def _read(tmp_path: Path, content: bytes, delimiter: str | None = None) -> list[Row | BadRow]:
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with read_rows(path, delimiter=delimiter) as rows:
        return list(rows)


def _fields(
    tmp_path: Path, content: bytes, delimiter: str | None = None
) -> list[dict[str, object]]:
    rows = _read(tmp_path, content, delimiter)
    assert all(isinstance(row, Row) for row in rows), rows
    return [row.fields for row in rows if isinstance(row, Row)]


def test_rows_have_the_names_of_the_header(tmp_path: Path) -> None:
    """Values are strings as they stand; an empty cell is none."""
    content = b'id,name , note\n1,"a, b",x\n\n2,, "y"\n'
    assert _fields(tmp_path, content) == [
        {"id": "1", "name": "a, b", "note": "x"},
        {"id": "2", "name": None, "note": ' "y"'},
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(tmp_path: Path, delimiter: str) -> None:
    """Decimal commas in a file split by semicolons, and text with commas, do not mislead."""
    content = 'a,b;c|d\te\n"1,2;3"|4\n'.replace("\t", " ")
    lines = [["a", "b", "c"], ["1", "2", "3"], ["4", "5", "6"]]
    content = "\n".join(delimiter.join(line) for line in lines)
    assert _fields(tmp_path, content.encode())[1] == {"a": "4", "b": "5", "c": "6"}
    if delimiter != ",":
        decimal = content.replace("2", "2,5").replace("5\n", "5,5\n")
        assert _fields(tmp_path, decimal.encode())[0] == {"a": "1", "b": "2,5", "c": "3"}


def test_a_given_delimiter_is_used(tmp_path: Path) -> None:
    """Any single character will do; what is longer is refused before the file is opened."""
    assert _fields(tmp_path, b"a:b,c\n1:2,3\n", ":") == [{"a": "1", "b,c": "2,3"}]
    with pytest.raises(ConfigError, match="delimiter '::' is not one character"):
        _read(tmp_path, b"a::b\n", "::")


def test_a_file_of_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    """Nothing splits it, so nothing is made to."""
    assert _fields(tmp_path, b"word\nhello world\n") == [{"word": "hello world"}]


def test_lines_inside_quotes_belong_to_the_row_and_are_counted(tmp_path: Path) -> None:
    """A row's line is the one it begins on; its bytes are kept as they stood."""
    rows = _read(tmp_path, b'a,b\r\n1,"x\r\ny"\r\n2,z\r\n')
    assert [(row.line, row.number, row.raw) for row in rows] == [
        (2, 0, b'1,"x\r\ny"'),
        (4, 1, b"2,z"),
    ]
    assert isinstance(rows[0], Row)
    assert rows[0].fields["b"] == "x\r\ny"


def test_a_byte_order_mark_is_not_part_of_the_first_name(tmp_path: Path) -> None:
    """Spreadsheets write one before UTF-8."""
    assert _fields(tmp_path, b"\xef\xbb\xbfid,x\n1,2\n") == [{"id": "1", "x": "2"}]


def test_a_column_without_a_name_is_called_by_its_number(tmp_path: Path) -> None:
    """Exports of data frames have an index without a name in front."""
    assert _fields(tmp_path, b",x\n0,5\n") == [{"column_1": "0", "x": "5"}]


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        (b"1", "the row has 1 cells, the header 2"),
        (b"1,2,3", "the row has 3 cells, the header 2"),
        (b'1,"x"y', "the row is no CSV: ',' expected after '\"'"),
        (b"1,\xff", "the row is not UTF-8"),
        (b'1,"\xff\n"', "the row is not UTF-8"),
        (b"1,a\rb", "the row is no CSV: new-line character"),
        (b"1," + b"x" * 200_000, "the row is no CSV: field larger than field limit"),
    ],
)
def test_a_bad_row_is_told_and_reading_goes_on(tmp_path: Path, bad: bytes, detail: str) -> None:
    """The caller counts it and can write it out: line, reason and bytes are there."""
    before, row, after = _read(tmp_path, b"a,b\n0,p\n" + bad + b"\n9,q\n")
    assert isinstance(before, Row)
    assert isinstance(row, BadRow)
    assert isinstance(after, Row)
    assert (row.line, row.number, row.raw) == (3, 1, bad)
    assert row.error.reason == "BAD_MAPPING"
    assert detail in row.error.detail
    assert (after.number, after.fields) == (2, {"a": "9", "b": "q"})


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(tmp_path: Path) -> None:
    """After a bounded number of bytes it is one bad row, and the rows after it are read."""
    lines = [b"a,b", b'1,"open'] + [b"%d,%s" % (n, b"x" * 80) for n in range(4_000)]
    rows = _read(tmp_path, b"\n".join(lines) + b"\n")
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert len(bad) == 1
    assert "field limit" in bad[0].error.detail
    assert bad[0].raw is not None
    assert len(bad[0].raw) < 140_000
    assert isinstance(rows[-1], Row)
    assert rows[-1].line == 4_002
    assert bad[0].raw.count(b"\n") + 1 + len(rows) - 1 == 4_001


def test_a_quote_open_at_the_end_is_a_bad_row(tmp_path: Path) -> None:
    """A file that was cut off inside a cell loses that row only, and says so."""
    rows = _read(tmp_path, b'a,b\n1,2\n3,"cut')
    assert isinstance(rows[0], Row)
    assert isinstance(rows[1], BadRow)
    assert rows[1].raw == b'3,"cut'


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "has no CSV header .it is empty.; its first line has to name the columns"),
        (b"\n\n", "has no CSV header .it is empty."),
        (b"a,\xff\n1,2\n", "has no CSV header .the row is not UTF-8."),
        (b"a,b,a\n1,2,3\n", "has two columns called 'a'; rename one"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16 text; convert it with `iconv"),
        (b"\x1f\x8b\x08\x00", "is compressed by gzip; unpack it"),
        (b"Obj\x01", "is an Avro file"),
        (b"PAR1", "is a Parquet file"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_as_a_whole(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    """Without a header every row would be wrong; the error says what the file is instead."""
    with pytest.raises(UnreadableSource, match=rf"data\.csv {fault}"):
        _read(tmp_path, content)


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    """An export of nothing is no error."""
    assert _read(tmp_path, b"a,b\n") == []


def test_tabs_are_told_by_the_name_or_not_at_all(tmp_path: Path) -> None:
    """.tsv is read as CSV, whose delimiter is found out."""
    path = tmp_path / "data.tsv"
    path.write_bytes(b"a\tb\n1\t2\n")
    with read_rows(path) as rows:
        assert rows.format is Format.CSV
        assert [row.fields for row in rows if isinstance(row, Row)] == [{"a": "1", "b": "2"}]
