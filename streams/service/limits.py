"""How much a server takes: bytes of a request, and requests at a time."""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from streams.service.problems import Problem, busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SizeLimit:
    """Refuses bodies over a limit with 413, whether or not they say how long they are.

    Args:
        app: takes the rest.
        largest: bytes of a request.
        paths: path → another limit.
    """

    def __init__(self, app: ASGIApp, largest: int, paths: dict[str, int] | None = None) -> None:
        self._app = app
        self._largest = largest
        self._paths = paths or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting its bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = self._paths.get(scope["path"], self._largest)
        refusal = Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the request has more than {largest} bytes: send parts of it",
        ).response()
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > largest:
            await refusal(scope, receive, send)
            return
        events: list[Message] = []
        taken, more = 0, True
        while more:
            event = await receive()
            events.append(event)
            taken += len(event.get("body", b""))
            more = event.get("more_body", False)
            if taken > largest:
                await refusal(scope, receive, send)
                return
        events.reverse()

        async def replayed() -> Message:
            return events.pop() if events else await receive()

        await self._app(scope, replayed, send)


class Places:
    """Places for requests; on one event loop.

    Args:
        places: how many there are.
        what: who has them, for the one who is told that there is none.
    """

    def __init__(self, places: int, what: str) -> None:
        self._places = places
        self._what = what
        self._taken = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            Problem: 429, there is none.
        """
        if self._taken >= self._places:
            raise busy(f"{self._taken} {self._what}")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
