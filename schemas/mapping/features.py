"""Features: which names and values the members of a record give an event."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from schemas.errors import BadMessage
from schemas.mapping.steps import missing
from schemas.mapping.values import (
    bad_field,
    encodable,
    parse_number,
    to_category,
    to_number,
)
from schemas.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.mapping.model import Component, Number
    from schemas.mapping.origin import Origin
    from schemas.mapping.path import Segments
    from schemas.mapping.selector import Glob, OneMember, Selector
    from schemas.mapping.steps import Event

    Convert = Callable[[object, str], float]
    Reading = Callable[[dict[str, float], str, object, Origin], None]
    """Adds the features of one member: to which event, under which name, its value, where from."""

_NUMBERS = frozenset({bool, int, float, Decimal})


@dataclass(frozen=True)
class OneFeature:
    """Features out of one field."""

    selector: OneMember
    name: str
    read: Reading
    required: bool

    @property
    def place(self) -> str:
        """See ``Step``."""
        return self.selector.place

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """See ``Step``."""
        return (self.selector,)

    def fill(self, record: dict[str, Any], origin: Origin, event: Event) -> None:
        """See ``Step``; adds to ``event["features"]``, which is a dictionary by then."""
        value = self.selector.value(record)
        if value is not None:
            self.read(event["features"], self.name, value, origin)
        elif self.required:
            raise missing(self.selector)


@dataclass(frozen=True)
class GlobFeatures:
    """Features out of the fields of a glob.

    Attributes:
        selector: the fields.
        name: what names them, with a ``*`` for each of the glob's; None: their paths do.
        read: how each becomes features.
        required: whether it is an error when there are none.
    """

    selector: Glob
    name: str | None
    read: Reading
    required: bool

    @property
    def place(self) -> str:
        """See ``Step``."""
        return self.selector.place

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """See ``Step``."""
        return (self.selector,)

    def fill(self, record: dict[str, Any], origin: Origin, event: Event) -> None:
        """See ``Step``; adds to ``event["features"]``, which is a dictionary by then."""
        found = False
        for segments, value in self.selector.find(record):
            found = True
            self.read(event["features"], self._name(segments), value, origin)
        if self.required and not found:
            raise missing(self.selector)

    def _name(self, segments: Segments) -> str:
        path = self.selector.path
        if self.name is None:
            return encodable(".".join(segments), path.text)
        filled = self.name
        if filled == "*":
            filled = path.wild(segments)[0]
        else:
            pieces = self.name.split("*")
            wild = (*path.wild(segments), "")
            filled = "".join(piece + one for piece, one in zip(pieces, wild, strict=True))
        if not filled:
            raise bad_field(path.text, "matches a member whose name is empty")
        return encodable(filled, path.text)


def read_number(convert: Convert) -> Reading:
    """The member's number is the feature's value."""

    def read(features: dict[str, float], name: str, value: object, _: Origin) -> None:
        _put(features, name, convert(value, name))

    return read


def read_category(features: dict[str, float], name: str, value: object, _: Origin) -> None:
    """``name=value`` is the feature, with value 1; a list gives one for each of its members."""
    if not isinstance(value, list):
        _put(features, f"{name}={to_category(value, name)}", 1.0)
        return
    for category in dict.fromkeys(to_category(one, name) for one in value if one is not None):
        _put(features, f"{name}={category}", 1.0)


def read_either(features: dict[str, float], name: str, value: object, origin: Origin) -> None:
    """Numbers and booleans as numbers, all else as categories.

    A string is a number only where everything is a string, as in CSV.
    """
    kind = type(value)
    if kind is str and origin.untyped:
        number = parse_number(value)  # type: ignore[arg-type] # its type was just compared
        if number is not None:
            _put(features, name, to_number(number, name))
            return
    elif kind in _NUMBERS:
        _put(features, name, to_number(value, name))
        return
    read_category(features, name, value, origin)


def converter(part: Number | Component) -> Convert:
    """From a member to its number: as it is, or log1p of it, or standardised, or both in order."""
    if part.transform is None and part.standardise is None:
        return to_number
    logarithm = part.transform == "log1p"
    mean = part.standardise.mean if part.standardise else 0.0
    std = part.standardise.std if part.standardise else 1.0

    def convert(value: object, field: str) -> float:
        number = to_number(value, field)
        if logarithm:
            if number <= -1.0:
                raise bad_field(field, "is -1 or less, which has no log1p")
            number = math.log1p(number)
        number = (number - mean) / std
        if not math.isfinite(number):
            raise bad_field(field, "is not finite once it is standardised")
        return number

    return convert


def _put(features: dict[str, float], name: str, value: float) -> None:
    if name in features:
        raise BadMessage(
            Reason.BAD_MAPPING,
            "two members of the message become the same feature; "
            f"{bad_field(name.partition('=')[0], 'is one of them').detail}",
        )
    features[name] = value
