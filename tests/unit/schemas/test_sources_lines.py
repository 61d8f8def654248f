"""JSON Lines, LIBSVM and Vowpal Wabbit: formats of one row a line."""

from pathlib import Path
from typing import Any

import pytest

from schemas.sources import BadRow, Format, Row, read_rows
from schemas.sources.stream import MAX_LINE_BYTES


def _read(tmp_path: Path, file_format: Format, content: bytes) -> list[Row | BadRow]:
    path = tmp_path / "data"
    path.write_bytes(content)
    with read_rows(path, file_format) as rows:
        return list(rows)


def _one(tmp_path: Path, file_format: Format, line: str) -> dict[str, Any]:
    (row,) = _read(tmp_path, file_format, line.encode() + b"\n")
    assert isinstance(row, Row), row
    return row.fields


def test_jsonl_rows_are_typed_as_json_types_them(tmp_path: Path) -> None:
    """One object a line, nested or not; blank lines count as lines and are no rows."""
    content = b'{"a": 1, "b": {"c": [true, null]}}\r\n\n  \n{"a": "x"}'
    first, second = _read(tmp_path, Format.JSONL, content)
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert first.fields == {"a": 1, "b": {"c": [True, None]}}
    assert (second.line, second.number, second.raw) == (4, 1, b'{"a": "x"}')


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("+1 1:0.5 7:-2e3", {"label": 1.0, "features": {"1": 0.5, "7": -2000.0}}),
        ("-1 # nothing", {"label": -1.0, "features": {}}),
        ("0.25 qid:3 01:1 # note: 9:9", {"label": 0.25, "qid": 3, "features": {"1": 1.0}}),
        ("2:1 1:2", {"label": None, "features": {"2": 1.0, "1": 2.0}}),
        ("1\t0:1", {"label": 1.0, "features": {"0": 1.0}}),
    ],
)
def test_libsvm_rows(tmp_path: Path, line: str, fields: dict[str, Any]) -> None:
    """Label, qid, values by index in any order, comments; a row may lack its label."""
    assert _one(tmp_path, Format.LIBSVM, line) == fields


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            "1 2.0 'second |f price:.23 sqft:.25 new |g:2 age:.05",
            {
                "label": 1.0,
                "importance": 2.0,
                "tag": "second",
                "features": {"f^price": 0.23, "f^sqft": 0.25, "f^new": 1.0, "g^age": 0.1},
            },
        ),
        ("-1 1 0.5 tag|a x", {"label": -1.0, "tag": "tag", "features": {"a^x": 1.0}}),
        ("0 | a b:2 a:3", {"label": 0.0, "features": {"a": 4.0, "b": 2.0}}),
        ("|a b", {"label": None, "features": {"a^b": 1.0}}),
        ("1|a b", {"label": None, "tag": "1", "features": {"a^b": 1.0}}),
        ("1 |", {"label": 1.0, "features": {}}),
        ("1 |a||b c", {"label": 1.0, "features": {"b^c": 1.0}}),
        ("1 '|a b", {"label": 1.0, "features": {"a^b": 1.0}}),
    ],
)
def test_vowpal_wabbit_rows(tmp_path: Path, line: str, fields: dict[str, Any]) -> None:
    """Labels, importance, tags and namespaces as Vowpal Wabbit reads them."""
    expected = {"importance": 1.0, "tag": None} | fields
    assert _one(tmp_path, Format.VOWPAL_WABBIT, line) == expected


