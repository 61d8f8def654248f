"""The HTTP server: uvicorn on a thread of its own, or on the caller's."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from schemas.errors import ConfigError
from streams.service.access import is_loopback
from streams.service.peer import PeerProtocol

if TYPE_CHECKING:
    from fastapi import FastAPI

    from streams.service.settings import HttpSettings

START_S = 10


def uvicorn_config(api: FastAPI, settings: HttpSettings) -> uvicorn.Config:
    """Return how uvicorn serves an application: where, with which certificate, asking for whose.

    Who comes without a certificate is not turned away here: probes have none, and the guard decides
    what may be done without.

    Raises:
        ConfigError: a certificate cannot be used.
    """
    tls: dict[str, Any] = {}
    if settings.certificate_file is not None:
        tls = {
            "ssl_certfile": str(settings.certificate_file),
            "ssl_keyfile": str(settings.key_file),
        }
        if settings.client_ca_file is not None:
            tls["ssl_ca_certs"] = str(settings.client_ca_file)
            tls["ssl_cert_reqs"] = ssl.CERT_OPTIONAL
    config = uvicorn.Config(
        api,
        host=settings.host,
        port=settings.port,
        http=PeerProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=START_S,
        **tls,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"TLS files of http cannot be used: {error}") from error
    return config


def advertised_url(settings: HttpSettings, port: int) -> str:
    """Return where other workers reach a server.

    Args:
        settings: say so, or say where it is bound.
        port: that is bound.
    """
    if settings.advertised is not None:
        return settings.advertised
    scheme = "http" if settings.certificate_file is None else "https"
    host = settings.host
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 - it is compared with, not bound
        host = socket.getfqdn()
    elif scheme == "https" and is_loopback(host):
        host = "localhost"  # what a certificate names
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


class HttpServer:
    """Runs an application on its own thread: a busy stream does not silence /healthz.

    Args:
        api: the application.
        settings: where.

    Raises:
        ConfigError: a certificate cannot be used.
    """

    def __init__(self, api: FastAPI, settings: HttpSettings) -> None:
        self._settings = settings
        self._server = uvicorn.Server(uvicorn_config(api, settings))
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
