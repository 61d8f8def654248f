"""Threads of a run: one a topic that is followed, and one that sends."""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from streams.cli.follow import Start, TopicRecord, follow
from streams.cli.sender import EventSender
from streams.demo.errors import DemoFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.feed import FedEvent
    from streams.settings import Settings

_JOIN_S = 10


class Watched(threading.Thread, ABC):
    """A thread whose failure is kept, for the main thread to raise."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._failure: Exception | None = None
        self._stopping = threading.Event()

    def run(self) -> None:
        """Do the work; see ``check``."""
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - raised again by check
            self._failure = error

    def check(self) -> None:
        """Raise what ended the thread, if an error did."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self.join(_JOIN_S)

    @abstractmethod
    def _work(self) -> None:
        """What the thread does until it is told to stop."""


class Read(NamedTuple):
    """A record, and when it was read, in seconds since 1970 UTC."""

    record: TopicRecord
    at_s: float


class Follower(Watched):
    """Takes what is committed to a topic from its beginning on.

    Args:
        settings: ``broker.bootstrap`` known.
        role: of the topic.
    """

    def __init__(self, settings: Settings, role: str) -> None:
        super().__init__(f"follow-{role}")
        self._settings = settings
        self._topic = settings.topics.name(role)
        self._came: queue.SimpleQueue[list[Read]] = queue.SimpleQueue()

    def take(self) -> list[Read]:
        """Return what has come since the last call."""
        records: list[Read] = []
        while not self._came.empty():
            records += self._came.get()
        return records

    def _work(self) -> None:
        for records in follow(self._settings, self._topic, Start.BEGINNING):
            if records:
                now = time.time()
                self._came.put([Read(record, now) for record in records])
            if self._stopping.is_set():
                return


class Sending(Watched):
    """Sends messages at a rate.

    Args:
        settings: ``broker.bootstrap`` known.
        messages: in this order.
        rate: messages a second.

    Raises:
        BrokerUnavailable: no broker answers.
    """

    def __init__(self, settings: Settings, messages: Sequence[FedEvent], rate: float) -> None:
        super().__init__("send")
        self._sender = EventSender(settings, rate)
        self._messages = messages

    @property
    def sent(self) -> int:
        """Messages handed to the client so far."""
        return self._sender.sent

    @property
    def is_done(self) -> bool:
        """Whether every message has been acknowledged."""
        return self._sender.delivered == len(self._messages)

    def _work(self) -> None:
        for message in self._messages:
            if self._stopping.is_set():
                break
            self._sender.send(message)
        self._sender.finish()
        if self._sender.failures:
            reasons = "; ".join(self._sender.failures)
            raise DemoFailed(f"the broker did not take every message: {reasons}")
