"""Whether data written with one version of a schema can be read with another.

The verdict is that of Apache ``avro``'s checker, which follows the schema resolution rules of the
Avro specification; this module adds the name of the field, which the checker gives as an index.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import avro.errors
import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from schemas.errors import ConfigError


class Rule(Enum):
    """What a new version of a schema must keep, in the words of schema registries."""

    BACKWARD = "the new version reads what the old one wrote"
    FORWARD = "the old version reads what the new one writes"
    FULL = "both"


def breaks(new: str, old: str, rule: Rule) -> list[str]:
    """Return what a new version breaks under a rule, one sentence each; empty when nothing.

    Args:
        new: JSON text of the new version.
        old: JSON text of the old version.
        rule: what must hold.

    Raises:
        ConfigError: a text is no Avro schema.
    """
    found: list[str] = []
    if rule in (Rule.BACKWARD, Rule.FULL):
        found += [f"cannot read old data: {why}" for why in unreadable(new, old)]
    if rule in (Rule.FORWARD, Rule.FULL):
        found += [f"old readers cannot read it: {why}" for why in unreadable(old, new)]
    return found


def unreadable(reader: str, writer: str) -> list[str]:
    """Return why a reader cannot read what a writer wrote, one sentence a field; empty if it can.

    Args:
        reader: JSON text of the reader's schema.
        writer: JSON text of the writer's schema.

    Raises:
        ConfigError: a text is no Avro schema.
    """
    reading = _parse(reader)
    return _problems(reading, _parse(writer), getattr(reading, "fullname", reading.type))


def _parse(text: str) -> Any:
    try:
        return avro.schema.parse(text)
    except avro.errors.AvroException as error:
        raise ConfigError(f"this is no Avro schema: {error}") from error


def _problems(reader: Any, writer: Any, path: str) -> list[str]:
    """Return the problems of a pair, each at the innermost place that explains it."""
    messages = _messages(reader, writer)
    if not messages:
        return []
    inner: list[str] = []
    match reader.type, writer.type:
        case ("record", "record"):
            for field in reader.fields:
                inner += _field_problems(field, writer, f"{path}.{field.name}")
        case ("array", "array"):
            inner = _problems(reader.items, writer.items, f"{path}[]")
        case ("map", "map"):
            inner = _problems(reader.values, writer.values, f"{path}{{}}")
        case ("union", "union"):
            for branch in writer.schemas:
                inner += _branch_problems(reader, branch, path)
    return inner or [f"{path}: {'; '.join(sorted(messages))}"]


def _field_problems(field: Any, writer: Any, path: str) -> list[str]:
    names = [field.name, *field.props.get("aliases", ())]
    written = next((writer.fields_dict[n] for n in names if n in writer.fields_dict), None)
    if written is None:
        if field.has_default:
            return []
        return [f"{path}: the writer has no such field, and the reader has no default for it"]
    return _problems(field.type, written.type, path)


def _branch_problems(reader: Any, branch: Any, path: str) -> list[str]:
    """Explain a branch of the writer's union that the reader's union cannot take."""
    if not _messages(reader, branch):
        return []
    for candidate in reader.schemas:
        if candidate.type == branch.type:
            return _problems(candidate, branch, path)
    return [f"{path}: the writer may give {branch.type}, which the reader does not take"]


def _messages(reader: Any, writer: Any) -> set[str]:
    """Return the checker's messages for a pair; empty if it is compatible."""
    checker: Any = ReaderWriterCompatibilityChecker
    result = checker().get_compatibility(reader, writer)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return set()
    return result.messages or {f"{writer.type} cannot be read as {reader.type}"}
