"""When a shard counts as stalled, and when it only waits."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import BrokerGone, BrokerUnavailable, StateError, TopologyError, WeirError
from streams.shard.commit import OVERDUE_S, CommitFailed
from streams.shard.shard import ShardState
from streams.watchdog import LOST_S, Clocks, Stalled, Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_S = 10.0
PATIENCE_S = 90.0


@dataclass
class WatchedShard:
    """What the watchdog sees of a shard."""

    number: int = 0
    next_offset: int | None = 100
    state: ShardState = ShardState.READY
    queued: int = 0
    stuck: WeirError | None = None

    def overdue(self, now: float, back_at: float) -> WeirError | None:
        """Return the error of a call that does not return."""
        return self.stuck if now - back_at > OVERDUE_S else None


@dataclass
class Source:
    """A source partition: its end, the offsets that hold records, and whether it can be asked."""

    end: int = 100
    records: frozenset[int] = frozenset()
    away: bool = False
    fails_with: Exception | None = None
    answers: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    def stable_end(self, _: str, partitions: list[int]) -> dict[int, int]:
        """Tell the end, or fail as a reader does."""
        self.answers.wait(30)
        if self.fails_with is not None:
            raise self.fails_with
        if self.away:
            raise BrokerUnavailable("no answer")
        return dict.fromkeys(partitions, self.end)

    def read(self, _: str, __: int, start: int | None, stop: int) -> Iterator[list[int]]:
        """Give the records of a range as one batch."""
        found = [offset for offset in sorted(self.records) if (start or 0) <= offset < stop]
        yield from ([found] if found else [])


@dataclass
class Lags:
    """Stands for the metrics."""

    ends_seen: list[int] = field(default_factory=list)

    def looked_at(self, _: Any, end: int | None) -> None:
        """Note an end that was told."""
        if end is not None:
            self.ends_seen.append(end)


class Watch:
    """A watchdog over one shard, looked through second by second."""

    def __init__(self, shard: WatchedShard | None, source: Source) -> None:
        self.source = source
        self.errors: list[BaseException] = []
        self.lags = Lags()
        self.now = 0.0
        stand_ins: Any = source, self.lags
        self.dog = Watchdog(
            lambda: [shard] if shard is not None else [],  # type: ignore[list-item]
            stand_ins[0],
            "events",
            LIMIT_S,
            PATIENCE_S,
            stand_ins[1],
            self.errors.append,
        )

    def look(self, seconds: float) -> None:
        """Let time pass, a second at a look; every question is answered before the next look."""
        for _ in range(int(seconds)):
            self.now += 1.0
            self.dog.look(self.now)
            answer = self.dog._answer  # noqa: SLF001 - awaited instead of slept for
            if answer is not None and self.source.answers.is_set():
                answer.exception(timeout=5)


def test_a_shard_without_work_never_stalls() -> None:
    """Nothing to do for a night is no reason to end the worker."""
    watch = Watch(WatchedShard(next_offset=100), Source(end=100))
    watch.look(60)
    assert watch.errors == []
    assert watch.lags.ends_seen[-1] == 100


def test_waiting_records_without_progress_are_a_stall(capfd: pytest.CaptureFixture[str]) -> None:
    """A shard that does not take what waits ends the worker, stacks dumped, with its own code."""
    watch = Watch(WatchedShard(next_offset=100), Source(end=105, records=frozenset({102})))
    watch.look(LIMIT_S)
    assert watch.errors == []
    watch.look(5)
    error = watch.errors[0]
    assert isinstance(error, Stalled)
    assert error.exit_code == 71
    assert "shard 0 (events[0]) stands at offset 100" in str(error)
    assert "most recent call first" in capfd.readouterr().err


def test_transaction_markers_at_the_end_are_no_lag() -> None:
    """Offsets that hold no record do not count, however long they stand there."""
    watch = Watch(WatchedShard(next_offset=100), Source(end=105))
    watch.look(60)
    assert watch.errors == []


def test_a_unit_that_never_ends_is_a_stall_even_without_a_broker() -> None:
    """A lost broker does not hide a stuck shard."""
    watch = Watch(WatchedShard(state=ShardState.RUNNING), Source(away=True))
    watch.look(LIMIT_S + 5)
    assert isinstance(watch.errors[0], Stalled)


def test_a_question_without_an_answer_does_not_stop_the_watchdog() -> None:
    """A client library that hangs does not hide a stuck shard either."""
    source = Source()
    source.answers.clear()
    watch = Watch(WatchedShard(state=ShardState.RUNNING), source)
    watch.look(LIMIT_S + 5)
    source.answers.set()
    assert isinstance(watch.errors[0], Stalled)


def test_progress_restarts_the_clock() -> None:
    """A slow shard is left alone as long as it moves."""
    shard = WatchedShard(state=ShardState.RUNNING)
    watch = Watch(shard, Source(end=10_000, records=frozenset({9_999})))
    for _ in range(5):
        watch.look(LIMIT_S - 1)
        shard.next_offset = (shard.next_offset or 0) + 1
    assert watch.errors == []


def test_an_outage_of_the_broker_is_no_stall_of_the_shard() -> None:
    """After an outage the shard has the whole time again to catch up."""
    source = Source(end=105, records=frozenset({102}), away=True)
    watch = Watch(WatchedShard(next_offset=100), source)
    watch.look(60)
    source.away = False
    watch.look(LIMIT_S - 1)
    assert watch.errors == []
    watch.look(5)
    assert isinstance(watch.errors[0], Stalled)


@pytest.mark.parametrize("shard", [WatchedShard(), None], ids=["one shard", "no shard"])
def test_a_broker_that_stays_away_ends_the_worker(shard: WatchedShard | None) -> None:
    """Whoever waits for longer than the setting allows is better started anew."""
    watch = Watch(shard, Source(away=True))
    watch.look(PATIENCE_S)
    assert watch.errors == []
    watch.look(3)
    assert isinstance(watch.errors[0], BrokerGone)
    assert watch.errors[0].exit_code == 75
    assert "stream.broker_patience_s" in str(watch.errors[0])


def test_a_question_that_never_returns_is_no_answer() -> None:
    """A client library that hangs does not make a worker wait for ever."""
    source = Source()
    source.answers.clear()
    watch = Watch(WatchedShard(), source)
    watch.look(PATIENCE_S + 3)
    source.answers.set()
    assert isinstance(watch.errors[0], BrokerGone)


def test_an_answer_restarts_the_patience() -> None:
    """A broker that comes back now and then is not gone."""
    source = Source(away=True)
    watch = Watch(WatchedShard(), source)
    for _ in range(3):
        watch.look(PATIENCE_S - 5)
        source.away = False
        watch.look(2)
        source.away = True
    assert watch.errors == []


def test_a_process_that_was_frozen_is_not_late() -> None:
    """After SIGSTOP, or on a machine that slept, nobody is blamed for the time between."""
    shard = WatchedShard(state=ShardState.RUNNING)
    source = Source(away=True)
    watch = Watch(shard, source)
    watch.look(LIMIT_S - 2)
    watch.now += 3_600
    watch.look(LIMIT_S - 1)
    assert watch.errors == []


def test_a_call_is_not_overdue_while_the_broker_is_away() -> None:
    """A broker that comes back has the time of a call to answer those that waited for it."""
    shard = WatchedShard(state=ShardState.READY)
    source = Source(away=True)
    watch = Watch(shard, source)
    watch.look(3)
    shard.stuck = CommitFailed("send_offsets_to_transaction has not returned")
    watch.look(PATIENCE_S - 10)
    assert watch.errors == []
    source.away = False
    watch.look(OVERDUE_S)
    assert watch.errors == []
    watch.look(3)
    assert watch.errors[0] is shard.stuck


def test_a_log_that_was_cut_ends_the_worker() -> None:
    """A source that was deleted and made anew is told, and not waited for as an empty stream."""
    source = Source(end=100)
    watch = Watch(WatchedShard(next_offset=100), source)
    watch.look(3)
    source.end = 40
    watch.look(LOST_S)
    assert watch.errors == []
    watch.look(5)
    assert isinstance(watch.errors[0], StateError)
    assert "events[0] ends at offset 40, but its events up to 100" in str(watch.errors[0])


def test_a_topic_that_is_gone_ends_the_worker_with_the_reason() -> None:
    """A moment without its topic is taken for a restart of the broker, more is not."""
    gone = TopologyError("events is gone")
    source = Source(fails_with=gone)
    watch = Watch(WatchedShard(next_offset=100), source)
    watch.look(LOST_S)
    assert watch.errors == []
    watch.look(5)
    assert watch.errors[0] is gone


def test_a_call_that_does_not_return_ends_the_worker_at_once() -> None:
    """A commit that outlived its own timeout is not waited for until the limit."""
    stuck = CommitFailed("commit_transaction has not returned")
    watch = Watch(WatchedShard(state=ShardState.RUNNING, stuck=stuck), Source(away=True))
    watch.look(1)
    assert watch.errors == [stuck]


def test_a_watchdog_that_fails_ends_the_worker() -> None:
    """A bug in the watchdog is loud: a worker that nobody watches does not go on."""
    bug = ZeroDivisionError("a bug")
    watch = Watch(WatchedShard(), Source(fails_with=bug))
    watch.dog.start()
    deadline = time.monotonic() + 30
    while not watch.errors and time.monotonic() < deadline:
        watch.dog.join(0.05)
    watch.dog.stop()
    watch.dog.join(30)
    assert watch.errors[0] is bug


@pytest.mark.parametrize(
    ("looks", "standing_s"),
    [
        ([(0, 5, True), (4, 5, True)], 4),
        ([(0, 5, True), (4, 6, True)], 0),
        ([(0, 5, True), (4, 6, True), (9, 6, True)], 5),
        ([(0, 5, False), (4, 5, False)], 0),
        ([(0, 5, True), (4, 5, False), (9, 5, True)], 5),
        ([(0, None, True), (4, None, True)], 4),
    ],
)
def test_a_clock_counts_from_the_last_move_or_the_last_rest(
    looks: list[tuple[float, int | None, bool]], standing_s: float
) -> None:
    """Seconds are counted only while there is work and nothing moves."""
    clocks = Clocks()
    for now, reached, has_work in looks:
        seen = clocks.standing_s(3, reached, has_work=has_work, now=now)
    assert seen == standing_s


def test_clocks_of_shards_are_apart() -> None:
    """One shard's progress does not excuse another's stall."""
    clocks = Clocks()
    for now, moving in ((0.0, 1), (5.0, 2)):
        clocks.standing_s(0, moving, has_work=True, now=now)
        stalled_s = clocks.standing_s(1, 7, has_work=True, now=now)
    assert stalled_s == 5.0
