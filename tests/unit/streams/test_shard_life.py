"""The life of a shard with its real cells and tables; only Kafka is kept in memory.

That nothing is lost on a real broker is shown in tests/integration/streams.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from operators.fusion.cell import CellConfig, FusionConfig
from operators.sera.config import SeraConfig
from schemas.codec import Codec
from schemas.errors import Bug, ConfigError, StateError
from state.secrets import FileSecrets
from state.store import ShardStore
from streams.backtest import state_digest
from streams.kafka.fetch import FetchedBatch
from streams.kafka.reader import Record
from streams.keys import CellKeys
from streams.messages import PlainReader
from streams.settings import QuotaSettings, StreamSettings
from streams.shard.commit import CommitFailed
from streams.shard.encode import MessageCodecs
from streams.shard.engine import Engine
from streams.shard.quarantine import QuarantineEncoder
from streams.shard.shard import Abandoned, Shard, ShardState
from streams.warmup import warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streams.shard.observer import Observer
    from streams.shard.snapshots import ShardSnapshots
    from streams.shard.unit import UnitOfWork

CONFIG = CellConfig(sera=SeraConfig(d=2, r=8, prior=0.5, burn_in=10))
GROWING = CellConfig(
    sera=SeraConfig(
        d=2, r=8, prior=0.5, burn_in=10, gamma=0.9, max_r=16, c_yellow=0.02, c_red=0.03
    ),
    fusion=FusionConfig(red_limit=3),
)
"""A Sera whose reds persist, and that may grow."""

SOURCE, CHANGELOG = "events", "changelog"
UNIT, CHECKPOINT = 5, 12
PATIENCE_S = 20


def event(offset: int) -> Record:
    """Return the event at an offset; the same offset gives the same bytes."""
    rng = np.random.default_rng(offset)
    record = {
        "kind": "OBSERVATION",
        "tenant": "acme",
        "id": f"id-{rng.integers(5)}",
        "event_id": str(offset),
        "time_us": 1_000 * offset,
        "label": float(rng.integers(2)),
        "feature_ids": rng.integers(0, 9, 3).astype("<u8").tobytes(),
        "feature_values": rng.normal(size=3).tobytes(),
    }
    return Record(offset, 0, b"k", Codec("event").encode(record))


class MemoryKafka:
    """Two partitions in memory, as one shard's reader and producer see them."""

    def __init__(self) -> None:
        self.source: dict[int, Record] = {}
        self.low = 0
        self.end = 0
        self.changelog: list[Record] = []
        self.outputs: list[bytes] = []
        self.committed: int | None = None
        # While cleared, commits and questions wait.
        self.commits = threading.Event()
        self.answers = threading.Event()
        self.commits.set()
        self.answers.set()

    # -- the producer of events -------------------------------------------------------------------

    def send(self, count: int, *, markers: int = 0) -> None:
        """Append events, and the markers of the transaction that brought them."""
        for offset in range(self.end, self.end + count):
            self.source[offset] = event(offset)
        self.end += count + markers

    def delete_before(self, offset: int) -> None:
        """Delete events as retention does."""
        self.low = offset
        self.source = {at: found for at, found in self.source.items() if at >= offset}

    def fetch(self, position: int, stop: int | None = None) -> FetchedBatch:
        """Return what a fetch from a position brings."""
        stop = self.end if stop is None else stop
        found = [self.source[at] for at in sorted(self.source) if position <= at < stop]
        return FetchedBatch(position, found)

    # -- what the shard takes for its reader ------------------------------------------------------

    def bounds(self, topic: str, _: int) -> tuple[int, int]:
        """Tell where a partition begins and ends."""
        assert self.answers.wait(PATIENCE_S)
        return (self.low, self.end) if topic == SOURCE else (0, len(self.changelog))

    def read(self, topic: str, _: int, start: int | None, stop: int) -> Iterator[list[Record]]:
        """Give the records of a range, three at a time."""
        log = self.source if topic == SOURCE else dict(enumerate(self.changelog))
        found = [log[at] for at in sorted(log) if (start or 0) <= at < stop]
        yield from (found[n : n + 3] for n in range(0, len(found), 3))

    def close(self) -> None:
        """Release nothing."""

    # -- what the shard takes for its producer ----------------------------------------------------

    def fence(self) -> None:
        """Fence nobody."""

    def group_offset(self) -> int | None:
        """Tell what has been committed."""
        return self.committed

    def overdue(self, _: float, __: float) -> None:
        """Every call returns."""

    def commit(self, unit: UnitOfWork) -> int:
        """Commit a unit whole."""
        assert self.commits.wait(PATIENCE_S)
        for key, value in unit.state.items():
            self.changelog.append(Record(len(self.changelog), 0, key, value))
        self.outputs += [message["value"] for message in unit.outputs["predictions"]]
        self.committed = unit.next_offset
        return len(self.changelog) - 1


