import pytest

from schemas.mapping.path import FieldPath, escape, leaves

RECORD = {
    "a": {"b": [{"c": 1}, {"c": 2}], "x.y": 3, "*": 4},
    "n": None,
    "f_1": 5,
    "f_2": None,
    "f_3": 6,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("f_1", 5),
        ("a.b.1.c", 2),
        ("a.b.2.c", None),
        ("a.b.-1.c", None),
        ("a.b.c", None),
        ("f_1.more", None),
        ("n.more", None),
        (r"a.x\.y", 3),
        (r"a.\*", 4),
        ("absent", None),
    ],
)
def test_a_path_leads_to_its_member_or_to_nothing(path: str, value: object) -> None:
    """A dotted path steps into objects and lists; a backslash keeps dots and stars as they are."""
    parsed = FieldPath.parse(path)
    assert not parsed.is_glob
    assert parsed.get(RECORD) == value


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("f_*", {"f_1": 5, "f_3": 6}),
        ("a.b.*.c", {"a.b.0.c": 1, "a.b.1.c": 2}),
        ("*.x*", {"a.x.y": 3}),
        (r"a.*", {"a.b": [{"c": 1}, {"c": 2}], "a.x.y": 3, "a.*": 4}),
        ("n.*", {}),
        ("f_1.*", {}),
    ],
)
def test_a_star_matches_inside_one_segment(path: str, expected: dict[str, object]) -> None:
    """``*`` stands for any characters of one name, and never for a null."""
    parsed = FieldPath.parse(path)
    assert parsed.is_glob
    found = {".".join(segments): value for segments, value in parsed.expand(RECORD)}
    assert found == expected
    assert all(parsed.matches(segments) for segments, _ in parsed.expand(RECORD))


def test_what_a_star_stood_for_is_known() -> None:
    """A feature can be named by what the stars of its path stood for."""
    parsed = FieldPath.parse("a*c.x_*_*")
    assert parsed.wildcards == 3
    assert parsed.wild(("abbc", "x_1_2_3")) == ("bb", "1_2", "3")


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a.", "a\\"])
def test_a_path_with_a_hole_in_it_is_refused(path: str) -> None:
    """A doubled, leading or trailing dot is a slip, and so is a backslash with nothing behind."""
    with pytest.raises(ValueError, match=r"empty segment|ends in a backslash"):
        FieldPath.parse(path)


@pytest.mark.parametrize("name", ["plain", "a.b", "*", "\\", "x*.\\y"])
def test_any_column_name_can_be_written_as_a_path(name: str) -> None:
    """Columns of a file may have dots, stars and backslashes in their names."""
    assert FieldPath.parse(escape(name)).get({name: 1}) == 1


def test_a_path_covers_what_is_inside_its_member() -> None:
    """Excluding an object excludes what is in it."""
    parsed = FieldPath.parse("a.s*")
    assert parsed.covers(("a", "secret"))
    assert parsed.covers(("a", "secret", "deep"))
    assert not parsed.covers(("a",))
    assert not parsed.covers(("a", "open"))


def test_leaves_are_all_members_but_objects_and_nulls() -> None:
    """The fields of a message that a mapping may or may not use; a list is one of them."""
    assert dict(leaves(RECORD)) == {
        ("a", "b"): [{"c": 1}, {"c": 2}],
        ("a", "x.y"): 3,
        ("a", "*"): 4,
        ("f_1",): 5,
        ("f_3",): 6,
    }


def test_leaves_of_a_deeply_nested_message_do_not_exhaust_the_stack() -> None:
    """How deep a message nests is up to its sender."""
    record: dict[str, object] = {"end": 1}
    for _ in range(50_000):
        record = {"in": record}
    assert [value for _, value in leaves(record)] == [1]
