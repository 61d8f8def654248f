"""Which members of a record a part of the mapping reads.

A path without ``*`` reads its member, whatever it is. A glob among the features never takes in the
label, nor anything else that says what the event is rather than what is known about it:

- not the members named as tenant, id, event_id, time, label or value vector;
- not a member that the features name by its full path;
- not a member that ``exclude`` matches, nor one inside such a member;
- not a member that a more specific glob of the features matches: the one with more characters
  given, or the earlier one of two alike;
- not an object, nor a list unless the part takes lists: ``payload.*`` does not descend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from schemas.mapping.path import FieldPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schemas.mapping.model import Mapping
    from schemas.mapping.path import Segments

# Different members whose fate is remembered. Most topics have some tens; a map keyed by ids has as
# many as there are ids, and must not grow memory.
_REMEMBERED = 4096


class Selector(Protocol):
    """The members that one part of the mapping reads."""

    @property
    def place(self) -> str:
        """Where the part stands in the mapping file, such as ``features.numbers[2]``."""

    @property
    def path(self) -> FieldPath:
        """Where it reads."""

    def find(self, record: dict[str, Any]) -> Iterator[tuple[Segments, object]]:
        """The members with where they stand, in the record's order; none null or missing."""


class OneMember:
    """The member that a path without ``*`` leads to.

    Args:
        place: as of ``Selector``.
        path: as of ``Selector``.
        missing: strings that count as no value.
    """

    def __init__(self, place: str, path: FieldPath, missing: frozenset[str]) -> None:
        self.place = place
        self.path = path
        self._missing = missing
        self._top = path.segments[0] if len(path.segments) == 1 else None

    def value(self, record: dict[str, Any]) -> object:
        """What stands there; None where nothing does."""
        value = self.path.get(record) if self._top is None else record.get(self._top)
        return None if type(value) is str and value in self._missing else value

    def find(self, record: dict[str, Any]) -> Iterator[tuple[Segments, object]]:
        """See ``Selector``."""
        value = self.value(record)
        if value is not None:
            yield self.path.segments, value


class Glob:
    """The members that a path with ``*`` leads to and that nothing else has a right to.

    Args:
        place: as of ``Selector``.
        path: as of ``Selector``.
        missing: strings that count as no value.
        named: members that it leaves to another part of the mapping.
        excluded: members that it leaves alone as ``exclude`` says.
        prior: globs that come first.
        takes_list: whether it takes a member that is this list.
    """

    def __init__(
        self,
        place: str,
        path: FieldPath,
        missing: frozenset[str],
        *,
        named: frozenset[Segments],
        excluded: tuple[FieldPath, ...],
        prior: tuple[FieldPath, ...],
        takes_list: Callable[[list[object]], bool],
    ) -> None:
        self.place = place
        self.path = path
        self._missing = missing
        self._named = named
        self._excluded = excluded
        self._prior = prior
        self._takes_list = takes_list
        self._rights: dict[Segments, bool] = {}

    def find(self, record: dict[str, Any]) -> Iterator[tuple[Segments, object]]:
        """See ``Selector``."""
        rights = self._rights
        for segments, value in self.path.expand(record):
            right = rights.get(segments)
            if right is None:
                right = self._has_right(segments)
                if len(rights) < _REMEMBERED:
                    rights[segments] = right
            if not right:
                continue
            kind = type(value)
            if kind is str:
                if value in self._missing:
                    continue
            elif kind is dict or (kind is list and not self._takes_list(value)):  # type: ignore[arg-type] # it is one
                continue
            yield segments, value

    def _has_right(self, segments: Segments) -> bool:
        return (
            segments not in self._named
            and not any(path.covers(segments) for path in self._excluded)
            and not any(glob.matches(segments) for glob in self._prior)
        )


def no_list(_: list[object]) -> bool:
    """Take no list: a member is one value."""
    return False


def strings_only(value: list[object]) -> bool:
    """Whether a list holds strings: categories for sure, where numbers could be a vector."""
    return all(type(one) is str for one in value)


def any_list(_: list[object]) -> bool:
    """Take every list; its members are checked one by one."""
    return True


def named_members(mapping: Mapping) -> frozenset[Segments]:
    """Every member that a glob among the features leaves to another part of the mapping.

    Those of key, query and context are not among them: both learners may see them.
    """
    parts = [mapping.tenant, mapping.id, mapping.event_id, mapping.time, mapping.label]
    paths = [part.field for part in parts if part is not None]
    if mapping.value is not None:
        paths += [mapping.value.field, *(part.field for part in mapping.value.fields or ())]
    if mapping.features is not None:
        features = mapping.features
        paths += [part.field for part in (*features.numbers, *features.categories, *features.auto)]
    parsed = (FieldPath.parse(path) for path in paths if path is not None)
    return frozenset(path.segments for path in parsed if not path.is_glob)