class Watching:
    """The observer of a shard."""

    def __init__(self) -> None:
        self.stepped: list[int] = []
        self.on_progress: Callable[[], None] = lambda: None

    def restoring(self, *_: Any) -> None:
        """Take a word of progress."""
        self.on_progress()

    def restored(self, _: Any, __: int, stepped: int, ___: float) -> None:
        """Note how many events were stepped again."""
        self.stepped.append(stepped)

    def committed(self, *_: Any) -> None:
        """Take no notice."""

    def closed(self, *_: Any) -> None:
        """Take no notice."""


class Lab:
    """Makes shards over one Kafka; each as a new process would."""

    def __init__(self, folder: Path) -> None:
        FileSecrets.initialise(folder / "secrets")
        self.keys = CellKeys(FileSecrets(folder / "secrets"), "test")
        self.kafka = MemoryKafka()
        self.watching = Watching()
        self.failures: list[BaseException] = []
        self.executor = ThreadPoolExecutor(2)
        self.folder = folder
        self.config = CONFIG
        self.quotas = QuotaSettings()

    def shard(
        self,
        table: str = "table",
        snapshots: ShardSnapshots | None = None,
        *,
        store: ShardStore | None = None,
        observer: Observer | None = None,
    ) -> Shard:
        """Return a closed shard over a table of its own or of an earlier one."""
        codecs = MessageCodecs(
            PlainReader(), Codec("audit_checkpoint"), QuarantineEncoder(Codec("quarantine"))
        )
        engine = Engine(
            0,
            self.config,
            self.keys,
            codecs,
            application_id="test",
            source_topic=SOURCE,
            max_event_bytes=10_000,
            max_tenants=2,
            quotas=self.quotas,
        )
        kafka: Any = self.kafka
        return Shard(
            engine,
            store or ShardStore(self.folder / table),
            kafka,
            kafka,
            source_topic=SOURCE,
            changelog_topic=CHANGELOG,
            settings=StreamSettings(
                max_unit_events=UNIT, checkpoint_events=CHECKPOINT, gather_ms=0
            ),
            executor=self.executor,
            observer=observer or self.watching,
            failed=self.failures.append,
            snapshots=snapshots,
        )

    def opened(self, table: str = "table") -> Shard:
        """Return an open shard."""
        shard = self.shard(table)
        shard.open()
        return shard


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Compile the kernels before anybody waits for a unit: that takes half a minute once."""
    warm_up(CONFIG)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An empty Kafka and an empty folder."""
    made = Lab(tmp_path)
    yield made
    made.executor.shutdown()


async def take(shard: Shard, batch: FetchedBatch) -> None:
    """Offer a batch and wait until the shard has nothing left to do."""
    await shard.offer(batch)
    await settle(shard)


async def settle(shard: Shard) -> None:
    """Wait until the shard has nothing left to do."""
    async with asyncio.timeout(PATIENCE_S):
        while shard.state is ShardState.RUNNING:  # noqa: ASYNC110 - the shard has no such event
            await asyncio.sleep(0)


