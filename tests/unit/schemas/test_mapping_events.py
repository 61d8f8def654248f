import pytest

from schemas.errors import BadMessage
from schemas.mapping import Origin
from schemas.packed import unpack_f64
from tests.unit.schemas.mapping_cases import BODY, HEAD, ORIGIN, make_mapper, map_json

FEATURES = "features: {numbers: [x]}\n"


def test_identifiers_come_from_fields_constants_or_the_record() -> None:
    """Tenant, id and event_id each have their own source."""
    text = (
        "tenant: {record: key}\nid: {constant: meter}\nevent_id: n\ntime: {record: timestamp}\n"
        + FEATURES
    )
    event = map_json(text, {"n": 7})
    assert (event["tenant"], event["id"], event["event_id"]) == ("key", "meter", "7")
    assert event["time_us"] == 1735776000000_000


def test_an_event_is_named_by_its_place_unless_a_field_names_it() -> None:
    """Topic, partition and offset tell one message from every other."""
    assert map_json(HEAD + FEATURES, BODY)["event_id"] == "source/0/42"
    by_place = HEAD.replace("id: id", "id: {record: position}") + FEATURES
    assert map_json(by_place, BODY)["id"] == "source/0/42"


@pytest.mark.parametrize(
    ("text", "origin", "fault"),
    [
        ("id: {record: key}", Origin("p", 0, None), "field 'record key' is missing, and id needs"),
        ("id: {record: key}", Origin("p", 0, b"\xff"), "field 'record key' is no UTF-8 text"),
        ("time: {record: timestamp}", Origin("p", None), "field 'record timestamp' is missing"),
        ("id: card.id", ORIGIN, "field 'card.id' is missing, and id needs it"),
        ("tenant: owner", ORIGIN, "field 'owner' is missing, and tenant needs it"),
        ("event_id: e", ORIGIN, "field 'e' is missing, and event_id needs it"),
        ("time: {field: t, unit: s}", ORIGIN, "field 't' is missing, and time needs it"),
    ],
)
def test_what_an_event_cannot_do_without_must_be_there(
    text: str, origin: Origin, fault: str
) -> None:
    """Without tenant, id, event_id or time there is no event; the reason names the field."""
    replaced = text.partition(":")[0]
    lines = [line for line in HEAD.splitlines() if line.partition(":")[0] != replaced]
    with pytest.raises(BadMessage, match=f"BAD_FIELD: {fault}"):
        map_json("\n".join([*lines, text, FEATURES]), BODY, origin)


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        ("y", 2.5, 2.5),
        ("y", True, 1.0),
        ("y", "0.5", 0.5),
        ("y", None, None),
        ("{field: y, values: {spam: 1, ham: -1}}", "ham", -1.0),
        ("{field: y, values: {spam: 1, ham: -1}}", None, None),
        ("{field: y, values: {true: 5, 3: 7}}", True, 5.0),
        ("{field: y, values: {true: 5, 3: 7}}", 3, 7.0),
    ],
)
def test_a_label_is_a_number_a_boolean_or_a_word_for_one(
    label: str, value: object, expected: float | None
) -> None:
    """A message without a label is an event all the same: its label may come late."""
    text = f"{HEAD}{FEATURES}label: {label}"
    assert map_json(text, BODY | {"y": value})["label"] == expected


@pytest.mark.parametrize(
    ("label", "members", "fault"),
    [
        ("y", {"y": "maybe"}, "field 'y' is a string that does not read as a number"),
        ("y", {"y": [1]}, "field 'y' is of type list where a number"),
        ("{field: y, values: {a: 1}}", {"y": "b"}, "is a string that label.values does not list"),
        ("{field: y, values: {a: 1}}", {"y": {}}, "is of type object where a category"),
        ("{field: y, required: true}", {}, "field 'y' is missing, and label needs it"),
    ],
)
def test_a_label_that_is_none_is_refused(
    label: str, members: dict[str, object], fault: str
) -> None:
    """A wrong label would be learnt; it goes to quarantine instead."""
    with pytest.raises(BadMessage, match=f"BAD_FIELD: .*{fault}"):
        map_json(f"{HEAD}{FEATURES}label: {label}", BODY | members)


