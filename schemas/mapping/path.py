r"""Dotted paths into a decoded message.

``card.country`` is the member ``country`` of the member ``card``; a number steps into a list
(``items.0.price``). ``*`` stands for any characters inside one segment, so ``payload.*`` is every
member of ``payload`` and ``f_*`` every member whose name begins with ``f_``. A backslash takes the
meaning from the character behind it: ``sepal\.length`` is one member whose name has a dot in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Segments = tuple[str, ...]
_ANY = re.compile("(.*)", re.DOTALL)
_SPECIAL = re.compile(r"[\\.*]")


@dataclass(frozen=True, slots=True)
class FieldPath:
    r"""A parsed dotted path.

    Attributes:
        text: the path as written.
        segments: its segments without backslashes; a segment with a ``*`` in it is kept as written.
        patterns: for each segment the pattern it matches, None where it is a plain name.
        literals: how many characters are given, not ``*``: of two globs that match the same
            member, the one with more of them is the more specific.
    """

    text: str
    segments: Segments
    patterns: tuple[re.Pattern[str] | None, ...]
    literals: int

    @classmethod
    def parse(cls, text: str) -> FieldPath:
        """Read a path.

        Raises:
            ValueError: a segment is empty, or a backslash stands at the end.
        """
        segments: list[str] = []
        patterns: list[re.Pattern[str] | None] = []
        literals = 0
        for tokens in _split(text):
            if not tokens:
                raise ValueError(
                    f"the path {text!r} has an empty segment; write names with single dots between"
                )
            literals += sum(token is not None for token in tokens)
            if tokens == [None]:
                patterns.append(_ANY)
            elif None in tokens:
                parts = ["(.*)" if token is None else re.escape(token) for token in tokens]
                patterns.append(re.compile("".join(parts), re.DOTALL))
            else:
                patterns.append(None)
            segments.append("".join("*" if token is None else token for token in tokens))
        return cls(text, tuple(segments), tuple(patterns), literals)

    @property
    def is_glob(self) -> bool:
        """Whether the path can lead to more than one member."""
        return any(pattern is not None for pattern in self.patterns)

    @property
    def wildcards(self) -> int:
        """How many ``*`` the path has."""
        return sum(pattern.groups for pattern in self.patterns if pattern is not None)

    @property
    def name(self) -> str:
        """The path without backslashes, as feature names carry it."""
        return ".".join(self.segments)

    def matches(self, segments: Segments) -> bool:
        """Whether the path leads to the member at ``segments``."""
        return len(segments) == len(self.segments) and all(
            segment == own if pattern is None else pattern.fullmatch(segment) is not None
            for segment, own, pattern in zip(segments, self.segments, self.patterns, strict=True)
        )

    def covers(self, segments: Segments) -> bool:
        """Whether the path leads to the member at ``segments`` or to what holds it."""
        return self.matches(segments[: len(self.segments)])

    def get(self, record: object) -> object:
        """What stands at a path without ``*``; None where nothing does. O(segments)."""
        node = record
        for segment in self.segments:
            node = _member(node, segment)
        return node

    def expand(self, record: object) -> list[tuple[Segments, object]]:
        """Every member that the path leads to and that is not null, in the record's order."""
        found: list[tuple[Segments, object]] = [((), record)]
        for segment, pattern in zip(self.segments, self.patterns, strict=True):
            if pattern is None:
                inner = [((*at, segment), _member(node, segment)) for at, node in found]
                found = [one for one in inner if one[1] is not None]
            else:
                found = [
                    ((*at, name), member)
                    for at, node in found
                    for name, member in _members(node)
                    if member is not None and (pattern is _ANY or pattern.fullmatch(name))
                ]
        return found

    def wild(self, segments: Segments) -> tuple[str, ...]:
        """What each ``*`` of the path stands for at a member that it leads to, in order."""
        matches = (
            pattern.fullmatch(segment)
            for segment, pattern in zip(segments, self.patterns, strict=True)
            if pattern is not None
        )
        return tuple(group for match in matches if match is not None for group in match.groups())


def escape(name: str) -> str:
    """The path of a top-level member called ``name``, whatever characters are in it."""
    return _SPECIAL.sub(r"\\\g<0>", name)


def leaves(record: dict[str, Any]) -> Iterator[tuple[Segments, object]]:
    """Every member of a record that is not an object itself; a list counts as one member.

    With a stack of its own: how deep a message nests is up to its sender.
    """
    stack: list[tuple[Segments, object]] = [((), record)]
    while stack:
        at, node = stack.pop()
        if isinstance(node, dict):
            stack.extend(((*at, name), node[name]) for name in reversed(node))
        elif node is not None:
            yield at, node


def _member(node: object, segment: str) -> object:
    if isinstance(node, dict):
        return node.get(segment)
    if isinstance(node, list) and segment.isdecimal() and int(segment) < len(node):
        return node[int(segment)]
    return None


def _members(node: object) -> Iterable[tuple[str, object]]:
    if isinstance(node, dict):
        return node.items()
    if isinstance(node, list):
        return ((str(index), member) for index, member in enumerate(node))
    return ()


def _split(text: str) -> Iterator[list[str | None]]:
    """The characters of each segment; None stands for a ``*``."""
    tokens: list[str | None] = []
    characters = iter(text)
    for character in characters:
        if character == "\\":
            escaped = next(characters, None)
            if escaped is None:
                raise ValueError(f"the path {text!r} ends in a backslash; remove it or double it")
            tokens.append(escaped)
        elif character == ".":
            yield tokens
            tokens = []
        else:
            tokens.append(None if character == "*" else character)
    yield tokens
