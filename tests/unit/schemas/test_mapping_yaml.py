from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.mapping import load_mapping, parse_mapping

GOOD = """\
tenant: {constant: acme}
id: id
time: {field: at, unit: ms}
features: {numbers: [x]}
"""


def _fault(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_mapping(text, Path("pay.yaml"))
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD + "lable: y\n", "line 5, lable: unknown field; did you mean 'label'?"),
        (GOOD + "colour: y\n", "line 5, colour: unknown field; known here: source, kind, tenant"),
        (
            GOOD.replace("[x]", "[\n  x,\n  {field: y, tranform: log1p}]"),
            "line 6, features.numbers[1].tranform: unknown field; did you mean 'transform'?",
        ),
        (
            GOOD.replace("[x]", "[\n  {field: y, transform: log}]"),
            "line 5, features.numbers[0].transform: Input should be 'log1p'",
        ),
        (GOOD.replace("id: id\n", ""), "line 1, id: is missing; every mapping names it"),
        (GOOD.replace("unit: ms", "unit: min"), "line 3, time.unit: Input should be 's', 'ms'"),
        (GOOD.replace("unit: ms", "format: '%H:%M'"), "line 3, time.format: '%H:%M' does not give"),
        (
            GOOD.replace("unit: ms", "unit: ms, format: '%c'"),
            "line 3, time: give a unit or a format",
        ),
        (GOOD.replace("{field: at, unit: ms}", "{unit: ms}"), "line 3, time: give a field, or"),
        (
            GOOD.replace("field: at", "record: timestamp"),
            "line 3, time: the record's timestamp has its own unit",
        ),
        (GOOD.replace("id: id", "id: 'card..id'"), "line 2, id: the path 'card..id' has an empty"),
        (GOOD.replace("id: id", "id: 'card.*'"), "line 2, id: one field is meant here"),
        (GOOD.replace("id: id", "id: {field: a, constant: b}"), "line 2, id: give exactly one of"),
        (
            GOOD.replace("id: id", "id: {constant: ''}"),
            "line 2, id.constant: String should have at",
        ),
        (GOOD + "event_id: {constant: e}\n", "line 5, event_id.constant: unknown field"),
        (GOOD + "label: {field: y, values: {a: b}}\n", "line 5, label.values.a: Input should be"),
        (
            GOOD + "label: {field: y, values: {a: .nan}}\n",
            "line 5, label.values.a: Input should be",
        ),
        (GOOD + "key: {fields: [], required: true}\n", "line 5, key.fields: Tuple should have at"),
        (GOOD + "key: {required: true}\n", "line 5, key: give `fields`, a list of numbers, or"),
        (GOOD + "context: [a, {field: b, name: a}]\n", "line 1: two context fields have the same"),
        (
            GOOD.replace("[x]", "[x, {field: y, name: x}]"),
            "line 4, features: two features are called",
        ),
        (GOOD.replace("[x]", "[{field: 'x.*', name: x}]"), "the name needs 1 `*`, one for each"),
        (GOOD.replace("{numbers: [x]}", "{exclude: [x]}"), "line 4, features: name at least one"),
        (GOOD.replace("features: {numbers: [x]}\n", ""), "line 1: name what the event is known by"),
        (
            GOOD.replace("[x]", "[{field: x, standardise: {mean: 1, std: 0}}]"),
            "line 4, features.numbers[0].standardise.std: Input should be greater than 0",
        ),
        (GOOD + "kind: label\n", "line 1: a late label needs `label`"),
        (GOOD + "kind: label\nlabel: y\nevent_id: e\n", "line 1: a late label carries no features"),
        (GOOD + "source: xml\n", "line 5, source: Input tag 'xml' found"),
        (
            GOOD + "source: {format: avro}\n",
            "line 5, source: give `schema: file.avsc` for plain Avro",
        ),
        (
            GOOD + "source: {format: avro, schema: no.avsc}\n",
            "line 5, source.schema: Path does not point to a file",
        ),
        (GOOD + "id: other\n", "line 5: the key 'id' is given twice"),
        (GOOD + "label: [y\n", "no valid YAML: line 6"),
        (GOOD + "context: &loop [*loop]\n", "line 5, context[0]: an object is meant here"),
        ("? [a]\n: b\n", "no valid YAML: line 1: found unhashable key"),
        ("a: " + "[" * 5000, "no valid YAML: maximum recursion depth exceeded"),
        ("a: \0", "no valid YAML: unacceptable character"),
        ("a: !!python/name:os.system", "no valid YAML: line 1: could not determine a constructor"),
        ("", "holds no fields; begin with `tenant:`"),
        ("- a\n", "holds no fields; begin with `tenant:`"),
    ],
)
def test_a_fault_is_told_with_file_line_and_what_to_do(text: str, fault: str) -> None:
    """Whoever wrote the mapping finds the place without searching, and knows what to write."""
    told = _fault(text)
    assert told.startswith("mapping pay.yaml ")
    assert fault in told


def test_several_faults_are_told_at_once() -> None:
    """One run shows all of them."""
    told = _fault(GOOD.replace("id: id", "id: a..b").replace("unit: ms", "unit: min"))
    assert "line 2, id:" in told
    assert "line 3, time.unit:" in told


def test_yes_and_no_are_strings() -> None:
    """They are common label values; YAML 1.1 would make booleans of them and match nothing."""
    text = GOOD + "label: {field: y, values: {yes: 1, no: 0, true: 2, 7: 3}}\n"
    label = parse_mapping(text, Path("m.yaml")).label
    assert label is not None
    assert label.values == {"yes": 1.0, "no": 0.0, "true": 2.0, "7": 3.0}


def test_dates_are_strings() -> None:
    """What stands for a missing value may look like a date."""
    assert parse_mapping(GOOD + "missing: [1900-01-01]\n", Path("m.yaml")).missing == (
        "1900-01-01",
    )


def test_a_column_called_by_a_number_can_be_named() -> None:
    """LIBSVM's features and headerless exports have numbers as names."""
    mapping = parse_mapping(GOOD.replace("[x]", "[1, {field: 2}]"), Path("m.yaml"))
    assert mapping.features is not None
    assert [part.field for part in mapping.features.numbers] == ["1", "2"]


def test_files_are_found_beside_the_mapping(tmp_path: Path) -> None:
    """A mapping and the schema it names travel together, from whatever folder they are used."""
    (tmp_path / "click.avsc").write_text("{}", encoding="utf-8")
    path = tmp_path / "m.yaml"
    path.write_text(GOOD + "source: {format: avro, schema: click.avsc}\n", encoding="utf-8")
    source = load_mapping(path).source
    assert source.format == "avro"
    assert source.schema_file == tmp_path / "click.avsc"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_mapping_that_cannot_be_read_is_told_by_its_path(
    tmp_path: Path, content: bytes | None
) -> None:
    """A missing file or one in another encoding is no stack trace."""
    path = tmp_path / "m.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"m\.yaml cannot be read .*UTF-8 YAML file"):
        load_mapping(path)
