"""From records to columns: what goes in comes out, in order, tenant by tenant."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.hashing import FeatureHasher
from schemas.reasons import Reason
from streams.kafka.reader import Record
from streams.messages import PlainReader
from streams.shard.columns import Decoder, Rejected, TenantColumns
from streams.shard.event_spans import MAX_ID_CHARACTERS

DIMENSION, VALUE_DIMENSION, MAX_BYTES = 3, 2, 4_000
SERVED = ("acme", "globex")
ENCODE = Codec("event").encode


def hasher(tenant: str) -> FeatureHasher:
    """Return a tenant's hasher; further tenants are not served."""
    if tenant not in SERVED:
        raise BadMessage(Reason.UNKNOWN_TENANT, "not served")
    return FeatureHasher(tenant.encode().ljust(32))


class Guests:
    """Admits the tenants that are served, and notes the order in which they came."""

    def __init__(self) -> None:
        self.admitted: list[str] = []

    def hasher(self, tenant: str) -> FeatureHasher:
        """Return the tenant's hasher."""
        return hasher(tenant)

    def admit(self, tenant: str, _: FeatureHasher) -> None:
        """Note the tenant at its first event."""
        if tenant not in self.admitted:
            self.admitted.append(tenant)

    def serves(self, tenant: str) -> bool:
        """Tell whether a tenant was admitted."""
        return tenant in self.admitted


def packed(*numbers: float) -> bytes:
    """Return little-endian doubles."""
    return np.array(numbers, dtype="<f8").tobytes()


def ids(*numbers: int) -> bytes:
    """Return little-endian feature ids."""
    return np.array(numbers, dtype="<u8").tobytes()


def event(**fields: Any) -> bytes:
    """Return an encoded event."""
    base = {"kind": "OBSERVATION", "tenant": "acme", "id": "a", "event_id": "e", "time_us": 5}
    return ENCODE(base | fields)


def decode(
    *values: bytes | None, guests: Guests | None = None
) -> tuple[dict[str, TenantColumns], list[Rejected]]:
    """Decode values as the records of one batch."""
    decoder = Decoder(
        PlainReader(),
        0,
        guests or Guests(),
        dimension=DIMENSION,
        value_dimension=VALUE_DIMENSION,
        max_bytes=MAX_BYTES,
    )
    return decoder([Record(100 + n, 0, b"k", value) for n, value in enumerate(values)])


def reason(value: bytes | None) -> tuple[str, str]:
    """Return why a value is refused."""
    columns, [rejected] = decode(value)
    assert columns == {}
    assert rejected.position == 0
    return rejected.error.reason, rejected.error.detail


def test_every_field_comes_out_where_it_belongs() -> None:
    """Nothing is lost, moved or rounded on the way to the learner."""
    value = event(
        id="entity",
        event_id="one",
        time_us=123_456,
        label=0.25,
        feature_ids=ids(7, 2**64 - 2),
        feature_values=packed(1.5, -2.0),
        key=packed(1, 2, 3),
        query=packed(4, 5, 6),
        value=packed(7, 8),
    )
    at = decode(value)[0]["acme"]
    assert (at.ids.parts(), at.event_ids.parts()) == ([b"entity"], [b"one"])
    assert at.positions.tolist() == [0]
    assert at.digests[0].tobytes() == hashlib.sha256(value).digest()
    batch = at.batch
    assert batch.time_us.tolist() == [123_456]
    assert (batch.label.tolist(), batch.has_label.tolist()) == ([0.25], [1])
    assert batch.ids.tolist() == [7, 2**64 - 2]
    assert batch.values.tolist() == [1.5, -2.0]
    assert (batch.key.tolist(), batch.has_key.tolist()) == ([[1, 2, 3]], [1])
    assert (batch.query.tolist(), batch.has_query.tolist()) == ([[4, 5, 6]], [1])
    assert (batch.value.tolist(), batch.has_value.tolist()) == ([[7, 8]], [1])


def test_what_an_event_does_not_have_is_marked_and_zero() -> None:
    """An absent vector is not taken for one of zeros, nor an absent label for a negative."""
    batch = decode(event())[0]["acme"].batch
    for there in (batch.has_label, batch.has_key, batch.has_query, batch.has_value):
        assert there.tolist() == [0]
    assert batch.key.tolist() == [[0, 0, 0]]
    assert batch.indptr.tolist() == [0, 0]
    assert batch.ctx_indptr.tolist() == [0, 0]


def test_named_features_are_hashed_with_the_tenants_key_before_the_packed_ones() -> None:
    """Names and packed ids may come together; a name means something else to each tenant."""
    fields: dict[str, Any] = {
        "features": {"amount": 3.0, "hour": 4.0},
        "feature_ids": ids(9),
        "feature_values": packed(5.0),
    }
    columns = decode(event(**fields), event(tenant="globex", **fields))[0]
    for tenant in SERVED:
        batch = columns[tenant].batch
        names = [hasher(tenant).hash(name) for name in fields["features"]]
        assert batch.ids.tolist() == [*names, 9]
        assert batch.values.tolist() == [3.0, 4.0, 5.0]
    assert columns["acme"].batch.ids[0] != columns["globex"].batch.ids[0]


def test_context_is_hashed_as_name_and_value() -> None:
    """Two values of one context are two inputs to the gate."""
    columns = decode(event(context={"channel": "web"}), event(context={"channel": "app"}))[0]
    batch = columns["acme"].batch
    expected = [hasher("acme").hash(text) for text in ("channel=web", "channel=app")]
    assert batch.ctx_ids.tolist() == expected
    assert batch.ctx_indptr.tolist() == [0, 1, 2]


