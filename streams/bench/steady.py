"""A producer that keeps to a schedule, whatever happens: event ``i`` is due at start + i / rate.

Latency is counted from when an event was due, not from when it was sent, so that a stall delays all
events that were due meanwhile, as it would delay real ones.

Started by the benchmark with the worker's environment:
``python -m streams.bench.steady FIRST EVENTS RATE``. Sends the events from number ``FIRST`` on, and
prints when the first one was due, in ns of the monotonic clock, which all processes of a machine
share.
"""

from __future__ import annotations

import sys
import time
from itertools import islice

from confluent_kafka import Producer

from streams.bench.events import make_events
from streams.bench.lab import PARTITIONS
from streams.kafka.clients import client_config
from streams.settings import load_settings

FLUSH_S = 30
LEAD_NS = 200_000_000


def main() -> int:
    """Send all events; return 1 where some were not acknowledged."""
    first, count, rate = (int(argument) for argument in sys.argv[1:])
    settings = load_settings()
    topic = settings.topics.name("events")
    events = list(islice(make_events(first + count, PARTITIONS), first, None))
    producer = Producer(
        client_config(settings.broker, partitioner="murmur2", enable_idempotence=True, linger_ms=1)
    )
    producer.list_topics(topic, timeout=FLUSH_S)  # connects before the first event is due
    start_ns = time.monotonic_ns() + LEAD_NS
    for number, event in enumerate(events):
        wait_ns = start_ns + number * 1_000_000_000 // rate - time.monotonic_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / 1e9)
        producer.produce(topic, event.value, key=event.key)
        producer.poll(0)
    print(start_ns)  # noqa: T201 - read by the benchmark
    return 1 if producer.flush(FLUSH_S) else 0


if __name__ == "__main__":
    sys.exit(main())
