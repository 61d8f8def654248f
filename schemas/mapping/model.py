"""What a mapping file can say, as pydantic models; docs/mapping.md shows each of them in use.

A field is written as its dotted path alone, or as an object with more to say about it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, FiniteFloat, field_validator, model_validator

from schemas.mapping.model_part import FieldPart, OnePath, Part, Path
from schemas.mapping.model_source import JsonSource, Source
from schemas.mapping.path import FieldPath
from schemas.mapping.times import Unit, check_format


class _Identifier(FieldPart):
    field: OnePath | None = None

    def _given(self) -> list[str]:
        return [name for name, value in self if value is not None]

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if len(self._given()) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"give exactly one of: {known}")
        return self


class Tenant(_Identifier):
    """Whose event it is."""

    constant: Annotated[str, Field(min_length=1)] | None = None
    record: Literal["key"] | None = None


class EntityId(_Identifier):
    """What the event is about; events of one id meet the same shard."""

    constant: Annotated[str, Field(min_length=1)] | None = None
    record: Literal["key", "position"] | None = None


class EventId(_Identifier):
    """What tells this event from others; ``position`` is topic/partition/offset or the line."""

    constant: ClassVar[None] = None
    record: Literal["key", "position"] | None = None


class Time(FieldPart):
    """When it happened."""

    field: OnePath | None = None
    unit: Unit | None = None
    format: str | None = None
    record: Literal["timestamp"] | None = None

    @field_validator("format")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            check_format(value)
        return value

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.field is None) == (self.record is None):
            raise ValueError(
                "give a field, or `record: timestamp` for the time of the record itself"
            )
        if self.record is not None and (self.unit or self.format):
            raise ValueError("the record's timestamp has its own unit; leave out unit and format")
        if self.unit and self.format:
            raise ValueError("give a unit or a format, not both")
        return self


def _text_keys(value: Any) -> Any:
    """YAML reads ``1: 0`` and ``true: 1`` with a number and a boolean as the key."""
    if not isinstance(value, dict):
        return value
    return {
        str(key).lower() if isinstance(key, bool) else str(key): one for key, one in value.items()
    }


class Label(FieldPart):
    """What is to be learnt: a number, a boolean, or strings that stand for numbers."""

    field: OnePath
    values: Annotated[dict[str, FiniteFloat], BeforeValidator(_text_keys)] | None = None
    required: bool = False


class Standardise(Part):
    """``(x - mean) / std`` with figures given beforehand: a mapping has no memory."""

    mean: FiniteFloat
    std: FiniteFloat = Field(gt=0)


class Member(FieldPart):
    """One field, or the fields of a glob."""

    field: Path
    name: Annotated[str, Field(min_length=1)] | None = None
    required: bool = False

    @model_validator(mode="after")
    def _stars(self) -> Self:
        wildcards = FieldPath.parse(self.field).wildcards
        if self.name is not None and self.name.count("*") != wildcards:
            raise ValueError(
                f"the name needs {wildcards} `*`, one for each in the field, or else two features "
                "would share a name"
            )
        return self


class Number(Member):
    """A feature with the field's number as its value."""

    transform: Literal["log1p"] | None = None
    standardise: Standardise | None = None


class Component(FieldPart):
    """One number of a vector."""

    field: OnePath
    transform: Literal["log1p"] | None = None
    standardise: Standardise | None = None


class ContextField(FieldPart):
    """One category that the gate sees."""

    field: OnePath
    name: Annotated[str, Field(min_length=1)] | None = None
    required: bool = False


class Features(Part):
    """Which fields become features."""

    numbers: tuple[Number, ...] = ()
    categories: tuple[Member, ...] = ()
    auto: tuple[Member, ...] = ()
    exclude: tuple[Path, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        for parts in ((*self.numbers, *self.auto), (*self.categories, *self.auto)):
            named = [
                part.name or FieldPath.parse(part.field).name
                for part in parts
                if not FieldPath.parse(part.field).is_glob
            ]
            for name in named:
                if named.count(name) > 1:
                    raise ValueError(f"two features are called {name!r}; give one of them a `name`")
        if not (self.numbers or self.categories or self.auto):
            raise ValueError("name at least one field under numbers, categories or auto")
        return self


class Vector(Part):
    """A vector: several numbers in order, or one field that holds a list of numbers."""

    fields: Annotated[tuple[Component, ...], Field(min_length=1)] | None = None
    field: OnePath | None = None
    required: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, str | int):
            return {"field": value}
        return {"fields": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.field is None) == (self.fields is None):
            raise ValueError("give `fields`, a list of numbers, or `field`, which holds a list")
        return self


class Mapping(Part):
    """A whole mapping file."""

    source: Source = JsonSource(format="json")
    kind: Literal["observation", "label"] = "observation"
    tenant: Tenant
    id: EntityId
    event_id: EventId = EventId(record="position")
    time: Time
    label: Label | None = None
    features: Features | None = None
    key: Vector | None = None
    query: Vector | None = None
    value: Vector | None = None
    context: tuple[ContextField, ...] = ()
    missing: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        known_by = self.features or self.key or self.query
        if self.kind == "observation" and not known_by:
            raise ValueError("name what the event is known by: `features`, `key` or `query`")
        if self.kind == "label":
            if self.label is None or self.event_id.record == "position":
                raise ValueError(
                    "a late label needs `label`, and the `event_id` of its observation"
                )
            if known_by or self.value or self.context:
                raise ValueError(
                    "a late label carries no features, vectors or context; remove them"
                )
        names = [part.name or part.field for part in self.context]
        if len(set(names)) < len(names):
            raise ValueError("two context fields have the same name; give one of them a `name`")
        return self
