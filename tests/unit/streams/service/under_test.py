"""A worker's HTTP application over a real shard; only Kafka is kept in memory."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fastapi.testclient import TestClient

from streams.kafka.fetch import FetchedBatch
from streams.kafka.reader import Record
from streams.metrics import Metrics
from streams.service.access import Access
from streams.service.app import build_app, measurements, probes
from streams.service.commits import CommitWatch
from streams.service.forwarding import Forwarder
from streams.service.gateway import Gateway
from streams.service.routes import service_api
from streams.service.service import Service
from streams.service.updates import Sent, UpdateProducer
from streams.settings import load_settings
from streams.shards import Shards
from tests.unit.streams.test_shard_life import CONFIG, PATIENCE_S, SOURCE, Lab

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from concurrent.futures import Future

    from streams.service.app import Part
    from streams.settings import Settings

LOCAL = "http://127.0.0.1:8088"


class MemoryProducer(UpdateProducer):
    """Appends to the log in memory, as the brokers would, and lets the shard have it."""

    def __init__(self, worker: WorkerUnderTest) -> None:
        super().__init__(worker.settings.broker, SOURCE, 1.0)
        self._worker = worker
        self.delivers = True
        self.sent: list[tuple[bytes, bytes, int]] = []

    async def send(self, key: bytes, value: bytes, partition: int) -> Sent:
        """Append an event; without ``delivers`` the brokers never answer."""
        self.sent.append((key, value, partition))
        if not self.delivers:
            await asyncio.Event().wait()
        kafka = self._worker.lab.kafka
        offset = kafka.end
        kafka.source[offset] = Record(offset, 0, key, value)
        kafka.end = offset + 1
        self._worker.offer(offset)
        return Sent(partition, offset)


class WorkerUnderTest:
    """A shard on an event loop of its own thread, and the HTTP application beside it.

    Attributes:
        lab: Kafka.
        owners: what the group's assignment says.
        client: of the application.
    """

    def __init__(self, lab: Lab, settings: Settings) -> None:
        self.lab = lab
        self.settings = settings
        self.metrics = Metrics()
        self.watch = CommitWatch(lab.watching)
        self.loop = asyncio.new_event_loop()
        self.shards = Shards(
            lab.folder / "shards",
            lambda _, store, __: lab.shard(store=store, observer=self.watch),
            lab.failures.append,
            threads=2,
        )
        self.gateway = Gateway(self.shards, SOURCE, 1)
        self.owners: dict[str, dict[str, list[int]]] = {}
        self.producer = MemoryProducer(self)
        self._thread = threading.Thread(target=self.loop.run_forever)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run something on the stream's event loop."""
        return self._begin(coroutine).result(PATIENCE_S)

    def _begin(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def start(self) -> None:
        """Own the shard and answer."""
        self._thread.start()
        self.run(self.shards.assign({0}, set()))
        self.gateway.attach(self.loop, lambda: self.owners)

    def offer(self, start: int) -> None:
        """Let the shard have what stands in the log from an offset on."""
        batch = FetchedBatch(start, self.lab.kafka.fetch(start).records)
        self._begin(self.shards.offer(0, batch))

    def step(self, count: int) -> None:
        """Send events to the log and wait until the shard has committed them."""
        start = self.lab.kafka.end
        self.lab.kafka.send(count)
        self.offer(start)
        self.settle()

    def settle(self) -> None:
        """Wait until all of the log has been committed."""

        async def all_committed() -> None:
            async with asyncio.timeout(PATIENCE_S):
                shard = self.shards.get(0)
                while shard is None or shard.next_offset != self.lab.kafka.end:  # noqa: ASYNC110 - a shard has no such event
                    await asyncio.sleep(0.001)

        self.run(all_committed())

    def parts(self) -> list[Part]:
        """Return the parts of a worker's application."""
        service = Service(
            self.settings,
            self.gateway,
            self.watch,
            self.producer,
            Forwarder(self.settings.http),
            clock=lambda: 77,
        )
        return [
            probes(lambda: self.shards.ready),
            measurements(self.metrics.registry, is_open=True),
            service_api(service, self.settings.http),
        ]

    def client(self, access: Access | None = None, base_url: str = LOCAL) -> TestClient:
        """Return a client of the application."""
        api = build_app(
            "Weir",
            "under test",
            self.parts(),
            largest=self.settings.http.max_request_bytes,
            access=access or Access(),
            metrics=self.metrics,
        )
        return TestClient(api, base_url=base_url, raise_server_exceptions=False)

    def stop(self) -> None:
        """Close everything."""
        self.lab.kafka.commits.set()
        self.gateway.detach()
        self.run(self.shards.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()


@contextmanager
def a_worker(lab: Lab, **http: Any) -> Iterator[WorkerUnderTest]:
    """Run a worker over a lab."""
    settings = load_settings(learner=CONFIG, http={"timeout_s": 10.0} | http)
    worker = WorkerUnderTest(lab, settings)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
