"""A standby is a prefix of the changelog, and what goes wrong with it is seen; without a broker."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError

from schemas.errors import Bug
from state.store import ShardStore
from streams.settings import BrokerSettings
from streams.shards import Shards
from streams.standby import Standbys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TOPIC = "changelog"


@dataclass(frozen=True)
class Read:
    """One message of the changelog, or the end of its partition."""

    at: int
    shard: int = 0
    code: int | None = None
    pair: tuple[bytes, bytes | None] = (b"key", b"value")

    def partition(self) -> int:
        """Partition number."""
        return self.shard

    def offset(self) -> int:
        """Offset."""
        return self.at

    def topic(self) -> str:
        """Topic."""
        return TOPIC

    def error(self) -> KafkaError | None:
        """What it is, if not a record."""
        return None if self.code is None else KafkaError(self.code)

    def key(self) -> bytes:
        """Key."""
        return self.pair[0]

    def value(self) -> bytes | None:
        """Value."""
        return self.pair[1]


class Lags:
    """Notes what is told."""

    def __init__(self) -> None:
        self.of: dict[int | str, float] = {}

    def standby(self, shard: int | str, lag: float | None) -> None:
        """Take a lag."""
        if lag is None:
            self.of.pop(shard, None)
        else:
            self.of[shard] = lag


class Following:
    """Standbys of two tables, to which messages are given by hand."""

    def __init__(self, folder: Path) -> None:
        self.lags = Lags()
        self.failures: list[BaseException] = []
        broker = BrokerSettings(bootstrap="127.0.0.1:1")
        self.standbys = Standbys(broker, TOPIC, self.lags, self.failures.append)
        self.stores = {shard: ShardStore(folder / str(shard)) for shard in (0, 1)}

    def follow(self) -> None:
        """Follow both."""
        self.standbys._switch(self.stores)  # noqa: SLF001 - what the thread does

    def take(self, *messages: Read) -> None:
        """Let messages come."""
        given: Any = list(messages)
        self.standbys._take(given)  # noqa: SLF001 - what the thread does


END = KafkaError._PARTITION_EOF  # noqa: SLF001 - the library's own name


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    """Give standbys of two shards."""
    made = Following(tmp_path)
    made.follow()
    yield made
    made.standbys.start()
    made.standbys.close()
    for store in made.stores.values():
        store.close()
    assert made.failures == []


def test_each_table_gets_its_records_and_their_offset(following: Following) -> None:
    """The last value of a key counts, a tombstone deletes, and the tables do not mix."""
    following.take(
        Read(3, pair=(b"a", b"1")),
        Read(4, pair=(b"b", b"2")),
        Read(0, shard=1, pair=(b"a", b"other")),
        Read(6, pair=(b"a", b"3")),
    )
    following.take(Read(9, pair=(b"b", None)), Read(11, code=END))
    first, second = following.stores[0], following.stores[1]
    assert dict(first.items()) == {b"a": b"3"}
    assert first.changelog_offset == 9
    assert dict(second.items()) == {b"a": b"other"}
    assert second.changelog_offset == 0
    assert following.lags.of[0] == 0


def test_a_standby_goes_on_where_its_table_stands(following: Following) -> None:
    """After a rebalance nothing is taken again."""
    following.take(Read(5))
    following.follow()
    following.take(Read(6, pair=(b"more", b"")))
    assert following.stores[0].changelog_offset == 6


def test_a_changelog_that_was_made_anew_is_not_mixed_with_the_old(following: Following) -> None:
    """A fetch that was set back to the beginning brings another history: it is refused."""
    following.take(Read(5))
    following.take(Read(0, pair=(b"key", b"of another life")))
    assert following.stores[0].get(b"key") == b"value"
    assert following.lags.of[0] == math.inf
    following.take(Read(7), Read(0, shard=1))
    assert following.stores[0].changelog_offset == 5
    assert following.stores[1].changelog_offset == 0


def test_an_error_of_one_partition_leaves_the_others_alone(following: Following) -> None:
    """No right to read, say: the standby is given up, the worker goes on."""
    denied = KafkaError.TOPIC_AUTHORIZATION_FAILED
    passing = KafkaError.NOT_LEADER_FOR_PARTITION
    following.take(Read(-1, code=denied), Read(-1, shard=1, code=passing), Read(4, shard=1))
    assert following.lags.of[0] == math.inf
    assert following.stores[1].changelog_offset == 4


def test_a_table_that_cannot_be_written_is_given_up(following: Following) -> None:
    """A full disk, say: what was written before stays a prefix."""
    following.take(Read(4))
    following.stores[0].close()
    following.take(Read(5), Read(0, shard=1))
    assert following.lags.of[0] == math.inf
    assert following.stores[1].changelog_offset == 0


class OneWriter:
    """Stands for the thread: notes which tables it would write."""

    def __init__(self) -> None:
        self.followed: set[int] = set()

    def follow(self, stores: Mapping[int, ShardStore]) -> None:
        """Follow these."""
        self.followed = set(stores)

    def close(self) -> None:
        """Follow nothing."""
        self.followed = set()


class Served:
    """A shard that minds whether it is alone with its table."""

    def __init__(self, number: int, store: ShardStore, standbys: OneWriter) -> None:
        self.number = number
        self._store = store
        self._standbys = standbys

    def open(self) -> None:
        """Take the table over."""
        if self.number in self._standbys.followed:
            raise Bug("two writers of one table")
        self._store.write({b"opened": b""}, changelog_offset=0)

    def resume(self) -> None:
        """Go on."""

    async def pause(self) -> None:
        """Stand still."""

    def close(self) -> None:
        """Give the table back."""
        self._store.close()


async def test_a_table_has_one_writer_through_every_rebalance(tmp_path: Path) -> None:
    """Standby, then served, then standby again, then gone: never two at once, never a lost lock."""
    standbys, failures = OneWriter(), list[BaseException]()
    stand_in: Any = standbys

    def make(number: int, store: ShardStore, _: Any) -> Any:
        return Served(number, store, standbys)

    shards = Shards(tmp_path, make, failures.append, threads=2, standbys=stand_in)
    for active, standby in (
        ({0}, {1, 2}),
        ({0, 1}, {2}),
        ({2}, {0, 1}),
        ({2}, set()),
        ({0, 1, 2}, set()),
        (set(), {0}),
    ):
        await shards.assign(active, standby)
        assert failures == []
        assert {shard.number for shard in shards.active} == active
        assert standbys.followed == standby
    await asyncio.wait_for(shards.close(), 30)
    assert failures == []
    for shard in range(3):
        ShardStore(tmp_path / f"shard-{shard:05d}").close()
