import math
import tracemalloc

import pytest

from schemas.errors import BadMessage
from tests.unit.schemas.mapping_cases import (
    BODY,
    HEAD,
    ORIGIN,
    make_mapper,
    map_features,
    map_json,
)


def test_numbers_keep_their_value_and_are_named_by_their_path() -> None:
    """A number's path is its name, unless the mapping gives one."""
    features = map_features(
        "{numbers: [a.b, {field: n, name: count}]}", {"a": {"b": 2.5}, "n": "7"}
    )
    assert features == {"a.b": 2.5, "count": 7.0}


def test_transforms_are_applied_in_the_order_of_the_manual() -> None:
    """log1p first, then the standardisation; both the same for the same number."""
    both = "{field: x, transform: log1p, standardise: {mean: 1, std: 2}}"
    features = map_features(f"{{numbers: [{both}]}}", {"x": 9})
    assert features == {"x": (math.log1p(9) - 1) / 2}


@pytest.mark.parametrize(
    ("part", "value", "fault"),
    [
        ("{field: x, transform: log1p}", -1, "no log1p"),
        ("{field: x, standardise: {mean: 0, std: 1.0e-300}}", 1e300, "not finite"),
    ],
)
def test_a_number_that_a_transform_cannot_take_is_refused(
    part: str, value: float, fault: str
) -> None:
    """No transform turns a number into NaN or infinity behind the user's back."""
    with pytest.raises(BadMessage, match=f"BAD_FIELD: field 'x' .*{fault}"):
        map_features(f"{{numbers: [{part}]}}", {"x": value})


def test_categories_are_one_feature_for_each_value() -> None:
    """``name=value`` with value 1; a list gives each of its categories once, nulls none."""
    features = map_features(
        "{categories: [c, tags, flag]}",
        {"c": "DE", "tags": ["a", "b", "a", None, 3], "flag": False},
    )
    assert features == {"c=DE": 1.0, "tags=a": 1.0, "tags=b": 1.0, "tags=3": 1.0, "flag=false": 1.0}


def test_auto_goes_by_the_type_of_a_value() -> None:
    """Numbers and booleans are numbers, strings are categories, a string of digits among them."""
    members = {"n": 2, "b": True, "s": "x", "digits": "12", "tags": ["x"], "vector": [1.0, 2.0]}
    features = map_features("{auto: ['*'], exclude: [id, at]}", members)
    assert features == {"n": 2.0, "b": 1.0, "s=x": 1.0, "digits=12": 1.0, "tags=x": 1.0}


def test_auto_reads_numbers_where_everything_is_a_string() -> None:
    """In CSV nothing but the reading tells numbers from categories."""
    members = {"n": "2", "s": "x", "empty": None}
    assert map_features("{auto: ['*']}", members, untyped=True) == {"n": 2.0, "s=x": 1.0}


@pytest.mark.parametrize("word", ["NaN", "inf", "1e999"])
def test_auto_does_not_make_a_category_of_a_number_that_is_none(word: str) -> None:
    """Whoever writes NaN for a missing number lists it under ``missing``, or is told."""
    with pytest.raises(BadMessage, match="BAD_FIELD: field 'n'"):
        map_features("{auto: ['*']}", {"n": word}, untyped=True)


def test_strings_that_stand_for_nothing_are_left_out() -> None:
    """``missing`` holds for explicit fields, globs and required fields alike."""
    text = f"missing: [NA, '?']\n{HEAD}features: {{auto: ['*'], numbers: [x]}}"
    event = map_json(text, BODY | {"x": "NA", "y": "?", "z": "ok"})
    assert event["features"] == {"z=ok": 1.0}
    with pytest.raises(BadMessage, match=r"'x' is missing, and features.numbers\[0\] needs it"):
        map_json(text.replace("[x]", "[{field: x, required: true}]"), BODY | {"x": "NA"})


def test_a_star_never_takes_what_says_which_event_it_is() -> None:
    """``*`` among the features must not leak the label, or learn ids by heart."""
    text = (
        "tenant: owner\nid: id\nevent_id: eid\ntime: {field: at, unit: s}\nlabel: y\n"
        "value: [v]\nkey: [k]\nquery: [k]\ncontext: [c]\nfeatures: {auto: ['*']}"
    )
    message = {"owner": "o", "id": 1, "eid": 2, "at": 3, "y": 4, "v": 5, "k": 6, "c": "d", "x": 7}
    assert map_json(text, message)["features"] == {"k": 6.0, "c=d": 1.0, "x": 7.0}


