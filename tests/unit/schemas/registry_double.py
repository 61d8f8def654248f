"""A schema registry for tests: the routes of Confluent's REST protocol that a client uses.

It is a server at a real address, so that the real client, its retries and its errors are tested.
Routes and answers are those of the Schema Registry API reference (version 1).
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class RegistryDouble:
    """Schemas by id and by subject, served over HTTP while the context is open.

    Attributes:
        requests: method and path of each request, in order.
        frozen: subjects that take no new schema, as under an incompatible change.
        status: status to answer everything with, or None.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.frozen: set[str] = set()
        self.status: int | None = None
        self._schemas: dict[int, dict[str, Any]] = {}
        self._subjects: dict[str, list[int]] = {}
        double = self

        class Handler(_Handler):
            registry = double

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, schema: Any, subject: str = "elsewhere", **more: Any) -> int:
        """Register a schema as another application would, and return its id."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self._register(subject, {"schema": text, **more})

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body for a request."""
        self.requests.append(f"{method} {path}")
        if self.status is not None:
            return self.status, {"error_code": self.status, "message": "as the test wants it"}
        match method, path.strip("/").split("/"):
            case "GET", ["schemas", "ids", number] if int(number) in self._schemas:
                return 200, self._schemas[int(number)]
            case "POST", ["subjects", subject, "versions"]:
                if subject not in self.frozen or self._find(subject, body):
                    return 200, {"id": self._register(subject, body)}
                return 409, {
                    "error_code": 409,
                    "message": "Schema being registered is incompatible",
                }
            case "POST", ["subjects", subject] if found := self._find(subject, body):
                return 200, {"id": found, "subject": subject, "version": 1, **body}
        return 404, {"error_code": 40403, "message": "Schema not found"}

    def _register(self, subject: str, body: dict[str, Any]) -> int:
        found = next((i for i, known in self._schemas.items() if known == body), None)
        number = found or len(self._schemas) + 1
        self._schemas[number] = body
        self._subjects.setdefault(subject, []).append(number)
        return number

    def _find(self, subject: str, body: dict[str, Any]) -> int | None:
        numbers = self._subjects.get(subject, [])
        schema = body["schema"]
        return next((i for i in numbers if self._schemas[i]["schema"] == schema), None)


class _Handler(BaseHTTPRequestHandler):
    registry: RegistryDouble

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size) or b"{}")
        status, answer = self.registry.answer(method, self.path.partition("?")[0], body)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: the requests are kept for the test."""
