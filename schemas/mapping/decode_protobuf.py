"""Protobuf messages to plain values, described by a FileDescriptorSet.

Fields keep the names of the .proto file. A field without presence (a plain proto3 number, say) is
there even when it is zero; one with presence only when it was set. Enums are their value's name.
A google.protobuf.Timestamp is a timestamp, a wrapper (DoubleValue and its like) what it wraps.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf import message as protobuf_message

from schemas.errors import BadMessage, ConfigError
from schemas.mapping.framing import message_indexes
from schemas.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message

    Convert = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WRAPPERS = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)


class ProtobufDecoder:
    """Decodes one message type.

    Args:
        descriptors: FileDescriptorSet, as ``protoc --include_imports --descriptor_set_out`` writes.
        message: full name of the message type, package included.
        indexed: whether Confluent's list of message indexes stands before each message.

    Raises:
        ConfigError: the file is none, lacks an import, or does not hold the message type.
    """

    def __init__(self, descriptors: Path, message: str, *, indexed: bool) -> None:
        self._name = message
        pool = _pool(descriptors)
        try:
            descriptor = pool.FindMessageTypeByName(message)
        except KeyError as error:
            raise ConfigError(
                f"{descriptors} has no message type {message!r}; give its full name with package"
            ) from error
        self._class = message_factory.GetMessageClass(descriptor)
        self._layout = _Layout(descriptor, {})
        self._indexes = _indexes(descriptor) if indexed else None

    def __call__(self, value: bytes) -> dict[str, Any]:
        """Read one message.

        Raises:
            BadMessage: BAD_MAPPING; the bytes are no such message, or the indexes before it say
                that it is of another type.
        """
        if self._indexes is not None:
            indexes, value = message_indexes(value)
            if indexes != self._indexes:
                raise BadMessage(
                    Reason.BAD_MAPPING,
                    f"the message is of the type at {list(indexes)} in its file, and the mapping's "
                    f"{self._name} is at {list(self._indexes)}",
                )
        parsed = self._class()
        try:
            parsed.ParseFromString(value)
            complete = parsed.IsInitialized()
        except protobuf_message.DecodeError as error:
            raise BadMessage(
                Reason.BAD_MAPPING, f"the message does not read as Protobuf {self._name}"
            ) from error
        if not complete:
            raise BadMessage(
                Reason.BAD_MAPPING, f"the message lacks required fields of {self._name}"
            )
        return self._layout.read(parsed)


def _pool(path: Path) -> descriptor_pool.DescriptorPool:
    files = descriptor_pb2.FileDescriptorSet()
    try:
        files.ParseFromString(path.read_bytes())
    except (OSError, protobuf_message.DecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read as a FileDescriptorSet ({error}); write one with "
            f"`protoc --include_imports --descriptor_set_out={path.name} file.proto`"
        ) from error
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in files.file:
            pool.AddSerializedFile(file.SerializeToString())
    except (TypeError, KeyError) as error:
        raise ConfigError(
            f"{path} is not complete ({error}); write it again with `protoc --include_imports`"
        ) from error
    return pool


def _indexes(descriptor: Descriptor) -> tuple[int, ...]:
    """Where a message type stands in its file: the index at each level of nesting."""
    path: list[int] = []
    inner: Descriptor | None = descriptor
    while inner is not None:
        outer = inner.containing_type
        siblings = (
            outer.nested_types if outer is not None else inner.file.message_types_by_name.values()
        )
        path.insert(0, [one.full_name for one in siblings].index(inner.full_name))
        inner = outer
    return tuple(path)


class _Layout:
    """How the fields of one message type become plain values; made once a type."""

    def __init__(self, descriptor: Descriptor, layouts: dict[str, _Layout]) -> None:
        layouts[descriptor.full_name] = self
        self._layouts = layouts
        self._fields = [
            (field.name, field.has_presence, self._convert(field)) for field in descriptor.fields
        ]

    def read(self, message: Message) -> dict[str, Any]:
        return {
            name: convert(getattr(message, name))
            for name, has_presence, convert in self._fields
            if not has_presence or message.HasField(name)
        }

    def _convert(self, field: FieldDescriptor) -> Convert:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            one = self._convert_one(field.message_type.fields_by_name["value"])
            return lambda value: _map(value, one)
        one = self._convert_one(field)
        return (lambda value: [one(item) for item in value]) if field.is_repeated else one

    def _convert_one(self, field: FieldDescriptor) -> Convert:
        if field.enum_type is not None:
            names = {number: one.name for number, one in field.enum_type.values_by_number.items()}
            return lambda number: names.get(number, number)  # an open enum: the number itself
        if field.message_type is None:
            return lambda value: value
        name = field.message_type.full_name
        if name in _WRAPPERS:
            return lambda message: message.value
        if name == "google.protobuf.Timestamp":
            return _timestamp
        layout = self._layouts.get(name) or _Layout(field.message_type, self._layouts)
        return layout.read


def _map(value: Any, one: Convert) -> dict[str, Any]:
    """A map in the order of its keys: Protobuf itself gives none, and features keep theirs."""
    named = {(str(key).lower() if isinstance(key, bool) else str(key)): value[key] for key in value}
    return {name: one(named[name]) for name in sorted(named)}


def _timestamp(message: Any) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)
    except OverflowError as error:
        raise BadMessage(
            Reason.BAD_MAPPING, "the message has a Timestamp beyond the years 1 to 9999"
        ) from error