def test_a_star_leaves_what_another_part_of_the_features_takes() -> None:
    """Named fields come first, then longer patterns; nothing is taken twice."""
    features = map_features(
        "{numbers: ['*'], categories: ['code_*', 'x'], exclude: ['at', 'deb*', 'in']}",
        {"a": 1, "code_a": 2, "x": 3, "debug": "t", "in": 4},
    )
    assert features == {"x=3": 1.0, "code_a=2": 1.0, "a": 1.0}


def test_exclude_takes_an_object_with_all_that_is_in_it() -> None:
    """Excluding ``p.secret`` excludes ``p.secret.pin`` too."""
    members = {"p": {"secret": {"pin": 1}, "open": {"pin": 2}}}
    assert map_features("{auto: ['p.*.*'], exclude: [p.secret]}", members) == {"p.open.pin": 2.0}


def test_a_star_does_not_descend_into_objects_and_lists() -> None:
    """``payload.*`` is what stands directly in the payload."""
    members = {"p": {"n": 1, "in": {"x": 2}, "l": [3, 4]}}
    assert map_features("{numbers: ['p.*']}", members) == {"p.n": 1.0}
    assert map_features("{numbers: ['p.*', 'p.l.*']}", members) == {
        "p.l.0": 3.0,
        "p.l.1": 4.0,
        "p.n": 1.0,
    }


def test_a_star_among_numbers_refuses_what_is_none() -> None:
    """A word among the numbers is a fault in the message or in the mapping, not a zero."""
    with pytest.raises(BadMessage, match=r"BAD_FIELD: field 'p.s' is a string that does not read"):
        map_features("{numbers: ['p.*']}", {"p": {"s": "x"}})


def test_names_can_be_made_of_what_the_stars_stand_for() -> None:
    """A map of features by name keeps its names."""
    members = {"features": {"7": 0.5}, "s": {"a": {"t": 1}, "b": {"t": 2}}}
    text = "{numbers: [{field: 'features.*', name: '*'}, {field: 's.*.*', name: '*-*'}]}"
    assert map_features(text, members) == {"7": 0.5, "a-t": 1.0, "b-t": 2.0}


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"p": {"a": 1}, "a": 1}, r"BAD_MAPPING: two members .* same feature; field 'a' is one"),
        ({"p": {"": 1}}, "BAD_FIELD: .* matches a member whose name is empty"),
        ({"p": {"\ud800": 1}}, "BAD_FIELD: .* half a surrogate pair"),
    ],
)
def test_a_message_whose_members_make_no_good_names_is_refused(
    members: dict[str, object], fault: str
) -> None:
    """Two members never share a feature silently, and every name can be stored."""
    with pytest.raises(BadMessage, match=fault):
        map_features("{numbers: [a, {field: 'p.*', name: '*'}]}", members)


def test_features_that_are_missing_are_left_out() -> None:
    """An event without any has no features, rather than an empty map."""
    text = f"{HEAD}features: {{numbers: [a.b, c], categories: ['d*']}}"
    assert map_json(text, BODY | {"c": None, "a": 3})["features"] is None


@pytest.mark.parametrize("kind", ["numbers", "categories", "auto"])
@pytest.mark.parametrize("field", ["x", "x.*"])
def test_a_required_feature_must_be_there(kind: str, field: str) -> None:
    """``required`` holds for one field, and for at least one field of a glob."""
    text = f"{{{kind}: [{{field: '{field}', required: true}}]}}"
    with pytest.raises(BadMessage, match=rf"is missing, and features.{kind}\[0\] needs it"):
        map_features(text, {})


def test_names_that_are_ever_new_do_not_fill_the_memory() -> None:
    """A map keyed by ids has as many names as there are ids; all are read, few are remembered."""
    mapper = make_mapper(f"{HEAD}features: {{numbers: ['p.*'], exclude: ['p.x*9']}}")

    def read(first: int, count: int) -> None:
        members = {f"x{index}": index for index in range(first, first + count)}
        event = mapper.map_record(BODY | {"p": members}, ORIGIN)
        assert len(event["features"]) == count * 9 // 10

    read(0, 10_000)
    tracemalloc.start()
    for first in range(10_000, 40_000, 1_000):
        read(first, 1_000)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000
