"""From a mapping to the steps that fill an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.mapping.features import (
    GlobFeatures,
    OneFeature,
    converter,
    read_category,
    read_either,
    read_number,
)
from schemas.mapping.model import Number
from schemas.mapping.path import FieldPath
from schemas.mapping.selector import (
    Glob,
    OneMember,
    any_list,
    named_members,
    no_list,
    strings_only,
)
from schemas.mapping.steps import (
    ConstantText,
    ContextStep,
    FieldText,
    FieldTime,
    KeyText,
    LabelStep,
    PositionText,
    RecordTime,
    Step,
    VectorOfFields,
    VectorOfList,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.mapping.features import Reading
    from schemas.mapping.model import (
        EntityId,
        EventId,
        Features,
        Mapping,
        Member,
        Tenant,
        Time,
        Vector,
    )

_TAKES_LIST = {"numbers": no_list, "categories": any_list, "auto": strings_only}


def compile_steps(mapping: Mapping) -> tuple[Step, ...]:
    """The steps of a mapping, in the order in which they fill an event.

    Fields named in full come before globs, and a more specific glob before a less specific one.
    """
    return tuple(_Compiler(mapping).steps())


class _Compiler:
    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._missing = frozenset(mapping.missing)

    def steps(self) -> Iterator[Step]:
        mapping = self._mapping
        yield self._identifier("tenant", mapping.tenant)
        yield self._identifier("id", mapping.id)
        yield self._identifier("event_id", mapping.event_id)
        yield self._time(mapping.time)
        if mapping.label is not None:
            label = mapping.label
            required = label.required or mapping.kind == "label"
            yield LabelStep(self._one("label", label.field), label.values, required)
        if mapping.features is not None:
            yield from self._features(mapping.features)
        for part, vector in (
            ("key", mapping.key),
            ("value", mapping.value),
            ("query", mapping.query),
        ):
            if vector is not None:
                yield self._vector(part, vector)
        for index, field in enumerate(mapping.context):
            selector = self._one(f"context[{index}]", field.field)
            yield ContextStep(selector, field.name or selector.path.name, field.required)

    def _one(self, place: str, field: str) -> OneMember:
        return OneMember(place, FieldPath.parse(field), self._missing)

    def _identifier(self, part: str, given: Tenant | EntityId | EventId) -> Step:
        if given.constant is not None:
            return ConstantText(part, given.constant)
        if given.field is not None:
            return FieldText(part, self._one(part, given.field))
        return KeyText(part) if given.record == "key" else PositionText(part)

    def _time(self, time: Time) -> Step:
        if time.field is None:
            return RecordTime()
        return FieldTime(self._one("time", time.field), time.unit, time.format)

    def _vector(self, part: str, vector: Vector) -> Step:
        if vector.field is not None:
            return VectorOfList(part, self._one(part, vector.field), vector.required)
        components = tuple(
            (self._one(f"{part}.fields[{index}]", one.field), converter(one))
            for index, one in enumerate(vector.fields or ())
        )
        return VectorOfFields(part, components, vector.required)

    def _features(self, features: Features) -> Iterator[Step]:
        parts = [
            _FeaturePart(kind, index, part, FieldPath.parse(part.field))
            for kind in _TAKES_LIST
            for index, part in enumerate(getattr(features, kind))
        ]
        for part in parts:
            if not part.path.is_glob:
                selector = OneMember(part.place, part.path, self._missing)
                name = part.member.name or part.path.name
                yield OneFeature(selector, name, part.reading(), part.member.required)
        named = named_members(self._mapping)
        excluded = tuple(FieldPath.parse(path) for path in features.exclude)
        # A stable sort, so that globs of the same length stay in the order of the file.
        globs = sorted(
            (part for part in parts if part.path.is_glob), key=lambda one: -one.path.literals
        )
        for position, part in enumerate(globs):
            glob = Glob(
                part.place,
                part.path,
                self._missing,
                named=named,
                excluded=excluded,
                prior=tuple(one.path for one in globs[:position]),
                takes_list=_TAKES_LIST[part.kind],
            )
            yield GlobFeatures(glob, part.member.name, part.reading(), part.member.required)


class _FeaturePart(NamedTuple):
    """One entry of the lists under ``features``."""

    kind: str
    number: int
    member: Member
    path: FieldPath

    @property
    def place(self) -> str:
        return f"features.{self.kind}[{self.number}]"

    def reading(self) -> Reading:
        if isinstance(self.member, Number):
            return read_number(converter(self.member))
        return read_category if self.kind == "categories" else read_either
