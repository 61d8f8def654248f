"""Counts requests and their time by route; of what is sent nothing becomes a label."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from streams.service.paths import route_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from streams.metrics import Metrics

ELSEWHERE = "other"
"""Label of paths that the application does not have."""


class Measured:
    """Tells the metrics of each request that was answered.

    Args:
        app: answers.
        metrics: told.
        paths: that become a label; all others are one.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Collection[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = route_of(scope["path"], self._paths) or ELSEWHERE
            self._metrics.answered(route, status, time.perf_counter() - started)
