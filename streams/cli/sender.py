"""Sending events: keyed, idempotent, at a limited rate, every delivery accounted for."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Producer

from schemas.errors import BrokerUnavailable, TopologyError
from streams.kafka.clients import client_config
from streams.kafka.topics import SOURCE_ROLE, admin, partition_counts

if TYPE_CHECKING:
    from confluent_kafka import Message

    from streams.feed import FedEvent
    from streams.settings import Settings

DELIVERY_TIMEOUT_MS = 60_000
FLUSH_S = 1.0
MAX_MESSAGE_BYTES = 100_000_000
"""Above what any broker takes: the broker decides, and its answer is counted."""


class EventSender:
    """Sends events to a source topic.

    Args:
        settings: ``broker.bootstrap`` known.
        rate: most events a second; None: as fast as they are taken.
        role: of the topic.

    Attributes:
        sent: events handed to the client.
        delivered: events that the broker has acknowledged.
        failures: events that it has not, by reason.

    Raises:
        BrokerUnavailable: no broker answers.
        TopologyError: there is no such topic.
    """

    def __init__(self, settings: Settings, rate: float | None, role: str = SOURCE_ROLE) -> None:
        self.sent = 0
        self.delivered = 0
        self.failures: Counter[str] = Counter()
        self._topic = settings.topics.name(role)
        self._period_s = 0.0 if rate is None else 1.0 / rate
        self._due = time.monotonic()
        address = settings.broker.bootstrap
        if self._topic not in partition_counts(admin(settings.broker), address):
            raise TopologyError(
                f"topic {self._topic} is not on {address}: make it (`weir up` does), or set "
                "topics.prefix to where your events are"
            )
        self._producer = Producer(
            client_config(
                settings.broker,
                partitioner="murmur2",
                enable_idempotence=True,
                linger_ms=20,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                message_max_bytes=MAX_MESSAGE_BYTES,
            )
        )

    def send(self, event: FedEvent) -> None:
        """Send one event, no earlier than the rate allows.

        Raises:
            BrokerUnavailable: the client has given up on the brokers.
        """
        if self._period_s:
            self._wait()
        while True:
            try:
                self._producer.produce(
                    self._topic, event.value, event.key, on_delivery=self._settle
                )
            except BufferError:
                # The queue is full: the brokers are slower than we are. Timeouts empty it at last.
                self._producer.poll(FLUSH_S)
            except KafkaException as error:
                raise BrokerUnavailable(f"{self._topic}: {error.args[0].str()}") from error
            else:
                break
        self.sent += 1
        self._producer.poll(0)

    def finish(self) -> None:
        """Wait until every event is acknowledged or has failed."""
        while self._producer.flush(FLUSH_S):
            pass

    def _wait(self) -> None:
        now = time.monotonic()
        if not self.sent:
            self._due = now  # time before the first event is no credit
        while now < self._due:
            self._producer.poll(self._due - now)
            now = time.monotonic()
        # After a hold-up the rate goes on from now: catching up would be a burst.
        self._due = max(self._due + self._period_s, now - 1.0)

    def _settle(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failures[error.str()] += 1
