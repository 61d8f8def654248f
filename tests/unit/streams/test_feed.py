"""Rows become the same bytes in the same shard, whoever reads them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.codec import Codec
from streams.feed import FedEvent, Feed, RejectedRow, murmur2_partition

CODEC = Codec("event")


def event(**fields: Any) -> dict[str, Any]:
    return {
        "kind": "OBSERVATION",
        "tenant": "acme",
        "id": "card-1",
        "event_id": "1",
        "time_us": 1_000,
        "features": {"amount": 3.5},
        **fields,
    }


def decoded(feed: Feed) -> list[dict[str, Any]]:
    return [CODEC.decode(item.value) for item in feed if isinstance(item, FedEvent)]


@pytest.mark.parametrize(
    ("key", "signed_hash"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_partition_is_the_one_that_java_producers_choose(key: bytes, signed_hash: int) -> None:
    """The hashes that Kafka's own tests pin lead to the same shard here, whatever its number."""
    for partitions in (1, 2, 4, 7, 128):
        assert murmur2_partition(key, partitions) == (signed_hash & 0x7FFFFFFF) % partitions


def test_key_is_the_entity_and_value_the_event() -> None:
    """What goes to Kafka is keyed by the entity's id and decodes to the event that was read."""
    given = event(id="käfer")
    [item] = Feed(lambda: [dict(given)])
    assert isinstance(item, FedEvent)
    assert item.key == "käfer".encode()
    assert CODEC.decode(item.value).items() >= given.items()


def test_tenant_can_be_given_for_all() -> None:
    """A file that names no tenant of use can be fed for one."""
    feed = Feed(lambda: [event(), event(tenant="other")], tenant="mine")
    assert [one["tenant"] for one in decoded(feed)] == ["mine", "mine"]


def test_rejected_rows_keep_their_place() -> None:
    """A bad row is reported where it stood and stops nothing."""
    bad = RejectedRow("2", "BAD_MAPPING", "no id", ",,")
    items = list(Feed(lambda: [event(event_id="1"), bad, event(event_id="3")]))
    assert items[1] == bad
    assert [isinstance(item, FedEvent) for item in items] == [True, False, True]


def test_event_that_does_not_fit_the_schema_is_a_rejected_row() -> None:
    """An event of wrong types is counted as rejected and not sent half."""
    [item] = Feed(lambda: [event(label="high")])
    assert isinstance(item, RejectedRow)
    assert item.reason == "BAD_FIELD"
    assert "label" in item.detail


def test_further_rounds_continue_the_stream() -> None:
    """Going through a file again gives later times and other event ids: no event comes twice."""
    feed = Feed(
        lambda: [event(event_id="a", time_us=-5), event(event_id="b", time_us=20)], rounds=3
    )
    events = decoded(feed)
    times = [one["time_us"] for one in events]
    assert [one["event_id"] for one in events] == ["a", "b", "a#2", "b#2", "a#3", "b#3"]
    assert times == sorted(set(times))
    assert [second - first for first, second in zip(times[::2], times[1::2], strict=True)] == [
        25,
        25,
        25,
    ]


def test_empty_source_gives_nothing() -> None:
    """An empty file is no error, however often it is gone through."""
    assert list(Feed(list, rounds=2)) == []