@pytest.mark.parametrize(
    ("file_format", "line", "detail"),
    [
        (Format.JSONL, b'{"a": secret}', "breaks off at character 6"),
        (Format.JSONL, b'["secret"]', "is a list or a single value"),
        (Format.JSONL, b'{"a": NaN}', "NaN is no JSON number"),
        (Format.JSONL, b'{"a": "\xff"}', "is not UTF-8 at byte 7"),
        (Format.LIBSVM, b"secret 1:2", "has a label that is no finite number"),
        (Format.LIBSVM, b"1,2 1:2", "has a label that is no finite number"),
        (Format.LIBSVM, b"nan 1:2", "has a label that is no finite number"),
        (Format.LIBSVM, b"1 2", "has a word without a colon"),
        (Format.LIBSVM, b"1 secret:2", "has an index that is no integer"),
        (Format.LIBSVM, b"1 -1:2", "has an index that is no integer"),
        (Format.LIBSVM, b"1 " + b"9" * 5000 + b":2", "has an index that is no integer"),
        (Format.LIBSVM, b"1 1:inf", "has a value that is no finite number"),
        (Format.LIBSVM, b"1 1:", "has a value that is no finite number"),
        (Format.LIBSVM, b"1 1:1 01:2", "has an index twice"),
        (Format.LIBSVM, b"1 qid:x 1:1", "has a qid that is no integer"),
        (Format.LIBSVM, b"1 1:\xff", "is not UTF-8 at byte 4"),
        (Format.VOWPAL_WABBIT, b"1 secret", "has no `|`"),
        (Format.VOWPAL_WABBIT, b"1:2:0.5 |a b", "has a label that is no finite number"),
        (Format.VOWPAL_WABBIT, b"1 x |a b", "has an importance that is no finite number"),
        (Format.VOWPAL_WABBIT, b"1 1 1 1 |a b", "has more than label, importance and initial"),
        (Format.VOWPAL_WABBIT, b"1 | b:x", "has a feature with a value that is no finite"),
        (Format.VOWPAL_WABBIT, b"1 | :3", "has a feature without a name"),
        (Format.VOWPAL_WABBIT, b"1 |:3 b", "has a namespace without a name"),
        (Format.VOWPAL_WABBIT, b"1 |a:x b", "has a namespace with a value that is no finite"),
        (Format.VOWPAL_WABBIT, b"1 |a:1e200 b:1e200", "a feature whose value is beyond float64"),
        (Format.VOWPAL_WABBIT, b"1 | \xff", "is not UTF-8"),
    ],
)
def test_a_bad_line_is_told_and_reading_goes_on(
    tmp_path: Path, file_format: Format, line: bytes, detail: str
) -> None:
    """Line, reason and bytes are there for the caller; the reason quotes nothing of the line."""
    good = {
        Format.JSONL: b'{"a": 1}',
        Format.LIBSVM: b"1 1:1",
        Format.VOWPAL_WABBIT: b"1 |a b",
    }[file_format]
    before, bad, after = _read(tmp_path, file_format, b"\n".join([good, b"", line, good]))
    assert isinstance(before, Row)
    assert isinstance(bad, BadRow)
    assert isinstance(after, Row)
    assert (bad.line, bad.number, bad.raw, after.number) == (3, 1, line, 2)
    assert bad.error.reason == "BAD_MAPPING"
    assert detail in bad.error.detail
    assert "secret" not in bad.error.detail


def test_a_line_of_unbounded_length_is_refused_and_reading_goes_on(tmp_path: Path) -> None:
    """A file of one endless line must not fill the memory."""
    path = tmp_path / "data.jsonl"
    with path.open("wb") as file:
        file.write(b'{"a": "' + b"x" * (2 * MAX_LINE_BYTES + 7) + b'"}\n{"a": 1}\n')
    with read_rows(path) as rows:
        bad, good = rows
    assert isinstance(bad, BadRow)
    assert isinstance(good, Row)
    assert (bad.error.reason, bad.raw, bad.line, good.line) == ("OVERSIZED", None, 1, 2)


def test_a_csv_line_of_unbounded_length_is_refused_and_reading_goes_on(tmp_path: Path) -> None:
    """The same for CSV, whose rows may span lines."""
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,b\n1," + b"x" * (MAX_LINE_BYTES + 1) + b"\n3,4\n")
    with read_rows(path) as rows:
        bad, good = rows
    assert isinstance(bad, BadRow)
    assert isinstance(good, Row)
    assert (bad.error.reason, bad.raw, good.fields) == ("OVERSIZED", None, {"a": "3", "b": "4"})


def test_only_comments_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    """They are no rows of LIBSVM, and take no number."""
    (row,) = _read(tmp_path, Format.LIBSVM, b"# header\n\n  # more\n1 1:1\n")
    assert (row.line, row.number) == (4, 0)
