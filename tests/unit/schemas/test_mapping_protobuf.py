from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, wrappers_pb2

from schemas.errors import BadMessage, ConfigError
from schemas.mapping import Mapper
from tests.unit.schemas.mapping_cases import ORIGIN, make_mapper
from tests.unit.schemas.protobuf_cases import encode_ride, message_class, ride_descriptors

BODY = """\
tenant: {constant: city}
id: rider
time: {record: timestamp}
features: {auto: ["*", "counters.*"]}
"""
_Field = descriptor_pb2.FieldDescriptorProto


def _mapper(folder: Path, descriptors: bytes, message: str, framing: str = "none") -> Mapper:
    (folder / "x.desc").write_bytes(descriptors)
    source = f"{{format: protobuf, descriptors: x.desc, message: {message}, framing: {framing}}}"
    return make_mapper(f"source: {source}\n{BODY}", folder)


@pytest.fixture
def rides(tmp_path: Path) -> Mapper:
    """A mapper of the manual's rides."""
    return _mapper(tmp_path, ride_descriptors().SerializeToString(), "city.Ride")


def test_plain_fields_are_there_at_zero_and_optional_ones_when_set(rides: Mapper) -> None:
    """A plain proto3 number that is zero travels in no byte, and is zero all the same."""
    decoded = rides.decode(encode_ride({"rider": "r"}))
    assert decoded == {"rider": "r", "kind": "UNKNOWN", "distance": 0.0, "counters": {}}
    assert rides.decode(encode_ride({"rider": "r", "paid": False}))["paid"] is False


def test_a_value_that_the_enum_does_not_name_stays_a_number(rides: Mapper) -> None:
    """Producers may be newer than the descriptors: an open enum takes their values."""
    ride = message_class(ride_descriptors(), "city.Ride")(rider="r", kind=7)
    assert rides.decode(ride.SerializeToString())["kind"] == 7


def test_a_map_comes_in_the_order_of_its_keys(rides: Mapper) -> None:
    """Protobuf gives maps no order; the same message must give the same bytes everywhere."""
    counters = {f"k{index}": str(index) for index in reversed(range(50))}
    event = rides.map_message(encode_ride({"rider": "r", "counters": counters}), ORIGIN)
    names = [name for name in event["features"] if name.startswith("counters.")]
    assert names == sorted(names)
    assert len(names) == 50


@pytest.mark.parametrize("value", [b"\x0a\xff", b"\xff\xff\xff", b"\x0a\x01\xff"])
def test_bytes_that_are_no_protobuf_are_refused(rides: Mapper, value: bytes) -> None:
    """Cut off, damaged, or with a string that is not UTF-8."""
    with pytest.raises(BadMessage, match=r"BAD_MAPPING: .*does not read as Protobuf city\.Ride"):
        rides.map_message(value, ORIGIN)


def test_a_timestamp_beyond_the_calendar_is_refused(rides: Mapper) -> None:
    """A Timestamp can hold seconds for which there is no date."""
    ride = message_class(ride_descriptors(), "city.Ride")(rider="r")
    ride.start.seconds = 10**15
    with pytest.raises(BadMessage, match=r"BAD_MAPPING: .*beyond the years 1 to 9999"):
        rides.map_message(ride.SerializeToString(), ORIGIN)


def test_confluents_header_is_skipped_and_its_type_checked(tmp_path: Path) -> None:
    """A topic can hold several types of one file; only the mapping's is read as it."""
    descriptors = ride_descriptors()
    descriptors.file[1].message_type.add(name="Stop")
    mapper = _mapper(tmp_path, descriptors.SerializeToString(), "city.Ride", "confluent")
    ride = encode_ride({"rider": "r"})
    for indexes in (b"\x00", b"\x02\x00"):  # [0], short and long
        assert mapper.map_message(b"\0\0\0\0\1" + indexes + ride, ORIGIN)["id"] == "r"
    with pytest.raises(BadMessage, match=r"of the type at \[1\] .*city\.Ride is at \[0\]"):
        mapper.map_message(b"\0\0\0\0\1\x02\x02" + ride, ORIGIN)
    for damaged in (b"", b"\x01", b"\x04\x00", b"\xff" * 9):
        with pytest.raises(BadMessage, match=r"BAD_WIRE_HEADER: .*indexes is damaged"):
            mapper.map_message(b"\0\0\0\0\1" + damaged, ORIGIN)
    with pytest.raises(BadMessage, match="BAD_WIRE_HEADER"):
        mapper.map_message(ride, ORIGIN)


