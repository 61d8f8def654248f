"""The message type of the manual's Protobuf example, built without a compiler."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
    timestamp_pb2,
)

RIDE_PROTO = """
syntax = "proto3";
package city;
import "google/protobuf/timestamp.proto";

message Ride {
  enum Kind { UNKNOWN = 0; BIKE = 1; TRAM = 2; }
  string rider = 1;
  google.protobuf.Timestamp start = 2;
  Kind kind = 3;
  double distance = 4;
  map<string, int64> counters = 5;
  optional bool paid = 6;
}
"""
"""What ``ride_descriptors`` says, as a .proto file says it."""

_Field = descriptor_pb2.FieldDescriptorProto


def ride_descriptors() -> descriptor_pb2.FileDescriptorSet:
    """What ``protoc --include_imports --descriptor_set_out`` makes of ``RIDE_PROTO``."""
    imported = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(imported)
    return descriptor_pb2.FileDescriptorSet(file=[imported, _ride_file()])


def message_class(descriptors: descriptor_pb2.FileDescriptorSet, name: str) -> Any:
    """The class of a message type, to write messages with."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptors.file:
        pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def encode_ride(members: dict[str, Any]) -> bytes:
    """A ride as a producer writes it."""
    ride = message_class(ride_descriptors(), "city.Ride")()
    json_format.Parse(json.dumps(members), ride)
    return bytes(ride.SerializeToString())


def _ride_file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="ride.proto",
        package="city",
        syntax="proto3",
        dependency=["google/protobuf/timestamp.proto"],
    )
    ride = file.message_type.add(name="Ride")
    kind = ride.enum_type.add(name="Kind")
    for number, name in enumerate(("UNKNOWN", "BIKE", "TRAM")):
        kind.value.add(name=name, number=number)
    entry = ride.nested_type.add(name="CountersEntry")
    entry.options.map_entry = True
    one, many = _Field.LABEL_OPTIONAL, _Field.LABEL_REPEATED
    entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=one)
    entry.field.add(name="value", number=2, type=_Field.TYPE_INT64, label=one)
    ride.field.add(name="rider", number=1, type=_Field.TYPE_STRING, label=one)
    ride.field.add(
        name="start",
        number=2,
        type=_Field.TYPE_MESSAGE,
        type_name=".google.protobuf.Timestamp",
        label=one,
    )
    ride.field.add(
        name="kind", number=3, type=_Field.TYPE_ENUM, type_name=".city.Ride.Kind", label=one
    )
    ride.field.add(name="distance", number=4, type=_Field.TYPE_DOUBLE, label=one)
    ride.field.add(
        name="counters",
        number=5,
        type=_Field.TYPE_MESSAGE,
        type_name=".city.Ride.CountersEntry",
        label=many,
    )
    ride.oneof_decl.add(name="_paid")
    ride.field.add(
        name="paid",
        number=6,
        type=_Field.TYPE_BOOL,
        label=one,
        proto3_optional=True,
        oneof_index=0,
    )
    return file