def standing(shard: Shard) -> tuple[int | None, bytes, bytes]:
    """Return offset, audit chain and weights of a shard."""
    engine = shard.engine
    return (
        engine.next_offset,
        engine.chain("acme").to_bytes(),
        state_digest(engine.tenants["acme"]),
    )


def grown(shard: Shard) -> tuple[int, int]:
    """Return the event at which a larger Sera takes over, 0 if none is to, and features."""
    gauges = shard.engine.tenants["acme"].describe()
    return int(gauges["sera_handover"]), int(gauges["sera_features"])


# -- states ---------------------------------------------------------------------------------------


async def test_a_shard_goes_through_its_states_and_back(lab: Lab) -> None:
    """Closed, ready, running, ready, paused, ready, paused, closed."""
    shard = lab.shard()
    seen = [shard.state]
    shard.open()
    seen.append(shard.state)
    lab.kafka.send(7)
    await shard.offer(lab.kafka.fetch(0))
    seen.append(shard.state)
    await settle(shard)
    seen.append(shard.state)
    await shard.pause()
    seen.append(shard.state)
    shard.resume()
    seen.append(shard.state)
    await shard.pause()
    shard.close()
    seen.append(shard.state)
    assert [state.value for state in seen] == [
        "closed",
        "ready",
        "running",
        "ready",
        "paused",
        "ready",
        "closed",
    ]
    assert lab.failures == []


async def test_a_shard_in_the_wrong_state_is_a_bug(lab: Lab) -> None:
    """Opening twice, or resuming what was not paused, is refused before it does harm."""
    shard = lab.opened()
    with pytest.raises(Bug, match="is ready, not closed"):
        shard.open()
    with pytest.raises(Bug, match="is ready, not paused"):
        shard.resume()


async def test_events_are_taken_only_while_the_shard_is_ready_or_running(lab: Lab) -> None:
    """What comes before it is open, while it is paused, or after it is closed is left alone."""
    lab.kafka.send(4)
    shard = lab.shard()
    await take(shard, lab.kafka.fetch(0))
    shard.open()
    await shard.pause()
    await take(shard, lab.kafka.fetch(0))
    shard.close()
    await take(shard, lab.kafka.fetch(0))
    assert lab.kafka.committed is None
    assert lab.kafka.changelog == []


# -- batches --------------------------------------------------------------------------------------


async def test_a_batch_from_an_older_position_is_dropped(lab: Lab) -> None:
    """A batch behind a hole is not taken; the events arrive again from the right position."""
    lab.kafka.send(10)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0, 4))
    await take(shard, lab.kafka.fetch(7))
    assert shard.next_offset == 4
    await take(shard, lab.kafka.fetch(4))
    assert shard.next_offset == 10


async def test_events_that_were_learnt_are_not_learnt_again(lab: Lab) -> None:
    """A fetch that overlaps adds only what is new."""
    lab.kafka.send(10)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0, 6))
    await take(shard, lab.kafka.fetch(0, 4))
    await take(shard, lab.kafka.fetch(2))
    assert shard.next_offset == 10
    assert len(lab.kafka.outputs) == 10


@pytest.mark.parametrize("markers", [1, 2, 5])
async def test_transaction_markers_are_passed_over(lab: Lab, markers: int) -> None:
    """Offsets without events, however many, are no hole."""
    lab.kafka.send(4, markers=markers)
    lab.kafka.send(4)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0, 4))
    await take(shard, lab.kafka.fetch(4))
    assert shard.next_offset == 8 + markers
    assert len(lab.kafka.outputs) == 8


async def test_events_deleted_before_they_were_read_are_told(lab: Lab) -> None:
    """A hole that retention made is an error with its offsets, not a smaller stream."""
    lab.kafka.send(20)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0, 4))
    lab.kafka.delete_before(9)
    with pytest.raises(StateError, match="events 4 to 8 were deleted before they were read"):
        await shard.offer(lab.kafka.fetch(4))
    assert shard.next_offset == 4


