"""The parts of an event, each filled from a record by one step.

A step is a small object compiled once from the mapping; ``fill`` puts what it reads into the event.
Its ``selectors`` say which members it reads, for a check of the mapping against samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from schemas.mapping.times import Unit, to_time_us
from schemas.mapping.values import bad_field, to_category, to_number, to_text, type_name
from schemas.packed import pack_f64

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schemas.errors import BadMessage
    from schemas.mapping.origin import Origin
    from schemas.mapping.selector import OneMember, Selector

Event = dict[str, Any]
"""An event as ``schemas/avsc/event.avsc`` encodes it."""


class Step(Protocol):
    """Fills one part of an event."""

    @property
    def place(self) -> str:
        """Where the part stands in the mapping file."""

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """What it reads from the record."""

    def fill(self, record: dict[str, Any], origin: Origin, event: Event) -> None:
        """Put its part into the event.

        Raises:
            BadMessage: BAD_FIELD or BAD_MAPPING; the record does not have what the part needs.
        """


def missing(selector: Selector) -> BadMessage:
    """The error for a member that has to be there."""
    return bad_field(selector.path.text, f"is missing, and {selector.place} needs it")


@dataclass(frozen=True)
class FieldText:
    """An identifier out of a field."""

    place: str
    selector: OneMember

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """See ``Step``."""
        return (self.selector,)

    def fill(self, record: dict[str, Any], _origin: Origin, event: Event) -> None:
        """See ``Step``."""
        value = self.selector.value(record)
        if value is None:
            raise missing(self.selector)
        event[self.place] = to_text(value, self.selector.path.text)


@dataclass(frozen=True)
class ConstantText:
    """An identifier that is the same for every event."""

    place: str
    text: str
    selectors: tuple[Selector, ...] = ()

    def fill(self, _record: dict[str, Any], _origin: Origin, event: Event) -> None:
        """See ``Step``."""
        event[self.place] = self.text


@dataclass(frozen=True)
class PositionText:
    """An identifier that says where the record stands in its source."""

    place: str
    selectors: tuple[Selector, ...] = ()

    def fill(self, _record: dict[str, Any], origin: Origin, event: Event) -> None:
        """See ``Step``."""
        event[self.place] = origin.event_id if self.place == "event_id" else origin.position


@dataclass(frozen=True)
class KeyText:
    """An identifier out of the key of the Kafka record."""

    place: str
    selectors: tuple[Selector, ...] = ()

    def fill(self, _record: dict[str, Any], origin: Origin, event: Event) -> None:
        """See ``Step``."""
        if not origin.key:
            raise bad_field("record key", f"is missing, and {self.place} needs it")
        try:
            event[self.place] = origin.key.decode()
        except UnicodeDecodeError:  # not chained: it holds the bytes
            raise bad_field("record key", f"is no UTF-8 text, and {self.place} needs it") from None


@dataclass(frozen=True)
class FieldTime:
    """The event time out of a field."""

    selector: OneMember
    unit: Unit | None
    pattern: str | None
    place: str = "time"

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """See ``Step``."""
        return (self.selector,)

    def fill(self, record: dict[str, Any], _origin: Origin, event: Event) -> None:
        """See ``Step``."""
        value = self.selector.value(record)
        if value is None:
            raise missing(self.selector)
        event["time_us"] = to_time_us(value, self.selector.path.text, self.unit, self.pattern)


@dataclass(frozen=True)
class RecordTime:
    """The event time is the record's own."""

    place: str = "time"
    selectors: tuple[Selector, ...] = ()

    def fill(self, _record: dict[str, Any], origin: Origin, event: Event) -> None:
        """See ``Step``."""
        if origin.time_us is None:
            raise bad_field("record timestamp", "is missing, and time needs it")
        event["time_us"] = origin.time_us


@dataclass(frozen=True)
class LabelStep:
    """The label: a number, or what a string stands for."""

    selector: OneMember
    values: Mapping[str, float] | None
    required: bool
    place: str = "label"

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """See ``Step``."""
        return (self.selector,)

    def fill(self, record: dict[str, Any], _origin: Origin, event: Event) -> None:
        """See ``Step``."""
        value = self.selector.value(record)
        field = self.selector.path.text
        if value is None:
            if self.required:
                raise missing(self.selector)
        elif self.values is None:
            event["label"] = to_number(value, field)
        else:
            label = self.values.get(to_category(value, field))
            if label is None:
                raise bad_field(field, f"is a {type_name(value)} that label.values does not list")
            event["label"] = label


@dataclass(frozen=True)
class VectorOfFields:
    """A vector of one number out of each field; left out when any of them is missing."""

    place: str
    components: tuple[tuple[OneMember, Callable[[object, str], float]], ...]
    required: bool

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """See ``Step``."""
        return tuple(selector for selector, _ in self.components)

    def fill(self, record: dict[str, Any], _origin: Origin, event: Event) -> None:
        """See ``Step``."""
        numbers = []
        for selector, convert in self.components:
            value = selector.value(record)
            if value is None:
                if self.required:
                    raise missing(selector)
                return
            numbers.append(convert(value, selector.path.text))
        event[self.place] = pack_f64(numbers)


@dataclass(frozen=True)
class VectorOfList:
    """A vector out of one field that holds a list of numbers."""

    place: str
    selector: OneMember
    required: bool

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """See ``Step``."""
        return (self.selector,)

    def fill(self, record: dict[str, Any], _origin: Origin, event: Event) -> None:
        """See ``Step``."""
        value = self.selector.value(record)
        field = self.selector.path.text
        if value is None:
            if self.required:
                raise missing(self.selector)
        elif not isinstance(value, list) or not value:
            what = "an empty list" if isinstance(value, list) else f"of type {type_name(value)}"
            raise bad_field(field, f"is {what} where a list of numbers is expected")
        else:
            event[self.place] = pack_f64([to_number(one, field) for one in value])


@dataclass(frozen=True)
class ContextStep:
    """One category that the gate sees."""

    selector: OneMember
    name: str
    required: bool

    @property
    def place(self) -> str:
        """See ``Step``."""
        return self.selector.place

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """See ``Step``."""
        return (self.selector,)

    def fill(self, record: dict[str, Any], _origin: Origin, event: Event) -> None:
        """See ``Step``."""
        value = self.selector.value(record)
        if value is not None:
            context = event["context"] = event["context"] or {}
            context[self.name] = to_category(value, self.selector.path.text)
        elif self.required:
            raise missing(self.selector)
