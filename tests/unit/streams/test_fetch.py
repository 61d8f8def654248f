"""How fetches reach the application."""
# ruff: noqa: SLF001 - what is set and overridden are Faust's and aiokafka's own, private seams

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer
from faust.types import TP

from streams.kafka.fetch import FETCH_MIN_BYTES, BatchApp, BatchConsumer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WAIT_MS = 7


@pytest.fixture
async def consumer() -> AsyncIterator[BatchConsumer]:
    """The consumer of an application that has not started."""
    app = BatchApp(
        "weir",
        broker="kafka://127.0.0.1:1",
        state_offset=lambda _: None,
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