def test_tenants_are_kept_apart_and_each_in_the_order_of_the_log() -> None:
    """Neither another tenant's events nor bad ones between change an order or a place."""
    tenants = ["acme", "globex", "acme", "nobody", "globex", "acme"]
    values = [event(tenant=t, event_id=str(n)) for n, t in enumerate(tenants)]
    values.insert(1, b"garbage")
    columns, rejected = decode(*values)
    assert columns["acme"].event_ids.parts() == [b"0", b"2", b"5"]
    assert columns["acme"].positions.tolist() == [0, 3, 6]
    assert columns["globex"].event_ids.parts() == [b"1", b"4"]
    assert columns["globex"].positions.tolist() == [2, 5]
    assert [item.position for item in rejected] == [1, 4]


def test_features_of_many_events_are_told_apart_by_their_row_pointers() -> None:
    """Events with none, one and several features share one column."""
    columns = decode(
        event(),
        event(feature_ids=ids(1), feature_values=packed(1)),
        event(),
        event(feature_ids=ids(2, 3, 4), feature_values=packed(2, 3, 4)),
    )[0]
    batch = columns["acme"].batch
    assert batch.indptr.tolist() == [0, 0, 1, 1, 4]
    assert batch.ids.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("feature_ids", "feature_values"),
    [(ids(1, 2), packed(1)), (ids(1), None), (None, packed(1)), (b"1234567", b"1234567")],
)
def test_ids_and_values_that_do_not_pair_are_refused(
    feature_ids: bytes | None, feature_values: bytes | None
) -> None:
    """A broken packing is not read as other features."""
    value = event(feature_ids=feature_ids, feature_values=feature_values)
    assert reason(value)[0] == "LENGTH_MISMATCH"


@pytest.mark.parametrize(
    ("field", "vector", "wanted"),
    [
        ("key", packed(1, 2), "says 3"),
        ("query", packed(1, 2, 3, 4), "says 3"),
        ("value", packed(1), "says 2"),
        ("key", b"", "says 3"),
        ("key", b"123", "says 3"),
    ],
)
def test_vectors_of_another_dimension_are_refused_by_name(
    field: str, vector: bytes, wanted: str
) -> None:
    """Field, length and the configured dimension are told."""
    why, detail = reason(event(**{field: vector}))
    assert why == "DIMENSION_MISMATCH"
    assert detail.startswith(f"{field} has {len(vector)} bytes")
    assert wanted in detail


@pytest.mark.parametrize("time_us", [-1, 2**53])
def test_times_that_an_audit_record_cannot_hold_are_refused(time_us: int) -> None:
    """A time is a double in the audit trail, so it must be exact there."""
    assert reason(event(time_us=time_us))[0] == "BAD_FIELD"
    assert decode(event(time_us=2**53 - 1))[0]["acme"].batch.time_us.tolist() == [2**53 - 1]


@pytest.mark.parametrize("field", ["id", "event_id"])
def test_ids_are_bounded(field: str) -> None:
    """Both are copied to every output."""
    assert decode(event(**{field: "x" * MAX_ID_CHARACTERS}))[1] == []
    assert reason(event(**{field: "x" * (MAX_ID_CHARACTERS + 1)}))[0] == "BAD_FIELD"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "EMPTY_VALUE"),
        (b"", "EMPTY_VALUE"),
        (b"garbage", "BAD_AVRO"),
        (bytes(MAX_BYTES + 1), "OVERSIZED"),
        (event(tenant=""), "BAD_FIELD"),
        (event(tenant="é" * 101), "BAD_FIELD"),
        (event(tenant="nobody"), "UNKNOWN_TENANT"),
        (event(kind="LABEL", tenant="globex", label=1.0), "LATE_LABEL_UNMATCHED"),
        (event(kind="LABEL"), "BAD_FIELD"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(value: bytes | None, expected: str) -> None:
    """Every bad record is told apart, none is dropped and none stops the others."""
    assert reason(value)[0] == expected
    columns, rejected = decode(event(event_id="before"), value, event(event_id="after"))
    assert columns["acme"].event_ids.parts() == [b"before", b"after"]
    assert [item.position for item in rejected] == [1]


def test_a_bad_event_leaves_nothing_of_itself_behind() -> None:
    """It is refused whole: the columns are those of a batch without it."""
    good = event(feature_ids=ids(1), feature_values=packed(1), context={"a": "b"})
    bad = event(feature_ids=ids(2), feature_values=packed(2), context={"c": "d"}, key=b"short")
    with_bad = decode(good, bad, good)[0]["acme"].batch
    without = decode(good, good)[0]["acme"].batch
    for name in without._fields:
        mixed: np.ndarray = getattr(with_bad, name)
        assert np.array_equal(mixed, getattr(without, name)), name


@pytest.mark.parametrize(
    "refused",
    [
        {"key": b"short"},
        {"time_us": -1},
        {"features": {"a": 1.0}, "feature_ids": b"odd", "feature_values": b"odd"},
        {"kind": "LABEL"},
    ],
)
def test_an_event_that_is_refused_takes_no_place_for_its_tenant(refused: dict[str, Any]) -> None:
    """Made-up tenants with broken events cannot lock others out, nor differ after a restart."""
    guests = Guests()
    decode(event(tenant="globex", **refused), event(), guests=guests)
    assert guests.admitted == ["acme"]
    decode(event(tenant="globex", features={"a": 1.0}), guests=guests)
    assert guests.admitted == ["acme", "globex"]
