"""Word of judged streams is sent whenever it comes, and until it has arrived."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from state.stream_keys import StreamKey
from streams.hierarchy.announcer import Announcer
from streams.hierarchy.worker import token_codecs
from streams.kafka.topics import MAX_RECORD_BYTES
from streams.service.problems import unavailable
from streams.service.updates import Sent, UpdateProducer
from streams.settings import load_settings
from tests.unit.streams.hierarchy.under_test import model

if TYPE_CHECKING:
    from streams.hierarchy.codecs import TokenCodecs

pytestmark = pytest.mark.slow


class Brokers(UpdateProducer):
    """Keeps what is sent; of some partitions the leader is away."""

    def __init__(self) -> None:
        super().__init__(load_settings().broker, "tokens", 1)
        self.away: set[int] = set()
        self.sent: list[tuple[bytes, int]] = []

    async def send(self, key: bytes, value: bytes, partition: int) -> Sent:  # noqa: ARG002 - the base class names it
        """Take it, or not."""
        await asyncio.sleep(0)
        if partition in self.away:
            raise unavailable("no leader")
        self.sent.append((key, partition))
        return Sent(partition, len(self.sent))


def codecs() -> TokenCodecs:
    """The codecs of shards of tokens."""
    return token_codecs(load_settings(), model(), MAX_RECORD_BYTES)


async def until(holds: Any) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what sends knows of no waiting test
            await asyncio.sleep(0.01)


async def test_words_of_many_threads_all_arrive() -> None:
    """Before the loop runs and while it does."""
    brokers = Brokers()
    announcer = Announcer(codecs(), brokers)
    announcer.judged(0, StreamKey("acme", "early"))

    def tell(number: int) -> None:
        for at in range(300):
            announcer.judged(1, StreamKey("acme", f"{number}-{at}"))

    sending = asyncio.create_task(announcer.run())
    threads = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    await until(lambda: len(brokers.sent) == 1_201)
    assert len(set(brokers.sent)) == 1_201
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_word_that_cannot_be_sent_holds_up_no_other() -> None:
    """It is sent again until it has arrived."""
    brokers = Brokers()
    brokers.away = {0}
    announcer = Announcer(codecs(), brokers)
    sending = asyncio.create_task(announcer.run())
    announcer.judged(0, StreamKey("acme", "a"))
    await asyncio.sleep(0.05)
    announcer.judged(1, StreamKey("acme", "b"))
    await until(lambda: brokers.sent == [(b"b", 1)])
    brokers.away = set()
    await until(lambda: brokers.sent == [(b"b", 1), (b"a", 0)])
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


def test_scan_may_end_after_the_loop() -> None:
    """A worker that stops does not wait for what it will be told."""
    announcer = Announcer(codecs(), Brokers())

    async def briefly() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(announcer.run(), 0.01)

    asyncio.run(briefly())
    announcer.judged(0, StreamKey("acme", "a"))