async def test_events_that_the_fetcher_passed_over_are_a_bug(lab: Lab) -> None:
    """Events that are there and were not delivered stop the shard before it goes on."""
    lab.kafka.send(20)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0, 4))
    skipped = FetchedBatch(4, lab.kafka.fetch(9).records)
    with pytest.raises(Bug, match="passed over committed events"):
        await shard.offer(skipped)


async def test_a_rebalance_while_a_hole_is_looked_into_drops_the_batch(lab: Lab) -> None:
    """What was queued before the batch is fetched again, so the batch must not be taken yet."""
    lab.kafka.send(10, markers=3)
    lab.kafka.send(4)
    shard = lab.opened()
    lab.kafka.commits.clear()
    lab.kafka.answers.clear()
    await shard.offer(lab.kafka.fetch(0, 10))
    offering = asyncio.create_task(shard.offer(lab.kafka.fetch(10)))
    await asyncio.sleep(0)
    pausing = asyncio.create_task(shard.pause())
    await asyncio.sleep(0)
    lab.kafka.commits.set()
    await pausing
    shard.resume()
    lab.kafka.answers.set()
    await offering
    await settle(shard)
    assert shard.next_offset == UNIT, "the unit in flight, and nothing after it"
    await take(shard, lab.kafka.fetch(UNIT))
    assert shard.next_offset == 17
    assert len(lab.kafka.outputs) == 14
    assert lab.failures == []


# -- restarts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("events", [1, 5, 11, 12, 13, 27, 60])
@pytest.mark.parametrize("table", ["kept", "wiped"])
async def test_a_successor_stands_exactly_where_its_predecessor_did(
    lab: Lab, events: int, table: str
) -> None:
    """With its table or without, before and after checkpoints: offset, chain and weights agree."""
    lab.kafka.send(events)
    first = lab.opened("kept")
    await take(first, lab.kafka.fetch(0))
    expected = standing(first)
    await first.pause()
    first.close()
    second = lab.opened(table)
    assert standing(second) == expected
    assert lab.watching.stepped[-1] < CHECKPOINT + UNIT
    lab.kafka.send(20)
    await take(second, lab.kafka.fetch(events))
    undisturbed = lab.shard("undisturbed")
    undisturbed.engine.process(lab.kafka.fetch(0).records)
    assert standing(second) == standing(undisturbed)


@pytest.mark.parametrize("later", [0, 1, 5, 9, 10, 14])
@pytest.mark.parametrize("table", ["kept", "wiped"])
async def test_a_larger_sera_takes_over_at_the_same_event_after_a_restart(
    lab: Lab, later: int, table: str
) -> None:
    """From its proposal until after it took over: the second worker does what the first would."""
    lab.config = GROWING
    first = lab.opened("kept")
    lab.kafka.send(1)
    await take(first, lab.kafka.fetch(0))
    while grown(first) == (0, 8):
        lab.kafka.send(1)
        await take(first, lab.kafka.fetch(lab.kafka.end - 1))
    due = lab.kafka.end + GROWING.sera.window
    assert grown(first) == (due, 8)
    if later:
        lab.kafka.send(later)
        await take(first, lab.kafka.fetch(lab.kafka.end - later))
    at = (due, 8) if later < GROWING.sera.window else (0, 16)
    assert grown(first) == at
    expected, events = standing(first), lab.kafka.end
    await first.pause()
    first.close()
    second = lab.opened(table)
    assert standing(second) == expected
    assert grown(second) == at
    lab.kafka.send(20)
    await take(second, lab.kafka.fetch(events))
    undisturbed = lab.shard("undisturbed")
    undisturbed.engine.process(lab.kafka.fetch(0).records)
    assert standing(second) == standing(undisturbed)
    assert grown(second) == (0, 16)


