"""Rows become the same bytes in the same shard, whoever reads them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import Codec
from schemas.errors import BadMessage, ConfigError
from schemas.sources import BadRow, ColumnOptions, Format, MappedRow, Row, UnreadableSource
from streams.feed import FedEvent, Feed, FileEvents, RejectedRow, murmur2_partition

CODEC = Codec("event")


def event(**fields: Any) -> MappedRow:
    made = {
        "kind": "OBSERVATION",
        "tenant": "acme",
        "id": "card-1",
        "event_id": "1",
        "time_us": 1_000,
        "features": {"amount": 3.5},
        **fields,
    }
    return MappedRow(Row(line=1, number=0, fields={}, raw=b"the row"), made)


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
    [item] = Feed([given])
    assert isinstance(item, FedEvent)
    assert item.key == "käfer".encode()
    assert CODEC.decode(item.value).items() >= given.event.items()


def test_tenant_can_be_given_for_all() -> None:
    """A file that names no tenant of use can be fed for one."""
    feed = Feed([event(), event(tenant="other")], tenant="mine")
    assert [one["tenant"] for one in decoded(feed)] == ["mine", "mine"]


def test_rejected_rows_keep_their_place() -> None:
    """A bad row is reported where it stood and stops nothing."""
    bad = BadRow(line=3, number=1, error=BadMessage("BAD_MAPPING", "no id"), raw=b",,")
    items = list(Feed([event(event_id="1"), bad, event(event_id="3")]))
    assert items[1] == RejectedRow(3, "BAD_MAPPING", "no id", b",,")
    assert [isinstance(item, FedEvent) for item in items] == [True, False, True]


def test_event_that_does_not_fit_the_schema_is_a_rejected_row() -> None:
    """An event of wrong types is counted as rejected and not sent half."""
    [item] = Feed([event(label="high")])
    assert isinstance(item, RejectedRow)
    assert (item.reason, item.line, item.raw) == ("BAD_FIELD", 1, b"the row")
    assert "label" in item.detail


def test_further_rounds_continue_the_stream() -> None:
    """Going through a file again gives later times and other event ids: no event comes twice."""
    feed = Feed([event(event_id="a", time_us=-5), event(event_id="b", time_us=20)], rounds=3)
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
    assert list(Feed([], rounds=2)) == []


def columns_of(path: Path, **columns: Any) -> FileEvents:
    return FileEvents(path, ColumnOptions(**columns).mapping(Format.CSV))


def test_file_becomes_events(tmp_path: Path) -> None:
    """A CSV file whose columns are named comes out as events, bad lines as rejected rows."""
    path = tmp_path / "cards.csv"
    path.write_text("card,amount,fraud\nc1,3.5,0\nc2,1\nc1,8,1\n", encoding="utf-8")
    source = columns_of(path, id="card", label="fraud")
    items = list(Feed(source))
    assert [item.key if isinstance(item, FedEvent) else item.line for item in items] == [
        b"c1",
        3,
        b"c1",
    ]
    assert [one["label"] for one in decoded(Feed(source))] == [0.0, 1.0]
    assert source.file_bytes == path.stat().st_size
    assert source.bytes_read == 2 * path.stat().st_size


def test_column_that_no_row_has_is_warned_of(tmp_path: Path) -> None:
    """A misspelt label would otherwise only show as a learner that learns nothing."""
    path = tmp_path / "cards.csv"
    path.write_text("card,amount,fraud\nc1,3,0\nc2,5,1\n", encoding="utf-8")
    assert columns_of(path, id="card", label="fraud").warnings() == []
    [warning] = columns_of(path, id="card", label="fraudd").warnings()
    assert "fraudd" in warning


def test_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """A wrong path is an error that names it, not an empty stream."""
    with pytest.raises(UnreadableSource, match=r"nowhere\.csv"):
        list(Feed(columns_of(tmp_path / "nowhere.csv", id="card")))


def test_standard_input_cannot_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for a second round of a pipe is refused instead of giving nothing."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"card\nc1\n")))
    source = FileEvents(Path("-"), ColumnOptions(id="card").mapping(Format.CSV), Format.CSV)
    feed = iter(Feed(source, rounds=2))
    assert isinstance(next(feed), FedEvent)
    with pytest.raises(ConfigError, match="standard input"):
        next(feed)