def _nested() -> descriptor_pb2.FileDescriptorSet:
    """Message Outer { message Other {}  message Inner { … } }, with what Ride does not have."""
    imported = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(imported)
    file = descriptor_pb2.FileDescriptorProto(
        name="n.proto", package="n", syntax="proto3", dependency=[imported.name]
    )
    outer = file.message_type.add(name="Outer")
    outer.nested_type.add(name="Other")
    inner = outer.nested_type.add(name="Inner")
    one, many = _Field.LABEL_OPTIONAL, _Field.LABEL_REPEATED
    inner.field.add(name="rider", number=1, type=_Field.TYPE_STRING, label=one)
    wrapped = ".google.protobuf.DoubleValue"
    inner.field.add(name="x", number=2, type=_Field.TYPE_MESSAGE, type_name=wrapped, label=one)
    own = ".n.Outer.Inner"
    inner.field.add(name="next", number=3, type=_Field.TYPE_MESSAGE, type_name=own, label=one)
    inner.field.add(name="all", number=4, type=_Field.TYPE_MESSAGE, type_name=own, label=many)
    entry = inner.nested_type.add(name="FlagsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_Field.TYPE_BOOL, label=one)
    entry.field.add(name="value", number=2, type=_Field.TYPE_MESSAGE, type_name=own, label=one)
    entries = ".n.Outer.Inner.FlagsEntry"
    inner.field.add(name="flags", number=5, type=_Field.TYPE_MESSAGE, type_name=entries, label=many)
    return descriptor_pb2.FileDescriptorSet(file=[imported, file])


def test_nested_and_recursive_types_wrappers_and_maps_of_messages(tmp_path: Path) -> None:
    """A type may contain itself, alone, in lists and in maps; a wrapper is what it wraps."""
    descriptors = _nested()
    mapper = _mapper(tmp_path, descriptors.SerializeToString(), "n.Outer.Inner", "confluent")
    message: Any = message_class(descriptors, "n.Outer.Inner")(rider="a")
    message.x.value = 0.0
    message.next.rider = "b"
    message.all.add(rider="c")
    message.flags[True].rider = "d"
    empty: dict[str, Any] = {"all": [], "flags": {}}
    framed = b"\0\0\0\0\1" + b"\x04\x00\x02" + message.SerializeToString()  # indexes [0, 1]
    assert mapper.decode(framed) == {
        "rider": "a",
        "x": 0.0,
        "next": {"rider": "b", **empty},
        "all": [{"rider": "c", **empty}],
        "flags": {"true": {"rider": "d", **empty}},
    }


def test_a_proto2_message_without_its_required_fields_is_refused(tmp_path: Path) -> None:
    """proto2's required fields are checked, as its own parsers do."""
    file = descriptor_pb2.FileDescriptorProto(name="o.proto", syntax="proto2")
    old = file.message_type.add(name="Old")
    old.field.add(name="rider", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_REQUIRED)
    descriptors = descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
    mapper = _mapper(tmp_path, descriptors, "Old")
    assert mapper.map_message(b"\x0a\x01r", ORIGIN)["id"] == "r"
    with pytest.raises(BadMessage, match="BAD_MAPPING: the message"):
        mapper.map_message(b"", ORIGIN)


def test_descriptors_that_cannot_be_used_are_refused_at_start(tmp_path: Path) -> None:
    """Each mistake with the file says what to do: another name, or another way to make it."""
    good = ride_descriptors()
    with pytest.raises(ConfigError, match="no message type 'Ride'; give its full name"):
        _mapper(tmp_path, good.SerializeToString(), "Ride")
    alone = descriptor_pb2.FileDescriptorSet(file=good.file[1:])
    with pytest.raises(ConfigError, match=r"not complete .*protoc --include_imports"):
        _mapper(tmp_path, alone.SerializeToString(), "city.Ride")
    with pytest.raises(ConfigError, match=r"cannot be read as a FileDescriptorSet .*protoc"):
        _mapper(tmp_path, b"syntax = 'proto3';", "city.Ride")