def test_a_late_label_without_its_label_is_refused() -> None:
    """A message of labels that brings none has nothing to say."""
    text = HEAD + "kind: label\nevent_id: e\nlabel: y\n"
    assert map_json(text, BODY | {"e": "t-1", "y": 1})["kind"] == "LABEL"
    with pytest.raises(BadMessage, match="'y' is missing, and label needs it"):
        map_json(text, BODY | {"e": "t-1"})


@pytest.mark.parametrize(
    ("vector", "members", "numbers"),
    [
        ("[a, b.c]", {"a": 1, "b": {"c": "2.5"}}, [1.0, 2.5]),
        ("{fields: [a, {field: b, standardise: {mean: 1, std: 2}}]}", {"a": 1, "b": 5}, [1.0, 2.0]),
        ("v", {"v": [1, 2.5, True]}, [1.0, 2.5, 1.0]),
        ("{field: v}", {"v": [0]}, [0.0]),
    ],
)
@pytest.mark.parametrize("part", ["key", "query", "value"])
def test_vectors_are_packed_from_fields_or_from_a_list(
    part: str, vector: str, members: dict[str, object], numbers: list[float]
) -> None:
    """Little-endian float64, as the event's schema has it."""
    text = f"{HEAD}{FEATURES}{part}: {vector}"
    assert unpack_f64(map_json(text, BODY | members)[part]).tolist() == numbers


@pytest.mark.parametrize("vector", ["[a, b]", "v"])
def test_a_vector_with_a_part_missing_is_left_out_or_required(vector: str) -> None:
    """Half a vector is none."""
    text = f"{HEAD}{FEATURES}key: {vector}"
    assert map_json(text, BODY | {"a": 1})["key"] is None
    wrapped = f"{{field: {vector}, required: true}}" if vector == "v" else ""
    required = wrapped or f"{{fields: {vector}, required: true}}"
    with pytest.raises(BadMessage, match="is missing, and key"):
        map_json(f"{HEAD}{FEATURES}key: {required}", BODY | {"a": 1})


@pytest.mark.parametrize("value", [[], [1, "x"], [1, None], [[1]], 5, {"a": 1}])
def test_a_vector_must_be_a_list_of_numbers(value: object) -> None:
    """Holes, words and nested lists in a vector are faults of the message."""
    with pytest.raises(BadMessage, match="BAD_FIELD: field 'v' is"):
        map_json(f"{HEAD}{FEATURES}query: v", BODY | {"v": value})


def test_context_is_categories_by_name() -> None:
    """What the gate sees; a missing one is left out unless it is required."""
    text = f"{HEAD}{FEATURES}context: [c, {{field: d.e, name: device}}, gone]"
    event = map_json(text, BODY | {"c": True, "d": {"e": "tv"}})
    assert event["context"] == {"c": "true", "device": "tv"}
    assert map_json(f"{HEAD}{FEATURES}context: [gone]", BODY)["context"] is None
    with pytest.raises(BadMessage, match=r"'gone' is missing, and context\[0\] needs it"):
        map_json(f"{HEAD}{FEATURES}context: [{{field: gone, required: true}}]", BODY)


def test_a_tombstone_is_told_from_a_message() -> None:
    """A null value is its own reason, not bad JSON."""
    with pytest.raises(BadMessage, match="EMPTY_VALUE"):
        make_mapper(HEAD + FEATURES).map_message(None, ORIGIN)


def test_the_same_message_always_gives_the_same_event() -> None:
    """Mapping again, or with another mapper, changes nothing: the log can be replayed."""
    text = HEAD + "features: {auto: ['*', 'deep.*']}\nkey: [x]"
    message = BODY | {"x": 0.1, "deep": {"b": 1, "a": "z"}, "tags": ["q", "r"]}
    first = make_mapper(text)
    events = [map_json(text, message) for _ in range(3)]
    assert events[0] == events[1] == events[2]
    assert [list(event["features"]) for event in events] == [list(events[0]["features"])] * 3
    assert first.map_record(message, ORIGIN) == events[0]
