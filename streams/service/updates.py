"""Sending events for callers: keyed, idempotent, acknowledged by all replicas."""

from __future__ import annotations

import asyncio
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from streams.kafka.clients import client_config
from streams.kafka.errors import is_passing
from streams.service.problems import Problem, busy, unavailable

if TYPE_CHECKING:
    from streams.settings import BrokerSettings

POLL_S = 0.2
FLUSH_S = 5.0
LINGER_MS = 2


class Sent(NamedTuple):
    """Where an event stands."""

    partition: int
    offset: int


class UpdateProducer:
    """Sends events to the source topic. The connection is made with the first one.

    Args:
        broker: where and how to connect.
        topic: the source.
        timeout_s: how long the client tries to deliver an event.
    """

    def __init__(self, broker: BrokerSettings, topic: str, timeout_s: float) -> None:
        self._broker = broker
        self._topic = topic
        self._timeout_s = timeout_s
        self._producer: Producer | None = None
        self._stopped = threading.Event()
        self._polling: threading.Thread | None = None

    async def send(self, key: bytes, value: bytes, partition: int) -> Sent:
        """Send an event, and wait until all in-sync replicas have it.

        Cancelling this does not take the event back.

        Raises:
            Problem: 503: the brokers did not take it in time; it may have arrived all the same.
            Problem: 413: it is larger than the topic takes.
            Problem: 429: too many events wait for the brokers.
        """
        loop = asyncio.get_running_loop()
        delivered: asyncio.Future[Sent] = loop.create_future()

        def settle(error: KafkaError | None, message: Any) -> None:
            try:
                loop.call_soon_threadsafe(_settle, delivered, self._topic, error, message)
            except RuntimeError:
                return  # the server has stopped, and nobody waits any more

        try:
            self._started().produce(
                self._topic, value, key, partition=partition, on_delivery=settle
            )
        except BufferError as error:
            raise busy("events that wait for the brokers are too many") from error
        except KafkaException as error:
            raise _problem(self._topic, error.args[0]) from error
        return await delivered

    def _started(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(
                client_config(
                    self._broker,
                    enable_idempotence=True,
                    acks="all",
                    linger_ms=LINGER_MS,
                    delivery_timeout_ms=int(1000 * self._timeout_s),
                )
            )
            self._polling = threading.Thread(target=self._poll, name="updates", daemon=True)
            self._polling.start()
        return self._producer

    def _poll(self) -> None:
        assert self._producer is not None
        while not self._stopped.is_set():
            self._producer.poll(POLL_S)

    def close(self) -> None:
        """Wait a little for what is on its way, and stop."""
        self._stopped.set()
        if self._producer is not None and self._polling is not None:
            self._polling.join()
            self._producer.flush(FLUSH_S)


def _settle(
    delivered: asyncio.Future[Sent], topic: str, error: KafkaError | None, message: Any
) -> None:
    if delivered.done():
        return
    if error is None:
        delivered.set_result(Sent(message.partition(), message.offset()))
    else:
        delivered.set_exception(_problem(topic, error))


def _problem(topic: str, error: KafkaError) -> Exception:
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the event is larger than {topic} takes"
        )
    timed_out = error.code() == KafkaError._MSG_TIMED_OUT  # noqa: SLF001 - the library's own name
    if timed_out or is_passing(error):
        return unavailable(
            f"the brokers did not acknowledge the event in time: {error.str()}. It may have "
            "arrived: send it again under the same event_id"
        )
    return unavailable(f"{topic} takes no events: {error.str()}")