async def test_a_shard_is_not_begun_anew_where_the_group_has_been(lab: Lab) -> None:
    """A changelog that was deleted is noticed by what the group has committed."""
    lab.kafka.committed = 17
    with pytest.raises(StateError, match=r"holds no state, .* up to offset 17"):
        lab.opened()


async def test_a_table_ahead_of_its_changelog_is_refused(lab: Lab) -> None:
    """It belongs to another changelog, and mixing the two would be found out by nobody."""
    lab.kafka.send(30)
    first = lab.opened()
    await take(first, lab.kafka.fetch(0))
    await first.pause()
    first.close()
    del lab.kafka.changelog[3:]
    with pytest.raises(StateError, match="the changelog was deleted and made anew"):
        lab.opened()


async def test_a_log_shorter_than_what_was_learnt_is_refused(lab: Lab) -> None:
    """The same for the source."""
    lab.kafka.send(30)
    first = lab.opened()
    await take(first, lab.kafka.fetch(0))
    await first.pause()
    first.close()
    lab.kafka.end = 10
    with pytest.raises(StateError, match="ends at offset 10, but its events up to 30"):
        lab.opened()


async def test_state_under_other_settings_is_refused(lab: Lab) -> None:
    """Before anything is stepped, and with the setting's name."""
    lab.kafka.send(30)
    first = lab.opened()
    await take(first, lab.kafka.fetch(0))
    await first.pause()
    first.close()
    lab.config = CellConfig(sera=SeraConfig(d=2, r=16, prior=0.5, burn_in=10))
    with pytest.raises(ConfigError, match=r"learner\.sera\.r was 8 and is 16"):
        lab.opened()


async def test_another_log_of_the_same_length_is_noticed(lab: Lab) -> None:
    """Stepping other events again gives another audit chain than the one committed."""
    lab.kafka.send(30)
    first = lab.opened()
    await take(first, lab.kafka.fetch(0))
    await first.pause()
    first.close()
    lab.kafka.source = {at: event(at + 1)._replace(offset=at) for at in range(30)}
    with pytest.raises(StateError, match="gave another audit chain than the one committed"):
        lab.opened()


async def test_nothing_is_stepped_again_after_an_orderly_end(lab: Lab) -> None:
    """A last checkpoint stands where the last unit did; another release can go on from there."""
    lab.kafka.send(CHECKPOINT + UNIT + 1)
    first = lab.opened()
    await take(first, lab.kafka.fetch(0))
    expected = standing(first)
    await first.pause()
    first.leave_checkpoint()
    changelog = len(lab.kafka.changelog)
    first.leave_checkpoint()
    assert len(lab.kafka.changelog) == changelog
    first.close()
    lab.kafka.source = {at: event(at + 1)._replace(offset=at) for at in lab.kafka.source}
    second = lab.opened()
    assert lab.watching.stepped[-1] == 0
    assert standing(second) == expected


async def test_an_end_without_broker_leaves_no_checkpoint_and_is_orderly(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker ends all the same; its successor steps again."""
    lab.kafka.send(CHECKPOINT + 1)
    first = lab.opened()
    await take(first, lab.kafka.fetch(0))
    expected = standing(first)
    await first.pause()

    def down(_: UnitOfWork) -> int:
        raise CommitFailed("no broker")

    with monkeypatch.context() as patch:
        patch.setattr(lab.kafka, "commit", down)
        first.leave_checkpoint()
    first.close()
    second = lab.opened()
    assert lab.watching.stepped[-1] > 0
    assert standing(second) == expected


async def test_opening_can_be_given_up(lab: Lab) -> None:
    """A worker that is stopped does not wait for a long restore to end."""
    lab.kafka.send(60)
    first = lab.opened()
    await take(first, lab.kafka.fetch(0))
    await first.pause()
    first.close()
    second = lab.shard("empty")
    lab.watching.on_progress = second.abandon
    with pytest.raises(Abandoned):
        second.open()
    assert second.state is ShardState.CLOSED
