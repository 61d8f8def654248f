"""How fetches reach the application."""
# ruff: noqa: SLF001 - what is set and overridden are Faust's and aiokafka's own, private seams

from __future__ import annotations

import time
from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer
from faust.types import TP

from streams.kafka.fetch import FETCH_MIN_BYTES, UNREADY_S, BatchApp, BatchConsumer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WAIT_MS = 7


@pytest.fixture
async def consumer() -> AsyncIterator[BatchConsumer]:
    """The consumer of an application that has not started."""
    app = BatchApp(
        "weir",
        broker="kafka://127.0.0.1:1",
        state_offset=lambda _, __: None,
        batch_topics=frozenset({"events"}),
        fetch_wait_ms=WAIT_MS,
        failed=lambda error: pytest.fail(str(error)),
        web_enabled=False,
    )

    async def ignore(*_: Any) -> None:
        """Nothing is consumed."""

    made: Any = app.transport.create_consumer(
        callback=ignore, on_partitions_revoked=ignore, on_partitions_assigned=ignore
    )
    assert isinstance(made, BatchConsumer)
    yield made
    made._thread.thread_loop.close()


async def test_batches_leave_nothing_behind(consumer: BatchConsumer) -> None:
    """A worker that has run for a month fetches as fast as on its first day."""
    tp = TP("events", 0)
    consumer._committed_offset[tp] = None
    for batch in range(1_000):
        await consumer._add_gap(tp, 10 * batch + 1, 10 * batch + 10)

    assert not consumer._gap[tp]


class Waiting:
    """Stands for aiokafka's fetcher, which waits while the caller's set of partitions changes."""

    def __init__(self, positions: dict[TP, bool], live: set[TP]) -> None:
        self.asked: list[set[TP]] = []
        self._live = live
        states = {tp: SimpleNamespace(has_valid_position=has) for tp, has in positions.items()}
        subscription = SimpleNamespace(assignment=SimpleNamespace(state_value=states.get))
        self._subscription = SimpleNamespace(subscription=subscription)
        self._fetcher: Any = self
        self._subscriptions: Any = SimpleNamespace(fetch_context=nullcontext)
        self._closed = False

    async def fetched_records(self, partitions: set[TP], **_: Any) -> dict[TP, list[bytes]]:
        """Wait, and look at all partitions if there are none to look at."""
        self._live.clear()
        self.asked.append(set(partitions))
        return {}


@pytest.mark.parametrize("has_position", [True, False])
async def test_a_fetch_keeps_to_the_partitions_that_it_was_asked_for(
    consumer: BatchConsumer, has_position: bool
) -> None:
    """A set that empties meanwhile would mean all partitions to aiokafka, and an assertion."""
    consumer.resume_flow()
    source, other = TP("events", 0), TP("events", 1)
    live = {source, other}
    waiting = Waiting({source: True, other: has_position}, live)
    thread: Any = consumer._thread
    assert await thread._fetch_records(waiting, live, timeout=1.0) == {}
    assert waiting.asked == [{source, other} if has_position else {source}]
    assert not live


async def test_nothing_is_fetched_before_there_is_a_position(consumer: BatchConsumer) -> None:
    """Partitions that are new are waited for, without asking again and again."""
    consumer.resume_flow()
    waiting = Waiting({TP("events", 0): False}, set())
    thread: Any = consumer._thread
    began = time.monotonic()
    assert await thread._fetch_records(waiting, {TP("events", 0)}, timeout=1.0) == {}
    assert waiting.asked == []
    assert time.monotonic() - began >= 0.9 * UNREADY_S


async def test_the_broker_gathers_before_it_answers(consumer: BatchConsumer) -> None:
    """A quiet topic does not cost a fetch a record."""
    thread: Any = consumer._thread
    made = thread._create_worker_consumer(consumer.transport)
    own = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    try:
        assert (made._fetch_min_bytes, made._fetch_max_wait_ms) == (FETCH_MIN_BYTES, WAIT_MS)
        assert own._fetch_min_bytes == 1, "aiokafka names it otherwise now"
    finally:
        await made.stop()
        await own.stop()
