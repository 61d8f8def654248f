"""The HTTP side of a worker: made of its settings, started before the stream, told of it later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from streams.kafka.topics import SOURCE_ROLE, TOKENS_ROLE
from streams.keys import open_secrets
from streams.service.access import Access, is_loopback
from streams.service.app import Part, build_app, measurements, probes
from streams.service.commits import CommitWatch
from streams.service.forwarding import Forwarder
from streams.service.gateway import NO_SERVER, Gateway
from streams.service.routes import service_api
from streams.service.server import HttpServer, advertised_url
from streams.service.service import Service
from streams.service.streams import stream_routes
from streams.service.updates import UpdateProducer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from fastapi import FastAPI

    from streams.beside import Beside
    from streams.metrics import Metrics
    from streams.service.gateway import Owners
    from streams.service.settings import ScannerSettings
    from streams.settings import Settings
    from streams.shards import Shards

log = structlog.get_logger(__name__)


class Serving:
    """The server of a worker, and what lies between it and the shards.

    Args:
        settings: of the worker.
        metrics: shown, and told of requests.

    Attributes:
        watch: the observer that shards are to have.

    Raises:
        ConfigError: callers would not be asked who they are, on a server that others can reach.
        SecretError: a token is missing or malformed.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._access = (
            Access.open(settings.http, open_secrets(settings)) if settings.http.enabled else None
        )
        self.watch = CommitWatch(metrics)
        self._gateways: list[Gateway] = []
        self._server: HttpServer | None = None
        self._others: Sequence[Beside] = ()

    def start(self, shards: Shards, partitions: int, others: Sequence[Beside] = ()) -> str:
        """Listen, and return where other workers reach this one.

        Args:
            shards: of the worker.
            partitions: of the source topic.
            others: what the worker runs beside; it is ready when all of them are.

        Raises:
            ConfigError: the port cannot be bound, or a certificate cannot be used.
        """
        http = self._settings.http
        if not http.enabled:
            return NO_SERVER
        gateway = Gateway(shards, self._settings.topics.name(SOURCE_ROLE), partitions)
        self._others = others
        streams = None
        for other in others:
            if other.role == TOKENS_ROLE:
                topic = self._settings.topics.name(TOKENS_ROLE)
                streams = Gateway(other.shards, topic, partitions)
        self._gateways = [gateway] if streams is None else [gateway, streams]
        self._server = HttpServer(self.app(gateway, streams), http)
        self._server.start()
        url = advertised_url(http, self._server.port)
        log.info("http", port=self._server.port, advertised=url, service=http.service)
        if http.tokens and http.certificate_file is None and not is_loopback(http.host):
            log.warning(
                "bearer tokens travel in the clear: set http.certificate_file and http.key_file, "
                "or let nothing but a proxy that ends TLS reach this port"
            )
        return url

    def app(self, gateway: Gateway, streams: Gateway | None = None) -> FastAPI:
        """Return the application; not started.

        Args:
            gateway: to the shards.
            streams: to the shards of tokens.
        """
        settings = self._settings
        http, broker = settings.http, settings.broker
        is_open = is_loopback(http.host) if http.open_metrics is None else http.open_metrics
        parts = [
            probes(lambda: gateway.ready and all(other.shards.ready for other in self._others)),
            measurements(self._metrics.registry, is_open=is_open),
        ]
        if http.service:
            service = Service(
                settings,
                gateway,
                self.watch,
                UpdateProducer(broker, gateway.topic, http.timeout_s),
                Forwarder(http),
            )
            parts.append(service_api(service, http))
            if streams is not None:
                parts.append(stream_routes(streams, http))
            if settings.scanner.enabled:
                parts.append(_scanner(settings.scanner))
        return build_app(
            "Weir",
            "A worker of the stream",
            parts,
            largest=http.max_request_bytes,
            access=self._access,
            metrics=self._metrics,
        )

    def attach(self, loop: asyncio.AbstractEventLoop, owners: Owners) -> None:
        """Let questions reach the shards; the stream begins."""
        for gateway in self._gateways:
            gateway.attach(loop, owners)

    def detach(self) -> None:
        """Let no further question reach the shards; the stream ends."""
        for gateway in self._gateways:
            gateway.detach()

    def stop(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.stop()


def _scanner(settings: ScannerSettings) -> Part:
    """Return the scanner's routes; what they need is not imported where they are not wanted."""
    from streams.dlp import package, policy_file  # noqa: PLC0415 - see above
    from streams.dlp.live import LiveScanner, Sources  # noqa: PLC0415
    from streams.dlp.scanner import Exits  # noqa: PLC0415
    from streams.dlp.service import scan_routes  # noqa: PLC0415

    sources = Sources(
        settings.model or package.SHIPPED, settings.policy or policy_file.SHIPPED, Exits()
    )
    return scan_routes(
        lambda: LiveScanner(sources), workers=settings.workers, waiting=settings.waiting
    )
