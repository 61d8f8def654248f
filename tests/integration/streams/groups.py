"""Two workers with TLS, tokens and client certificates, and who asks them."""

from __future__ import annotations

import json
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx

from state.secrets import SECRET_NAMES, FileSecrets
from tests.integration.streams.certificates import Authority, Files
from tests.integration.streams.under_test import Stream, WorkerProcess, open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.broker.handle import CrashableBroker

PATIENCE_S = 60


class Group(NamedTuple):
    """Two workers, and what callers need."""

    stream: Stream
    workers: list[WorkerProcess]
    authority: Authority
    tokens: dict[str, str]

    def client(self, *, token: str | None = None, certificate: Files | None = None) -> httpx.Client:
        """Return a client that trusts the workers."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if certificate is not None:
            context.load_cert_chain(certificate.certificate, certificate.key)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(verify=context, headers=headers, timeout=PATIENCE_S)

    def urls(self, path: str) -> list[str]:
        """Return a path at each worker."""
        return [f"https://localhost:{worker.port}{path}" for worker in self.workers]

    def start(self) -> None:
        """Start the workers, and wait until they serve."""
        self.workers.extend([self.stream.start("w0"), self.stream.start("w1")])
        self.wait_ready()

    def settle(self) -> list[int]:
        """Wait until all events have been committed; return where each partition ends."""
        ends = [part[-1].offset + 1 for part in self.stream.records("events")]
        self.stream.until(lambda: self.stream.committed() == ends, f"offsets {ends}")
        return ends

    def wait_ready(self) -> None:
        """Wait until both workers serve, as a probe without a certificate sees it."""
        with self.client() as client:

            def ready() -> bool:
                try:
                    return all(client.get(u).is_success for u in self.urls("/readyz"))
                except httpx.HTTPError:
                    return False

            self.stream.until(ready, "both workers to serve")


@contextmanager
def open_group(broker: CrashableBroker, folder: Path) -> Iterator[Group]:
    """Make what two workers need; they are yet to be started.

    Args:
        broker: where.
        folder: of everything that is written.
    """
    authority = Authority(folder, "authority")
    own = authority.issue("worker")
    with open_stream(broker, folder) as stream:
        secrets = stream.settings.secrets_dir
        names = ["api-token-app", "api-token-globex"]
        FileSecrets.initialise(secrets, [*SECRET_NAMES, *names])
        stream.environment |= {
            "WEIR_HTTP__TOKENS": json.dumps(
                [
                    {"name": "app", "scopes": ["read", "write"]},
                    {"name": "globex", "scopes": ["read", "write"], "tenant": "globex"},
                ]
            ),
            "WEIR_HTTP__CERTIFICATE_FILE": str(own.certificate),
            "WEIR_HTTP__KEY_FILE": str(own.key),
            "WEIR_HTTP__CLIENT_CA_FILE": str(authority.file),
            "WEIR_HTTP__CERTIFICATES": json.dumps(
                [
                    {"subject": "CN=worker", "scopes": ["worker"]},
                    {"subject": "CN=reader", "scopes": ["read"]},
                ]
            ),
        }
        tokens = {name: (secrets / f"{name}.v1").read_text().strip() for name in names}
        yield Group(stream, [], authority, tokens)


def answered(worker: WorkerProcess, group: Group, route: str) -> int:
    """Return how many requests of a route a worker has answered."""
    with group.client() as client:
        text = client.get(f"https://localhost:{worker.port}/metrics").text
    return sum(
        int(float(line.rsplit(" ", 1)[1]))
        for line in text.splitlines()
        if line.startswith("weir_http_requests_total") and f'route="{route}"' in line
    )
