"""The worker's HTTP server: liveness, readiness and metrics."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI, Response, status
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from schemas.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.settings import HttpSettings

START_S = 10


def build_http(registry: CollectorRegistry, ready: Callable[[], bool]) -> FastAPI:
    """Return the application with its routes.

    Args:
        registry: what /metrics shows.
        ready: tells whether every assigned shard is restored and serving.
    """
    api = FastAPI(title="Weir", summary="A worker of the stream", docs_url="/docs")

    @api.get("/healthz", summary="The process answers")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @api.get("/readyz", summary="All assigned shards are restored and serving")
    def readyz(response: Response) -> dict[str, str]:
        if ready():
            return {"status": "ready"}
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return {"status": "restoring"}

    @api.get("/metrics", summary="Prometheus metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return api


class HttpServer:
    """Runs an application on its own thread: a busy stream does not silence /healthz."""

    def __init__(self, api: FastAPI, settings: HttpSettings) -> None:
        self._settings = settings
        self._server = uvicorn.Server(
            uvicorn.Config(
                api,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                lifespan="off",
            )
        )
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._settled = threading.Event()

    def _run(self) -> None:
        try:
            self._server.run()
        except SystemExit:
            # uvicorn's way to say that it could not bind; ``start`` sees that it never started.
            pass
        finally:
            self._settled.set()

    def start(self) -> None:
        """Start and wait until the port is bound.

        Raises:
            ConfigError: it cannot be bound.
        """
        self._thread.start()
        waited = threading.Event()
        for _ in range(START_S * 100):
            if self._server.started or self._settled.is_set():
                break
            waited.wait(0.01)
        if not self._server.started:
            raise ConfigError(
                f"HTTP cannot listen on {self._settings.host}:{self._settings.port}: the port is "
                "taken or may not be bound. Set http.port (0: any free one), or http.enabled = "
                "false"
            )

    @property
    def port(self) -> int:
        """The port that is bound."""
        sockets = self._server.servers[0].sockets
        return int(sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Stop answering."""
        self._server.should_exit = True
        self._thread.join(START_S)
